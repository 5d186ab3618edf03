package storetest

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// known returns the state of an object that ever had a row.
func (m *Memory) known(name string) (state stage.State, found bool) {
	for _, rows := range m.rows {
		for _, r := range rows {
			if r.Object.Name == name && (!found || stage.Foremost(r.State, state) == r.State) {
				state, found = r.State, true
			}
		}
	}
	return state, found
}

// Known implements [stage.Ledger].
func (m *Memory) Known(ctx context.Context, names []string) (map[string]stage.State, error) {
	if _, err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	known := make(map[string]stage.State)
	for _, name := range names {
		if state, found := m.known(name); found {
			known[name] = state
		}
	}
	return known, nil
}

// Found implements [stage.Ledger].
func (m *Memory) Found(ctx context.Context, r stage.Run, row stage.Row, ev ...secrets.Event) error {
	if _, err := secrets.ParseRunID(r.ID.String()); err != nil {
		return err
	}
	now, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer m.mu.Unlock()
	if _, used := m.runs[r.ID]; used {
		return stage.ErrRunID
	}
	if state, found := m.known(row.Object.Name); found && !state.Over() {
		return stage.ErrHeld
	}
	if _, _, used := m.rowOf(row.Object.Stage); used {
		return errStage
	}
	m.runs[r.ID] = stage.Run{ID: r.ID, Outcome: r.Outcome, Phase: stage.Ending, Epoch: 1, Actor: now, Ended: now, Masked: now}
	m.rows[r.ID] = []stage.Row{cloneRow(r.ID, stage.Row{
		Target: row.Target, Location: row.Location, Object: row.Object, ID: row.ID, State: stage.Quarantined, Intent: now,
	})}
	m.record(now, ev)
	return nil
}

// Stuck implements [stage.Ledger].
func (m *Memory) Stuck(ctx context.Context, after secrets.RunID, n int) ([]secrets.RunID, error) {
	if _, err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var stuck []secrets.RunID
	for id, rows := range m.rows {
		if id.String() > after.String() && slices.ContainsFunc(rows, stage.Row.NeedsHelp) {
			stuck = append(stuck, id)
		}
	}
	slices.SortFunc(stuck, func(a, b secrets.RunID) int { return strings.Compare(a.String(), b.String()) })
	return stuck[:max(0, min(n, len(stuck)))], nil
}

// Stats implements [stage.Ledger].
func (m *Memory) Stats(ctx context.Context) (stage.Stats, error) {
	now, err := m.enter(ctx)
	if err != nil {
		return stage.Stats{}, err
	}
	defer m.mu.Unlock()
	return m.stats(now), nil
}

func (m *Memory) stats(now time.Time) stage.Stats {
	st := stage.Stats{Now: now, LastSweep: m.swept, Resumed: m.resumed, Empty: true}
	for id, r := range m.runs {
		st.Empty = st.Empty && r.Started.IsZero()
		for _, row := range m.rows[id] {
			if row.State.Over() {
				continue
			}
			if st.Staged == 0 || row.Intent.Before(st.OldestStaged) {
				st.OldestStaged = row.Intent
			}
			st.Staged++
			switch {
			case row.State == stage.Quarantined:
				st.Quarantined++
			case row.NeedsHelp():
				st.Stuck++
			}
		}
	}
	return st
}
