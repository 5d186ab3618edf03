package stage

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Plan decides which objects hold which items at each target. Nothing is
// created. mark is the installation's. A target that can't take all of it refuses
// with a *secrets.InvalidError.
func (e *Engine) Plan(run secrets.RunID, mark [16]byte, targets map[string][]provider.Item) ([]Row, error) {
	var rows []Row
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		driver := e.config.Targets[name]
		if driver == nil {
			return nil, &secrets.InvalidError{Field: "targets", Rule: "names a target that is not configured"}
		}
		if len(targets[name]) == 0 {
			continue
		}
		err := safely("plan", func() error {
			objects, err := driver.Plan(run, slices.Clone(targets[name]), nonce)
			for _, o := range objects {
				o.Mark, o.Run, o.Epoch = mark, run, 1
				for i := range o.Items {
					o.Items[i].Weight = 0 // the ledger keeps no sizes
				}
				rows = append(rows, Row{Target: name, Location: driver.Location(), Object: o})
			}
			return err
		})
		var invalid *secrets.InvalidError
		if errors.As(err, &invalid) {
			return nil, invalid
		}
		if err != nil {
			return nil, driverError("plan", err)
		}
	}
	return rows, nil
}

// nonce returns 26 unguessable characters of [a-z2-7]: 130 bits.
func nonce() string { return strings.ToLower(rand.Text()) }

// token returns 32 unguessable characters, the least that AWS takes for a
// ClientRequestToken.
func token() string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// Stage commits the run with its planned rows and the events of its beginning,
// creates every object, records them with the events of its being staged, and
// returns the references. It is all or nothing over all targets: when it fails,
// what was created is removed again under a context of its own, so that a caller
// who gave up leaves nothing either; what could not be removed then is left to
// [Engine.Sweep].
//
// ErrRunID if the run's id was ever used, ErrMoved if a chosen version is no
// longer current: nothing was committed then. ErrFenced if the run was ended
// meanwhile, ErrRevoked if one of its secrets was revoked.
//
// If the commit that makes the run Active succeeds and nobody can tell, not even
// when it is read again, the run stays as it is: what is staged may have been
// handed out by whoever repeated the launch.
func (e *Engine) Stage(ctx context.Context, run Run, rows []Row, begun, staged []secrets.Event) ([]provider.Reference, error) {
	rows = slices.Clone(rows)
	for i := range rows {
		if err := e.reachable(rows[i]); err != nil {
			return nil, err
		}
		// Of its own in every call, so that each can tell its rows from another's.
		rows[i].Object.Stage, rows[i].Object.Token = nonce(), token()
		rows[i].Object.Expires = time.Now().Add(e.config.MaxNeed).UTC()
	}
	a, err := e.begin(ctx, run, rows, begun)
	if err != nil {
		return nil, err
	}
	closing := Closing{Outcome: "launch failed", MaskFor: e.config.MaskFor, Staging: a.run.Epoch}
	var refs []provider.Reference
	if err = e.createAll(ctx, &a, rows); err == nil {
		refs, err = e.publish(ctx, a, rows, staged)
	}
	if err == nil {
		return refs, nil
	}
	if errors.Is(err, ErrRevoked) {
		closing.Staging = 0 // it is Active, and has lost what it was to have
	}
	return nil, errors.Join(err, e.abandon(ctx, a.run, closing))
}

// reachable returns an error unless a planned row's target is where it is to be
// staged.
func (e *Engine) reachable(row Row) error {
	driver := e.config.Targets[row.Target]
	if driver == nil {
		return &secrets.InvalidError{Field: "rows", Rule: "name a target that is not configured"}
	}
	return safely("stage", func() error {
		if driver.Location() != row.Location {
			return &secrets.InvalidError{Field: "rows", Rule: "were planned for another location of their target"}
		}
		return nil
	})
}

// publish records that all objects are created, and answers the references.
func (e *Engine) publish(ctx context.Context, a actor, rows []Row, staged []secrets.Event) (refs []provider.Reference, err error) {
	staged = slices.Clone(staged)
	for _, row := range rows {
		of, err := e.refer(row)
		if err != nil {
			return nil, err
		}
		refs = append(refs, of...)
		staged = append(staged, event(secrets.ActionStage, secrets.Done, a.run.Caller, "", a.run, row))
	}
	active, err := e.config.Ledger.Advance(ctx, a.run, Active, 0, rows, staged...)
	if err != nil && !answered(err) {
		active, err = e.wasPublished(ctx, a.run, err)
	}
	if err == nil && slices.ContainsFunc(active.Items, func(it Item) bool { return it.Revoked }) {
		err = ErrRevoked
	}
	return refs, err
}

// wasPublished reads what became of a commit whose outcome is not known.
func (e *Engine) wasPublished(ctx context.Context, run Run, failure error) (Run, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.config.Lease)
	defer cancel()
	stored, _, err := e.config.Ledger.Load(ctx, run.ID)
	if err == nil && stored.Phase == Active && stored.Epoch == run.Epoch {
		return stored, nil
	}
	return Run{}, failure
}

// abandon ends a run whose launch failed. Its commit is tried for as long as a
// lease lasts: nobody else knows yet that the run has failed.
func (e *Engine) abandon(ctx context.Context, run Run, closing Closing) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.config.Lease)
	defer cancel()
	for attempt := 1; ; attempt++ {
		_, _, err := e.config.Ledger.End(ctx, run.ID, closing)
		if err == nil || errors.Is(err, ErrEnded) {
			break
		}
		if errors.Is(err, ErrFenced) { // others act on it: it is Active after all, or theirs
			return nil
		}
		if wait(ctx, backoff(100*time.Millisecond, attempt, 5*time.Second)) != nil {
			return err
		}
	}
	_, err := e.end(ctx, run.ID, run.Caller, closing)
	return err
}

// begin commits the intent. A commit of unknown outcome is read again: rows that
// carry our unguessable stage ids are ours.
func (e *Engine) begin(ctx context.Context, run Run, rows []Row, ev []secrets.Event) (actor, error) {
	before := time.Now() // so that the lease by our clock is over no later than by the ledger's
	begun, err := e.config.Ledger.Begin(ctx, run, rows, Terms{Lease: e.config.Lease, Need: e.config.Need}, ev...)
	if err == nil {
		for i := range rows {
			rows[i].State, rows[i].Intent = Intent, begun.Started
		}
		return e.actorSince(before, begun), nil
	}
	if errors.Is(err, ErrRunID) || errors.Is(err, ErrMoved) || len(rows) == 0 {
		return actor{}, err
	}
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.config.Lease)
	defer cancel()
	stored, storedRows, lookErr := e.config.Ledger.Load(look, run.ID)
	if lookErr != nil || len(storedRows) == 0 || storedRows[0].Object.Stage != rows[0].Object.Stage {
		return actor{}, err
	}
	if stored.Phase != Staging || stored.Epoch != 1 { // somebody has ended it meanwhile
		return actor{}, ErrFenced
	}
	copy(rows, storedRows)
	return e.actorSince(before, stored), nil
}

// createAttempts is how often one object's creation is tried; every attempt uses
// the same token.
const createAttempts = 3

// createAll creates the objects of all rows, those of one target as many at once
// as its driver takes, and keeps the lease while it lasts.
func (e *Engine) createAll(ctx context.Context, a *actor, rows []Row) error {
	var todo []*Row
	for i := range rows {
		todo = append(todo, &rows[i])
	}
	for len(todo) > 0 {
		if e.waning(*a) {
			if err := e.keep(ctx, a, rows[:len(rows)-len(todo)], nil); err != nil {
				return err
			}
		}
		n := e.batch(todo)
		if err := errors.Join(each(todo[:n], func(row *Row) error { return e.create(ctx, *a, row) })...); err != nil {
			return err
		}
		todo = todo[n:]
	}
	return nil
}

func (e *Engine) create(ctx context.Context, a actor, row *Row) error {
	const op = "create"
	driver := e.config.Targets[row.Target]
	row.Object.Epoch = a.run.Epoch
	var last error
	for attempt := 1; ; attempt++ {
		if a.over() {
			return errors.Join(ErrFenced, last)
		}
		var o opening
		timeout := cmp.Or(capabilities(driver).CreateTimeout, callTimeout)
		err := e.call(ctx, a, row.Target, op, timeout, func(ctx context.Context) (err error) {
			row.ID, err = driver.Create(ctx, row.Object, e.opener(a, row.Object.Items, &o))
			if err == nil && row.ID == "" {
				err = &provider.Error{Op: op, Code: provider.Internal} // what has no id can't be told from another
			}
			return err
		})
		o.destroy()
		if err == nil && o.err == nil { // a driver may not overlook why it got no values
			row.State = Created
			return nil
		}
		row.ID = ""
		again := transient(codeOf(err))
		if o.err != nil {
			err, again = o.err, !errors.Is(o.err, ErrFenced)
		}
		if attempt == createAttempts || !again {
			return err
		}
		last = err
		if err := wait(ctx, backoff(100*time.Millisecond, attempt, time.Second)); err != nil {
			return err
		}
	}
}
