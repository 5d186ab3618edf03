package storetest

import (
	"context"
	"slices"
	"strings"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// known returns the state of an object that ever had a row.
func (m *Memory) known(l provider.Location, name string) (state stage.State, found bool) {
	for _, rows := range m.rows {
		for _, r := range rows {
			if r.Location == l && r.Object.Name == name && (!found || stage.Foremost(r.State, state) == r.State) {
				state, found = r.State, true
			}
		}
	}
	return state, found
}

// Known implements [stage.Ledger].
func (m *Memory) Known(ctx context.Context, l provider.Location, names []string) (map[string]stage.State, error) {
	if _, err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	known := make(map[string]stage.State)
	for _, name := range names {
		if state, found := m.known(l, name); found {
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
	if state, found := m.known(row.Location, row.Object.Name); found && !state.Over() {
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
func (m *Memory) Stuck(ctx context.Context, after secrets.RunID, n int) ([]stage.Run, error) {
	if _, err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var stuck []stage.Run
	for id, r := range m.runs {
		if id.String() > after.String() && slices.ContainsFunc(m.rows[id], func(row stage.Row) bool {
			return row.State == stage.Stuck || row.State == stage.Quarantined
		}) {
			stuck = append(stuck, cloneRun(r))
		}
	}
	slices.SortFunc(stuck, func(a, b stage.Run) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	return stuck[:max(0, min(n, len(stuck)))], nil
}

// Stats implements [stage.Ledger].
func (m *Memory) Stats(ctx context.Context) (stage.Stats, error) {
	now, err := m.enter(ctx)
	if err != nil {
		return stage.Stats{}, err
	}
	defer m.mu.Unlock()
	st := stage.Stats{Now: now, LastSweep: m.swept, Empty: true}
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
			switch row.State {
			case stage.Stuck:
				st.Stuck++
			case stage.Quarantined:
				st.Quarantined++
			}
		}
	}
	return st, nil
}
