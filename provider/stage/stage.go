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
// created. mark is the installation's.
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
		objects, err := driver.Plan(run, slices.Clone(targets[name]), nonce)
		if err != nil {
			return nil, driverError("plan", err)
		}
		for _, o := range objects {
			o.Stage, o.Token, o.Mark, o.Run, o.Epoch = nonce(), token(), mark, run, 1
			rows = append(rows, Row{Target: name, Location: driver.Location(), Object: o})
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
func (e *Engine) Stage(ctx context.Context, run Run, rows []Row, begun, staged []secrets.Event) ([]provider.Reference, error) {
	rows = slices.Clone(rows)
	for i := range rows {
		rows[i].Object.Expires = time.Now().Add(e.config.MaxNeed).UTC()
	}
	a, err := e.begin(ctx, run, rows, begun)
	if err != nil {
		return nil, err
	}
	if err = e.createAll(ctx, &a, rows); err == nil {
		for _, row := range rows {
			staged = append(staged, event(secrets.ActionStage, secrets.Done, a.run.Caller, "", a.run, row))
		}
		var active Run
		active, err = e.config.Ledger.Advance(ctx, a.run, Active, 0, rows, staged...)
		if err == nil && slices.ContainsFunc(active.Items, func(it Item) bool { return it.Revoked }) {
			err = ErrRevoked
		}
		if err == nil {
			return e.References(rows), nil
		}
	}
	return nil, errors.Join(err, e.abandon(ctx, a.run))
}

// abandon ends a run whose launch failed. Its commit is tried for as long as a
// lease lasts: nobody else knows yet that the run has failed.
func (e *Engine) abandon(ctx context.Context, run Run) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.config.Lease)
	defer cancel()
	closing := Closing{Outcome: "launch failed", MaskFor: e.config.MaskFor}
	for attempt := 1; ; attempt++ {
		_, _, err := e.config.Ledger.End(ctx, run.ID, closing)
		if err == nil {
			break
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
	for attempt := 1; ; attempt++ {
		if a.over() {
			return ErrFenced
		}
		var o opening
		timeout := cmp.Or(driver.Capabilities().CreateTimeout, callTimeout)
		err := a.call(ctx, op, timeout, func(ctx context.Context) (err error) {
			row.ID, err = driver.Create(ctx, row.Object, e.opener(a, row.Object.Items, &o))
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
		if err := wait(ctx, backoff(100*time.Millisecond, attempt, time.Second)); err != nil {
			return err
		}
	}
}
