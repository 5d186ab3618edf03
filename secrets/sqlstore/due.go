package sqlstore

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// due computes the moment from which [Store.Due] answers a run, as its column
// holds it. It is the conditions of the ledger's Due, each solved for the time:
// "and" is the later of two moments, "or" the earlier, "Next in the past" of
// some row the earliest Next.
func (t *tx) due(r stage.Run) (sql.NullInt64, error) {
	never := sql.NullInt64{}
	at := func(us int64) sql.NullInt64 { return sql.NullInt64{Int64: us, Valid: true} }
	switch r.Phase {
	case stage.Staging:
		return at(stamp(r.Actor)), nil

	case stage.Active:
		next, waiting, err := t.waiting(r)
		if err != nil || !waiting {
			return at(stamp(r.Needed)), err
		}
		return at(min(stamp(r.Needed), max(stamp(r.Actor), next))), nil

	case stage.Ending:
		next, err := t.earliest(r.ID, notOver)
		if err != nil || !next.Valid {
			return at(stamp(r.Actor)), err
		}
		return at(max(stamp(r.Actor), next.Int64)), nil

	case stage.Closed:
		if r.Pinned {
			return at(stamp(r.Masked)), nil
		}
	}
	return never, nil
}

// waiting returns the earliest Next of those rows of an Active run for which
// something is to be done: they are on their way out, or hold what was revoked.
func (t *tx) waiting(r stage.Run) (next int64, found bool, err error) {
	revoked := make(map[secrets.Pin]bool)
	for _, it := range r.Items {
		if it.Revoked {
			revoked[it.Pin] = true
		}
	}
	rows, err := t.rows(r.ID)
	for _, row := range rows {
		due := false
		switch {
		case row.State == stage.Created:
			due = slices.ContainsFunc(row.Object.Items, func(it provider.Item) bool { return revoked[it.Pin] })
		case row.State != stage.Intent && !row.State.Over():
			due = true
		}
		if due && (!found || stamp(row.Next) < next) {
			next, found = stamp(row.Next), true
		}
	}
	return next, found, err
}

// earliest returns the earliest Next of those rows of a run that match, null if
// there is none.
func (t *tx) earliest(run secrets.RunID, match string, args ...any) (next sql.NullInt64, err error) {
	_, err = t.one([]any{&next}, `SELECT min(next) FROM object WHERE run = ? AND `+match, append([]any{run.String()}, args...)...)
	return next, err
}

// Due implements [stage.Ledger].
func (s *Store) Due(ctx context.Context, at time.Time, n int) ([]secrets.RunID, error) {
	if n <= 0 {
		return nil, ctx.Err()
	}
	var all []secrets.RunID
	err := s.read(ctx, "due", func(t *tx) (err error) {
		all, err = t.ids(`SELECT id FROM run WHERE due IS NOT NULL AND due <= ? ORDER BY due, id LIMIT ?`, stamp(at), n)
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
