package stage

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pipesecrets/pipesecrets/internal/stopwatch"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// What a sweep finds by the installation's mark and the ledger does not answer
// for. Such an object becomes a run of its own, with no items and in phase
// Ending: it is visible from then on, and removed by the same steps as any other.

// Outcomes of such runs.
const (
	outcomeBack    = "was there again after it was gone" // its row says Gone
	outcomeUnknown = "not known to the ledger"           // it never had a row
)

// foundPrefix begins the ids of such runs. A nonce follows.
const foundPrefix = "found-"

func (r Run) found() bool {
	return strings.HasPrefix(r.ID.String(), foundPrefix) && (r.Outcome == outcomeBack || r.Outcome == outcomeUnknown)
}

// Limits of what a sweep does about what it finds. Beyond them something else is
// wrong, and an operator is to look first.
const (
	maxFound  = 100 // objects that one sweep quarantines, and that one sweep lets go
	fewFound  = 10  // in quarantine, of which no share is too large
	knownPage = 500
)

// listTimeout bounds the listing of one target.
const listTimeout = 5 * time.Minute

// backstop lists every target and quarantines what nobody answers for. The
// ledger is asked after the listing: what a launcher creates meanwhile has been
// committed by then.
func (e *Engine) backstop(ctx context.Context, w *sweep, mark [16]byte) error {
	var failures []error
	for _, target := range slices.Sorted(maps.Keys(e.config.Targets)) {
		lister, can := e.config.Targets[target].(provider.Lister)
		if !can {
			continue
		}
		names, err := e.list(ctx, target, lister, mark)
		failures = append(failures, err)
		for page := range slices.Chunk(names, knownPage) {
			failures = append(failures, e.compare(ctx, w, target, mark, page))
		}
	}
	return errors.Join(failures...)
}

// list reads the names of what carries the mark, as far as they can be read. It
// does not wait for a driver that does not come back.
func (e *Engine) list(ctx context.Context, target string, lister provider.Lister, mark [16]byte) ([]string, error) {
	if e.isSilent(target) {
		return nil, errSilent
	}
	type answer struct {
		names []string
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		var a answer
		a.names, a.err = e.listed(ctx, target, lister, mark)
		answers <- a
	}()
	timer := time.NewTimer(listTimeout + overdueBy)
	defer timer.Stop()
	select {
	case a := <-answers:
		return a.names, a.err
	case <-timer.C:
		return nil, errSilent
	}
}

func (e *Engine) listed(ctx context.Context, target string, lister provider.Lister, mark [16]byte) (names []string, err error) {
	a := actor{lease: listTimeout, since: stopwatch.Start()}
	err = e.call(ctx, a, target, "list", listTimeout, func(ctx context.Context) error {
		for o, err := range lister.List(ctx, mark) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			if o.Mark == mark {
				names = append(names, o.Name)
			}
		}
		return nil
	})
	return names, err
}

// compare quarantines those listed objects that no row answers for.
func (e *Engine) compare(ctx context.Context, w *sweep, target string, mark [16]byte, names []string) error {
	known, err := e.config.Ledger.Known(ctx, names)
	if err != nil {
		return err
	}
	var failures []error
	for _, name := range names {
		state, heard := known[name]
		switch {
		case heard && !state.Over() || state == Released:
			continue
		case w.report.Found == maxFound:
			w.report.ReportOnly = "more was found than one sweep takes on"
			return errors.Join(failures...)
		case e.isSilent(target):
			return errors.Join(append(failures, errSilent)...)
		}
		outcome := outcomeUnknown
		if heard {
			outcome = outcomeBack
		}
		failures = append(failures, safely("list", func() error {
			return e.quarantine(ctx, w, target, provider.Object{Name: name, Mark: mark}, outcome)
		}))
	}
	return errors.Join(failures...)
}

// quarantine records a listed object if it is really there: lists show what is
// gone for a while.
func (e *Engine) quarantine(ctx context.Context, w *sweep, target string, o provider.Object, outcome string) error {
	var presence provider.Presence
	var id string
	driver := e.config.Targets[target]
	a := actor{lease: callTimeout, since: stopwatch.Start()}
	err := e.call(ctx, a, target, "probe", callTimeout, func(ctx context.Context) (err error) {
		presence, id, err = driver.Probe(ctx, o)
		return err
	})
	if err != nil || presence != provider.Present {
		return err
	}
	o.Stage = nonce()
	run, err := secrets.ParseRunID(foundPrefix + nonce())
	if err != nil {
		return err
	}
	r, row := Run{ID: run, Outcome: outcome}, Row{Target: target, Location: driver.Location(), Object: o, ID: id}
	err = e.config.Ledger.Found(ctx, r, row, event(secrets.ActionQuarantine, secrets.Done, w.caller, outcome, r, row))
	if errors.Is(err, ErrHeld) { // another sweep was faster
		return nil
	}
	if err == nil {
		w.report.Found++
	}
	return err
}

// sweepFound removes an object that an earlier sweep has quarantined, or says why
// it stays.
func (e *Engine) sweepFound(ctx context.Context, w *sweep, run Run, rows []Row, s *swept) {
	s.receipt = Receipt{Run: run, Rows: rows}
	if len(rows) == 1 && rows[0].State == Quarantined {
		if !rows[0].Intent.Before(w.start) { // found since this sweep began
			return
		}
		known, err := e.config.Ledger.Known(ctx, []string{rows[0].Object.Name})
		if err != nil {
			s.err = err
			return
		}
		if known[rows[0].Object.Name] != Quarantined { // somebody answers for it after all
			s.receipt, s.err = e.Disown(ctx, run.ID, rows[0].Target, w.caller)
			return
		}
		if s.stays = w.stays(ctx, run); s.stays != "" {
			return
		}
		s.spent = true
	}
	s.receipt, s.err = e.resume(ctx, run, w.caller)
}

// stays returns why a sweep does not remove a quarantined object, or "". One
// that the ledger knows to be ours and gone needs no further proof. Another one
// is in the ledger no more because the ledger lost it, or never was because the
// installation's mark was used by somebody else.
func (w *sweep) stays(ctx context.Context, run Run) string {
	switch {
	case w.spent >= maxFound:
		return "more was found than one sweep takes on"
	case run.Outcome == outcomeBack:
		return ""
	case w.stats.Empty:
		return "the ledger is empty"
	case w.stats.Quarantined > fewFound && 2*w.stats.Quarantined > w.stats.Staged:
		return "most of what is there was found"
	case w.intact(ctx) != nil:
		return "nobody can say that the ledger has not lost it"
	}
	return ""
}

// Disown gives up what a run has at a target and can't be removed, or is in
// quarantine: objects that need help ([Row.NeedsHelp]) become Released, and the run
// is closed if nothing else is left of it. It is for what will never be reached
// again, such as a cluster that was shut down, or is somebody else's after all:
// whatever is still there stays there. An event tells who took that decision.
//
// To remove at once what is stuck or in quarantine, call [Engine.Unstage].
func (e *Engine) Disown(ctx context.Context, id secrets.RunID, target, caller string) (Receipt, error) {
	if r, err := e.Receipt(ctx, id); err != nil || r.Run.Phase == Closed { // by an earlier call, whose lease may still run
		return r, err
	}
	a, rows, err := e.take(ctx, id)
	if err != nil {
		return Receipt{}, err
	}
	var changed []Row
	var events []secrets.Event
	left := false
	for i := range rows {
		row := &rows[i]
		if row.Target == target && row.NeedsHelp() {
			row.State, row.Gone, row.Next = Released, a.now(), time.Time{}
			changed = append(changed, *row)
			events = append(events, event(secrets.ActionDisown, secrets.Done, caller, "", a.run, *row))
		}
		left = left || !row.State.Over()
	}
	to := a.run.Phase
	if to == Ending && !left {
		to = Closed
	}
	after, err := e.advance(ctx, a, to, 0, changed, events)
	return Receipt{Run: after, Rows: rows}, err
}
