// Package audit is the log of events, and the chain that makes it tamper-evident:
// who did what to which secret, for which run, and how it ended. Events that tell
// of a change commit with the change; what has no change of its own, such as a
// denial, is recorded by [Log.Record].
//
// # The chain
//
// [Seal] computes a keyed MAC over the entries that came since the last one, in
// batches, off the path of whoever writes. Each covers the one before it, so that
// the last of them, the [Head], covers the whole log. The host keeps that head
// where who can write to the database can't: in another database, an object store
// with retention, a ticket, on paper. It is one line of text.
//
// Against a head, [Verify] shows every entry up to it that was changed, removed,
// added or moved, and a log that was cut off or replaced by an older copy;
// [Reaches] shows the last two at the price of reading one row. Who has no key
// can forge neither. Who has the key, as a process of the installation does, can
// seal any log; a head that was kept before tells it from the true one.
//
// An entry is protected from the moment when a head that covers it is kept. Until
// then its change or loss does not show: seal as often as the host can bear to
// lose, and keep each head at once. A head that covers more replaces one that
// covers less, never the other way round.
//
// After a backup was restored the log does not reach the head that was kept, and
// [Seal] refuses. What happened in between is lost. If the operator accepts that,
// the host goes on from [Log.Head] of the restored log, once it is verified.
//
// # What is covered
//
// The encoding is version 1, and changes only together with its name. A link's MAC
// is that of this text, numbers big-endian, each string preceded by its length in
// 8 bytes:
//
//	"pipesecrets/audit/v1"
//	the place of the link before, or 0   8 bytes
//	the sum of the link before, or ""
//	the place of this link, which is     8 bytes
//	that of the last entry
//	the number of entries                8 bytes
//	SHA-256 of the entries               32 bytes
//
// The entries are those that lie behind the place of the link before, up to the
// place of this one, in order:
//
//	Seq                                  8 bytes
//	At                                   8 bytes of seconds since 1970, 4 of nanoseconds
//	Caller, Action, Outcome, Reason
//	Scope.Kind                           1 byte
//	Scope.ID, Name
//	Pin.ID, Pin.Version                  8 bytes each
//	Run, Target
//
// The digest keeps the text short, whatever the entries hold: neither memory nor a
// key that lies in a remote service sees the whole of a batch.
package audit

import (
	"context"
	"iter"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// Entry is one event at its place in the log. Places start at 1, grow by the
// order of commits and are never used again: what commits later has the larger
// place. Some may be missing.
type Entry struct {
	Seq   uint64
	Event secrets.Event
}

// Log is the append-only log of events, and its chain. Implementations are safe
// for concurrent use by several processes.
type Log interface {
	// Record appends events that have no change of their own, durably. Events
	// with a zero At get the commit's time.
	Record(ctx context.Context, ev ...secrets.Event) error

	// Entries yields the log in order from the given place on; 0 is its start. What
	// somebody put before place 1 is yielded from there, as at place 0.
	Entries(ctx context.Context, from uint64) iter.Seq2[Entry, error]

	// Head returns the last link of the chain, zero if it has none. It says what
	// is stored, which [Verify] tells from what was sealed.
	Head(ctx context.Context) (Head, error)

	// Links yields the chain in order from the given place on, as Entries does.
	// Each link is what was the head when it was the last one.
	Links(ctx context.Context, from uint64) iter.Seq2[Head, error]

	// Chain appends next to the chain, durably, if prev is its head:
	// secrets.ErrConflict if not, since another process was first. It fails with
	// what next.Follows(prev) says.
	Chain(ctx context.Context, prev, next Head) error
}
