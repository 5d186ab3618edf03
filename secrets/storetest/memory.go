package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
)

// Memory is a [Backend] that forgets everything with the process: the model
// that others are held against, and enough for the tests of what builds upon a
// backend. It searches everything at every question. It is safe for concurrent
// use.
type Memory struct {
	// Now is its clock, time.Now if nil. Set it before the first use.
	Now func() time.Time

	mu           sync.Mutex
	installation secrets.Installation
	cloned       bool      // as it was adopted last
	sweeping     time.Time // when a sweep last began
	resumed      time.Time
	swept        time.Time
	secrets      map[secrets.ID]known
	versions     map[secrets.Pin]secrets.Record // without what known has
	runs         map[secrets.RunID]stage.Run
	rows         map[secrets.RunID][]stage.Row // in the order of Begin
	events       []audit.Entry
	links        []audit.Head // of the chain
	keysets      []byte
	generation   uint64
	retired      map[uint32]bool
}

// known is what all versions of a secret share, tombstones' too.
type known struct {
	name      secrets.Name
	scope     secrets.Scope
	current   secrets.Version
	deleted   bool
	createdAt time.Time
	createdBy string
	lastUsed  time.Time
	lastRun   secrets.RunID
}

var _ Backend = (*Memory)(nil)

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	m := &Memory{
		secrets:  make(map[secrets.ID]known),
		versions: make(map[secrets.Pin]secrets.Record),
		runs:     make(map[secrets.RunID]stage.Run),
		rows:     make(map[secrets.RunID][]stage.Row),
		retired:  make(map[uint32]bool),
	}
	m.installation.Generation = 1
	_, _ = rand.Read(m.installation.ID[:]) // never fails
	_, _ = rand.Read(m.installation.Mark[:])
	return m
}

// enter locks the Memory, unless the context is done. On success, leave with
// m.mu.Unlock.
func (m *Memory) enter(ctx context.Context) (now time.Time, err error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	m.mu.Lock()
	if m.Now == nil {
		return micro(time.Now()), nil
	}
	return micro(m.Now()), nil
}

// micro returns t as a backend keeps it.
func micro(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}

func (m *Memory) record(now time.Time, ev []secrets.Event) {
	for _, e := range ev {
		if e.At.IsZero() {
			e.At = now
		}
		e.At = micro(e.At)
		m.events = append(m.events, audit.Entry{Seq: uint64(len(m.events) + 1), Event: e})
	}
}

// Record implements [audit.Log].
func (m *Memory) Record(ctx context.Context, ev ...secrets.Event) error {
	now, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.record(now, ev)
	return nil
}

// Entries implements [audit.Log].
func (m *Memory) Entries(ctx context.Context, from uint64) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		if _, err := m.enter(ctx); err != nil {
			yield(audit.Entry{}, err)
			return
		}
		all := slices.Clone(m.events)
		m.mu.Unlock()
		for _, e := range all {
			if e.Seq >= from && !yield(e, nil) {
				return
			}
		}
	}
}

// Installation implements [secrets.Store].
func (m *Memory) Installation(ctx context.Context, home string) (secrets.Installation, error) {
	if _, err := m.enter(ctx); err != nil {
		return secrets.Installation{}, err
	}
	defer m.mu.Unlock()
	if m.installation.Home == "" {
		m.installation.Home = home
	}
	return m.installation, nil
}

var errAtHome = &secrets.InvalidError{Field: "cloned", Rule: "can't be changed while the database is at home here"}

// Adopt implements [secrets.Store].
func (m *Memory) Adopt(ctx context.Context, home string, cloned bool, ev ...secrets.Event) (secrets.Installation, error) {
	now, err := m.enter(ctx)
	if err != nil {
		return secrets.Installation{}, err
	}
	defer m.mu.Unlock()
	if m.installation.Home == home {
		if cloned != m.cloned {
			return secrets.Installation{}, errAtHome
		}
		m.record(now, ev)
		return m.installation, nil
	}
	m.installation.Home, m.cloned = home, cloned
	m.installation.Generation++
	if cloned {
		_, _ = rand.Read(m.installation.Mark[:])
		for id, r := range m.runs {
			for i, row := range m.rows[id] {
				if !row.State.Over() {
					m.rows[id][i].State, m.rows[id][i].Gone = stage.Released, now
				}
			}
			if r.Phase == stage.Closed {
				continue
			}
			r.Phase, r.Masked = stage.Closed, now
			if r.Ended.IsZero() {
				r.Ended = now
			}
			m.runs[id] = r
		}
	}
	m.record(now, ev)
	return m.installation, nil
}

// whole returns a version with what its secret knows.
func (m *Memory) whole(p secrets.Pin) secrets.Record {
	r, k := m.versions[p], m.secrets[p.ID]
	r.Name, r.Scope, r.CreatedAt, r.CreatedBy, r.LastUsed, r.LastRun = k.name, k.scope, k.createdAt, k.createdBy, k.lastUsed, k.lastRun
	r.Policy.Pipelines = slices.Clone(r.Policy.Pipelines)
	r.Sealed = bytes.Clone(r.Sealed)
	return r
}

// living returns the current records of living secrets, by name.
func (m *Memory) living() []secrets.Record {
	var all []secrets.Record
	for id, k := range m.secrets {
		if !k.deleted {
			all = append(all, m.whole(secrets.Pin{ID: id, Version: k.current}))
		}
	}
	slices.SortFunc(all, func(a, b secrets.Record) int { return a.Name.Compare(b.Name) })
	return all
}

// Candidates implements [secrets.Store].
func (m *Memory) Candidates(ctx context.Context, scopes []secrets.Scope, names []secrets.Name) ([]secrets.Record, error) {
	if _, err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	return slices.DeleteFunc(m.living(), func(r secrets.Record) bool {
		return !slices.Contains(scopes, r.Scope) || names != nil && !slices.Contains(names, r.Name)
	}), nil
}

// Pinned implements [secrets.Store].
func (m *Memory) Pinned(ctx context.Context, pins []secrets.Pin) ([]secrets.Record, error) {
	if _, err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var all []secrets.Record
	for _, p := range pins {
		if _, ok := m.versions[p]; !ok {
			return nil, secrets.ErrNotFound
		}
		all = append(all, m.whole(p))
	}
	return all, nil
}

// Find implements [secrets.Store].
func (m *Memory) Find(ctx context.Context, id secrets.ID) (secrets.Record, error) {
	if _, err := m.enter(ctx); err != nil {
		return secrets.Record{}, err
	}
	defer m.mu.Unlock()
	k, ok := m.secrets[id]
	if !ok || k.deleted {
		return secrets.Record{}, secrets.ErrNotFound
	}
	return m.whole(secrets.Pin{ID: id, Version: k.current}), nil
}

// List implements [secrets.Store].
func (m *Memory) List(ctx context.Context, q secrets.Query) ([]secrets.Secret, error) {
	if _, err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var all []secrets.Secret
	for _, r := range m.living() {
		name := r.Name.String()
		if r.Scope == q.Scope && strings.HasPrefix(name, q.Prefix) && name > q.After && len(all) < q.Limit {
			all = append(all, r.Secret)
		}
	}
	return all, nil
}

// Put implements [secrets.Store].
func (m *Memory) Put(ctx context.Context, r secrets.Record, prev secrets.Version, ev ...secrets.Event) error {
	if r.ID < 1 || r.ID > secrets.MaxID {
		return &secrets.InvalidError{Field: "id", Rule: "must lie in [1, 2^53)"}
	}
	if r.Version != prev+1 {
		return &secrets.InvalidError{Field: "version", Rule: "must follow the version that it replaces"}
	}
	now, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer m.mu.Unlock()
	k, used := m.secrets[r.ID]
	if prev == 0 {
		if err := r.Check(); err != nil {
			return err
		}
		for _, other := range m.secrets {
			if other.scope == r.Scope && other.name == r.Name && !other.deleted {
				return secrets.ErrExists
			}
		}
		if used {
			return secrets.ErrConflict
		}
		k = known{name: r.Name, scope: r.Scope, createdAt: micro(r.CreatedAt), createdBy: r.CreatedBy}
	} else {
		if !used || k.deleted {
			return secrets.ErrNotFound
		}
		if k.current != prev {
			return secrets.ErrConflict
		}
		r.Name, r.Scope = k.name, k.scope
		if err := r.Check(); err != nil {
			return err
		}
	}
	if m.retired[r.KeyID] {
		return secrets.ErrKeyRetired
	}
	k.current = r.Version
	m.secrets[r.ID] = k
	r.Policy = r.Policy.Canonical()
	r.UpdatedAt = micro(r.UpdatedAt)
	r.Sealed = bytes.Clone(r.Sealed)
	m.versions[r.Pin] = r
	m.forget()
	m.record(now, ev)
	return nil
}

// Delete implements [secrets.Store].
func (m *Memory) Delete(ctx context.Context, p secrets.Pin, ev ...secrets.Event) error {
	now, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer m.mu.Unlock()
	k, ok := m.secrets[p.ID]
	if !ok || k.deleted {
		return secrets.ErrNotFound
	}
	if k.current != p.Version {
		return secrets.ErrConflict
	}
	k.deleted = true
	m.secrets[p.ID] = k
	m.forget()
	m.record(now, ev)
	return nil
}

// forget drops every version that is neither current nor pinned.
func (m *Memory) forget() {
	for p := range m.versions {
		k := m.secrets[p.ID]
		keep := !k.deleted && k.current == p.Version
		for _, r := range m.runs {
			keep = keep || r.Pinned && slices.ContainsFunc(r.Items, func(it stage.Item) bool { return it.Pin == p })
		}
		if !keep {
			delete(m.versions, p)
		}
	}
}
