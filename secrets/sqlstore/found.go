package sqlstore

import (
	"context"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// What a sweep asks about what it finds, and what an operator asks about what it
// leaves.

// Known implements [stage.Ledger].
func (s *Store) Known(ctx context.Context, names []string) (map[string]stage.State, error) {
	known := make(map[string]stage.State)
	err := s.read(ctx, "known", func(t *tx) error { return t.known(names, known) })
	if err != nil {
		return nil, err
	}
	return known, nil
}

// known puts the state of each object that ever had a row into known.
func (t *tx) known(names []string, known map[string]stage.State) error {
	for start := 0; start < len(names); start += inChunk {
		chunk := names[start:min(start+inChunk, len(names))]
		var args []any
		for _, n := range chunk {
			args = append(args, n)
		}
		if err := t.each(func(row scanner) error {
			var name string
			var state stage.State
			err := row.Scan(&name, &state)
			if other, found := known[name]; !found || stage.Foremost(state, other) == state {
				known[name] = state
			}
			return err
		}, `SELECT name, state FROM object WHERE name IN (`+placeholders(len(chunk))+`)`,
			args...); err != nil {
			return err
		}
	}
	return nil
}

// Found implements [stage.Ledger].
func (s *Store) Found(ctx context.Context, r stage.Run, row stage.Row, ev ...secrets.Event) error {
	if _, err := secrets.ParseRunID(r.ID.String()); err != nil {
		return err
	}
	return s.write(ctx, "found", func(t *tx) error {
		used, err := t.exists(`SELECT 1 FROM run WHERE id = ?`, r.ID.String())
		if err != nil {
			return err
		}
		if used {
			return stage.ErrRunID
		}
		known := make(map[string]stage.State)
		if err := t.known([]string{row.Object.Name}, known); err != nil {
			return err
		}
		if state, found := known[row.Object.Name]; found && !state.Over() {
			return stage.ErrHeld
		}
		found := stage.Run{ID: r.ID, Outcome: r.Outcome, Phase: stage.Ending, Epoch: 1, Actor: t.now, Ended: t.now, Masked: t.now}
		if err := t.addRun(found); err != nil {
			return err
		}
		if err := t.addRow(r.ID, stage.Row{
			Target: row.Target, Location: row.Location, Object: row.Object, ID: row.ID, State: stage.Quarantined, Intent: t.now,
		}); err != nil {
			return err
		}
		if err := t.setRun(found); err != nil {
			return err
		}
		return t.record(ev)
	})
}

// Stuck implements [stage.Ledger].
func (s *Store) Stuck(ctx context.Context, after secrets.RunID, n int) ([]secrets.RunID, error) {
	if n <= 0 {
		return nil, ctx.Err()
	}
	var all []secrets.RunID
	err := s.read(ctx, "stuck", func(t *tx) (err error) {
		all, err = t.ids(`SELECT DISTINCT run FROM object WHERE run > ? AND (state IN (?, ?) OR attempts >= ?) AND `+notOver+` ORDER BY run LIMIT ?`,
			after.String(), stage.Stuck, stage.Quarantined, stage.StuckAfter, n)
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Stats implements [stage.Ledger].
func (s *Store) Stats(ctx context.Context) (stage.Stats, error) {
	var st stage.Stats
	err := s.read(ctx, "stats", func(t *tx) (err error) {
		st, err = t.stats()
		return err
	})
	if err != nil {
		return stage.Stats{}, err
	}
	return st, nil
}

func (t *tx) stats() (stage.Stats, error) {
	st := stage.Stats{Now: t.now}
	if _, err := t.one([]any{stampIn{&st.LastSweep}, stampIn{&st.Resumed}, &st.Empty},
		`SELECT swept, resumed, begun = 0 FROM installation`); err != nil {
		return stage.Stats{}, err
	}
	err := t.each(func(row scanner) error {
		var state stage.State
		var oldest time.Time
		var n, failing int
		err := row.Scan(&state, stampIn{&oldest}, &n, &failing)
		if st.Staged == 0 || oldest.Before(st.OldestStaged) {
			st.OldestStaged = oldest
		}
		st.Staged += n
		switch state {
		case stage.Quarantined:
			st.Quarantined = n
		case stage.Stuck:
			st.Stuck += n
		default:
			st.Stuck += failing
		}
		return err
	}, `SELECT state, min(intent), count(*), sum(attempts >= ?) FROM object WHERE `+notOver+` GROUP BY state`, stage.StuckAfter)
	return st, err
}
