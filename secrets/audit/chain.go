package audit

import (
	"context"
	"errors"
	"iter"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// MAC is a message authentication code under a key that the database does not
// hold. The keyring's MAC is one. Keys may be added to it and promoted, but what
// it authenticated once must verify for as long as the log is kept.
type MAC interface {
	ComputeMAC(data []byte) ([]byte, error)

	// VerifyMAC fails if mac is not the MAC of data, and for no other reason: what
	// [Verify] makes of it is that the log is broken.
	VerifyMAC(mac, data []byte) error
}

// batchSize is how many entries a link covers at most. It bounds what is lost by
// a crash, and what it costs to say where the log is broken.
const batchSize = 1000

// Seal appends to the chain until it covers all entries that there are, and
// answers its head, which the caller keeps, instead of kept if it covers more.
// Each batch of up to 1,000 entries is one commit. Any number of processes may
// seal at once; what one was too late for, another has done.
//
// kept is the head that the host keeps, zero if it keeps none yet. Seal adds
// nothing to a log that does not reach it, and fails as [Reaches] does: the head
// of such a log must not replace the one that shows what is missing. Nor does it
// add anything behind a link at whose place there is no entry, and fails with a
// [BrokenError].
//
// It may be cancelled or killed anywhere: the chain stands as far as it got, and
// the next call goes on there. A head that comes with an error is the chain's as
// far as Seal knows, and as good to keep unless it is zero.
func Seal(ctx context.Context, log Log, mac MAC, kept Head) (Head, error) {
	if !kept.IsZero() {
		if err := Reaches(ctx, log, kept); err != nil {
			return Head{}, err
		}
	}
	head, err := last(ctx, log)
	if err != nil {
		return Head{}, err
	}
	if head.Seq < kept.Seq {
		return Head{}, cutMeanwhile(head, kept)
	}
	for b := newBatch(); ; {
		full, err := b.fill(ctx, log, head.Seq)
		if err != nil || b.n == 0 {
			return head, err
		}
		sum, err := mac.ComputeMAC(b.text(head))
		if err != nil {
			return head, err
		}
		next := Head{Seq: b.last, Sum: sum}
		err = log.Chain(ctx, head, next)
		if errors.Is(err, secrets.ErrConflict) { // another process was first: go on from where it is
			full = true
			if next, err = last(ctx, log); err == nil && next.Seq <= head.Seq {
				err = cutMeanwhile(next, head)
			}
		}
		if err != nil {
			return head, err
		}
		if head = next; !full {
			return head, nil
		}
	}
}

// last answers the chain's head if there is an entry at its place. Without one the
// link was moved, or what it covers was cut off: what comes next would lie before
// it, and never be sealed.
func last(ctx context.Context, log Log) (Head, error) {
	head, err := log.Head(ctx)
	if err != nil || head.IsZero() {
		return Head{}, err
	}
	for e, err := range log.Entries(ctx, head.Seq) {
		if err != nil {
			return Head{}, err
		}
		if e.Seq == head.Seq {
			return head, nil
		}
		break
	}
	return Head{}, &BrokenError{head.Seq, head.Seq, "there is no entry at the place of the last link"}
}

// cutMeanwhile says that the chain, which only grows, ends at head though it
// went to reached before.
func cutMeanwhile(head, reached Head) error {
	return &BrokenError{head.Seq + 1, max(head.Seq+1, reached.Seq), "the chain was cut off while it was sealed"}
}

// fill makes b the entries behind a place, and reports whether there may be more
// than it takes.
func (b *batch) fill(ctx context.Context, log Log, after uint64) (full bool, err error) {
	b.reset(after)
	for e, err := range log.Entries(ctx, after+1) {
		if err == nil {
			err = b.add(e)
		}
		if err != nil {
			return false, err
		}
		if b.n == batchSize {
			return true, nil
		}
	}
	return false, nil
}

// Verify reads the log from its start to head and returns nil if it is what was
// sealed: every entry in its place, as it was, none missing and none added. If
// not it fails with a [BrokenError] for the first fault; with [ErrNoHead] if head
// is zero; or with the error of the log, if that could not be read.
//
// Entries behind head are not looked at, sealed or not: nothing protects them
// until a head that covers them is kept. It reads a log that is in use, and one
// entry at a time.
func Verify(ctx context.Context, log Log, mac MAC, head Head) error {
	if head.IsZero() {
		return ErrNoHead
	}
	next, stop := iter.Pull2(log.Entries(ctx, 0))
	defer stop()
	entry, failure, more := next()
	var prev Head
	b := newBatch()
	for link, err := range log.Links(ctx, 0) {
		if err != nil {
			return err
		}
		if link.Seq > head.Seq {
			break
		}
		if link.Seq <= prev.Seq {
			return &BrokenError{link.Seq, prev.Seq, "links are out of order"}
		}
		b.reset(prev.Seq)
		for more && failure == nil && entry.Seq <= link.Seq {
			if err := b.add(entry); err != nil {
				return err
			}
			entry, failure, more = next()
		}
		if failure != nil {
			return failure
		}
		if b.last != link.Seq { // the sum covers the place of the last entry, and not the link's own
			return &BrokenError{prev.Seq + 1, link.Seq, "there is no entry at the place of a link"}
		}
		if mac.VerifyMAC(link.Sum, b.text(prev)) != nil {
			return &BrokenError{prev.Seq + 1, link.Seq, "entries are not those that were sealed"}
		}
		if link.Equal(head) {
			return nil
		}
		prev = link
	}
	return notHeld(head)
}

// Reaches returns nil if the log's chain holds head: it was neither cut off before
// it nor replaced by an older copy, such as a restored backup. If not it fails with
// a [BrokenError]; with [ErrNoHead] if head is zero; or with the error of the log,
// if that could not be read.
//
// It reads one link and trusts it. That is enough for accidents; only [Verify] sees
// through who forges the link. And it says nothing about what came after head: a
// copy that was made since then reaches it, too.
func Reaches(ctx context.Context, log Log, head Head) error {
	if head.IsZero() {
		return ErrNoHead
	}
	for link, err := range log.Links(ctx, head.Seq) {
		if err != nil {
			return err
		}
		if link.Equal(head) {
			return nil
		}
		break
	}
	return notHeld(head)
}

func notHeld(head Head) error {
	return &BrokenError{head.Seq, head.Seq, "the chain does not hold the head"}
}
