package pipesecrets

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pipesecrets/pipesecrets/internal/hook"
	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// gate is the one place where access is decided: by the policy, then by the
// host's veto. A denial is in the audit log before it is answered; what is
// allowed is recorded by the caller of gate, with its outcome. ev is the event as
// it stands if it is denied.
func (s *Service) gate(ctx context.Context, c rbac.Caller, p rbac.Permission, scope secrets.Scope, ev secrets.Event) error {
	decision := s.decide(ctx, c, p, scope)
	if decision.Allowed {
		return nil
	}
	return s.deny(ctx, decision, ev)
}

// deny records a denial and returns it as the caller may hear it.
func (s *Service) deny(ctx context.Context, decision rbac.Decision, ev secrets.Event) error {
	ev.Outcome, ev.Reason = secrets.Denied, decision.Why
	if err := s.record(ctx, ev); err != nil {
		s.config.Logger.ErrorContext(ctx, "a denial could not be recorded", "action", ev.Action, "caller", ev.Caller)
	}
	if !decision.Visible {
		return recorded{secrets.ErrNotFound}
	}
	return recorded{fmt.Errorf("%s: %w: %s", ev.Action, secrets.ErrDenied, decision.Why)}
}

// recorded is an error of a call whose outcome is in the audit log already: a
// denial, or what is left to do after the commit that told of the call.
type recorded struct{ error }

func (r recorded) Unwrap() error { return r.error }

// recordTimeout bounds a record whose caller may have given up.
const recordTimeout = 10 * time.Second

// record writes events that have no change of their own, also for a caller who
// has given up: nobody silences the log by hanging up.
func (s *Service) record(ctx context.Context, ev ...secrets.Event) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	return s.backend.Record(ctx, ev...)
}

// failed records that an allowed call came to nothing, and returns its error.
func (s *Service) failed(ctx context.Context, ev secrets.Event, err error) error {
	if err == nil || errors.As(err, new(recorded)) {
		return err
	}
	ev.Outcome, ev.Reason = outcome(err), reason(err)
	return errors.Join(err, s.record(ctx, ev))
}

// absent answers for what does not exist as gate does for what the caller may
// not know of, record included.
func (s *Service) absent(ctx context.Context, ev secrets.Event) error {
	return s.deny(ctx, rbac.Decision{Why: "there is no such thing"}, ev)
}

// decide asks the policy and then the veto. It records nothing. The host's hooks
// are asked though the caller has given up: the log tells why somebody was denied,
// and no hook is silent because somebody hung up.
func (s *Service) decide(ctx context.Context, c rbac.Caller, p rbac.Permission, scope secrets.Scope) rbac.Decision {
	organization, err := s.organization(ctx, scope)
	if err != nil {
		return rbac.Decision{Why: "the host could not tell the workspace's organization"}
	}
	decision := s.config.Policy.Decide(c, p, scope, organization)
	if s.config.Veto == nil {
		return decision
	}
	if decision.Allowed {
		if why := s.veto(ctx, c, p, scope); why != "" {
			decision.Allowed, decision.Why = false, why
		}
	}
	// Who hears that something is denied learns that it is there: that, too, is
	// the veto's to deny.
	if !decision.Allowed && decision.Visible {
		decision.Visible = p != rbac.Read && s.veto(ctx, c, rbac.Read, scope) == ""
	}
	return decision
}

// organization returns the organization of a workspace, or the zero scope.
func (s *Service) organization(ctx context.Context, scope secrets.Scope) (secrets.Scope, error) {
	if scope.Kind != secrets.Workspace || s.config.Parent == nil {
		return secrets.Scope{}, nil
	}
	organization, err := hook.Ask(context.WithoutCancel(ctx), s.config.VetoTimeout, func(ctx context.Context) (secrets.Scope, error) {
		return s.config.Parent(ctx, scope)
	})
	if err != nil || !organization.IsZero() && (organization.Kind != secrets.Organization || organization.Check() != nil) {
		return secrets.Scope{}, errParent
	}
	return organization, nil
}

// errParent hides the host's own error text.
var errParent = errors.New("pipesecrets: the host could not tell the workspace's organization")

// veto returns why the host's hook denies, or "".
func (s *Service) veto(ctx context.Context, c rbac.Caller, p rbac.Permission, scope secrets.Scope) string {
	_, err := hook.Ask(context.WithoutCancel(ctx), s.config.VetoTimeout, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.config.Veto(ctx, c, p, scope)
	})
	switch {
	case err == nil:
		return ""
	case errors.Is(err, hook.ErrLate):
		return "the host's veto did not answer in time"
	}
	return "the host's veto"
}
