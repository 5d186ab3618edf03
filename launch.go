package pipesecrets

import (
	"context"
	"errors"
	"slices"

	"github.com/pipesecrets/pipesecrets/precedence"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

// Launch is what a launcher needs for one run.
type Launch struct {
	// References are how tasks and job definitions name what was staged.
	References []provider.Reference
	// Resolution is what was chosen and why; after Attach, and for a repeated
	// Launch, only what was chosen: Shadowed, Absent and Withheld are not kept.
	Resolution precedence.Resolution
	// Redactor masks the run's values. All output of the run must pass it. It
	// holds them until it is closed.
	Redactor *redact.Redactor
}

// launchAttempts bounds how often a launch is resolved again since a chosen
// version was replaced meanwhile.
const launchAttempts = 3

// Launch chooses, stages and records the secrets of a run: all of them, on all
// targets, or none. What is wrong with a request is refused as by
// [Service.Preflight], before anything is staged. It needs the right to use the
// workspace.
//
// Repeating it with the same request answers the same launch, whichever process
// asks: ErrBusy while the first is still staging, ErrRunUsed once the run has
// ended or if the request is another one. A launch that failed or was cancelled
// while it staged has ended its run. stage.ErrMoved if the chosen secrets change
// faster than they can be resolved.
func (s *Service) Launch(ctx context.Context, c rbac.Caller, r LaunchRequest) (*Launch, error) {
	ev := secrets.Event{Caller: c.Name(), Action: secrets.ActionLaunch, Scope: r.Workspace, Run: r.Run}
	if r.Run.IsZero() {
		_, err := secrets.ParseRunID("")
		return nil, err
	}
	if err := s.gateLaunch(ctx, c, r, ev); err != nil {
		return nil, err
	}
	launch, err := s.launch(ctx, c, r, ev)
	return launch, s.failed(ctx, ev, err)
}

func (s *Service) launch(ctx context.Context, c rbac.Caller, r LaunchRequest, ev secrets.Event) (*Launch, error) {
	installation, err := s.atHome(ctx)
	if err != nil {
		return nil, err
	}
	request := r.digest(c)
	for attempt := 1; ; attempt++ {
		again, err := s.again(ctx, r.Run, request, ev)
		if again != nil || err != nil {
			return again, err
		}
		launch, err := s.stage(ctx, c, r, installation, request, ev)
		switch {
		case errors.Is(err, stage.ErrRunID) && attempt < launchAttempts:
			continue // somebody else began this run just now
		case errors.Is(err, stage.ErrMoved) && attempt < launchAttempts:
			continue
		}
		return launch, err
	}
}

// again answers a launch of a run that is in the ledger already, or nil if it is
// not.
func (s *Service) again(ctx context.Context, id secrets.RunID, request []byte, ev secrets.Event) (*Launch, error) {
	run, rows, err := s.backend.Load(ctx, id)
	if errors.Is(err, stage.ErrNoRun) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if s.keyring.MAC().VerifyMAC(run.Request, request) != nil {
		return nil, ErrRunUsed
	}
	switch run.Phase {
	case stage.Active:
		ev.Outcome, ev.Reason = secrets.Done, "launched before"
		if err := s.record(ctx, ev); err != nil {
			return nil, err
		}
		return s.attach(ctx, run, rows)
	case stage.Staging:
		return nil, ErrBusy
	default:
		return nil, ErrRunUsed
	}
}

// stage resolves the request and stages what was chosen.
func (s *Service) stage(ctx context.Context, c rbac.Caller, r LaunchRequest, in secrets.Installation, request []byte, ev secrets.Event) (*Launch, error) {
	p, err := s.prepare(ctx, c, r)
	defer p.destroy()
	if err != nil {
		return nil, err
	}
	sum, err := s.keyring.MAC().ComputeMAC(request)
	if err != nil {
		return nil, err
	}
	rows, err := s.engine.Plan(r.Run, in.Mark, p.targets)
	if err != nil {
		return nil, err
	}
	redactor, err := redact.New(p.values, s.config.Redaction)
	if err != nil {
		return nil, err
	}
	ev.Outcome = secrets.Done
	var uses []secrets.Event
	for _, item := range p.items {
		use := ev
		use.Action, use.Scope, use.Name, use.Pin = secrets.ActionUse, item.Scope, item.Name, item.Pin
		if slices.Contains(redactor.Short(), item.Name) {
			use.Reason = tooShort
		}
		uses = append(uses, use)
	}
	run := stage.Run{ID: r.Run, Workspace: r.Workspace, Caller: c.Name(), Request: sum, Items: p.items}
	if run.Chosen, err = s.keyring.MAC().ComputeMAC(chosen(run)); err != nil {
		return nil, errors.Join(err, redactor.Close())
	}
	refs, err := s.engine.Stage(ctx, run, rows, uses, []secrets.Event{ev})
	if err != nil {
		return nil, errors.Join(err, redactor.Close())
	}
	return &Launch{References: refs, Resolution: p.resolution, Redactor: redactor}, nil
}

// attach makes a launch of what the ledger and the pinned versions tell.
func (s *Service) attach(ctx context.Context, run stage.Run, rows []stage.Row) (*Launch, error) {
	items := make([]provider.Item, len(run.Items))
	for i, item := range run.Items {
		items[i] = item.Item
	}
	opened, err := s.open(ctx, run, items)
	if err != nil {
		return nil, err
	}
	defer destroy(opened)
	values := make(map[secrets.Name]secrets.Value, len(run.Items))
	var choices []precedence.Choice
	for _, item := range run.Items {
		values[item.Name] = opened[item.Pin]
		choices = append(choices, precedence.Choice{
			Winner: secrets.Secret{Pin: item.Pin, Name: item.Name, Scope: item.Scope},
		})
	}
	redactor, err := redact.New(values, s.config.Redaction)
	if err != nil {
		return nil, err
	}
	return &Launch{
		References: s.engine.References(rows), Redactor: redactor,
		Resolution: precedence.Resolution{Choices: choices},
	}, nil
}
