package stage

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/pipesecrets/pipesecrets/internal/stopwatch"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// actor is this engine in the time in which it alone may act on a run.
type actor struct {
	run   Run
	lease time.Duration
	since stopwatch.Watch // when the lease was asked for

	// The ledger's time at a moment of ours. What is compared with other hosts'
	// times, such as the horizon, is counted on the ledger's clock.
	ledger, seen time.Time
}

// actorSince is the actor of a run whose lease was granted between before, by our
// clock, and now.
func (e *Engine) actorSince(before time.Time, run Run) actor {
	return actor{
		run: run, lease: e.config.Lease, since: stopwatch.At(before),
		ledger: run.Actor.Add(-e.config.Lease), seen: time.Now(),
	}
}

// now is the ledger's time.
func (a actor) now() time.Time { return a.ledger.Add(time.Since(a.seen)) }

// remains answers how much of our lease is left by our own clock, even if the
// machine was suspended meanwhile.
func (a actor) remains() time.Duration { return a.lease - a.since.Elapsed() }

// over reports whether our lease is over by our own clock.
func (a actor) over() bool { return a.remains() <= 0 }

// take makes this engine the actor of a run and reads it then, since nobody else
// changes its rows from there on.
func (e *Engine) take(ctx context.Context, id secrets.RunID) (actor, []Row, error) {
	before := time.Now()
	taken, err := e.config.Ledger.Take(ctx, id, e.config.Lease)
	if err != nil {
		return actor{}, nil, err
	}
	run, rows, err := e.config.Ledger.Load(ctx, id)
	if err != nil {
		return actor{}, nil, err
	}
	if run.Epoch != taken.Epoch { // a pause let the lease run out in between
		return actor{}, nil, ErrFenced
	}
	return e.actorSince(before, run), rows, nil
}

// advance records what was done, even if the caller has given up meanwhile.
func (e *Engine) advance(ctx context.Context, a actor, to Phase, lease time.Duration, rows []Row, ev []secrets.Event) (Run, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*e.config.Lease)
	defer cancel()
	return e.config.Ledger.Advance(ctx, a.run, to, lease, rows, ev...)
}

// waning reports whether half of the lease is over: time to renew it.
func (e *Engine) waning(a actor) bool { return a.remains() < a.lease/2 }

// keep records progress and so renews the lease.
func (e *Engine) keep(ctx context.Context, a *actor, rows []Row, ev []secrets.Event) error {
	before := time.Now()
	run, err := e.advance(ctx, *a, a.run.Phase, e.config.Lease, rows, ev)
	if err == nil {
		*a = e.actorSince(before, run)
	}
	return err
}

// opening is one Opener, and what became of it.
type opening struct {
	mu     sync.Mutex
	err    error // why it gave no values
	asked  bool
	over   bool // the call that it was for is
	values map[secrets.Pin]secrets.Value
}

// destroy ends the values, and the Opener: whoever asks later gets none.
func (o *opening) destroy() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.over = true
	for _, v := range o.values {
		v.Destroy()
	}
}

// opener returns an Opener for the items. It is the fence: it rechecks that the
// run is still ours.
func (e *Engine) opener(a actor, items []provider.Item, o *opening) provider.Opener {
	return func(ctx context.Context) (map[secrets.Name]secrets.Value, error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.asked || o.over {
			return nil, &provider.Error{Op: "open", Code: provider.Internal}
		}
		o.asked = true
		values, err := e.unseal(ctx, a, items, o)
		o.err = err
		return values, err
	}
}

// unopened is a failure of [Config.Open]: what it is can be asked with errors.Is,
// and its text, which may be a key service's, is not passed on.
type unopened struct{ err error }

func (*unopened) Error() string          { return "open: the versions could not be unsealed" }
func (u *unopened) Is(target error) bool { return errors.Is(u.err, target) }

func (e *Engine) unseal(ctx context.Context, a actor, items []provider.Item, o *opening) (map[secrets.Name]secrets.Value, error) {
	stored, _, err := e.config.Ledger.Load(ctx, a.run.ID)
	if err != nil {
		return nil, err
	}
	// Whoever takes over or ends the run counts the epoch up. Our own clock is
	// read last: a pause before this line is seen.
	if stored.Epoch != a.run.Epoch || stored.Phase != a.run.Phase || a.over() {
		return nil, ErrFenced
	}
	if o.values, err = e.config.Open(ctx, stored, slices.Clone(items)); err != nil {
		return nil, &unopened{err}
	}
	values := make(map[secrets.Name]secrets.Value, len(items))
	for _, item := range items {
		values[item.Name] = o.values[item.Pin]
	}
	return values, nil
}

// callTimeout bounds every call of a driver but Create.
const callTimeout = 30 * time.Second

// call makes one call of a driver under a timeout that does not outlast our
// lease. A panic is an error of the driver.
func (e *Engine) call(ctx context.Context, a actor, target, op string, timeout time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, min(timeout, a.remains()))
	defer cancel()
	heard := e.calling(ctx, target)
	defer heard()
	return driverError(op, safely(op, func() error { return do(ctx) }))
}

// batch returns how many of the rows from start on go to a driver at once: those
// of one target, as many as it takes.
func (e *Engine) batch(rows []*Row) int {
	n := 1
	if driver := e.config.Targets[rows[0].Target]; driver != nil {
		for n < len(rows) && n < capabilities(driver).Concurrency && rows[n].Target == rows[0].Target {
			n++
		}
	}
	return n
}

// capabilities are a driver's, or none if it panics: the call that follows fails
// by itself then.
func capabilities(driver provider.Provider) (c provider.Capabilities) {
	_ = safely("capabilities", func() error {
		c = driver.Capabilities()
		return nil
	})
	return c
}

// each calls do for each row at once and returns their errors.
func each(rows []*Row, do func(*Row) error) []error {
	errs := make([]error, len(rows))
	var group sync.WaitGroup
	for i, row := range rows {
		group.Go(func() { errs[i] = safely("stage", func() error { return do(row) }) })
	}
	group.Wait()
	return errs
}
