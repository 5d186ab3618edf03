package storetest

import (
	"bytes"
	"context"
	"iter"
	"slices"

	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
)

// Head implements [audit.Log].
func (m *Memory) Head(ctx context.Context) (audit.Head, error) {
	if _, err := m.enter(ctx); err != nil {
		return audit.Head{}, err
	}
	defer m.mu.Unlock()
	return cloneHead(m.head()), nil
}

func (m *Memory) head() audit.Head {
	if len(m.links) == 0 {
		return audit.Head{}
	}
	return m.links[len(m.links)-1]
}

// Links implements [audit.Log].
func (m *Memory) Links(ctx context.Context, from uint64) iter.Seq2[audit.Head, error] {
	return func(yield func(audit.Head, error) bool) {
		if _, err := m.enter(ctx); err != nil {
			yield(audit.Head{}, err)
			return
		}
		all := slices.Clone(m.links)
		m.mu.Unlock()
		for _, h := range all {
			if h.Seq >= from && !yield(cloneHead(h), nil) {
				return
			}
		}
	}
}

// Chain implements [audit.Log].
func (m *Memory) Chain(ctx context.Context, prev, next audit.Head) error {
	if err := next.Follows(prev); err != nil {
		return err
	}
	if _, err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if !m.head().Equal(prev) {
		return secrets.ErrConflict
	}
	m.links = append(m.links, cloneHead(next))
	return nil
}

func cloneHead(h audit.Head) audit.Head {
	h.Sum = bytes.Clone(h.Sum)
	return h
}
