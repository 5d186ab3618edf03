package sqlstore

import (
	"context"
	"errors"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// after returns the moment d after the commit.
func (t *tx) after(d time.Duration) time.Time { return toMicro(t.now.Add(d)) }

// Begin implements [stage.Ledger].
func (s *Store) Begin(ctx context.Context, r stage.Run, rows []stage.Row, terms stage.Terms, ev ...secrets.Event) (stage.Run, error) {
	if _, err := secrets.ParseRunID(r.ID.String()); err != nil {
		return stage.Run{}, err
	}
	for _, it := range r.Items {
		if it.Scope.IsZero() {
			continue
		}
		if err := it.Scope.Check(); err != nil {
			return stage.Run{}, err
		}
	}
	var begun stage.Run
	err := s.write(ctx, "begin", func(t *tx) error {
		used, err := t.exists(`SELECT 1 FROM run WHERE id = ?`, r.ID.String())
		if err != nil {
			return err
		}
		if used {
			return stage.ErrRunID
		}
		if err := t.addRun(stage.Run{
			ID: r.ID, Workspace: r.Workspace, Caller: r.Caller, Request: r.Request, Chosen: r.Chosen, Items: r.Items,
			Phase: stage.Staging, Epoch: 1, Actor: t.after(terms.Lease), Started: t.now, Needed: t.after(terms.Need), Pinned: true,
		}); err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE installation SET begun = 1 WHERE begun = 0`); err != nil {
			return err
		}
		for _, it := range r.Items {
			if err := t.pin(r.ID, it.Pin); err != nil {
				return err
			}
		}
		for _, row := range rows {
			if err := t.addRow(r.ID, stage.Row{
				Target: row.Target, Location: row.Location, Object: row.Object, State: stage.Intent, Intent: t.now,
			}); err != nil {
				return err
			}
		}
		if begun, err = t.run(r.ID); err != nil {
			return err
		}
		if err := t.setRun(begun); err != nil {
			return err
		}
		return t.record(ev)
	})
	if err != nil {
		return stage.Run{}, err
	}
	return begun, nil
}

// pin keeps a version for a run, if it is the current one.
func (t *tx) pin(run secrets.RunID, p secrets.Pin) error {
	changed, err := t.exec(`UPDATE secret SET last_used = ?, last_run = ? WHERE id = ? AND version = ? AND deleted = 0`,
		stamp(t.now), run.String(), p.ID, int64(p.Version))
	if err != nil {
		return err
	}
	if changed == 0 {
		return stage.ErrMoved
	}
	_, err = t.exec(`INSERT INTO pin (run, secret, version) VALUES (?, ?, ?) ON CONFLICT (run, secret, version) DO NOTHING`,
		run.String(), p.ID, int64(p.Version))
	return err
}

// Load implements [stage.Ledger].
func (s *Store) Load(ctx context.Context, id secrets.RunID) (stage.Run, []stage.Row, error) {
	var r stage.Run
	var rows []stage.Row
	err := s.read(ctx, "load", func(t *tx) (err error) {
		if r, err = t.run(id); err != nil {
			return err
		}
		rows, err = t.rows(id)
		return err
	})
	if err != nil {
		return stage.Run{}, nil, err
	}
	return r, rows, nil
}

// change loads a run, lets do change it, and stores it and the events.
func (s *Store) change(ctx context.Context, op string, id secrets.RunID, ev []secrets.Event, do func(*tx, *stage.Run) error) (stage.Run, error) {
	var r stage.Run
	err := s.write(ctx, op, func(t *tx) (err error) {
		if r, err = t.run(id); err != nil {
			return err
		}
		if err := do(t, &r); err != nil {
			return err
		}
		if err := t.setRun(r); err != nil {
			return err
		}
		return t.record(ev)
	})
	if err != nil {
		return stage.Run{}, err
	}
	return r, nil
}

// Take implements [stage.Ledger].
func (s *Store) Take(ctx context.Context, id secrets.RunID, lease time.Duration) (stage.Run, error) {
	return s.change(ctx, "take", id, nil, func(t *tx, r *stage.Run) error {
		if r.Held(t.now) {
			return stage.ErrHeld
		}
		r.Epoch++
		r.Actor = t.after(lease)
		return nil
	})
}

var (
	errPhase  = &secrets.InvalidError{Field: "phase", Rule: "never moves back"}
	errClosed = &secrets.InvalidError{Field: "phase", Rule: "can't be closed while an object is not over"}
)

// Advance implements [stage.Ledger].
func (s *Store) Advance(ctx context.Context, r stage.Run, to stage.Phase, lease time.Duration, rows []stage.Row, ev ...secrets.Event) (stage.Run, error) {
	if to < r.Phase || to > stage.Closed {
		return stage.Run{}, errPhase
	}
	return s.change(ctx, "advance", r.ID, ev, func(t *tx, stored *stage.Run) error {
		if stored.Epoch != r.Epoch || stored.Phase != r.Phase {
			return stage.ErrFenced
		}
		for _, row := range rows {
			if err := t.setRow(r.ID, row); err != nil {
				return err
			}
		}
		stored.Phase = to
		if to != stage.Closed {
			stored.Actor = t.after(lease)
			return nil
		}
		left, err := t.exists(`SELECT 1 FROM object WHERE run = ? AND `+notOver+` LIMIT 1`, r.ID.String())
		if err == nil && left {
			err = errClosed // nobody would look after it any more
		}
		return err
	})
}

// Need implements [stage.Ledger].
func (s *Store) Need(ctx context.Context, id secrets.RunID, d, limit time.Duration, ev ...secrets.Event) (time.Time, error) {
	r, err := s.change(ctx, "need", id, ev, func(t *tx, r *stage.Run) error {
		if r.Phase != stage.Staging && r.Phase != stage.Active {
			return stage.ErrEnded
		}
		until, last := t.after(d), toMicro(r.Started.Add(limit))
		if until.After(last) {
			until = last
		}
		if until.After(r.Needed) {
			r.Needed = until
		}
		return nil
	})
	return r.Needed, err
}

// Release implements [stage.Ledger].
func (s *Store) Release(ctx context.Context, id secrets.RunID) error {
	return s.write(ctx, "release", func(t *tx) error {
		r, err := t.run(id)
		if errors.Is(err, stage.ErrNoRun) {
			return nil
		}
		if err != nil {
			return err
		}
		if r.Phase != stage.Closed || !r.Pinned || t.now.Before(r.Masked) {
			return nil
		}
		if _, err := t.exec(`DELETE FROM pin WHERE run = ?`, id.String()); err != nil {
			return err
		}
		for _, it := range r.Items {
			if err := t.forget(it.Pin); err != nil {
				return err
			}
		}
		r.Pinned = false
		return t.setRun(r)
	})
}

// Revoke implements [stage.Ledger].
func (s *Store) Revoke(ctx context.Context, id secrets.ID, ev ...secrets.Event) ([]stage.Run, error) {
	var all []stage.Run
	err := s.write(ctx, "revoke", func(t *tx) error {
		var version secrets.Version
		living, err := t.one([]any{numberIn[secrets.Version]{&version}}, `SELECT version FROM secret WHERE id = ? AND deleted = 0`, id)
		if err != nil {
			return err
		}
		if all, err = t.usedBy(id); err != nil {
			return err
		}
		if !living && len(all) == 0 {
			return secrets.ErrNotFound
		}
		changed := living
		if living {
			if err := t.bury(secrets.Pin{ID: id, Version: version}); err != nil {
				return err
			}
		}
		for i := range all {
			marked, err := t.revoke(&all[i], id)
			if err != nil {
				return err
			}
			changed = changed || marked
			if !all[i].Kept.IsZero() {
				all[i].Masked = all[i].Masked.Add(-max(all[i].Kept.Sub(t.now), 0)) // as at an end that keeps nothing
				all[i].Kept = time.Time{}
				if err := t.deleting(all[i]); err != nil {
					return err
				}
			}
			if err := t.setRun(all[i]); err != nil {
				return err
			}
		}
		if !changed {
			return nil
		}
		return t.record(ev)
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// usedBy returns the runs with an item of the secret that are under way, or that have
// ended and were to be kept. Pins last longer than that, and unlike items are indexed.
func (t *tx) usedBy(id secrets.ID) ([]stage.Run, error) {
	return t.runs(`SELECT `+runColumns+` FROM run WHERE id IN (SELECT run FROM pin WHERE secret = ?) AND (phase IN (?, ?) OR phase = ? AND kept <> 0)`,
		id, stage.Staging, stage.Active, stage.Ending)
}

// UsedBy implements [stage.Ledger].
func (s *Store) UsedBy(ctx context.Context, id secrets.ID) ([]stage.Run, error) {
	var all []stage.Run
	err := s.read(ctx, "used by", func(t *tx) (err error) {
		all, err = t.usedBy(id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Sweeping implements [stage.Ledger].
func (s *Store) Sweeping(ctx context.Context, gap time.Duration) (stage.Stats, error) {
	var st stage.Stats
	err := s.write(ctx, "sweeping", func(t *tx) (err error) {
		now := stamp(t.now)
		if _, err := t.exec(`UPDATE installation SET resumed = CASE WHEN sweeping = 0 OR ? - sweeping > ? THEN ? ELSE resumed END, sweeping = ?`,
			now, gap.Microseconds(), now, now); err != nil {
			return err
		}
		st, err = t.stats()
		return err
	})
	if err != nil {
		return stage.Stats{}, err
	}
	return st, nil
}

// Swept implements [stage.Ledger].
func (s *Store) Swept(ctx context.Context, ev ...secrets.Event) error {
	return s.write(ctx, "swept", func(t *tx) error {
		if _, err := t.exec(`UPDATE installation SET swept = ?`, stamp(t.now)); err != nil {
			return err
		}
		return t.record(ev)
	})
}
