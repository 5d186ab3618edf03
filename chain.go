package pipesecrets

import (
	"context"
	"errors"
	"time"

	"github.com/pipesecrets/pipesecrets/internal/hook"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
)

// ErrHead says that Config.Head did not tell the head of the audit chain that the
// host keeps.
var ErrHead = errors.New("pipesecrets: the host could not tell the head of the audit chain")

// Seal seals what came to the audit log since the last call, and answers the
// chain's head: keep it where Config.Head finds it, unless a head with a larger
// Seq is there. See audit.Seal for what comes of a head that comes with an error,
// and for several processes that seal at once. The event that tells of the call
// is sealed by the next one.
//
// It fails with audit.ErrBroken, and seals nothing, if the log does not reach the
// head that Config.Head tells, or has no entry at the place of its last link: find
// out why before the head that was kept is given up. ErrHead if that can't be told;
// ErrHome if the database belongs elsewhere, since the chain is the original's.
// Only an operator may.
func (s *Service) Seal(ctx context.Context, c rbac.Caller) (head audit.Head, err error) {
	ev := secrets.Event{Caller: c.Name(), Action: secrets.ActionSeal}
	defer func() { err = s.failed(ctx, ev, err) }()
	if err := s.operate(ctx, c, ev); err != nil {
		return audit.Head{}, err
	}
	if _, err := s.atHome(ctx); err != nil {
		return audit.Head{}, err
	}
	kept, err := s.kept(ctx)
	if err != nil && !errors.Is(err, audit.ErrNoHead) {
		return audit.Head{}, err
	}
	if head, err = audit.Seal(ctx, s.backend, s.keyring.MAC(), kept); err != nil {
		return head, err
	}
	ev.Outcome = secrets.Done
	return head, s.record(ctx, ev)
}

// Verify reads the whole audit log up to a head, one that was kept elsewhere, and
// returns nil if it is what was sealed. See audit.Verify: audit.ErrBroken if not,
// audit.ErrNoHead for the zero Head. Only an operator may.
func (s *Service) Verify(ctx context.Context, c rbac.Caller, head audit.Head) (err error) {
	ev := secrets.Event{Caller: c.Name(), Action: secrets.ActionVerify}
	defer func() { err = s.failed(ctx, ev, err) }()
	if err := s.operate(ctx, c, ev); err != nil {
		return err
	}
	if err := audit.Verify(ctx, s.backend, s.keyring.MAC(), head); err != nil {
		return err
	}
	ev.Outcome = secrets.Done
	return s.record(ctx, ev)
}

// intact returns nil if the database reaches the head that the host keeps: it is
// no copy from before that head was sealed. audit.ErrNoHead if the host keeps
// none, ErrHead if it can't tell, audit.ErrBroken if the database is older.
//
// What was committed since that head was sealed may be lost all the same, to a
// copy that was made in between: the younger the head, the less.
func (s *Service) intact(ctx context.Context) error {
	kept, err := s.kept(ctx)
	if err != nil {
		return err
	}
	err = audit.Reaches(ctx, s.backend, kept)
	if errors.Is(err, audit.ErrBroken) {
		err = errors.Join(stage.ErrOlder, err)
	}
	return err
}

// headTimeout bounds the host's hook.
const headTimeout = 10 * time.Second

// kept asks the host for the head that it keeps: audit.ErrNoHead if there is no
// hook, the zero Head if there is no head yet.
func (s *Service) kept(ctx context.Context) (audit.Head, error) {
	if s.config.Head == nil {
		return audit.Head{}, audit.ErrNoHead
	}
	head, err := hook.Ask(ctx, headTimeout, s.config.Head)
	if err != nil {
		return audit.Head{}, errors.Join(ErrHead, ctx.Err())
	}
	return head, nil
}
