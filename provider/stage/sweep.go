package stage

import (
	"context"
	"errors"
	"sync/atomic"
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
// What comes due while it is under way is the next sweep's. A run whose driver
// does not come back is left after the lease and 30 seconds, and the sweep goes on
// with the others.
//
// A run that fails does not stop it: the failures are joined in the error, and
// the report counts all the same. Cancelling stops it after the run at hand. A
// sweep counts as one that ended, for [Stats], if it came to its end and every
// target could be listed.
func (e *Engine) Sweep(ctx context.Context, caller string, mark [16]byte, ev ...secrets.Event) (Report, error) {
	w, err := e.begun(ctx, caller)
	if err != nil {
		return Report{}, err
	}
	seen := map[secrets.RunID]bool{}
	for {
		// What comes due meanwhile is the next sweep's.
		due, err := e.config.Ledger.Due(ctx, w.start, sweepBatch+len(seen))
		if err != nil {
			return w.report, w.failed(err)
		}
		fresh := 0
		for _, id := range due {
			if seen[id] {
				continue
			}
			seen[id] = true
			fresh++
			w.add(e.sweepInTime(ctx, w, id))
			if err := ctx.Err(); err != nil {
				return w.report, w.failed(err)
			}
		}
		if fresh == 0 {
			break
		}
	}
	if mark != ([16]byte{}) {
		if err := e.backstop(ctx, w, mark); err != nil {
			return w.report, w.failed(err)
		}
	}
	unrecorded, err := e.proceedOwing(ctx, ev, func(ev []secrets.Event) error { return e.config.Ledger.Swept(ctx, ev...) })
	return w.report, w.failed(errors.Join(unrecorded, err))
}

// sweep is one sweep under way. What it does for one run has no other way to
// change it than by its answer, since that may come too late.
type sweep struct {
	report   Report
	spent    int // quarantined objects that were let go
	failures []error

	caller string
	start  time.Time // by the ledger's clock
	seen   time.Time // when we saw it, by ours
	stats  Stats
	intact func(context.Context) error // asked once
	deaf   *atomic.Bool                // the host did not say in time whether a run is alive
}

func (w *sweep) failed(err error) error { return errors.Join(append(w.failures, err)...) }

// now is the ledger's time.
func (w *sweep) now() time.Time { return w.start.Add(time.Since(w.seen)) }

// swept is what a sweep did for one run.
type swept struct {
	receipt Receipt
	began   time.Time
	err     error

	ended, kept bool
	stays       string // why what was found is still there, if it is
	spent       bool
}

func (w *sweep) add(s swept) {
	w.report.Runs++
	if s.ended {
		w.report.Ended++
	}
	if s.kept {
		w.report.Kept++
	}
	if s.spent {
		w.spent++
	}
	if s.stays != "" {
		w.report.ReportOnly = s.stays
	}
	if s.stays != "" && s.receipt.Run.found() {
		w.report.Quarantined++
	}
	if s.err != nil && !beaten(s.err) {
		w.failures = append(w.failures, s.err)
	}
	w.report.count(s.receipt, s.began)
}

// begun begins a sweep. Half of what a run is granted without any sweep is an
// outage, after which launchers, too, may only be coming back now.
func (e *Engine) begun(ctx context.Context, caller string) (*sweep, error) {
	stats, err := e.config.Ledger.Sweeping(ctx, e.config.Need/2)
	if err != nil {
		return nil, err
	}
	return &sweep{caller: caller, start: stats.Now, seen: time.Now(), stats: stats, intact: e.intactOnce(), deaf: new(atomic.Bool)}, nil
}

// sweepInTime does what is due for one run, or gives up waiting for it: a driver
// that does not come back must not keep a sweep from the others. What goes on
// without us is fenced by its lease, which is over then.
func (e *Engine) sweepInTime(ctx context.Context, w *sweep, id secrets.RunID) swept {
	view := *w // what we change while nobody waits for the answer
	answers := make(chan swept, 1)
	go func() {
		var s swept
		s.err = safely("sweep", func() error {
			s = e.sweepRun(ctx, &view, id)
			return s.err
		})
		answers <- s
	}()
	timer := time.NewTimer(e.config.Lease + callTimeout)
	defer timer.Stop()
	select {
	case s := <-answers:
		return s
	case <-timer.C:
		return swept{err: errSilent, began: w.now()}
	}
}

// sweepRun does what is due for one run. ErrHeld and ErrFenced mean that another
// actor was faster, which is as good.
func (e *Engine) sweepRun(ctx context.Context, w *sweep, id secrets.RunID) (s swept) {
	s.began = w.now()
	run, rows, err := e.config.Ledger.Load(ctx, id)
	if err != nil {
		s.err = err
		return s
	}
	switch {
	case run.Phase == Staging || run.Phase == Active && !w.now().Before(run.Needed):
		e.sweepOverdue(ctx, w, run, &s)
	case run.Phase == Ending && run.found():
		e.sweepFound(ctx, w, run, rows, &s)
	case run.Phase != Closed:
		s.receipt, s.err = e.resume(ctx, run, w.caller)
	default:
		s.receipt, s.err = Receipt{Run: run}, e.config.Ledger.Release(ctx, run.ID)
	}
	return s
}

// sweepOverdue ends a run whose launcher or whose time has gone, if it is not to
// be kept and its time is still over at the commit.
func (e *Engine) sweepOverdue(ctx context.Context, w *sweep, run Run, s *swept) {
	keep, err := e.keeps(ctx, w, run, s)
	if keep {
		s.kept = true
		if run.Phase == Active { // something may have been revoked
			s.receipt, s.err = e.resume(ctx, run, w.caller)
		}
		s.err = errors.Join(err, s.err)
		return
	}
	outcome := "time was over"
	if run.Phase == Staging {
		outcome = "launcher was lost"
	}
	closing := Closing{Outcome: outcome, MaskFor: e.config.MaskFor, Overdue: true}
	s.receipt, s.err = e.end(ctx, run.ID, w.caller, closing, secrets.Event{
		Caller: w.caller, Action: secrets.ActionComplete, Outcome: secrets.Done, Reason: outcome,
		Scope: run.Workspace, Run: run.ID,
	})
	s.ended = s.receipt.Ended
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

// keeps reports whether an overdue run is to be kept since it may still need its
// secrets. In doubt it is, but not beyond MaxNeed.
func (e *Engine) keeps(ctx context.Context, w *sweep, run Run, s *swept) (bool, error) {
	if !w.now().Before(run.Started.Add(e.config.MaxNeed)) {
		return false, nil
	}
	older := errors.Is(w.intact(ctx), ErrOlder)
	switch {
	case older:
		s.stays = "the ledger is an older copy"
	case run.Phase == Staging:
		return false, nil // its launcher's lease was a matter of minutes
	}
	if e.config.Alive == nil {
		return older || w.now().Before(w.stats.Resumed.Add(e.config.Grace)), nil
	}
	alive, err := e.askAlive(ctx, w, run.ID)
	if err != nil || !alive {
		if err == nil {
			s.stays = ""
		}
		return err != nil, err
	}
	if run.Phase == Staging {
		return true, nil
	}
	until, err := e.Renew(ctx, run.ID, secrets.Event{
		Caller: w.caller, Action: secrets.ActionRenew, Outcome: secrets.Done, Reason: "the host says it is under way",
		Scope: run.Workspace, Run: run.ID,
	})
	if errors.Is(err, ErrEnded) { // it has just ended by itself
		return false, nil
	}
	return err != nil || w.now().Before(until), err
}

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
		case row.State == Created: // of a run that is under way, or kept
		case after.Run.Phase == Ending && !row.State.Over():
			r.Waiting++
		}
	}
}
