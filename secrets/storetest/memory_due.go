package storetest

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// past reports whether a moment is over.
func past(t, now time.Time) bool { return !now.Before(t) }

// isDue is the ledger's definition of Due, word by word.
func (m *Memory) isDue(r stage.Run, now time.Time) bool {
	leaseOver := past(r.Actor, now)
	switch r.Phase {
	case stage.Staging:
		return leaseOver
	case stage.Active:
		waiting := slices.ContainsFunc(m.rows[r.ID], func(row stage.Row) bool {
			leaving := row.State != stage.Intent && row.State != stage.Created && !row.State.Over()
			revoked := row.State == stage.Created && slices.ContainsFunc(row.Object.Items, func(it provider.Item) bool {
				return slices.ContainsFunc(r.Items, func(of stage.Item) bool { return of.Revoked && of.Pin == it.Pin })
			})
			return (leaving || revoked) && past(row.Next, now)
		})
		return past(r.Needed, now) || waiting && leaseOver
	case stage.Ending:
		waiting, left := false, false
		for _, row := range m.rows[r.ID] {
			left = left || !row.State.Over()
			waiting = waiting || !row.State.Over() && past(row.Next, now)
		}
		return leaseOver && (waiting || !left)
	case stage.Closed:
		return r.Pinned && past(r.Masked, now)
	}
	return false
}

// Due implements [stage.Ledger].
func (m *Memory) Due(ctx context.Context, at time.Time, n int) ([]secrets.RunID, error) {
	_, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var due []secrets.RunID
	since := make(map[secrets.RunID]time.Time)
	for id, r := range m.runs {
		if !m.isDue(r, at) {
			continue
		}
		// It became due at one of these moments: the first at which it was.
		moments := []time.Time{{}, r.Actor, r.Needed, r.Masked, at}
		for _, row := range m.rows[id] {
			moments = append(moments, row.Next)
		}
		slices.SortFunc(moments, time.Time.Compare)
		since[id] = moments[slices.IndexFunc(moments, func(t time.Time) bool { return m.isDue(r, t) })]
		due = append(due, id)
	}
	slices.SortFunc(due, func(a, b secrets.RunID) int {
		if c := since[a].Compare(since[b]); c != 0 {
			return c
		}
		return strings.Compare(a.String(), b.String())
	})
	return due[:max(0, min(n, len(due)))], nil
}
