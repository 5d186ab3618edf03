package stage

import (
	"context"
	"errors"
	"time"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// Report tells what a sweep did.
type Report struct {
	Runs    int // looked at
	Ended   int // of these, ended now since their launcher or their time had gone
	Kept    int // overdue, and kept: alive, or nobody could say
	Removed int // objects seen gone
	Waiting int // objects that wait for a horizon or another attempt
	Stuck   int // objects that need somebody's help
}

// sweepBatch is how many due runs are read at once.
const sweepBatch = 100

// Sweep goes on wherever a run was left: it ends runs whose launcher died while
// staging or whose time is over, removes what is left of ended ones, verifies
// what waited for a horizon, and releases versions that are needed no more. It
// is to be called again and again, by any process; several at once share the
// work. What it costs grows with what is due, not with what the ledger has seen.
//
// A run that fails does not stop it: the failures are joined in the error, and
// the report counts all the same. Cancelling stops it after the run at hand.
func (e *Engine) Sweep(ctx context.Context, caller string, ev ...secrets.Event) (Report, error) {
	var (
		report   Report
		failures []error
		seen     = map[secrets.RunID]bool{}
	)
	if err := e.look(ctx); err != nil {
		return report, err
	}
	for {
		due, err := e.config.Ledger.Due(ctx, sweepBatch+len(seen))
		if err != nil {
			return report, errors.Join(append(failures, err)...)
		}
		fresh := 0
		for _, run := range due {
			if seen[run.ID] {
				continue
			}
			seen[run.ID] = true
			fresh++
			began := time.Now()
			receipt, err := e.sweepRun(ctx, run, caller, &report)
			if err != nil && !beaten(err) {
				failures = append(failures, err)
			}
			report.count(receipt, began)
			if err := ctx.Err(); err != nil {
				return report, errors.Join(append(failures, err)...)
			}
		}
		if fresh == 0 {
			break
		}
	}
	if err := e.config.Ledger.Swept(ctx, ev...); err != nil {
		failures = append(failures, err)
	}
	return report, errors.Join(failures...)
}

// sweepRun does what is due for one run. ErrHeld and ErrFenced mean that another
// actor was faster, which is as good.
func (e *Engine) sweepRun(ctx context.Context, run Run, caller string, report *Report) (Receipt, error) {
	report.Runs++
	switch run.Phase {
	case Staging:
		receipt, err := e.overdue(ctx, run, caller, "launcher was lost")
		if receipt.Run.Phase >= Ending {
			report.Ended++
		}
		return receipt, err
	case Active:
		if time.Now().Before(run.Needed) {
			return e.resume(ctx, run, caller) // something was revoked
		}
		if keep, err := e.alive(ctx, run, caller); keep || err != nil {
			report.Kept++
			receipt, resumed := e.resume(ctx, run, caller)
			return receipt, errors.Join(err, resumed)
		}
		receipt, err := e.overdue(ctx, run, caller, "time was over")
		if receipt.Run.Phase >= Ending {
			report.Ended++
		}
		return receipt, err
	case Ending:
		return e.resume(ctx, run, caller)
	default:
		return Receipt{Run: run}, e.config.Ledger.Release(ctx, run.ID)
	}
}

// overdue ends a run if its time is still over at the commit.
func (e *Engine) overdue(ctx context.Context, run Run, caller, outcome string) (Receipt, error) {
	return e.end(ctx, run.ID, caller, Closing{Outcome: outcome, MaskFor: e.config.MaskFor, Overdue: true}, secrets.Event{
		Caller: caller, Action: secrets.ActionComplete, Outcome: secrets.Done, Reason: outcome,
		Scope: run.Workspace, Run: run.ID,
	})
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

// look finds out, at this engine's first sweep, whether all sweeping had stopped
// for so long that launchers, too, may only be coming back now.
func (e *Engine) look(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.swept {
		return nil
	}
	stats, err := e.config.Ledger.Stats(ctx)
	if err != nil {
		return err
	}
	if stats.LastSweep.IsZero() || time.Since(stats.LastSweep) > e.config.Need/2 {
		e.spare = time.Now().Add(e.config.Grace)
	}
	e.swept = true
	return nil
}

// alive reports whether an overdue run is to be kept since it may still need its
// secrets. In doubt it does, but not beyond MaxNeed.
func (e *Engine) alive(ctx context.Context, run Run, caller string) (bool, error) {
	if !time.Now().Before(run.Started.Add(e.config.MaxNeed)) {
		return false, nil
	}
	if e.config.Alive == nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		return time.Now().Before(e.spare), nil
	}
	alive, err := e.askAlive(ctx, run.ID)
	if err != nil || !alive {
		return err != nil, err
	}
	until, err := e.Renew(ctx, run.ID, secrets.Event{
		Caller: caller, Action: secrets.ActionRenew, Outcome: secrets.Done, Reason: "the host says it is under way",
		Scope: run.Workspace, Run: run.ID,
	})
	if errors.Is(err, ErrEnded) { // it has just ended by itself
		return false, nil
	}
	return time.Now().Before(until), err
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
		case after.Run.Phase == Ending && !row.State.Over():
			r.Waiting++
		}
	}
}
