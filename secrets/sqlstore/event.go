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
		if err := t.insert(`INSERT INTO event (at, caller, action, outcome, reason, kind, scope, name, secret, version, run, target)
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

// logPage is how many entries or links are read at a time: while one is yielded
// no transaction is open, so that the caller may write, and take its time.
const logPage = 500

// pages yields what read answers page after page, from a place on. read answers the
// place of the last one, too, as the database has it. 0 is the start of the table: a
// row at a place below 1 is not ours, and must not lie where nobody sees it.
func pages[T any](from uint64, read func(from int64) (page []T, last int64, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if from > math.MaxInt64 {
			return
		}
		next := int64(from)
		if from == 0 {
			next = math.MinInt64
		}
		for {
			page, last, err := read(next)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, x := range page {
				if !yield(x, nil) {
					return
				}
			}
			if len(page) < logPage || last == math.MaxInt64 {
				return
			}
			next = last + 1
		}
	}
}

// Entries implements [audit.Log].
func (s *Store) Entries(ctx context.Context, from uint64) iter.Seq2[audit.Entry, error] {
	return pages(from, func(from int64) ([]audit.Entry, int64, error) { return s.entries(ctx, from) })
}

func (s *Store) entries(ctx context.Context, from int64) (page []audit.Entry, last int64, err error) {
	page = make([]audit.Entry, 0, logPage)
	err = s.read(ctx, "entries", func(t *tx) error {
		return t.each(func(row scanner) error {
			var x audit.Entry
			e := &x.Event
			err := row.Scan(placeIn{&x.Seq, &last}, stampIn{&e.At}, &e.Caller, &e.Action, &e.Outcome, &e.Reason, &e.Scope.Kind, &e.Scope.ID,
				textIn{&e.Name}, &e.Pin.ID, numberIn[secrets.Version]{&e.Pin.Version}, textIn{&e.Run}, &e.Target)
			page = append(page, x)
			return err
		}, `SELECT seq, at, caller, action, outcome, reason, kind, scope, name, secret, version, run, target
			FROM event WHERE seq >= ? ORDER BY seq LIMIT ?`, from, logPage)
	})
	return page, last, err
}
