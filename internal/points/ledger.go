// Package points makes every call of a ledger a point at which a test can let it
// fail, wait or die.
package points

import (
	"context"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Hook stands in the place of each call; do makes it. run is whom it concerns,
// zero if nobody in particular.
type Hook func(ctx context.Context, method string, run secrets.RunID, do func(context.Context) error) error

// Ledger returns a ledger each call of which goes through the hook.
func Ledger(l stage.Ledger, hook Hook) stage.Ledger { return ledger{l, hook} }

type ledger struct {
	stage.Ledger // whose methods are all overridden
	at           Hook
}

func (l ledger) Begin(ctx context.Context, r stage.Run, rows []stage.Row, t stage.Terms, ev ...secrets.Event) (begun stage.Run, err error) {
	err = l.at(ctx, "Begin", r.ID, func(ctx context.Context) (err error) {
		begun, err = l.Ledger.Begin(ctx, r, rows, t, ev...)
		return err
	})
	return begun, err
}

func (l ledger) Load(ctx context.Context, id secrets.RunID) (r stage.Run, rows []stage.Row, err error) {
	err = l.at(ctx, "Load", id, func(ctx context.Context) (err error) {
		r, rows, err = l.Ledger.Load(ctx, id)
		return err
	})
	return r, rows, err
}

func (l ledger) Take(ctx context.Context, id secrets.RunID, lease time.Duration) (r stage.Run, err error) {
	err = l.at(ctx, "Take", id, func(ctx context.Context) (err error) {
		r, err = l.Ledger.Take(ctx, id, lease)
		return err
	})
	return r, err
}

func (l ledger) Advance(ctx context.Context, r stage.Run, to stage.Phase, lease time.Duration, rows []stage.Row, ev ...secrets.Event) (after stage.Run, err error) {
	err = l.at(ctx, "Advance", r.ID, func(ctx context.Context) (err error) {
		after, err = l.Ledger.Advance(ctx, r, to, lease, rows, ev...)
		return err
	})
	return after, err
}

func (l ledger) Need(ctx context.Context, id secrets.RunID, d, limit time.Duration, ev ...secrets.Event) (until time.Time, err error) {
	err = l.at(ctx, "Need", id, func(ctx context.Context) (err error) {
		until, err = l.Ledger.Need(ctx, id, d, limit, ev...)
		return err
	})
	return until, err
}

func (l ledger) End(ctx context.Context, id secrets.RunID, c stage.Closing, ev ...secrets.Event) (r stage.Run, rows []stage.Row, err error) {
	err = l.at(ctx, "End", id, func(ctx context.Context) (err error) {
		r, rows, err = l.Ledger.End(ctx, id, c, ev...)
		return err
	})
	return r, rows, err
}

func (l ledger) Due(ctx context.Context, at time.Time, n int) (due []secrets.RunID, err error) {
	err = l.at(ctx, "Due", secrets.RunID{}, func(ctx context.Context) (err error) {
		due, err = l.Ledger.Due(ctx, at, n)
		return err
	})
	return due, err
}

func (l ledger) Release(ctx context.Context, id secrets.RunID) error {
	return l.at(ctx, "Release", id, func(ctx context.Context) error { return l.Ledger.Release(ctx, id) })
}

func (l ledger) Revoke(ctx context.Context, id secrets.ID, ev ...secrets.Event) (runs []stage.Run, err error) {
	err = l.at(ctx, "Revoke", secrets.RunID{}, func(ctx context.Context) (err error) {
		runs, err = l.Ledger.Revoke(ctx, id, ev...)
		return err
	})
	return runs, err
}

func (l ledger) UsedBy(ctx context.Context, id secrets.ID) (runs []stage.Run, err error) {
	err = l.at(ctx, "UsedBy", secrets.RunID{}, func(ctx context.Context) (err error) {
		runs, err = l.Ledger.UsedBy(ctx, id)
		return err
	})
	return runs, err
}

func (l ledger) Sweeping(ctx context.Context, gap time.Duration) (st stage.Stats, err error) {
	err = l.at(ctx, "Sweeping", secrets.RunID{}, func(ctx context.Context) (err error) {
		st, err = l.Ledger.Sweeping(ctx, gap)
		return err
	})
	return st, err
}

func (l ledger) Swept(ctx context.Context, ev ...secrets.Event) error {
	return l.at(ctx, "Swept", secrets.RunID{}, func(ctx context.Context) error { return l.Ledger.Swept(ctx, ev...) })
}

func (l ledger) Known(ctx context.Context, names []string) (known map[string]stage.State, err error) {
	err = l.at(ctx, "Known", secrets.RunID{}, func(ctx context.Context) (err error) {
		known, err = l.Ledger.Known(ctx, names)
		return err
	})
	return known, err
}

func (l ledger) Found(ctx context.Context, r stage.Run, row stage.Row, ev ...secrets.Event) error {
	return l.at(ctx, "Found", r.ID, func(ctx context.Context) error { return l.Ledger.Found(ctx, r, row, ev...) })
}

func (l ledger) Stuck(ctx context.Context, after secrets.RunID, n int) (runs []secrets.RunID, err error) {
	err = l.at(ctx, "Stuck", secrets.RunID{}, func(ctx context.Context) (err error) {
		runs, err = l.Ledger.Stuck(ctx, after, n)
		return err
	})
	return runs, err
}

func (l ledger) Stats(ctx context.Context) (st stage.Stats, err error) {
	err = l.at(ctx, "Stats", secrets.RunID{}, func(ctx context.Context) (err error) {
		st, err = l.Ledger.Stats(ctx)
		return err
	})
	return st, err
}
