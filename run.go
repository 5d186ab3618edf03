package pipesecrets

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/pipesecrets/pipesecrets/precedence"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
)

// Ending says how a run ended.
type Ending struct {
	// Outcome is the host's word for it, such as "succeeded", "failed" or
	// "cancelled": at most 64 bytes of visible ASCII.
	Outcome string

	// ReplayFor is how long what was staged stays where it is, so that a task which
	// failed can be run again with it; at most until Config.MaxNeed after the run's
	// start. Zero removes it at once. Until then another Complete without it, or the
	// revocation of one of the secrets, ends that. A run that is still being staged, or
	// that holds a revoked secret, keeps nothing; Receipt.Run.Kept tells.
	ReplayFor time.Duration
}

const maxOutcome = 64

// loadRun reads a run that the caller has a right to: whoever launched it, as
// long as they may use its workspace; whoever may operate there; an operator. If
// reading is enough, whoever may read the workspace. A run that does not exist
// is answered as one that the caller may not know of; only an operator hears
// stage.ErrNoRun.
func (s *Service) loadRun(ctx context.Context, c rbac.Caller, id secrets.RunID, reading bool, ev secrets.Event) (stage.Run, []stage.Row, error) {
	if id.IsZero() {
		_, err := secrets.ParseRunID("")
		return stage.Run{}, nil, err
	}
	run, rows, err := s.backend.Load(ctx, id)
	operates := s.config.Policy.Operates(c)
	if errors.Is(err, stage.ErrNoRun) && !operates {
		return stage.Run{}, nil, s.absent(ctx, ev)
	}
	if err != nil || operates {
		return run, rows, err
	}
	if run.Workspace.IsZero() { // a tombstone belongs to no workspace
		return stage.Run{}, nil, s.absent(ctx, ev)
	}
	ev.Scope = run.Workspace
	permission := rbac.Operate
	// A service without a label is nobody in particular, and owns no run.
	own := run.Caller == c.Name() && (c.User != "" || c.Label != "")
	if reading {
		permission = rbac.Read
	} else if own && s.decide(ctx, c, rbac.Use, run.Workspace).Allowed {
		return run, rows, nil
	}
	return run, rows, s.gate(ctx, c, permission, run.Workspace, ev)
}

// Attach answers a run's launch again, in any process: after a restart of the
// launcher, or for whoever reads the run's logs. References are there while the
// run is under way, or kept (Ending.ReplayFor), and its logs can be masked for
// Config.MaskFor after that, both by this process's clock; stage.ErrEnded then. ErrBusy
// while it is still being staged. Other people's own secrets are left out of References
// and Resolution, but for operators; the redactor masks them, and its marks name them.
// It needs what [Service.Complete] needs.
func (s *Service) Attach(ctx context.Context, c rbac.Caller, id secrets.RunID) (launch *Launch, err error) {
	ev := secrets.Event{Caller: c.Name(), Action: secrets.ActionAttach, Run: id}
	defer func() { err = s.failed(ctx, ev, err) }()
	run, rows, err := s.loadRun(ctx, c, id, false, ev)
	if err != nil {
		return nil, err
	}
	ev.Scope = run.Workspace
	switch {
	case run.Phase == stage.Staging:
		return nil, ErrBusy
	case !run.Pinned, run.Phase > stage.Active && !time.Now().Before(run.Masked):
		return nil, stage.ErrEnded
	}
	ev.Outcome = secrets.Done
	if err := s.record(ctx, ev); err != nil {
		return nil, err
	}
	if launch, err = s.attach(ctx, run, rows); err != nil {
		return nil, err
	}
	hidden := map[secrets.Name]bool{}
	for _, item := range run.Items {
		hidden[item.Name] = private(c, item)
	}
	launch.References = slices.DeleteFunc(launch.References, func(ref provider.Reference) bool { return hidden[ref.Name] })
	launch.Resolution.Choices = slices.DeleteFunc(launch.Resolution.Choices, func(choice precedence.Choice) bool {
		return hidden[choice.Winner.Name]
	})
	if run.Phase > stage.Active && !run.IsKept(time.Now()) { // it may be there yet; not for long
		launch.References = nil
	}
	return launch, nil
}

// private reports whether an item is another person's own secret. Operators act
// for the installation.
func private(c rbac.Caller, item stage.Item) bool {
	return item.Scope.Kind == secrets.User && item.Scope.ID != c.User && !c.IsOperator()
}

// Renew says that a run is under way and needs its secrets for Config.Need from
// now, at most for Config.MaxNeed since its start; it answers until when it has
// them. stage.ErrEnded if the run has ended. It needs what [Service.Complete]
// needs.
func (s *Service) Renew(ctx context.Context, c rbac.Caller, id secrets.RunID) (until time.Time, err error) {
	ev := secrets.Event{Caller: c.Name(), Action: secrets.ActionRenew, Run: id}
	defer func() { err = s.failed(ctx, ev, err) }()
	run, _, err := s.loadRun(ctx, c, id, false, ev)
	if err != nil {
		return time.Time{}, err
	}
	ev.Scope, ev.Outcome = run.Workspace, secrets.Done
	return s.engine.Renew(ctx, id, ev)
}

// Complete ends a run and removes what was staged for it, whether the pipeline
// succeeded or not; or leaves that to the first sweep after Ending.ReplayFor. It may be
// called by any process, any number of times. It
// never waits for a platform: the receipt tells what is gone, and what the sweep
// has yet to remove or verify. ErrBusy means that another process is removing
// right now. An error tells what could not be removed yet; the run has ended all
// the same, and the sweep goes on.
//
// It needs to have launched the run, and still the right to use the workspace;
// or the right to operate in the workspace; or to be an operator. To an operator
// an unknown run is one that has yet to begin: it is barred from ever doing so.
func (s *Service) Complete(ctx context.Context, c rbac.Caller, id secrets.RunID, e Ending) (receipt stage.Receipt, err error) {
	ev := secrets.Event{Caller: c.Name(), Action: secrets.ActionComplete, Run: id}
	if !visible(e.Outcome) || len(e.Outcome) > maxOutcome {
		return stage.Receipt{}, &secrets.InvalidError{Field: "outcome", Rule: "must be at most 64 bytes of visible ASCII"}
	}
	if e.ReplayFor < 0 {
		return stage.Receipt{}, &secrets.InvalidError{Field: "replayfor", Rule: "may not be negative"}
	}
	defer func() { err = s.failed(ctx, ev, err) }()
	known, _, err := s.loadRun(ctx, c, id, false, ev)
	if errors.Is(err, stage.ErrNoRun) {
		err = nil // an operator bars it
	}
	if err != nil {
		return stage.Receipt{}, err
	}
	ev.Scope = known.Workspace
	if _, err := s.atHome(ctx); err != nil {
		return stage.Receipt{}, err
	}
	told := ev
	told.Outcome, told.Reason = secrets.Done, e.Outcome
	if e.ReplayFor > 0 {
		told.Reason = strings.TrimPrefix(e.Outcome+", replay asked for", ", ")
		receipt, err = s.engine.Keep(ctx, id, c.Name(), e.Outcome, e.ReplayFor, told)
	} else {
		receipt, err = s.engine.Unstage(ctx, id, c.Name(), e.Outcome, told)
	}
	err = busy(err)
	if err != nil && receipt.Run.Phase >= stage.Ending { // it has ended; what could not be removed is in the log
		err = recorded{err}
	}
	if receipt.Run.Phase >= stage.Ending && !receipt.Ended { // the ledger tells of the first end only
		told.Reason = "had ended before"
		err = errors.Join(err, s.record(ctx, told))
	}
	return s.shown(c, receipt), err
}

// Receipt tells what was staged where for a run, which version of which scope,
// and when it was seen gone. Other people's own secrets are left out of it, but
// for operators. It needs the right to read the workspace.
func (s *Service) Receipt(ctx context.Context, c rbac.Caller, id secrets.RunID) (receipt stage.Receipt, err error) {
	ev := secrets.Event{Caller: c.Name(), Action: secrets.ActionReceipt, Run: id}
	defer func() { err = s.failed(ctx, ev, err) }()
	run, rows, err := s.loadRun(ctx, c, id, true, ev)
	if err != nil {
		return stage.Receipt{}, err
	}
	ev.Scope, ev.Outcome = run.Workspace, secrets.Done
	if err := s.record(ctx, ev); err != nil {
		return stage.Receipt{}, err
	}
	return s.shown(c, stage.Receipt{Run: run, Rows: rows}), nil
}

// shown leaves out of a receipt what is nobody's business: the digest of the
// request, and by what an object is claimed and can be imitated; and what is only
// the business of the person whose own secrets were used, and of operators.
func (s *Service) shown(c rbac.Caller, r stage.Receipt) stage.Receipt {
	r.Run.Request = nil
	hidden := map[secrets.Pin]bool{}
	r.Run.Items = slices.DeleteFunc(slices.Clone(r.Run.Items), func(item stage.Item) bool {
		hidden[item.Pin] = private(c, item)
		return hidden[item.Pin]
	})
	r.Rows = slices.Clone(r.Rows)
	for i := range r.Rows {
		o := &r.Rows[i].Object
		o.Token, o.Mark = "", [16]byte{}
		o.Items = slices.DeleteFunc(slices.Clone(o.Items), func(item provider.Item) bool { return hidden[item.Pin] })
	}
	return r
}

func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// busy names the other actor's work as callers of this package know it.
func busy(err error) error {
	if isAny(err, stage.ErrHeld, stage.ErrFenced) {
		return errors.Join(ErrBusy, err)
	}
	return err
}

// reason tells of err in the library's own words.
func reason(err error) string {
	var (
		request *RequestError
		driver  *provider.Error
		invalid *secrets.InvalidError
	)
	switch {
	case err == nil:
		return ""
	case errors.As(err, &request):
		text := request.Error()
		return text[:min(len(text), maxReason)]
	case errors.As(err, &driver):
		return driver.Error()
	case errors.As(err, &invalid):
		return invalid.Error()
	}
	for _, known := range []error{
		ErrHome, ErrBusy, ErrRunUsed, secrets.ErrExists, secrets.ErrConflict, secrets.ErrNotFound,
		stage.ErrNoRun, stage.ErrMoved, stage.ErrRevoked, stage.ErrFenced, stage.ErrHeld, stage.ErrEnded,
		audit.ErrBroken, audit.ErrNoHead, ErrHead,
		context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "internal error"
}

// maxReason bounds the reason of an event, in bytes.
const maxReason = 4096

func isAny(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
