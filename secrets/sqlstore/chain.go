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
	_, err = t.one([]any{numberIn[uint64]{&head.Seq}, bytesIn{&head.Sum}},
		`SELECT seq, sum FROM link WHERE seq = (SELECT max(seq) FROM link)`)
	return head, err
}

// Links implements [audit.Log].
func (s *Store) Links(ctx context.Context, from uint64) iter.Seq2[audit.Head, error] {
	read := func(from uint64) ([]audit.Head, error) { return s.links(ctx, from) }
	return pages(from, read, func(h audit.Head) uint64 { return h.Seq })
}

func (s *Store) links(ctx context.Context, from uint64) ([]audit.Head, error) {
	var page []audit.Head
	err := s.read(ctx, "links", func(t *tx) error {
		return t.each(func(row scanner) error {
			var h audit.Head
			err := row.Scan(numberIn[uint64]{&h.Seq}, bytesIn{&h.Sum})
			page = append(page, h)
			return err
		}, `SELECT seq, sum FROM link WHERE seq >= ? ORDER BY seq LIMIT ?`, int64(from), logPage)
	})
	return page, err
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
		_, err = t.exec(`INSERT INTO link (seq, sum) VALUES (?, ?)`, int64(next.Seq), next.Sum)
		return err
	})
}
