package stage

import (
	"context"
	"errors"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Times between attempts to remove an object.
const (
	retryBase  = 10 * time.Second
	retryLimit = time.Hour
	stuckAfter = 6 // failed attempts in a row, where trying again may help
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
func (e *Engine) Unstage(ctx context.Context, id secrets.RunID, caller, outcome string, ev ...secrets.Event) (Receipt, error) {
	return e.end(ctx, id, caller, Closing{Outcome: outcome, MaskFor: e.config.MaskFor}, ev...)
}

func (e *Engine) end(ctx context.Context, id secrets.RunID, caller string, c Closing, ev ...secrets.Event) (Receipt, error) {
	run, rows, err := e.config.Ledger.Close(ctx, id, c, ev...)
	if err != nil {
		return Receipt{}, err
	}
	if run.Phase == Closed {
		return Receipt{run, rows}, nil
	}
	// From this commit on nobody can create or publish. Who removes is another
	// matter: the one who gets the lease.
	taken, takenRows, err := e.take(ctx, id)
	if err != nil {
		return Receipt{run, rows}, err
	}
	return e.settle(ctx, taken, takenRows, caller, false)
}

// take makes this engine the actor of a run and reads it then, since nobody else
// changes it from there on.
func (e *Engine) take(ctx context.Context, id secrets.RunID) (Run, []Row, error) {
	if _, err := e.config.Ledger.Take(ctx, id, e.config.Lease); err != nil {
		return Run{}, nil, err
	}
	return e.config.Ledger.Load(ctx, id)
}

// settle does what is to be done for each row of a run that this engine is the
// actor of, and records it in one commit. Rows that are to be tried later are
// left alone if onlyDue.
func (e *Engine) settle(ctx context.Context, run Run, rows []Row, caller string, onlyDue bool) (Receipt, error) {
	var (
		failures []error
		changed  []Row
		events   []secrets.Event
		term     = e.term()
		left     = false
	)
	for i := range rows {
		row := &rows[i]
		work := row.State != Created && row.State != Intent || run.Phase == Ending
		if row.State.Over() || !work || onlyDue && time.Now().Before(row.Next) {
			left = left || !row.State.Over()
			continue
		}
		before := *row
		var err error
		if row.State == Pulling {
			err = e.pull(ctx, run, row, term)
		} else {
			err = e.remove(ctx, row)
		}
		if err != nil {
			e.postpone(row, err)
			failures = append(failures, err)
			events = append(events, e.event(secrets.ActionRemove, secrets.Failed, caller, string(row.Code), run, *row))
		} else if row.State != before.State && (row.State.Over() || row.State == Created) {
			events = append(events, e.event(secrets.ActionRemove, secrets.Done, caller, "", run, *row))
		}
		left = left || !row.State.Over()
		changed = append(changed, *row)
	}
	to := run.Phase
	if to == Ending && !left {
		to = Closed
	}
	// What was done is recorded even if the caller has given up meanwhile.
	record, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.config.Lease)
	defer cancel()
	after, err := e.config.Ledger.Advance(record, run, to, 0, changed, events...)
	if err != nil {
		return Receipt{run, rows}, errors.Join(append(failures, err)...)
	}
	return Receipt{after, rows}, errors.Join(failures...)
}

// errTarget stands for a target that is no longer configured, or was moved: what
// was staged there can't be reached, and must not be looked for elsewhere.
var errTarget = &provider.Error{Op: "remove", Code: "no such target"}

// remove takes one object a step nearer to Gone. Absence counts from the first
// look that saw it, which comes after the fence was closed, so that whatever was
// still on its way when the run ended has a whole horizon to show up.
func (e *Engine) remove(ctx context.Context, row *Row) error {
	driver := e.config.Targets[row.Target]
	if driver == nil || driver.Location() != row.Location {
		return errTarget
	}
	id := row.ID
	if id == "" { // a crash came before the record: look by the planned name
		presence, found, err := driver.Probe(ctx, row.Object, "")
		if err != nil {
			return err
		}
		if presence == provider.Present {
			id, row.ID = found, found
		}
	}
	if id != "" || driver.Capabilities().Horizon == 0 {
		if err := driver.Remove(ctx, row.Object, id); err != nil {
			return err
		}
	}
	presence, _, err := driver.Probe(ctx, row.Object, id)
	if err != nil {
		return err
	}
	now, horizon := time.Now(), driver.Capabilities().Horizon
	row.Attempts, row.Code = 0, ""
	switch {
	case presence == provider.Present || presence == provider.Unknown:
		row.State, row.Absent, row.Next = Deleting, time.Time{}, now.Add(backoff(retryBase, 1, retryLimit))
	case presence == provider.Pending:
		row.State, row.Absent, row.Next = Pending, time.Time{}, now.Add(retryLimit)
	case horizon == 0 || !row.Absent.IsZero() && now.Sub(row.Absent) >= horizon:
		row.State, row.Gone, row.Next = Gone, now, time.Time{}
	case row.Absent.IsZero():
		row.State, row.Absent, row.Next = AbsentOnce, now, now.Add(horizon)
	default:
		row.Next = row.Absent.Add(horizon)
	}
	return nil
}

// pull makes an object hold only the items that were left to it.
func (e *Engine) pull(ctx context.Context, run Run, row *Row, term time.Time) error {
	driver := e.config.Targets[row.Target]
	if driver == nil || driver.Location() != row.Location {
		return errTarget
	}
	open, destroy := e.opener(run, row.Object.Items, term)
	defer destroy()
	if err := driver.(provider.Withdrawer).Withdraw(ctx, row.Object, row.ID, open); err != nil {
		return err
	}
	row.State, row.Attempts, row.Code, row.Next = Created, 0, "", time.Time{}
	return nil
}

// postpone records a failed attempt. An object that nobody but an operator can
// help is Stuck: visible as such, and tried again all the same. One that can't be
// cut down is to go as a whole.
func (e *Engine) postpone(row *Row, err error) {
	row.Attempts++
	row.Code = codeOf(err)
	if !transient(row.Code) || row.Attempts >= stuckAfter {
		if row.State == Pulling {
			row.State, row.Attempts = Deleting, 0
		} else {
			row.State = Stuck
		}
	}
	row.Next = time.Now().Add(backoff(retryBase, row.Attempts, retryLimit))
}

// Withdraw takes a secret's versions from a run that is under way: its object is
// removed, or cut down where it holds other secrets too. A run that is still
// being staged is ended, as is one whose driver can't cut an object down. The
// versions stay pinned, so that the run's logs stay masked.
func (e *Engine) Withdraw(ctx context.Context, id secrets.RunID, secret secrets.ID, caller string, ev ...secrets.Event) (Receipt, error) {
	run, rows, err := e.config.Ledger.Load(ctx, id)
	if err != nil {
		return Receipt{}, err
	}
	if run.Phase == Active {
		if run, rows, err = e.take(ctx, id); err != nil {
			return Receipt{}, err
		}
	}
	if run.Phase != Active {
		return e.Unstage(ctx, id, caller, "a secret was revoked", ev...)
	}
	var changed []Row
	for i := range rows {
		row := &rows[i]
		var rest []provider.Item
		for _, item := range row.Object.Items {
			if item.Pin.ID != secret {
				rest = append(rest, item)
			}
		}
		if len(rest) == len(row.Object.Items) || row.State.Over() {
			continue
		}
		if _, can := e.config.Targets[row.Target].(provider.Withdrawer); len(rest) > 0 && !can {
			return e.Unstage(ctx, id, caller, "a secret was revoked", ev...)
		}
		if len(rest) > 0 {
			row.State, row.Object.Items = Pulling, rest
		} else {
			row.State = Deleting
		}
		row.Next, row.Attempts = time.Time{}, 0
		changed = append(changed, *row)
	}
	if run, err = e.config.Ledger.Advance(ctx, run, Active, e.config.Lease, changed, ev...); err != nil {
		return Receipt{run, rows}, err
	}
	return e.settle(ctx, run, rows, caller, false)
}
