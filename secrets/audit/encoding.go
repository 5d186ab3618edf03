package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// domain tells what is sealed here from whatever else is authenticated under the
// same key.
const domain = "pipesecrets/audit/v1"

// appendEntry appends the encoding of an entry to b. No entry's is the beginning
// of another's, so that a series of them can be read in one way only.
func appendEntry(b []byte, e Entry) []byte {
	b = binary.BigEndian.AppendUint64(b, e.Seq)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Event.At.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(e.Event.At.Nanosecond()))
	b = appendString(b, e.Event.Caller)
	b = appendString(b, string(e.Event.Action))
	b = appendString(b, string(e.Event.Outcome))
	b = appendString(b, e.Event.Reason)
	b = append(b, byte(e.Event.Scope.Kind))
	b = appendString(b, e.Event.Scope.ID)
	b = appendString(b, e.Event.Name.String())
	b = binary.BigEndian.AppendUint64(b, uint64(e.Event.Pin.ID))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Event.Pin.Version))
	b = appendString(b, e.Event.Run.String())
	return appendString(b, e.Event.Target)
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(len(s))), s...)
}

// batch digests the entries of one link as they come, and keeps none of them.
type batch struct {
	digest  hash.Hash
	n       uint64 // entries so far
	last    uint64 // place of the last one, or of the link before
	scratch []byte // one entry's encoding
}

func newBatch() *batch { return &batch{digest: sha256.New()} }

// reset begins the batch behind a place.
func (b *batch) reset(after uint64) {
	b.digest.Reset()
	b.n, b.last = 0, after
}

func (b *batch) add(e Entry) error {
	if e.Seq <= b.last {
		return &BrokenError{e.Seq, b.last, "entries are out of order"}
	}
	b.scratch = appendEntry(b.scratch[:0], e)
	b.digest.Write(b.scratch) // never fails
	b.n++
	b.last = e.Seq
	return nil
}

// text returns what the MAC of a link with these entries covers, behind prev.
func (b *batch) text(prev Head) []byte {
	text := appendString(nil, domain)
	text = binary.BigEndian.AppendUint64(text, prev.Seq)
	text = appendString(text, string(prev.Sum))
	text = binary.BigEndian.AppendUint64(text, b.last)
	text = binary.BigEndian.AppendUint64(text, b.n)
	return b.digest.Sum(text)
}
