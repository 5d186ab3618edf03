package stage

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Times between attempts to remove an object.
const (
	retryBase  = 10 * time.Second
	retryLimit = time.Hour
)

// Unstage ends a run and removes its objects: after success, failure or
// cancellation of the pipeline alike. It may be called by any process and any
// number of times. It never waits for a platform's horizon: the receipt tells
// what is gone and what the sweep has yet to verify. An unknown run leaves a
// tombstone that bars a late Stage.
//
// The error is nil if every object is gone or waits for its horizon. An object
// that could not be removed is in the receipt, in the error, and will be tried
// again by the sweep. ErrHeld means that another actor is removing right now.
// ErrUnrecorded, joined to it, means that events could not be written: that stops
// nothing here.
func (e *Engine) Unstage(ctx context.Context, id secrets.RunID, caller, outcome string, ev ...secrets.Event) (Receipt, error) {
	return e.end(ctx, id, caller, Closing{Outcome: outcome, MaskFor: e.config.MaskFor}, ev...)
}

// Keep ends a run as Unstage does and leaves what it has staged where it is for d, at
// most until MaxNeed after its start, so that a task which failed can be run again
// with it. The sweep removes it then; Unstage does at any time before, and so does
// the revocation of one of its secrets. Receipt.Run.Kept tells until when; it is zero
// where nothing is kept: for a run that was still being staged, that holds a revoked
// secret, or that has ended before without being kept. Repeated, it changes nothing.
func (e *Engine) Keep(ctx context.Context, id secrets.RunID, caller, outcome string, d time.Duration, ev ...secrets.Event) (Receipt, error) {
	return e.end(ctx, id, caller, Closing{Outcome: outcome, MaskFor: e.config.MaskFor, Keep: d, Limit: e.config.MaxNeed}, ev...)
}

func (e *Engine) end(ctx context.Context, id secrets.RunID, caller string, c Closing, ev ...secrets.Event) (Receipt, error) {
	var run Run
	var rows []Row
	var before bool // it had ended
	unrecorded, err := e.proceed(ctx, ev, true, func(ev []secrets.Event) (err error) {
		run, rows, err = e.config.Ledger.End(ctx, id, c, ev...)
		if before = errors.Is(err, ErrEnded); before {
			err = nil
		}
		return err
	})
	if err != nil {
		return Receipt{}, err
	}
	// What is kept is no business of one who would end the run only if its time is over
	// or its launch failed, and came too late for that.
	if run.Phase == Closed || !run.Kept.IsZero() && (c.Keep > 0 || c.Overdue || c.Staging != 0) {
		return Receipt{Run: run, Rows: rows, Ended: !before}, unrecorded
	}
	// From this commit on nobody can create or publish. Who removes is another
	// matter: the one who gets the lease.
	a, taken, err := e.take(ctx, id)
	if err != nil {
		return Receipt{Run: run, Rows: rows, Ended: !before}, errors.Join(unrecorded, err)
	}
	receipt, err := e.settle(ctx, a, taken, caller, false)
	receipt.Ended = !before
	return receipt, errors.Join(unrecorded, err)
}

// Withdraw takes what was revoked from a run that is under way: an object that
// holds nothing else is removed, another one cut down, or removed whole where its
// driver can't cut it down. A run that is still being staged is ended. What
// can't be done now is left to the sweep. Versions stay pinned, so that the run's
// logs stay masked.
func (e *Engine) Withdraw(ctx context.Context, id secrets.RunID, caller string) (Receipt, error) {
	run, _, err := e.config.Ledger.Load(ctx, id)
	if err != nil {
		return Receipt{}, err
	}
	if run.Phase != Active {
		return e.Unstage(ctx, id, caller, "a secret was revoked")
	}
	a, rows, err := e.take(ctx, id)
	if err != nil {
		return Receipt{Run: run}, err
	}
	return e.settle(ctx, a, rows, caller, false)
}

// settle does what is to be done for each row of a run that this engine is the
// actor of, and records it: in one commit, unless it takes longer than half a
// lease. Rows whose next attempt is not due are left alone if onlyDue. The
// receipt holds what the ledger has.
func (e *Engine) settle(ctx context.Context, a actor, rows []Row, caller string, onlyDue bool) (Receipt, error) {
	var (
		todo     []*Row
		changed  []Row
		events   []secrets.Event
		failures []error
		stored   = slices.Clone(rows)
	)
	for i := range rows {
		if e.due(a, rows[i], onlyDue) {
			todo = append(todo, &rows[i])
		}
	}
	for len(todo) > 0 && ctx.Err() == nil && !a.over() {
		if e.waning(a) {
			unrecorded, err := e.proceedOwing(ctx, events, func(ev []secrets.Event) error { return e.keep(ctx, &a, changed, ev) })
			failures = append(failures, unrecorded)
			if err != nil {
				return Receipt{Run: a.run, Rows: stored}, errors.Join(append(failures, err)...)
			}
			changed, events, stored = nil, nil, slices.Clone(rows)
		}
		n := e.batch(todo)
		before := make([]Row, n)
		for i, row := range todo[:n] {
			before[i] = *row
		}
		for i, err := range each(todo[:n], func(row *Row) error { return e.step(ctx, a, row) }) {
			row := todo[i]
			if errors.Is(err, ErrFenced) { // nothing that we know counts any more
				return Receipt{Run: a.run, Rows: stored}, errors.Join(append(failures, err)...)
			}
			if err != nil {
				if e.postpone(a, row, err) {
					failures = append(failures, err)
					events = append(events, event(secrets.ActionRemove, secrets.Failed, caller, string(row.Code), a.run, *row))
				}
			} else if row.State.Over() {
				events = append(events, event(secrets.ActionRemove, secrets.Done, caller, "", a.run, *row))
			}
			for _, item := range before[i].Object.Items {
				if row.State == Created && !slices.Contains(row.Object.Items, item) {
					pulled := event(secrets.ActionRemove, secrets.Done, caller, "revoked", a.run, *row)
					pulled.Name, pulled.Pin = item.Name, item.Pin
					events = append(events, pulled)
				}
			}
			changed = append(changed, *row)
		}
		todo = todo[n:]
	}
	failures = append(failures, ctx.Err())
	if len(todo) > 0 && ctx.Err() == nil { // our lease was over before all was done
		failures = append(failures, ErrFenced)
	}
	to := a.run.Phase
	if to == Ending && !slices.ContainsFunc(rows, func(row Row) bool { return !row.State.Over() }) {
		to = Closed
	}
	var after Run
	unrecorded, err := e.proceedOwing(ctx, events, func(ev []secrets.Event) (err error) {
		after, err = e.advance(ctx, a, to, 0, changed, ev)
		return err
	})
	failures = append(failures, unrecorded)
	if err != nil {
		return Receipt{Run: a.run, Rows: stored}, errors.Join(append(failures, err)...)
	}
	return Receipt{Run: after, Rows: rows}, errors.Join(failures...)
}

// due reports whether there is something to do for a row.
func (e *Engine) due(a actor, row Row, onlyDue bool) bool {
	switch {
	case row.State.Over(), onlyDue && a.now().Before(row.Next):
		return false
	case a.run.Phase == Ending:
		return true
	case row.State == Created:
		return len(a.left(row.Object.Items)) < len(row.Object.Items)
	}
	return row.State != Intent
}

// left returns the items that were not revoked.
func (a actor) left(items []provider.Item) []provider.Item {
	var left []provider.Item
	for _, item := range items {
		if !slices.ContainsFunc(a.run.Items, func(of Item) bool { return of.Revoked && of.Pin == item.Pin }) {
			left = append(left, item)
		}
	}
	return left
}

// NoTarget is the code of a row whose target is no longer configured, or was
// moved: what was staged there can't be reached, and must not be looked for
// elsewhere.
const NoTarget provider.Code = "no such target"

// errOpen stands for a failure to unseal what an object is to keep: no fault of
// the platform's, and no reason to remove more.
var errOpen = &provider.Error{Op: "open", Code: provider.Unavailable}

// step takes one object a step nearer to where it is to be.
func (e *Engine) step(ctx context.Context, a actor, row *Row) error {
	if row.State == Created && a.run.Phase == Ending { // it was kept until now
		row.State = Deleting
	}
	driver := e.config.Targets[row.Target]
	if driver == nil || driver.Location() != row.Location {
		return &provider.Error{Op: "remove", Code: NoTarget}
	}
	if e.isSilent(row.Target) {
		return errSilent
	}
	if row.State == Created {
		rest := a.left(row.Object.Items)
		if cutter, can := driver.(provider.Withdrawer); can && len(rest) > 0 {
			return e.pull(ctx, a, cutter, row, rest)
		}
		row.State = Deleting
	}
	return e.remove(ctx, a, driver, row)
}

// pull makes an object hold only the rest of its items.
func (e *Engine) pull(ctx context.Context, a actor, cutter provider.Withdrawer, row *Row, rest []provider.Item) error {
	object := row.Object
	object.Items, object.Epoch = rest, a.run.Epoch
	var o opening
	err := e.call(ctx, a, row.Target, "withdraw", callTimeout, func(ctx context.Context) error {
		return cutter.Withdraw(ctx, object, row.ID, e.opener(a, rest, &o))
	})
	o.destroy()
	switch {
	case errors.Is(o.err, ErrFenced):
		return ErrFenced
	case o.err != nil:
		return errOpen
	case err != nil:
		return err
	}
	row.Object, row.Attempts, row.Code, row.Next = object, 0, "", time.Time{}
	return nil
}

// remove removes an object and looks whether it is gone. Absence counts from the
// first look that saw it, which comes after the fence was closed, so that whatever
// was still on its way when the run ended has a whole horizon to show up.
//
// It removes by id, so that nothing else goes, and looks by name, so that nothing
// stays: a request that a platform delivers twice makes another object of ours
// under the same name.
func (e *Engine) remove(ctx context.Context, a actor, driver provider.Provider, row *Row) error {
	object := row.Object
	if a.run.found() {
		object.Stage = "" // the key of its row, and none of its own
	}
	var presence provider.Presence
	var looked time.Time
	look := func() error {
		return e.call(ctx, a, row.Target, "probe", callTimeout, func(ctx context.Context) error {
			found, id, err := driver.Probe(ctx, object)
			if presence = found; err == nil && found == provider.Present {
				row.ID, row.Absent = id, time.Time{}
			}
			return err
		})
	}
	horizon := driver.Capabilities().Horizon
	// A crash may have come before the record. And what was gone once, or is going, is
	// removed only if it is there again: platforms count what they are asked for.
	lookFirst := row.ID == "" || row.State == AbsentOnce || row.State == Pending
	if lookFirst {
		looked = a.now()
		if err := look(); err != nil {
			return err
		}
	}
	// Without a horizon a look may show less than there is to remove, such as what
	// a crash left half made.
	if !lookFirst || presence == provider.Present || horizon == 0 && presence != provider.Foreign {
		for range copies {
			removed := row.ID
			err := e.call(ctx, a, row.Target, "remove", callTimeout, func(ctx context.Context) error {
				return driver.Remove(ctx, object, row.ID)
			})
			if err != nil {
				return err
			}
			looked = a.now()
			if err := look(); err != nil {
				return err
			}
			if presence != provider.Present || row.ID == removed || removed == "" {
				break
			}
		}
	}
	now := a.now()
	if row.Absent.After(now) { // seen under a clock that was wrong
		row.Absent = now
	}
	if presence != provider.Absent && presence != provider.Foreign && presence != provider.Pending {
		if row.State != Stuck {
			row.State = Deleting
		}
		row.Absent = time.Time{}
		return errStill
	}
	row.Attempts, row.Code = 0, ""
	switch {
	case presence == provider.Pending:
		// It is gone in minutes or in days: the longer it takes, the rarer the looks;
		// but as often as what is absent is looked for while the run is under way.
		next := horizon / looks
		if a.run.Phase == Ending {
			next = now.Sub(a.run.Ended) / 4
		}
		row.State, row.Absent, row.Next = Pending, time.Time{}, now.Add(min(max(next, retryBase), retryLimit))
	case horizon == 0 || !row.Absent.IsZero() && looked.Sub(row.Absent) >= horizon:
		row.State, row.Gone, row.Next = Gone, now, time.Time{}
	default:
		if row.Absent.IsZero() {
			row.Absent = now
		}
		row.State, row.Next = AbsentOnce, row.Absent.Add(horizon)
		if soon := now.Add(horizon / looks); soon.Before(row.Next) {
			row.Next = soon
		}
	}
	return nil
}

// copies is how many objects of one name are removed one after the other: what a
// platform made of a request that it got twice has another id.
const copies = 3

// errStill stands for an object that is there after it was removed. Where there is
// a horizon a look may be stale, and that is no failure until it has been so
// for as long as [StuckAfter] attempts take.
var errStill = &provider.Error{Op: "remove", Code: provider.Unavailable}

// looks is how often what was seen absent is looked for until it counts as gone,
// so that what lands late does not stay until the last of them.
const looks = 5

// postpone records a failed attempt, and reports whether anybody need hear of it.
// An object that nobody but an operator can help is Stuck: visible as such, and
// tried again all the same. One that its driver can't cut down is to go as a
// whole, at once; but not since its platform was away, or the key service, for the
// others that it holds are in use.
func (e *Engine) postpone(a actor, row *Row, err error) (failed bool) {
	row.Attempts++
	row.Code = codeOf(err)
	if row.Code == provider.Throttled { // it is at work, and there is nothing for an operator to do
		row.Attempts = min(row.Attempts, StuckAfter-1)
	}
	row.Next = a.now().Add(backoff(retryBase, row.Attempts, retryLimit))
	switch {
	case transient(row.Code) && row.Attempts < StuckAfter:
		driver := e.config.Targets[row.Target]
		return err != errStill || driver != nil && capabilities(driver).Horizon == 0
	case row.State != Created:
		row.State = Stuck
	case row.Code == NoTarget:
		row.Attempts = max(row.Attempts, StuckAfter)
	case !transient(row.Code):
		row.State, row.Attempts, row.Next = Deleting, 0, time.Time{}
	}
	return true
}
