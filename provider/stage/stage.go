package stage

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
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
			return nil, err
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

// Stage commits the run with its planned rows, creates every object, records
// them, and returns the references. It is all or nothing over all targets: when
// it fails, what was created is removed again under a context of its own, so
// that a caller who gave up leaves nothing either; what could not be removed
// then is left to [Engine.Sweep].
//
// ErrRunID if the run's id was ever used, ErrMoved if a chosen version is no
// longer current: nothing was committed then. ErrFenced if the run was ended
// meanwhile.
func (e *Engine) Stage(ctx context.Context, run Run, rows []Row, ev ...secrets.Event) ([]provider.Reference, error) {
	rows = slices.Clone(rows)
	term := e.term() // before the commit: the lease by our clock is over no later than by the ledger's
	run, err := e.begin(ctx, run, rows, ev)
	if err != nil {
		return nil, err
	}
	run, err = e.createAll(ctx, run, rows, term)
	if err == nil {
		var done []secrets.Event
		for _, row := range rows {
			done = append(done, e.event(secrets.ActionStage, secrets.Done, run.Caller, "", run, row))
		}
		if _, err = e.config.Ledger.Advance(ctx, run, Active, 0, rows, done...); err == nil {
			return e.References(rows), nil
		}
	}
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.config.Lease)
	defer cancel()
	if _, left := e.end(cleanup, run.ID, run.Caller, Closing{Outcome: "launch failed", MaskFor: e.config.MaskFor}); left != nil {
		err = errors.Join(err, left)
	}
	return nil, err
}

// begin commits the intent. A commit of unknown outcome is read again: rows that
// carry our unguessable stage ids are ours.
func (e *Engine) begin(ctx context.Context, run Run, rows []Row, ev []secrets.Event) (Run, error) {
	begun, err := e.config.Ledger.Begin(ctx, run, rows, Terms{Lease: e.config.Lease, Need: e.config.Need}, ev...)
	if err == nil {
		for i := range rows {
			rows[i].State, rows[i].Intent = Intent, begun.Started
		}
		return begun, nil
	}
	if errors.Is(err, ErrRunID) || errors.Is(err, ErrMoved) || len(rows) == 0 {
		return Run{}, err
	}
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.config.Lease)
	defer cancel()
	stored, storedRows, lookErr := e.config.Ledger.Load(look, run.ID)
	if lookErr != nil || len(storedRows) == 0 || storedRows[0].Object.Stage != rows[0].Object.Stage {
		return Run{}, err
	}
	copy(rows, storedRows)
	return stored, nil
}

// term is the time by our own monotonic clock after which we may no longer act.
func (e *Engine) term() time.Time { return time.Now().Add(e.config.Lease) }

// createAttempts is how often one object's creation is tried; every attempt uses
// the same token.
const createAttempts = 3

// createAll creates the objects of all rows, those of one target as many at once
// as its driver takes, and keeps the lease while it lasts.
func (e *Engine) createAll(ctx context.Context, run Run, rows []Row, term time.Time) (Run, error) {
	for start := 0; start < len(rows); {
		driver := e.config.Targets[rows[start].Target]
		end := start + 1
		for end < len(rows) && end-start < driver.Capabilities().Concurrency && rows[end].Target == rows[start].Target {
			end++
		}
		if time.Until(term) < e.config.Lease/2 {
			fresh := e.term()
			renewed, err := e.config.Ledger.Advance(ctx, run, Staging, e.config.Lease, rows[:start])
			if err != nil {
				return run, err
			}
			run, term = renewed, fresh
		}
		errs := make([]error, end-start)
		var group sync.WaitGroup
		for i := range errs {
			group.Go(func() { errs[i] = e.create(ctx, driver, run, &rows[start+i], term) })
		}
		group.Wait()
		if err := errors.Join(errs...); err != nil {
			return run, err
		}
		start = end
	}
	return run, nil
}

func (e *Engine) create(ctx context.Context, driver provider.Provider, run Run, row *Row, term time.Time) error {
	timeout := driver.Capabilities().CreateTimeout
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	row.Object.Epoch = run.Epoch
	for attempt := 1; ; attempt++ {
		if !time.Now().Before(term) {
			return ErrFenced
		}
		id, err := func() (string, error) {
			ctx, cancel := context.WithTimeout(ctx, min(timeout, time.Until(term)))
			defer cancel()
			open, destroy := e.opener(run, row.Object.Items, term)
			defer destroy()
			return driver.Create(ctx, row.Object, open)
		}()
		if err == nil {
			row.ID, row.State = id, Created
			return nil
		}
		if attempt == createAttempts || errors.Is(err, ErrFenced) || !transient(codeOf(err)) {
			return err
		}
		if err := wait(ctx, backoff(100*time.Millisecond, attempt, time.Second)); err != nil {
			return err
		}
	}
}

// opener returns an Opener for the items, and what destroys the values it gave.
// It is the fence: it rechecks that the run is still where we left it and still
// ours.
func (e *Engine) opener(run Run, items []provider.Item, term time.Time) (open provider.Opener, destroy func()) {
	var opened map[secrets.Pin]secrets.Value
	open = func(ctx context.Context) (map[secrets.Name]secrets.Value, error) {
		if opened != nil {
			return nil, &provider.Error{Op: "open", Code: provider.Internal} // at most once
		}
		stored, _, err := e.config.Ledger.Load(ctx, run.ID)
		if err != nil {
			return nil, err
		}
		// Our own clock is read last: a pause before this line is seen.
		if stored.Epoch != run.Epoch || stored.Phase != run.Phase || !time.Now().Before(term) {
			return nil, ErrFenced
		}
		pins := make([]secrets.Pin, len(items))
		for i, item := range items {
			pins[i] = item.Pin
		}
		if opened, err = e.config.Open(ctx, pins); err != nil {
			return nil, err
		}
		values := make(map[secrets.Name]secrets.Value, len(items))
		for _, item := range items {
			values[item.Name] = opened[item.Pin]
		}
		return values, nil
	}
	return open, func() {
		for _, v := range opened {
			v.Destroy()
		}
	}
}
