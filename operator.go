package pipesecrets

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// operate lets only operators pass, and nobody under the zero policy. The host's
// veto is not asked.
func (s *Service) operate(ctx context.Context, c rbac.Caller, ev secrets.Event) error {
	if s.config.Policy.Operates(c) {
		return nil
	}
	why := "only an operator may"
	if c.IsOperator() {
		why = "the zero policy denies everything"
	}
	return s.deny(ctx, rbac.Decision{Visible: true, Why: why}, ev)
}

// Sweep goes on wherever a run was left by a process that died, a platform that
// did not answer, or a host that forgot it. Call it every few minutes, from one
// process or several, with rbac.Operator. See stage.Engine.Sweep. ErrHome if the
// database belongs elsewhere: nothing is removed then.
func (s *Service) Sweep(ctx context.Context, c rbac.Caller) (report stage.Report, err error) {
	ev := secrets.Event{Caller: c.Name(), Action: secrets.ActionSweep}
	defer func() { err = s.failed(ctx, ev, err) }()
	if err := s.operate(ctx, c, ev); err != nil {
		return stage.Report{}, err
	}
	installation, err := s.atHome(ctx)
	if err != nil {
		return stage.Report{}, err
	}
	done := ev
	done.Outcome = secrets.Done
	return s.engine.Sweep(ctx, c.Name(), installation.Mark, done)
}

// SweepEvery calls [Service.Sweep] at once, and then again and again until ctx
// ends, whose error it returns. Between two sweeps lies the interval, give or
// take a tenth, so that several processes do not sweep in step; it must be 1
// second to 24 hours. Each sweep's report and error go to told, if it is not nil,
// but for a sweep that the end of ctx cut short; no error stops it. It starts no
// goroutine: call it from one of yours.
//
// A run that crashed is clean after the lease of its launcher, one interval, and
// the platform's horizon, whichever process sweeps. Watch [Health.LastSweep]: a
// sweeper that stopped says nothing itself.
func (s *Service) SweepEvery(ctx context.Context, c rbac.Caller, interval time.Duration, told func(stage.Report, error)) error {
	if interval < time.Second || interval > maxInterval {
		return &secrets.InvalidError{Field: "interval", Rule: "must be 1 second to 24 hours"}
	}
	for {
		report, err := s.Sweep(ctx, c)
		ended := ctx.Err()
		cut := ended != nil && errors.Is(err, ended)
		if told != nil && !cut {
			told(report, err)
		}
		timer := time.NewTimer(interval - interval/10 + rand.N(interval/5))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// maxInterval bounds the time between two sweeps: what sweeps more rarely than
// once in the usual Need is a mistake.
const maxInterval = 24 * time.Hour

// Stuck answers the receipts of up to n runs, 1,000 at most, whose ids come after
// the given one and that have an object that can't be removed without somebody's
// help (stage.Stuck), or that nobody answers for (stage.Quarantined: a run of its
// own, whose id begins with "found-" and whose outcome says why). Only an operator
// may ask. To remove such objects at once, once the cause is mended, call
// [Service.Complete]; to give them up, [Service.Disown].
func (s *Service) Stuck(ctx context.Context, c rbac.Caller, after secrets.RunID, n int) (receipts []stage.Receipt, err error) {
	ev := secrets.Event{Caller: c.Name(), Action: secrets.ActionStuck}
	defer func() { err = s.failed(ctx, ev, err) }()
	if err := s.operate(ctx, c, ev); err != nil {
		return nil, err
	}
	if n < 1 || n > maxPage {
		return nil, &secrets.InvalidError{Field: "n", Rule: "must be 1 to 1,000"}
	}
	runs, err := s.backend.Stuck(ctx, after, n)
	if err != nil {
		return nil, err
	}
	for _, id := range runs {
		stored, rows, err := s.backend.Load(ctx, id)
		if err != nil {
			return nil, err
		}
		receipts = append(receipts, s.shown(c, stage.Receipt{Run: stored, Rows: rows}))
	}
	ev.Outcome = secrets.Done
	return receipts, s.record(ctx, ev)
}

// Disown gives up the objects of a run at a target that are stuck or in
// quarantine: for a target that will never be reached again, or for what turned
// out to be somebody else's. Whatever is still there stays there. It is no error
// if nothing is stuck there. Only an operator may. ErrBusy if another process is at
// work on the run.
func (s *Service) Disown(ctx context.Context, c rbac.Caller, run secrets.RunID, target string) (receipt stage.Receipt, err error) {
	ev := secrets.Event{Caller: c.Name(), Action: secrets.ActionDisown, Run: run, Target: target}
	if target == "" || !visible(target) || len(target) > maxTarget { // before it gets into the log
		return stage.Receipt{}, &secrets.InvalidError{Field: "target", Rule: "must be 1 to 64 bytes of visible ASCII"}
	}
	defer func() { err = s.failed(ctx, ev, err) }()
	if err := s.operate(ctx, c, ev); err != nil {
		return stage.Receipt{}, err
	}
	if _, err := s.atHome(ctx); err != nil {
		return stage.Receipt{}, err
	}
	known, before, err := s.backend.Load(ctx, run)
	if err != nil {
		return stage.Receipt{}, err
	}
	ev.Scope = known.Workspace
	receipt, err = s.engine.Disown(ctx, run, target, c.Name())
	if err == nil && released(receipt.Rows) == released(before) { // the ledger tells of what is given up only
		told := ev
		told.Outcome, told.Reason = secrets.Done, "nothing was stuck there"
		err = s.record(ctx, told)
	}
	return s.shown(c, receipt), busy(err)
}

// released counts the objects that were given up.
func released(rows []stage.Row) (n int) {
	for _, row := range rows {
		if row.State == stage.Released {
			n++
		}
	}
	return n
}

// Rewrap seals up to batch records that are behind under the keyring's primary
// key, pinned versions included, and answers how many are left. It may be killed
// anywhere and called again, while secrets are read and written. A record that
// can't be opened is passed over, and the error tells of it. Only an operator
// may.
func (s *Service) Rewrap(ctx context.Context, c rbac.Caller, batch int) (left int, err error) {
	ev := secrets.Event{Caller: c.Name(), Action: secrets.ActionRewrap}
	defer func() { err = s.failed(ctx, ev, err) }()
	if err := s.operate(ctx, c, ev); err != nil {
		return 0, err
	}
	if batch < 1 || batch > maxPage {
		return 0, &secrets.InvalidError{Field: "batch", Rule: "must be 1 to 1,000"}
	}
	if err := s.keyring.Reload(ctx); err != nil { // the primary may have been promoted elsewhere
		return 0, err
	}
	var failures []error
	for after, sealed := (secrets.Pin{}), 0; sealed < batch; {
		behind, err := s.backend.Behind(ctx, s.keyring.Primary(), after, batch-sealed)
		if err != nil {
			return 0, err
		}
		if len(behind) == 0 {
			break
		}
		for _, record := range behind {
			after = record.Pin // past the ones that fail too
			resealed, err := s.keyring.Reseal(ctx, record)
			if err == nil {
				err = s.backend.Reseal(ctx, resealed, record.KeyID)
			}
			if ctx.Err() != nil {
				return 0, ctx.Err()
			}
			if err != nil {
				failures = append(failures, err)
			} else {
				sealed++
			}
		}
	}
	left, err = s.backend.CountBehind(ctx, s.keyring.Primary())
	if err := errors.Join(append(failures, err)...); err != nil {
		return left, err
	}
	ev.Outcome = secrets.Done
	return left, s.record(ctx, ev)
}

// Adopt makes this the database's home. If cloned, the database is a copy of one
// that lives on elsewhere: the staged objects that it knows of are left to the
// original, and its runs are closed here. Otherwise it is the original, moved or
// restored, and goes on where it was. Only an operator may.
func (s *Service) Adopt(ctx context.Context, c rbac.Caller, cloned bool) (err error) {
	ev := secrets.Event{Caller: c.Name(), Action: secrets.ActionAdopt}
	defer func() { err = s.failed(ctx, ev, err) }()
	if err := s.operate(ctx, c, ev); err != nil {
		return err
	}
	ev.Outcome = secrets.Done
	if cloned {
		ev.Reason = "cloned"
	}
	_, err = s.backend.Adopt(ctx, s.config.Home, cloned, ev)
	return err
}

// Health is what an operator watches.
type Health struct {
	LastSweep    time.Time // when a sweep last came to its end; zero if none did
	OldestStaged time.Time // since when the oldest object is staged; zero if there is none
	Staged       int       // objects that are staged, or may be
	Stuck        int       // of these, those that can't be removed without somebody's help
	Quarantined  int       // of these, those that nobody answers for: see Service.Stuck
	Behind       int       // records that are not sealed under the primary key
	Away         bool      // the database is not at home here
}

// Health answers how things stand. Only an operator may ask.
func (s *Service) Health(ctx context.Context, c rbac.Caller) (health Health, err error) {
	ev := secrets.Event{Caller: c.Name(), Action: secrets.ActionHealth}
	defer func() { err = s.failed(ctx, ev, err) }()
	if err := s.operate(ctx, c, ev); err != nil {
		return Health{}, err
	}
	stats, err := s.backend.Stats(ctx)
	if err != nil {
		return Health{}, err
	}
	behind, err := s.backend.CountBehind(ctx, s.keyring.Primary())
	if err != nil {
		return Health{}, err
	}
	_, away := s.atHome(ctx)
	if away != nil && !errors.Is(away, ErrHome) {
		return Health{}, away
	}
	ev.Outcome = secrets.Done
	if err := s.record(ctx, ev); err != nil {
		return Health{}, err
	}
	return Health{
		LastSweep: stats.LastSweep, OldestStaged: stats.OldestStaged, Staged: stats.Staged, Stuck: stats.Stuck,
		Quarantined: stats.Quarantined, Behind: behind, Away: away != nil,
	}, nil
}
