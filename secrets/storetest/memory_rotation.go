package storetest

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// behind returns the records under other keys, by pin.
func (m *Memory) behind(primary uint32) []secrets.Record {
	var all []secrets.Record
	for p, r := range m.versions {
		if r.KeyID != primary {
			all = append(all, m.whole(p))
		}
	}
	slices.SortFunc(all, func(a, b secrets.Record) int { return comparePins(a.Pin, b.Pin) })
	return all
}

func comparePins(a, b secrets.Pin) int {
	return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Version, b.Version))
}

// Behind implements [secrets.Store].
func (m *Memory) Behind(ctx context.Context, primary uint32, after secrets.Pin, n int) ([]secrets.Record, error) {
	if _, err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	all := slices.DeleteFunc(m.behind(primary), func(r secrets.Record) bool { return comparePins(r.Pin, after) <= 0 })
	return all[:max(0, min(n, len(all)))], nil
}

// CountBehind implements [secrets.Store].
func (m *Memory) CountBehind(ctx context.Context, primary uint32) (int, error) {
	if _, err := m.enter(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	return len(m.behind(primary)), nil
}

// Reseal implements [secrets.Store].
func (m *Memory) Reseal(ctx context.Context, r secrets.Record, oldKey uint32) error {
	if _, err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if m.retired[r.KeyID] {
		return secrets.ErrKeyRetired
	}
	if old, ok := m.versions[r.Pin]; ok && old.KeyID == oldKey {
		old.KeyID, old.Sealed = r.KeyID, bytes.Clone(r.Sealed)
		m.versions[r.Pin] = old
	}
	return nil
}

// LoadKeysets implements [Backend].
func (m *Memory) LoadKeysets(ctx context.Context) ([]byte, uint64, error) {
	if _, err := m.enter(ctx); err != nil {
		return nil, 0, err
	}
	defer m.mu.Unlock()
	return bytes.Clone(m.keysets), m.generation, nil
}

// SaveKeysets implements [Backend].
func (m *Memory) SaveKeysets(ctx context.Context, wrapped []byte, generation uint64, retire ...uint32) error {
	if _, err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if generation != m.generation+1 {
		return secrets.ErrConflict
	}
	for _, r := range m.versions {
		if slices.Contains(retire, r.KeyID) {
			return secrets.ErrKeyInUse
		}
	}
	for _, key := range retire {
		m.retired[key] = true
	}
	m.keysets, m.generation = bytes.Clone(wrapped), generation
	return nil
}
