package pipesecrets

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// sealAttempts bounds how often a write is sealed again after its key was
// retired, or a new id turned out to be taken.
const sealAttempts = 3

// Create stores a new secret under want.Name in want.Scope, with want.Policy and
// want.Description; all else in want is ignored. It needs the right to write.
// ErrExists if the scope has a secret of that name. The value stays the caller's
// to destroy.
func (s *Service) Create(ctx context.Context, c rbac.Caller, want secrets.Secret, value secrets.Value) (created secrets.Secret, err error) {
	ev := secrets.Event{Caller: c.Name(), Action: secrets.ActionCreate, Scope: want.Scope, Name: want.Name}
	if err := want.Check(); err != nil {
		return secrets.Secret{}, err
	}
	defer func() { err = s.failed(ctx, ev, err) }()
	if err := s.gate(ctx, c, rbac.Write, want.Scope, ev); err != nil {
		return secrets.Secret{}, err
	}
	if value.IsZero() {
		return secrets.Secret{}, errNoValue
	}
	if why, reserved := want.Name.Reserved(); reserved && !slices.Contains(s.config.Reserved, want.Name) {
		return secrets.Secret{}, &secrets.InvalidError{Field: "name", Rule: "is reserved: it " + why}
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	created = secrets.Secret{
		Pin: secrets.Pin{Version: 1}, Name: want.Name, Scope: want.Scope,
		Policy: want.Policy.Canonical(), Description: want.Description,
		CreatedAt: now, UpdatedAt: now, CreatedBy: c.Name(), UpdatedBy: c.Name(),
	}
	for attempt := 1; ; attempt++ {
		created.ID = newID()
		ev.Pin = created.Pin
		err := s.put(ctx, created, value, 0, ev)
		if errors.Is(err, secrets.ErrConflict) && attempt < sealAttempts {
			continue // the id was used before
		}
		if err != nil {
			return secrets.Secret{}, err
		}
		return created, nil
	}
}

var errNoValue = &secrets.InvalidError{Field: "value", Rule: "must be 1 to 65,536 bytes"}

// newID returns a random id in [1, 2^53).
func newID() secrets.ID {
	var b [8]byte
	for {
		_, _ = rand.Read(b[:]) // never fails
		if id := secrets.ID(binary.BigEndian.Uint64(b[:]) >> 11); id != 0 {
			return id
		}
	}
}

// Update stores a new version of the secret next.ID: with value, or with its
// present value if value is zero; with next.Policy and next.Description, whole,
// so that the way to change one field is to Get, change and Update. next.Version
// is the version that was read: ErrConflict if another came between. Name and
// scope can't change: they must be those of the secret, or zero. Runs under way
// keep the version they have. It needs the right to write.
func (s *Service) Update(ctx context.Context, c rbac.Caller, next secrets.Secret, value secrets.Value) (updated secrets.Secret, err error) {
	ev := secrets.Event{Caller: c.Name(), Action: secrets.ActionUpdate, Pin: next.Pin}
	defer func() { err = s.failed(ctx, ev, err) }()
	current, err := s.find(ctx, c, rbac.Write, next.ID, &ev)
	if err != nil {
		return secrets.Secret{}, err
	}
	if !next.Name.IsZero() && next.Name != current.Name {
		return secrets.Secret{}, &secrets.InvalidError{Field: "name", Rule: "can't change"}
	}
	if !next.Scope.IsZero() && next.Scope != current.Scope {
		return secrets.Secret{}, &secrets.InvalidError{Field: "scope", Rule: "can't change"}
	}
	if next.Version != current.Version {
		return secrets.Secret{}, secrets.ErrConflict
	}
	updated = current.Secret
	updated.Version++
	updated.Policy, updated.Description = next.Policy, next.Description
	updated.UpdatedAt, updated.UpdatedBy = time.Now().UTC().Truncate(time.Microsecond), c.Name()
	if err := updated.Check(); err != nil {
		return secrets.Secret{}, err
	}
	updated.Policy = updated.Policy.Canonical()
	if value.IsZero() {
		if value, err = s.keyring.Open(ctx, current); err != nil {
			return secrets.Secret{}, err
		}
		defer value.Destroy()
	}
	ev.Pin = updated.Pin
	if err := s.put(ctx, updated, value, current.Version, ev); err != nil {
		return secrets.Secret{}, err
	}
	return updated, nil
}

// tooShort is the reason of events about a value that shows in logs.
const tooShort = "the value is too short to be masked"

// put seals and stores a version. A key that another process retired meanwhile
// is replaced by the present one.
func (s *Service) put(ctx context.Context, secret secrets.Secret, value secrets.Value, prev secrets.Version, ev secrets.Event) error {
	ev.Outcome = secrets.Done
	if masks, err := s.config.Redaction.Masks(value); err != nil {
		return err
	} else if !masks {
		ev.Reason = tooShort
	}
	for attempt := 1; ; attempt++ {
		record, err := s.keyring.Seal(secret, value)
		if err != nil {
			return err
		}
		err = s.backend.Put(ctx, record, prev, ev)
		if !errors.Is(err, secrets.ErrKeyRetired) || attempt == sealAttempts {
			return err
		}
		if err := s.keyring.Reload(ctx); err != nil {
			return err
		}
	}
}

// find reads a secret that the caller has a right to, and completes the event.
// What is absent and what the caller may not know of is answered alike.
func (s *Service) find(ctx context.Context, c rbac.Caller, p rbac.Permission, id secrets.ID, ev *secrets.Event) (secrets.Record, error) {
	ev.Pin.ID = id
	record, err := s.backend.Find(ctx, id)
	if errors.Is(err, secrets.ErrNotFound) {
		return secrets.Record{}, s.absent(ctx, *ev)
	}
	if err != nil {
		return secrets.Record{}, err
	}
	ev.Scope, ev.Name, ev.Pin = record.Scope, record.Name, record.Pin
	return record, s.gate(ctx, c, p, record.Scope, *ev)
}

// Delete ends a secret: no run is launched with it from here on, and its name is
// free. Runs under way keep it, and its sealed bytes go with the last of them.
// It needs the right to delete.
func (s *Service) Delete(ctx context.Context, c rbac.Caller, id secrets.ID) (err error) {
	ev := secrets.Event{Caller: c.Name(), Action: secrets.ActionDelete}
	defer func() { err = s.failed(ctx, ev, err) }()
	record, err := s.find(ctx, c, rbac.Delete, id, &ev)
	if err != nil {
		return err
	}
	return s.remove(ctx, record.Secret, ev)
}

// remove deletes a secret, whatever its version by now.
func (s *Service) remove(ctx context.Context, secret secrets.Secret, ev secrets.Event) error {
	ev.Outcome = secrets.Done
	for {
		err := s.backend.Delete(ctx, secret.Pin, ev)
		if !errors.Is(err, secrets.ErrConflict) {
			return err
		}
		record, err := s.backend.Find(ctx, secret.ID)
		if err != nil {
			return err
		}
		secret, ev.Pin = record.Secret, record.Pin
	}
}

// Revoke deletes a secret and pulls it from the runs under way, which it answers:
// their other secrets stay. A run that was still being staged is ended; one that has
// ended and is kept for replay is answered too, and loses all that it has. From the
// first commit on the sweep pulls it too, so that the error, if not nil, only
// tells what is not done yet. Revoke of a deleted secret pulls it all the same,
// and may be repeated while a run is under way; what a kept run has yet to lose is the
// sweep's from then on, and nothing that a repeated call would find. It needs the right
// to delete.
func (s *Service) Revoke(ctx context.Context, c rbac.Caller, id secrets.ID) (runs []secrets.RunID, err error) {
	ev := secrets.Event{Caller: c.Name(), Action: secrets.ActionRevoke}
	defer func() { err = s.failed(ctx, ev, err) }()
	before, err := s.findEver(ctx, c, rbac.Delete, id, &ev)
	if err != nil {
		return nil, err
	}
	if _, err := s.atHome(ctx); err != nil {
		return nil, err
	}
	ev.Outcome = secrets.Done
	using, err := s.backend.Revoke(ctx, id, ev)
	if err != nil {
		return nil, err
	}
	var failures []error
	for _, run := range using {
		runs = append(runs, run.ID)
		_, err := s.engine.Withdraw(ctx, run.ID, c.Name())
		if err := busy(err); err != nil {
			failures = append(failures, err)
		}
	}
	if len(failures) > 0 { // each is in the log, as a removal that failed
		err = recorded{errors.Join(failures...)}
	}
	if before { // the ledger tells of the first time only
		ev.Reason = "was revoked before"
		err = errors.Join(err, s.record(ctx, ev))
	}
	return runs, err
}

// findEver is find for secrets that may be deleted already: a run that is under
// way, or kept for replay, still tells their scope. It reports whether the secret was
// revoked before in each of these runs.
func (s *Service) findEver(ctx context.Context, c rbac.Caller, p rbac.Permission, id secrets.ID, ev *secrets.Event) (revoked bool, err error) {
	ev.Pin.ID = id
	record, err := s.backend.Find(ctx, id)
	if err == nil {
		ev.Scope, ev.Name, ev.Pin = record.Scope, record.Name, record.Pin
		return false, s.gate(ctx, c, p, record.Scope, *ev)
	}
	if !errors.Is(err, secrets.ErrNotFound) {
		return false, err
	}
	using, err := s.backend.UsedBy(ctx, id)
	if err != nil {
		return false, err
	}
	found := false
	revoked = true
	for _, run := range using {
		for _, item := range run.Items {
			if item.Pin.ID == id {
				ev.Scope, ev.Name, ev.Pin = item.Scope, item.Name, item.Pin
				found, revoked = true, revoked && item.Revoked
			}
		}
	}
	if !found {
		return false, s.absent(ctx, *ev)
	}
	return revoked, s.gate(ctx, c, p, ev.Scope, *ev)
}

// DeleteScope deletes every secret of a scope, as when a workspace is removed or
// a user leaves. If it fails half-way, call it again. It needs the right to
// delete in the scope; an operator has it for every scope.
func (s *Service) DeleteScope(ctx context.Context, c rbac.Caller, scope secrets.Scope) (err error) {
	ev := secrets.Event{Caller: c.Name(), Action: secrets.ActionDeleteScope, Scope: scope}
	if err := scope.Check(); err != nil {
		return err
	}
	defer func() { err = s.failed(ctx, ev, err) }()
	if !s.config.Policy.Operates(c) {
		if err := s.gate(ctx, c, rbac.Delete, scope, ev); err != nil {
			return err
		}
	}
	for {
		page, err := s.backend.List(ctx, secrets.Query{Scope: scope, Limit: maxPage})
		if err != nil {
			return err
		}
		if len(page) == 0 {
			ev.Name, ev.Pin, ev.Outcome = secrets.Name{}, secrets.Pin{}, secrets.Done
			return s.record(ctx, ev)
		}
		for _, secret := range page {
			gone := ev
			gone.Action, gone.Name, gone.Pin = secrets.ActionDelete, secret.Name, secret.Pin
			if err := s.remove(ctx, secret, gone); err != nil && !errors.Is(err, secrets.ErrNotFound) {
				return err
			}
		}
	}
}

// Get returns what is told of a secret. It needs the right to read.
func (s *Service) Get(ctx context.Context, c rbac.Caller, id secrets.ID) (secret secrets.Secret, err error) {
	ev := secrets.Event{Caller: c.Name(), Action: secrets.ActionGet}
	defer func() { err = s.failed(ctx, ev, err) }()
	record, err := s.find(ctx, c, rbac.Read, id, &ev)
	if err != nil {
		return secrets.Secret{}, err
	}
	ev.Outcome = secrets.Done
	if err := s.record(ctx, ev); err != nil {
		return secrets.Secret{}, err
	}
	return record.Secret, nil
}

const (
	defaultPage = 100
	maxPage     = 1000
)

// List returns secrets of a scope in the order of their names: q.Limit of them,
// 100 if that is zero, at most 1,000. It needs the right to read.
func (s *Service) List(ctx context.Context, c rbac.Caller, q secrets.Query) (list []secrets.Secret, err error) {
	ev := secrets.Event{Caller: c.Name(), Action: secrets.ActionList, Scope: q.Scope}
	if err := q.Scope.Check(); err != nil {
		return nil, err
	}
	if q.Limit < 0 || q.Limit > maxPage {
		return nil, &secrets.InvalidError{Field: "limit", Rule: "must be 1 to 1,000"}
	}
	if q.Limit == 0 {
		q.Limit = defaultPage
	}
	defer func() { err = s.failed(ctx, ev, err) }()
	if err := s.gate(ctx, c, rbac.Read, q.Scope, ev); err != nil {
		return nil, err
	}
	list, err = s.backend.List(ctx, q)
	if err != nil {
		return nil, err
	}
	ev.Outcome = secrets.Done
	if err := s.record(ctx, ev); err != nil {
		return nil, err
	}
	return list, nil
}
