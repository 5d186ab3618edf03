package storetest

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func cloneRun(r stage.Run) stage.Run {
	r.Request = bytes.Clone(r.Request)
	r.Chosen = bytes.Clone(r.Chosen)
	r.Items = slices.Clone(r.Items)
	return r
}

// cloneRow returns a row of the run as it is kept.
func cloneRow(run secrets.RunID, r stage.Row) stage.Row {
	r.Object.Run = run
	r.Object.Items = slices.Clone(r.Object.Items)
	r.Object.Expires = micro(r.Object.Expires)
	r.Intent, r.Absent, r.Gone, r.Next = micro(r.Intent), micro(r.Absent), micro(r.Gone), micro(r.Next)
	return r
}

func (m *Memory) cloneRows(run secrets.RunID) []stage.Row {
	var all []stage.Row
	for _, r := range m.rows[run] {
		all = append(all, cloneRow(run, r))
	}
	return all
}

var errStage = &secrets.InvalidError{Field: "stage", Rule: "is another row's"}

// rowOf finds the row of a stage.
func (m *Memory) rowOf(name string) (run secrets.RunID, i int, found bool) {
	for run, rows := range m.rows {
		for i, r := range rows {
			if r.Object.Stage == name {
				return run, i, true
			}
		}
	}
	return secrets.RunID{}, 0, false
}

// Begin implements [stage.Ledger].
func (m *Memory) Begin(ctx context.Context, r stage.Run, rows []stage.Row, t stage.Terms, ev ...secrets.Event) (stage.Run, error) {
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
	now, err := m.enter(ctx)
	if err != nil {
		return stage.Run{}, err
	}
	defer m.mu.Unlock()
	if _, used := m.runs[r.ID]; used {
		return stage.Run{}, stage.ErrRunID
	}
	for _, it := range r.Items {
		if k, ok := m.secrets[it.Pin.ID]; !ok || k.deleted || k.current != it.Pin.Version {
			return stage.Run{}, stage.ErrMoved
		}
	}
	for i, row := range rows {
		_, _, used := m.rowOf(row.Object.Stage)
		if used || slices.ContainsFunc(rows[:i], func(o stage.Row) bool { return o.Object.Stage == row.Object.Stage }) {
			return stage.Run{}, errStage
		}
	}
	begun := cloneRun(stage.Run{
		ID: r.ID, Workspace: r.Workspace, Caller: r.Caller, Request: r.Request, Chosen: r.Chosen, Items: r.Items,
		Phase: stage.Staging, Epoch: 1, Actor: micro(now.Add(t.Lease)), Started: now, Needed: micro(now.Add(t.Need)), Pinned: true,
	})
	for i := range begun.Items {
		begun.Items[i].Revoked = false
	}
	m.runs[r.ID] = begun
	for _, it := range r.Items {
		k := m.secrets[it.Pin.ID]
		k.lastUsed, k.lastRun = now, r.ID
		m.secrets[it.Pin.ID] = k
	}
	for _, row := range rows {
		row = stage.Row{Target: row.Target, Location: row.Location, Object: row.Object, State: stage.Intent, Intent: now}
		m.rows[r.ID] = append(m.rows[r.ID], cloneRow(r.ID, row))
	}
	m.record(now, ev)
	return cloneRun(begun), nil
}

// Load implements [stage.Ledger].
func (m *Memory) Load(ctx context.Context, id secrets.RunID) (stage.Run, []stage.Row, error) {
	if _, err := m.enter(ctx); err != nil {
		return stage.Run{}, nil, err
	}
	defer m.mu.Unlock()
	r, ok := m.runs[id]
	if !ok {
		return stage.Run{}, nil, stage.ErrNoRun
	}
	return cloneRun(r), m.cloneRows(id), nil
}

// Take implements [stage.Ledger].
func (m *Memory) Take(ctx context.Context, id secrets.RunID, lease time.Duration) (stage.Run, error) {
	now, err := m.enter(ctx)
	if err != nil {
		return stage.Run{}, err
	}
	defer m.mu.Unlock()
	r, ok := m.runs[id]
	if !ok {
		return stage.Run{}, stage.ErrNoRun
	}
	if r.Held(now) {
		return stage.Run{}, stage.ErrHeld
	}
	r.Epoch++
	r.Actor = micro(now.Add(lease))
	m.runs[id] = r
	return cloneRun(r), nil
}

// Advance implements [stage.Ledger].
func (m *Memory) Advance(ctx context.Context, r stage.Run, to stage.Phase, lease time.Duration, rows []stage.Row, ev ...secrets.Event) (stage.Run, error) {
	if to < r.Phase || to > stage.Closed {
		return stage.Run{}, &secrets.InvalidError{Field: "phase", Rule: "never moves back"}
	}
	now, err := m.enter(ctx)
	if err != nil {
		return stage.Run{}, err
	}
	defer m.mu.Unlock()
	stored, ok := m.runs[r.ID]
	if !ok {
		return stage.Run{}, stage.ErrNoRun
	}
	if stored.Epoch != r.Epoch || stored.Phase != r.Phase {
		return stage.Run{}, stage.ErrFenced
	}
	after := m.cloneRows(r.ID)
	for _, row := range rows {
		if run, _, used := m.rowOf(row.Object.Stage); used && run != r.ID {
			return stage.Run{}, errStage
		}
		row = cloneRow(r.ID, row)
		i := slices.IndexFunc(after, func(o stage.Row) bool { return o.Object.Stage == row.Object.Stage })
		if i < 0 {
			after = append(after, row)
		} else {
			after[i] = row
		}
	}
	stored.Phase = to
	if to == stage.Closed {
		for _, row := range after {
			if !row.State.Over() {
				return stage.Run{}, &secrets.InvalidError{Field: "phase", Rule: "can't be closed while an object is not over"}
			}
		}
	} else {
		stored.Actor = micro(now.Add(lease))
	}
	m.runs[r.ID], m.rows[r.ID] = stored, after
	m.record(now, ev)
	return cloneRun(stored), nil
}

// Need implements [stage.Ledger].
func (m *Memory) Need(ctx context.Context, id secrets.RunID, d, limit time.Duration, ev ...secrets.Event) (time.Time, error) {
	now, err := m.enter(ctx)
	if err != nil {
		return time.Time{}, err
	}
	defer m.mu.Unlock()
	r, ok := m.runs[id]
	if !ok {
		return time.Time{}, stage.ErrNoRun
	}
	if r.Phase != stage.Staging && r.Phase != stage.Active {
		return time.Time{}, stage.ErrEnded
	}
	until := now.Add(d)
	if last := r.Started.Add(limit); until.After(last) {
		until = last
	}
	if until = micro(until); until.After(r.Needed) {
		r.Needed = until
	}
	m.runs[id] = r
	m.record(now, ev)
	return r.Needed, nil
}

// End implements [stage.Ledger].
func (m *Memory) End(ctx context.Context, id secrets.RunID, c stage.Closing, ev ...secrets.Event) (stage.Run, []stage.Row, error) {
	if _, err := secrets.ParseRunID(id.String()); err != nil {
		return stage.Run{}, nil, err
	}
	now, err := m.enter(ctx)
	if err != nil {
		return stage.Run{}, nil, err
	}
	defer m.mu.Unlock()
	r, ok := m.runs[id]
	again := r.IsKept(now) && c.Keep <= 0 && c.Staging == 0 && !c.Overdue
	ended := (r.Phase == stage.Ending || r.Phase == stage.Closed) && !again
	if c.Staging != 0 && !ended && (r.Phase != stage.Staging || r.Epoch != c.Staging) {
		return stage.Run{}, nil, stage.ErrFenced
	}
	if c.Overdue && !ended {
		over := r.Phase == stage.Staging && past(r.Actor, now) || r.Phase == stage.Active && past(r.Needed, now)
		if !over {
			return stage.Run{}, nil, stage.ErrHeld
		}
	}
	switch {
	case !ok:
		r = stage.Run{ID: id, Phase: stage.Closed, Epoch: 1}
	case ended:
		return cloneRun(r), m.cloneRows(id), stage.ErrEnded
	case again:
		r.Kept, r.Epoch, r.Actor = time.Time{}, r.Epoch+1, now
		r.Masked = micro(now.Add(c.MaskFor))
		m.deleting(r)
		m.runs[id] = r
		m.record(now, ev)
		return cloneRun(r), m.cloneRows(id), nil
	default:
		revoked := slices.ContainsFunc(r.Items, func(it stage.Item) bool { return it.Revoked })
		if c.Keep > 0 && r.Phase == stage.Active && !revoked {
			until := now.Add(c.Keep)
			if last := r.Started.Add(c.Limit); until.After(last) {
				until = last
			}
			if micro(until).After(now) {
				r.Kept = micro(until)
			}
		}
		r.Phase, r.Epoch, r.Actor = stage.Ending, r.Epoch+1, now
		m.deleting(r)
	}
	r.Outcome, r.Ended, r.Masked = c.Outcome, now, micro(now.Add(c.MaskFor))
	if !r.Kept.IsZero() {
		r.Masked = micro(r.Kept.Add(c.MaskFor))
	}
	m.runs[id] = r
	m.record(now, ev)
	return cloneRun(r), m.cloneRows(id), nil
}

// deleting lets the rows of a run be removed; those that are Created only after
// Kept.
func (m *Memory) deleting(r stage.Run) {
	for i, row := range m.rows[r.ID] {
		switch {
		case row.State.Over():
			continue
		case row.State == stage.Created && !r.Kept.IsZero():
			row.Next, row.Attempts = r.Kept, 0
		default:
			row.State, row.Next, row.Attempts, row.Absent = stage.Deleting, time.Time{}, 0, time.Time{}
		}
		m.rows[r.ID][i] = row
	}
}

// Release implements [stage.Ledger].
func (m *Memory) Release(ctx context.Context, id secrets.RunID) error {
	now, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer m.mu.Unlock()
	if r := m.runs[id]; r.Phase == stage.Closed && past(r.Masked, now) {
		r.Pinned = false
		m.runs[id] = r
		m.forget()
	}
	return nil
}

// Revoke implements [stage.Ledger].
func (m *Memory) Revoke(ctx context.Context, id secrets.ID, ev ...secrets.Event) ([]stage.Run, error) {
	now, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var all []stage.Run
	k, changed := m.secrets[id]
	changed = changed && !k.deleted
	if changed {
		k.deleted = true
		m.secrets[id] = k
	}
	living := changed
	for runID, r := range m.runs {
		if r.Phase != stage.Staging && r.Phase != stage.Active && (r.Phase != stage.Ending || r.Kept.IsZero()) {
			continue
		}
		r = cloneRun(r)
		uses := false
		for i := range r.Items {
			if it := &r.Items[i]; it.Pin.ID == id {
				changed = changed || !it.Revoked
				it.Revoked, uses = true, true
			}
		}
		if uses {
			if !r.Kept.IsZero() {
				r.Masked = r.Masked.Add(-max(r.Kept.Sub(now), 0))
				r.Kept = time.Time{}
				m.deleting(r)
			}
			m.runs[runID] = r
			all = append(all, cloneRun(r))
		}
	}
	if !living && len(all) == 0 {
		return nil, secrets.ErrNotFound
	}
	m.forget()
	if changed {
		m.record(now, ev)
	}
	return all, nil
}

// UsedBy implements [stage.Ledger].
func (m *Memory) UsedBy(ctx context.Context, id secrets.ID) ([]stage.Run, error) {
	_, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var all []stage.Run
	for _, r := range m.runs {
		live := r.Phase == stage.Staging || r.Phase == stage.Active || r.Phase == stage.Ending && !r.Kept.IsZero()
		if live && slices.ContainsFunc(r.Items, func(it stage.Item) bool { return it.Pin.ID == id }) {
			all = append(all, cloneRun(r))
		}
	}
	return all, nil
}

// Sweeping implements [stage.Ledger].
func (m *Memory) Sweeping(ctx context.Context, gap time.Duration) (stage.Stats, error) {
	now, err := m.enter(ctx)
	if err != nil {
		return stage.Stats{}, err
	}
	defer m.mu.Unlock()
	if m.sweeping.IsZero() || now.Sub(m.sweeping) > gap {
		m.resumed = now
	}
	m.sweeping = now
	return m.stats(now), nil
}

// Swept implements [stage.Ledger].
func (m *Memory) Swept(ctx context.Context, ev ...secrets.Event) error {
	now, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.swept = now
	m.record(now, ev)
	return nil
}
