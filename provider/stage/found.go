package stage

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

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
		driver := e.config.Targets[target]
		lister, can := driver.(provider.Lister)
		if !can {
			continue
		}
		listed, err := list(ctx, lister, mark)
		failures = append(failures, err)
		for page := range slices.Chunk(listed, knownPage) {
			failures = append(failures, e.compare(ctx, w, target, driver, page))
		}
	}
	return errors.Join(failures...)
}

// list reads what carries the mark, as far as it can be read.
func list(ctx context.Context, lister provider.Lister, mark [16]byte) (listed []provider.Object, err error) {
	const op = "list"
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	defer func() {
		if recover() != nil {
			err = &provider.Error{Op: op, Code: provider.Internal}
		}
	}()
	for o, err := range lister.List(ctx, mark) {
		if err != nil {
			return listed, driverError(op, err)
		}
		if o.Mark == mark {
			listed = append(listed, o)
		}
	}
	return listed, nil
}

// compare quarantines those listed objects that no row answers for.
func (e *Engine) compare(ctx context.Context, w *sweep, target string, driver provider.Provider, listed []provider.Object) error {
	names := make([]string, len(listed))
	for i, o := range listed {
		names[i] = o.Name
	}
	known, err := e.config.Ledger.Known(ctx, driver.Location(), names)
	if err != nil {
		return err
	}
	var failures []error
	for _, o := range listed {
		state, heard := known[o.Name]
		switch {
		case heard && !state.Over() || state == Released:
			continue
		case w.Found == maxFound:
			w.ReportOnly = "more was found than one sweep takes on"
			return errors.Join(failures...)
		}
		outcome := outcomeUnknown
		if heard {
			outcome = outcomeBack
		}
		failures = append(failures, e.quarantine(ctx, w, target, driver, o, outcome))
	}
	return errors.Join(failures...)
}

// quarantine records a listed object if it is really there: lists show what is
// gone for a while.
func (e *Engine) quarantine(ctx context.Context, w *sweep, target string, driver provider.Provider, o provider.Object, outcome string) error {
	var presence provider.Presence
	var id string
	o.Stage = ""
	probing := actor{term: time.Now().Add(callTimeout)}
	err := probing.call(ctx, "probe", callTimeout, func(ctx context.Context) (err error) {
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
		w.Found++
	}
	return err
}

// sweepFound removes an object that an earlier sweep has quarantined, or says why
// it stays.
func (e *Engine) sweepFound(ctx context.Context, w *sweep, run Run) (Receipt, error) {
	stored, rows, err := e.config.Ledger.Load(ctx, run.ID)
	if err != nil {
		return Receipt{}, err
	}
	receipt := Receipt{stored, rows}
	if len(rows) == 1 && rows[0].State == Quarantined {
		if !rows[0].Intent.Before(w.start) { // found since this sweep began
			return receipt, nil
		}
		known, err := e.config.Ledger.Known(ctx, rows[0].Location, []string{rows[0].Object.Name})
		if err != nil {
			return receipt, err
		}
		if known[rows[0].Object.Name] != Quarantined { // somebody answers for it after all
			return e.Disown(ctx, run.ID, rows[0].Target, w.caller)
		}
		if why := w.stays(ctx, run); why != "" {
			w.Quarantined++
			w.ReportOnly = why
			return receipt, nil
		}
		w.spent++
	}
	return e.resume(ctx, run, w.caller)
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

// errIntact hides the host's own error text.
var errIntact = errors.New("stage: the host could not say whether the ledger is intact")

// intactOnce asks the host, at most once a sweep.
func (e *Engine) intactOnce() func(context.Context) error {
	var once sync.Once
	err := errIntact
	return func(ctx context.Context) error {
		once.Do(func() {
			defer func() { _ = recover() }() // err stays
			if e.config.Intact != nil && e.config.Intact(ctx) == nil {
				err = nil
			}
		})
		return err
	}
}

// Disown gives up what a run has at a target and can't be removed, or is in
// quarantine: Stuck and Quarantined objects become Released, and the run is
// closed if nothing else is left of it. It is for what will never be reached
// again, such as a cluster that was shut down, or is somebody else's after all:
// whatever is still there stays there. An event tells who took that decision.
//
// To remove at once what is stuck or in quarantine, call [Engine.Unstage].
func (e *Engine) Disown(ctx context.Context, id secrets.RunID, target, caller string) (Receipt, error) {
	a, rows, err := e.take(ctx, id)
	if err != nil {
		return Receipt{}, err
	}
	var changed []Row
	var events []secrets.Event
	left := false
	for i := range rows {
		row := &rows[i]
		if row.Target == target && (row.State == Stuck || row.State == Quarantined) {
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
	return Receipt{after, rows}, err
}
