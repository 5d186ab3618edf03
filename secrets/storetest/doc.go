// Package storetest holds a backend of pipesecrets to its contracts: those of
// [secrets.Store], [stage.Ledger], [audit.Log] and the store of keysets, which
// share one database.
//
// [Run] is the suite. It has a test for each sentence of the contracts, and
// then drives the backend and [Memory], a model that is simple enough to be
// obviously right, through the same random operations, and compares every
// answer. The author of a backend calls it from a test:
//
//	func TestBackend(t *testing.T) {
//		storetest.Run(t, func(t *testing.T, now func() time.Time) storetest.Backend { ... })
//	}
//
// Where the contracts are silent, the documentation of package sqlstore says
// what the suite expects.
package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
)

// Backend is all that an installation remembers.
type Backend interface {
	secrets.Store
	stage.Ledger
	audit.Log

	// LoadKeysets returns the wrapped keysets and their generation; nil and 0
	// if there are none.
	LoadKeysets(ctx context.Context) (wrapped []byte, generation uint64, err error)

	// SaveKeysets replaces the wrapped keysets if generation is the stored one
	// plus one, else fails with secrets.ErrConflict. In the same commit it
	// retires keys: secrets.ErrKeyInUse if one seals a record.
	SaveKeysets(ctx context.Context, wrapped []byte, generation uint64, retire ...uint32) error
}

// Run runs the suite. Each call of open returns another, empty backend, whose
// clock is now, and leaves closing it to t.Cleanup. The suite moves that clock
// by hand and never sleeps.
func Run(t *testing.T, open func(t *testing.T, now func() time.Time) Backend) {
	for _, group := range []struct {
		name  string
		tests []sentence
	}{
		{"Installation", installationTests},
		{"Secrets", secretTests},
		{"Rotation", rotationTests},
		{"Runs", runTests},
		{"Due", dueTests},
		{"Removal", removalTests},
		{"Kept", keptTests},
		{"Events", eventTests},
		{"Chain", chainTests},
		{"Concurrency", concurrencyTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, s := range group.tests {
				t.Run(s.name, func(t *testing.T) {
					c := newClock()
					s.test(&fixture{T: t, Backend: open(t, c.Now), clock: c, ctx: t.Context()})
				})
			}
		})
	}
	t.Run("EveryAnswerIsTheModels", func(t *testing.T) { lockstep(t, open) })
}

// sentence is one sentence of a contract, and the test that proves it.
type sentence struct {
	name string
	test func(*fixture)
}

// clock is moved by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2030, 1, 2, 3, 4, 5, 678_901_000, time.UTC)}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// sentinels are the errors that callers tell apart.
var sentinels = []error{
	secrets.ErrInvalid, secrets.ErrNotFound, secrets.ErrExists, secrets.ErrConflict, secrets.ErrKeyRetired, secrets.ErrKeyInUse,
	stage.ErrNoRun, stage.ErrRunID, stage.ErrMoved, stage.ErrFenced, stage.ErrHeld, stage.ErrEnded,
	context.Canceled, context.DeadlineExceeded,
}

// sentinel returns the one that err matches, or err.
func sentinel(err error) error {
	for _, s := range sentinels {
		if errors.Is(err, s) {
			return s
		}
	}
	return err
}
