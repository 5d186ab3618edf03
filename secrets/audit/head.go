package audit

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"strconv"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// Head is a link of the chain, and with it all of the log up to a place: what a
// host keeps to verify the log against. The zero Head is that of a log of which
// nothing is sealed. It holds nothing secret.
type Head struct {
	Seq uint64 // of the last entry that is covered
	Sum []byte // a keyed MAC over these entries and all that came before
}

// IsZero reports whether nothing is sealed.
func (h Head) IsZero() bool { return h.Seq == 0 && len(h.Sum) == 0 }

// Equal reports whether h and other are the same link.
func (h Head) Equal(other Head) bool { return h.Seq == other.Seq && bytes.Equal(h.Sum, other.Sum) }

// Follows returns nil if h may stand behind prev in a chain, else a
// *secrets.InvalidError: its place must be larger, at most 2^63-1, and it must
// have a sum. Whether the sum is right only [Verify] can tell.
func (h Head) Follows(prev Head) error {
	switch {
	case h.Seq <= prev.Seq || h.Seq > math.MaxInt64:
		return &secrets.InvalidError{Field: "head.seq", Rule: "must be larger than that of the link before"}
	case len(h.Sum) == 0:
		return &secrets.InvalidError{Field: "head.sum", Rule: "is required"}
	}
	return nil
}

// headPrefix begins the text of a head, so that what else a host keeps is not
// taken for one. Its version is that of the text.
const headPrefix = "psec-head-v1:"

// errHead says what the text of a head must be.
var errHead = &secrets.InvalidError{Field: "head", Rule: "must be " + headPrefix + ", a decimal number, a colon, and hexadecimal digits"}

// String returns the head as [Head.MarshalText] does.
func (h Head) String() string {
	return headPrefix + strconv.FormatUint(h.Seq, 10) + ":" + hex.EncodeToString(h.Sum)
}

// MarshalText returns one line of printable ASCII without a line break, the zero
// Head's included: an empty file is no head.
func (h Head) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what [Head.MarshalText] wrote and nothing else: text that is
// cut off, or has anything before or after it, is a *secrets.InvalidError. Cut
// trailing space off first, if the place where the head is kept adds some.
func (h *Head) UnmarshalText(text []byte) error {
	rest, ok := bytes.CutPrefix(text, []byte(headPrefix))
	place, digits, colon := bytes.Cut(rest, []byte{':'})
	if !ok || !colon {
		return errHead
	}
	seq, badSeq := strconv.ParseUint(string(place), 10, 63)
	sum, badSum := hex.DecodeString(string(digits))
	read := Head{Seq: seq, Sum: sum}
	// Seq and Sum come together, and one head has one text.
	if badSeq != nil || badSum != nil || (seq == 0) != (len(sum) == 0) || read.String() != string(text) {
		return errHead
	}
	if read.IsZero() {
		read = Head{}
	}
	*h = read
	return nil
}

// Errors that callers tell apart with errors.Is.
var (
	// ErrBroken matches every [BrokenError].
	ErrBroken = errors.New("audit: log is broken")

	// ErrNoHead says that there is no head to compare the log with.
	ErrNoHead = errors.New("audit: there is no head to compare the log with")
)

// BrokenError says where the log is not what was sealed. It never tells what the
// entries hold.
type BrokenError struct {
	First, Last uint64 // the places between which the fault lies, both included
	Rule        string // what does not hold, in the library's words
}

func (e *BrokenError) Error() string {
	return ErrBroken.Error() + " between places " + strconv.FormatUint(e.First, 10) + " and " + strconv.FormatUint(e.Last, 10) + ": " + e.Rule
}

// Is reports whether target is [ErrBroken].
func (e *BrokenError) Is(target error) bool { return target == ErrBroken }
