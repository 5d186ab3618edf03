package sqlstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// checkKey returns ErrKeyRetired if nothing may be sealed under the key.
func (t *tx) checkKey(id uint32) error {
	retired, err := t.exists(`SELECT 1 FROM retired_key WHERE key_id = ?`, id)
	if err == nil && retired {
		return secrets.ErrKeyRetired
	}
	return err
}

// Behind implements [secrets.Store].
func (s *Store) Behind(ctx context.Context, primary uint32, after secrets.Pin, n int) ([]secrets.Record, error) {
	if n <= 0 {
		return nil, ctx.Err()
	}
	var all []secrets.Record
	err := s.read(ctx, "behind", func(t *tx) error {
		// "Any other key" is no range of an index. There are few keys, so each
		// one's front is read, and the fronts are merged.
		for key := int64(-1); ; {
			found, err := t.one([]any{&key}, `SELECT key_id FROM version WHERE key_id > ? ORDER BY key_id LIMIT 1`, key)
			if err != nil || !found {
				return err
			}
			if key == int64(primary) {
				continue
			}
			front, err := t.records(`SELECT `+recordColumns+` FROM version v JOIN secret s ON s.id = v.id
				WHERE v.key_id = ? AND (v.id, v.version) > (?, ?) ORDER BY v.id, v.version LIMIT ?`,
				key, after.ID, int64(after.Version), n)
			if err != nil {
				return err
			}
			all = append(all, front...)
		}
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b secrets.Record) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Version, b.Version))
	})
	return all[:min(n, len(all))], nil
}

// CountBehind implements [secrets.Store].
func (s *Store) CountBehind(ctx context.Context, primary uint32) (int, error) {
	var n int
	err := s.read(ctx, "count behind", func(t *tx) error {
		_, err := t.one([]any{&n}, `SELECT (SELECT count(*) FROM version WHERE key_id < ?) + (SELECT count(*) FROM version WHERE key_id > ?)`,
			primary, primary)
		return err
	})
	return n, err
}

// Reseal implements [secrets.Store].
func (s *Store) Reseal(ctx context.Context, r secrets.Record, oldKey uint32) error {
	return s.write(ctx, "reseal", func(t *tx) error {
		if err := t.checkKey(r.KeyID); err != nil {
			return err
		}
		_, err := t.exec(`UPDATE version SET key_id = ?, sealed = ? WHERE id = ? AND version = ? AND key_id = ?`,
			r.KeyID, bytesOut(r.Sealed), r.ID, int64(r.Version), oldKey)
		return err
	})
}
