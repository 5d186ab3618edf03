// Package audit is the log of events: who did what to which secret, for which
// run, and how it ended. Events that tell of a change commit with the change;
// what has no change of its own, such as a denial, is recorded by [Log.Record].
package audit

import (
	"context"
	"iter"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// Entry is one event at its place in the log. Places grow by the order of
// commits and are never used again.
type Entry struct {
	Seq   uint64
	Event secrets.Event
}

// Log is the append-only log of events. Implementations are safe for concurrent
// use.
type Log interface {
	// Record appends events that have no change of their own, durably. Events
	// with a zero At get the commit's time.
	Record(ctx context.Context, ev ...secrets.Event) error

	// Entries yields the log in order from the given place on; 0 is its start.
	Entries(ctx context.Context, from uint64) iter.Seq2[Entry, error]
}
