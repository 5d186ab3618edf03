package stage

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Config configures an [Engine].
type Config struct {
	Ledger Ledger

	// Targets are the places to stage to. Their names are durable: a row whose
	// target is missing, or has another location than it was created at, gets
	// stuck and stays visible; nothing is deleted elsewhere.
	Targets map[string]provider.Provider

	// Open unseals the versions of items of a run, as the ledger has it. The engine
	// destroys the values after use. The text of its error is not passed on.
	Open func(context.Context, Run, []provider.Item) (map[secrets.Pin]secrets.Value, error)

	// Alive, if not nil, tells whether a run whose time is over is still under
	// way; an error, a panic, or no answer in 10 seconds keeps it until MaxNeed is
	// over, and after the latter a sweep asks no more. It is called on a goroutine
	// of its own. If nil, such a run is taken for ended.
	Alive func(context.Context, secrets.RunID) (bool, error)

	// Intact, if not nil, tells whether the ledger holds all that was ever
	// committed to it: nil if it does, [ErrOlder] if it is an older copy, another
	// error if nobody can say, as is a panic or no answer in 10 seconds. A sweep
	// asks, once, before it removes an object that carries the installation's mark
	// and that the ledger never heard of, since what a restored backup has
	// forgotten may be in use; if nil, sweeps remove no such object. It also asks
	// before it ends a run whose time is over: an older copy has forgotten
	// renewals, and keeps such a run unless Alive says that it has ended.
	Intact func(context.Context) error

	Lease   time.Duration // of an actor, at most MaxLease; 2 minutes if zero
	Need    time.Duration // how long a run needs its secrets unless renewed; 24 hours if zero. Renew at least twice in it
	MaxNeed time.Duration // how long at most after its start; 30 days if zero
	MaskFor time.Duration // how long its versions stay pinned after its end; 1 hour if zero
	Grace   time.Duration // for launchers to come back and renew, where no sweep has ended for half of Need; 5 minutes if zero
}

// Engine runs the protocol. Any number of engines, in any number of processes,
// may share one ledger; all that one keeps between calls is what it could not
// write to the log.
type Engine struct {
	config Config

	mu     sync.Mutex
	owed   []secrets.Event
	silent map[string]silence // by target
}

// New returns an engine, or a *secrets.InvalidError that names what is missing
// or out of range in c.
func New(c Config) (*Engine, error) {
	if c.Ledger == nil {
		return nil, &secrets.InvalidError{Field: "config.ledger", Rule: "is required"}
	}
	if c.Open == nil {
		return nil, &secrets.InvalidError{Field: "config.open", Rule: "is required"}
	}
	for name, target := range c.Targets {
		if name == "" || target == nil {
			return nil, &secrets.InvalidError{Field: "config.targets", Rule: "each needs a name and a driver"}
		}
	}
	for _, d := range []struct {
		field string
		value *time.Duration
		zero  time.Duration
	}{
		{"config.lease", &c.Lease, 2 * time.Minute},
		{"config.need", &c.Need, 24 * time.Hour},
		{"config.maxneed", &c.MaxNeed, 30 * 24 * time.Hour},
		{"config.maskfor", &c.MaskFor, time.Hour},
		{"config.grace", &c.Grace, 5 * time.Minute},
	} {
		if *d.value < 0 {
			return nil, &secrets.InvalidError{Field: d.field, Rule: "may not be negative"}
		}
		if *d.value == 0 {
			*d.value = d.zero
		}
	}
	if c.Lease > MaxLease {
		return nil, &secrets.InvalidError{Field: "config.lease", Rule: "may not exceed an hour"}
	}
	if c.Need > c.MaxNeed {
		return nil, &secrets.InvalidError{Field: "config.need", Rule: "may not exceed maxneed"}
	}
	c.Targets = maps.Clone(c.Targets)
	return &Engine{config: c, silent: map[string]silence{}}, nil
}

// Receipt tells what was staged where for a run, and what became of it. It holds
// no value.
type Receipt struct {
	Run  Run
	Rows []Row

	// Ended says that it was the call that answers this which ended the run, as far
	// as it could tell: not an earlier one, nor another process just before.
	Ended bool
}

// Gone reports whether the run is closed: every object was proven absent, left to
// another installation, or given up by [Engine.Disown].
func (r Receipt) Gone() bool { return r.Run.Phase == Closed }

// Left returns the rows that are not over.
func (r Receipt) Left() []Row {
	var left []Row
	for _, row := range r.Rows {
		if !row.State.Over() {
			left = append(left, row)
		}
	}
	return left
}

// Receipt reads a run's receipt. ErrNoRun if there is no such run.
func (e *Engine) Receipt(ctx context.Context, id secrets.RunID) (Receipt, error) {
	run, rows, err := e.config.Ledger.Load(ctx, id)
	return Receipt{Run: run, Rows: rows}, err
}

// Renew moves the time until which the run needs its secrets: to Need from now,
// at most MaxNeed after its start. It answers the time. ErrEnded if the run has
// ended, ErrNoRun if there is none.
func (e *Engine) Renew(ctx context.Context, id secrets.RunID, ev ...secrets.Event) (time.Time, error) {
	return e.config.Ledger.Need(ctx, id, e.config.Need, e.config.MaxNeed, ev...)
}

// References returns how to refer to what these rows say is staged now, at targets
// that are where they were.
func (e *Engine) References(rows []Row) []provider.Reference {
	var refs []provider.Reference
	for _, row := range rows {
		of, _ := e.refer(row) // a driver that panics refers to nothing
		refs = append(refs, of...)
	}
	return refs
}

func (e *Engine) refer(row Row) (refs []provider.Reference, err error) {
	driver := e.config.Targets[row.Target]
	if row.State != Created || driver == nil {
		return nil, nil
	}
	err = safely("references", func() error {
		if driver.Location() == row.Location {
			refs = driver.References(row.Object, row.ID)
		}
		return nil
	})
	refs = slices.Clone(refs)
	for i := range refs {
		refs[i].Target = row.Target
	}
	return refs, err
}

// event is one about an object. It names a secret where the object has just one;
// the run's own events name them all.
func event(action secrets.Action, outcome secrets.Outcome, caller, reason string, run Run, row Row) secrets.Event {
	ev := secrets.Event{
		Caller: caller, Action: action, Outcome: outcome, Reason: reason,
		Scope: run.Workspace, Run: run.ID, Target: row.Target,
	}
	if len(row.Object.Items) == 1 {
		ev.Name, ev.Pin = row.Object.Items[0].Name, row.Object.Items[0].Pin
	}
	return ev
}

// safely calls what is a driver's or a host's. A panic is an error of theirs.
func safely(op string, do func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = &provider.Error{Op: op, Code: provider.Internal}
		}
	}()
	return do()
}

// driverError is what a driver's error becomes before anybody hears it: its code,
// and none of its text, which may come from the platform.
func driverError(op string, err error) error {
	if err == nil {
		return nil
	}
	return &provider.Error{Op: op, Code: codeOf(err)}
}

// codeOf returns the code of a driver's failure.
func codeOf(err error) provider.Code {
	var failure *provider.Error
	switch {
	case errors.As(err, &failure) && known(failure.Code):
		return failure.Code
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return provider.Unavailable
	}
	return provider.Internal
}

// known reports whether a code is one of the contract's, and no text of a
// driver's own.
func known(c provider.Code) bool {
	switch c {
	case provider.Unavailable, provider.Throttled, provider.Refused, provider.Forbidden, provider.Quota,
		provider.Unauthenticated, provider.KeyUnusable, provider.Elsewhere,
		provider.Taken, provider.NotOurs, provider.Internal, NoTarget:
		return true
	}
	return false
}

// transient reports whether another attempt may succeed by itself.
func transient(c provider.Code) bool { return c == provider.Unavailable || c == provider.Throttled }
