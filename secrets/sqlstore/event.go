package sqlstore

import (
	"context"
	"iter"
	"math"

	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
)

// record appends events to the log as part of the transaction.
func (t *tx) record(ev []secrets.Event) error {
	for _, e := range ev {
		if e.At.IsZero() {
			e.At = t.now
		}
		if _, err := t.exec(`INSERT INTO event (at, caller, action, outcome, reason, kind, scope, name, secret, version, run, target)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			stamp(e.At), e.Caller, string(e.Action), string(e.Outcome), e.Reason, e.Scope.Kind, e.Scope.ID, e.Name.String(),
			e.Pin.ID, int64(e.Pin.Version), e.Run.String(), e.Target); err != nil {
			return err
		}
	}
	return nil
}

// Record implements [audit.Log].
func (s *Store) Record(ctx context.Context, ev ...secrets.Event) error {
	if len(ev) == 0 {
		return ctx.Err()
	}
	return s.write(ctx, "record", func(t *tx) error { return t.record(ev) })
}

// entriesPage is how many entries are read at a time: while one is yielded no
// transaction is open, so that the caller may write, and take its time.
const entriesPage = 500

// Entries implements [audit.Log].
func (s *Store) Entries(ctx context.Context, from uint64) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		for next := from; next <= math.MaxInt64; {
			page, err := s.entries(ctx, next)
			if err != nil {
				yield(audit.Entry{}, err)
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
				next = e.Seq + 1
			}
			if len(page) < entriesPage {
				return
			}
		}
	}
}

func (s *Store) entries(ctx context.Context, from uint64) ([]audit.Entry, error) {
	page := make([]audit.Entry, 0, entriesPage)
	err := s.read(ctx, "entries", func(t *tx) error {
		return t.each(func(row scanner) error {
			var x audit.Entry
			e := &x.Event
			err := row.Scan(numberIn[uint64]{&x.Seq}, stampIn{&e.At}, &e.Caller, &e.Action, &e.Outcome, &e.Reason, &e.Scope.Kind, &e.Scope.ID,
				textIn{&e.Name}, &e.Pin.ID, numberIn[secrets.Version]{&e.Pin.Version}, textIn{&e.Run}, &e.Target)
			page = append(page, x)
			return err
		}, `SELECT seq, at, caller, action, outcome, reason, kind, scope, name, secret, version, run, target
			FROM event WHERE seq >= ? ORDER BY seq LIMIT ?`, int64(from), entriesPage)
	})
	return page, err
}
