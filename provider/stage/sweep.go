package stage

import (
	"context"
	"errors"
	"time"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// Report tells what a sweep did.
type Report struct {
	Runs        int // looked at
	Ended       int // of these, ended now since their launcher or their time had gone
	Kept        int // overdue, and kept: alive, or nobody could say
	Removed     int // objects seen gone
	Waiting     int // objects that wait for a horizon or another attempt
	Stuck       int // objects that need somebody's help
	Found       int // objects that nobody answers for, quarantined now
	Quarantined int // objects that stay in quarantine, for the reason in ReportOnly
	ReportOnly  string
}

// sweepBatch is how many due runs are read at once.
const sweepBatch = 100

// Sweep goes on wherever a run was left: it ends runs whose launcher died while
// staging or whose time is over, removes what is left of ended ones, verifies
// what waited for a horizon, and releases versions that are needed no more. It
// is to be called again and again, by any process; several at once share the
// work. What it costs grows with what is due and what is staged, not with what
// the ledger has seen.
//
// Then it lists what carries the installation's mark, where the platform can
// list: whatever went wrong, what the ledger does not answer for is found there.
// It is put in quarantine, and removed by the next sweep: see [Engine.Disown]
// and [Config.Intact]. A zero mark leaves this out.
//
// A run that fails does not stop it: the failures are joined in the error, and
// the report counts all the same. Cancelling stops it after the run at hand. A
// sweep counts as one that ended, for [Stats], if it came to its end and every
// target could be listed.
func (e *Engine) Sweep(ctx context.Context, caller string, mark [16]byte, ev ...secrets.Event) (Report, error) {
	w, err := e.begun(ctx, caller)
	if err != nil {
		return w.Report, err
	}
	seen := map[secrets.RunID]bool{}
	for {
		due, err := e.config.Ledger.Due(ctx, sweepBatch+len(seen))
		if err != nil {
			return w.Report, w.failed(err)
		}
		fresh := 0
		for _, run := range due {
			if seen[run.ID] {
				continue
			}
			seen[run.ID] = true
			fresh++
			began := w.now()
			receipt, err := e.sweepRun(ctx, &w, run)
			if err != nil && !beaten(err) {
				w.failures = append(w.failures, err)
			}
			w.count(receipt, began)
			if err := ctx.Err(); err != nil {
				return w.Report, w.failed(err)
			}
		}
		if fresh == 0 {
			break
		}
	}
	if mark != ([16]byte{}) {
		if err := e.backstop(ctx, &w, mark); err != nil {
			return w.Report, w.failed(err)
		}
	}
	unrecorded, err := e.proceedOwing(ctx, ev, func(ev []secrets.Event) error { return e.config.Ledger.Swept(ctx, ev...) })
	return w.Report, w.failed(errors.Join(unrecorded, err))
}

// sweep is one sweep under way.
type sweep struct {
	Report
	caller   string
	start    time.Time // by the ledger's clock
	seen     time.Time // when we saw it, by ours
	stats    Stats
	intact   func(context.Context) error // asked once
	spent    int                         // quarantined objects that were let go
	failures []error
}

func (w *sweep) failed(err error) error { return errors.Join(append(w.failures, err)...) }

// now is the ledger's time.
func (w *sweep) now() time.Time { return w.start.Add(time.Since(w.seen)) }

// begun reads the ledger's clock, and finds out, at this engine's first sweep,
// whether all sweeping had stopped for so long that launchers, too, may only be
// coming back now.
func (e *Engine) begun(ctx context.Context, caller string) (sweep, error) {
	stats, err := e.config.Ledger.Stats(ctx)
	if err != nil {
		return sweep{}, err
	}
	w := sweep{caller: caller, start: stats.Now, seen: time.Now(), stats: stats, intact: e.intactOnce()}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.swept && (stats.LastSweep.IsZero() || stats.Now.Sub(stats.LastSweep) > e.config.Need/2) {
		e.spare = stats.Now.Add(e.config.Grace)
	}
	e.swept = true
	return w, nil
}

// sweepRun does what is due for one run. ErrHeld and ErrFenced mean that another
// actor was faster, which is as good.
func (e *Engine) sweepRun(ctx context.Context, w *sweep, run Run) (Receipt, error) {
	w.Runs++
	switch run.Phase {
	case Staging:
		return e.overdue(ctx, w, run, "launcher was lost")
	case Active:
		if w.now().Before(run.Needed) {
			return e.resume(ctx, run, w.caller) // something was revoked
		}
		if keep, err := e.alive(ctx, w, run); keep || err != nil {
			w.Kept++
			receipt, resumed := e.resume(ctx, run, w.caller)
			return receipt, errors.Join(err, resumed)
		}
		return e.overdue(ctx, w, run, "time was over")
	case Ending:
		if run.found() {
			return e.sweepFound(ctx, w, run)
		}
		return e.resume(ctx, run, w.caller)
	default:
		return Receipt{Run: run}, e.config.Ledger.Release(ctx, run.ID)
	}
}

// overdue ends a run if its time is still over at the commit.
func (e *Engine) overdue(ctx context.Context, w *sweep, run Run, outcome string) (Receipt, error) {
	closing := Closing{Outcome: outcome, MaskFor: e.config.MaskFor, Overdue: true}
	receipt, err := e.end(ctx, run.ID, w.caller, closing, secrets.Event{
		Caller: w.caller, Action: secrets.ActionComplete, Outcome: secrets.Done, Reason: outcome,
		Scope: run.Workspace, Run: run.ID,
	})
	if receipt.Run.Phase >= Ending {
		w.Ended++
	}
	return receipt, err
}

// beaten reports whether err says only that another actor was faster.
func beaten(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			if !beaten(err) {
				return false
			}
		}
		return true
	}
	return errors.Is(err, ErrHeld) || errors.Is(err, ErrFenced)
}

// resume takes a run over and does what is due for its rows.
func (e *Engine) resume(ctx context.Context, run Run, caller string) (Receipt, error) {
	a, rows, err := e.take(ctx, run.ID)
	if err != nil {
		return Receipt{}, err
	}
	return e.settle(ctx, a, rows, caller, true)
}

// alive reports whether an overdue run is to be kept since it may still need its
// secrets. In doubt it does, but not beyond MaxNeed.
func (e *Engine) alive(ctx context.Context, w *sweep, run Run) (bool, error) {
	if !w.now().Before(run.Started.Add(e.config.MaxNeed)) {
		return false, nil
	}
	if e.config.Alive == nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		return w.now().Before(e.spare), nil
	}
	alive, err := e.askAlive(ctx, run.ID)
	if err != nil || !alive {
		return err != nil, err
	}
	until, err := e.Renew(ctx, run.ID, secrets.Event{
		Caller: w.caller, Action: secrets.ActionRenew, Outcome: secrets.Done, Reason: "the host says it is under way",
		Scope: run.Workspace, Run: run.ID,
	})
	if errors.Is(err, ErrEnded) { // it has just ended by itself
		return false, nil
	}
	return w.now().Before(until), err
}

// askAlive asks the host. A hook that does not come back keeps its goroutine
// until it does.
func (e *Engine) askAlive(ctx context.Context, id secrets.RunID) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, aliveTimeout)
	defer cancel()
	type answer struct {
		alive bool
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		got := answer{err: errAlive}
		defer func() {
			if recover() != nil {
				got = answer{err: errAlive}
			}
			answers <- got
		}()
		got.alive, got.err = e.config.Alive(ctx, id)
	}()
	select {
	case got := <-answers:
		if got.err != nil {
			return false, errAlive
		}
		return got.alive, nil
	case <-ctx.Done():
		return false, errAlive
	}
}

const aliveTimeout = 10 * time.Second

// errAlive hides the host's own error text.
var errAlive = errors.New("stage: the host could not say whether a run is alive")

// count adds a run's objects as they stand now; of those that are gone, what was
// seen so since began.
func (r *Report) count(after Receipt, began time.Time) {
	for _, row := range after.Rows {
		switch {
		case row.State == Gone && !row.Gone.Before(began):
			r.Removed++
		case row.State == Stuck:
			r.Stuck++
		case row.State == Quarantined: // counted where it is kept
		case after.Run.Phase == Ending && !row.State.Over():
			r.Waiting++
		}
	}
}
