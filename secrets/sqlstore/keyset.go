package sqlstore

import (
	"context"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// keysetStore is what package crypto asks of the place of its keysets. It is
// written out because that package links Tink, and this one does not.
type keysetStore interface {
	LoadKeysets(ctx context.Context) (wrapped []byte, generation uint64, err error)
	SaveKeysets(ctx context.Context, wrapped []byte, generation uint64, retire ...uint32) error
}

// LoadKeysets returns the wrapped keysets and their generation; nil and 0 if
// there are none.
func (s *Store) LoadKeysets(ctx context.Context) (wrapped []byte, generation uint64, err error) {
	err = s.read(ctx, "load keysets", func(t *tx) error {
		_, err := t.one([]any{bytesIn{&wrapped}, numberIn[uint64]{&generation}}, `SELECT wrapped, generation FROM keysets`)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return wrapped, generation, nil
}

// SaveKeysets replaces the wrapped keysets if generation is the stored one plus
// one, else fails with [secrets.ErrConflict]. In the same commit it retires
// keys: [secrets.ErrKeyInUse] if one seals a record, a pinned old version
// included. From then on nothing is put or resealed under a retired key.
func (s *Store) SaveKeysets(ctx context.Context, wrapped []byte, generation uint64, retire ...uint32) error {
	return s.write(ctx, "save keysets", func(t *tx) error {
		var stored uint64
		if _, err := t.one([]any{numberIn[uint64]{&stored}}, `SELECT generation FROM keysets`); err != nil {
			return err
		}
		if generation != stored+1 {
			return secrets.ErrConflict
		}
		for _, key := range retire {
			used, err := t.exists(`SELECT 1 FROM version WHERE key_id = ? LIMIT 1`, key)
			if err != nil {
				return err
			}
			if used {
				return secrets.ErrKeyInUse
			}
			if _, err := t.exec(`INSERT INTO retired_key (key_id) VALUES (?) ON CONFLICT (key_id) DO NOTHING`, key); err != nil {
				return err
			}
		}
		_, err := t.exec(`INSERT INTO keysets (only, wrapped, generation) VALUES (1, ?, ?)
			ON CONFLICT (only) DO UPDATE SET wrapped = excluded.wrapped, generation = excluded.generation`,
			bytesOut(wrapped), int64(generation))
		return err
	})
}
