package sqlstore

import (
	"context"
	"iter"

	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
)

// Head implements [audit.Log].
func (s *Store) Head(ctx context.Context) (head audit.Head, err error) {
	err = s.read(ctx, "head", func(t *tx) (err error) {
		head, err = t.head()
		return err
	})
	return head, err
}

func (t *tx) head() (head audit.Head, err error) {
	var place int64
	_, err = t.one([]any{placeIn{&head.Seq, &place}, bytesIn{&head.Sum}},
		`SELECT seq, sum FROM link WHERE seq = (SELECT max(seq) FROM link)`)
	return head, err
}

// Links implements [audit.Log].
func (s *Store) Links(ctx context.Context, from uint64) iter.Seq2[audit.Head, error] {
	return pages(from, func(from int64) ([]audit.Head, int64, error) { return s.links(ctx, from) })
}

func (s *Store) links(ctx context.Context, from int64) (page []audit.Head, last int64, err error) {
	err = s.read(ctx, "links", func(t *tx) error {
		return t.each(func(row scanner) error {
			var h audit.Head
			err := row.Scan(placeIn{&h.Seq, &last}, bytesIn{&h.Sum})
			page = append(page, h)
			return err
		}, `SELECT seq, sum FROM link WHERE seq >= ? ORDER BY seq LIMIT ?`, from, logPage)
	})
	return page, last, err
}

// Chain implements [audit.Log].
func (s *Store) Chain(ctx context.Context, prev, next audit.Head) error {
	if err := next.Follows(prev); err != nil {
		return err
	}
	return s.write(ctx, "chain", func(t *tx) error {
		head, err := t.head()
		if err != nil {
			return err
		}
		if !head.Equal(prev) {
			return secrets.ErrConflict
		}
		return t.insert(`INSERT INTO link (seq, sum) VALUES (?, ?)`, int64(next.Seq), next.Sum)
	})
}
