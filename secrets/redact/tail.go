package redact

import (
	"bytes"
	"slices"
)

// tail is the end of a stream that is not decided yet: from the first position
// on at which a form may have begun.
type tail struct {
	text []byte // and some bytes before it, to tell tokens by, up to skip

	of      *set // that machine has read text with, from skip on
	machine machine
	skip    int
	found   []span // the occurrences in text that are undecided
	view    view   // kept for its memory

	// After skimming was too much work, it is not tried for some pieces: the more,
	// the more often.
	tries, rest int

	// shown is how many bytes at the start of text the output accounts for
	// already. They are kept to be compared, not to be passed on.
	shown int

	// open says that the output accounts for them by a mark: an occurrence that
	// begins among them belongs to its run. Otherwise they were passed on as they
	// are, by a flush, and an occurrence that reaches beyond them needs a mark.
	open bool

	marks int // made so far
}

// next takes more of the stream and appends to out what is decided now. A flush
// decides everything: a form that is incomplete is taken for none. What was
// undecided before the flush stays in the tail, to see such a form complete
// itself after all.
//
//  1. Find the occurrences in the text, and the first position at which a form
//     may have begun that is not there in full: all that begins before is
//     decided. A flush decides the rest, too.
//  2. Walk the decided occurrences from left to right, the longest at each
//     position. If one reaches beyond what is shown, it grows the open run that
//     it begins in, or else starts a run: the bytes before it are passed on, then
//     its mark.
//  3. Pass on what lies between the last run and the end of what is decided.
//  4. Keep the text from the first undecided position on.
//
// No occurrence is walked before all that may begin at its position are known. So
// the first one of a run is the leftmost, and the longest there, and names it;
// and its mark is final when it is made, however far the run grows.
func (t *tail) next(s *set, more, out []byte, flushes bool) []byte {
	text := t.with(more)
	t.search(s, text, len(t.text)) // 1
	end, again := t.machine.held(s, text)
	for _, o := range t.found {
		if o.from >= end {
			again = min(again, o.begin)
		}
	}
	from := min(end, again)
	keep := max(0, from-maxCSI)
	if flushes {
		end = len(text)
		if t.machine.waits {
			t.found = t.machine.ends(s, text, end, flush, t.found)
			t.machine.waits = true
		}
	}
	if !slices.IsSortedFunc(t.found, s.compare) {
		slices.SortFunc(t.found, s.compare)
	}
	last := -1
	for _, o := range t.found { // 2
		if o.from >= end {
			break
		}
		if o.from == last { // the longest there was first
			continue
		}
		last = o.from
		if o.to > t.shown {
			f := &s.forms[o.form]
			if !t.open || o.from >= t.shown {
				if o.from > t.shown {
					out = append(out, text[t.shown:o.from]...)
				}
				out = append(out, s.mark(f)...)
				t.marks++
			}
			t.shown, t.open = o.to, true
			f.hits.Add(1)
		}
	}
	if end > t.shown { // 3
		out = append(out, text[t.shown:end]...)
		t.shown, t.open = end, false
	}
	t.machine.seq[0], t.machine.seq[1] = t.machine.seq[0]-keep, t.machine.seq[1]-keep
	n := copy(text, text[keep:]) // 4
	clear(text[n:])
	t.text, t.shown, t.skip = text[:n], t.shown-keep, from-keep
	left := t.found[:0]
	for _, o := range t.found {
		if o.from >= end {
			left = append(left, span{o.from - keep, o.to - keep, o.begin - keep, o.form})
		}
	}
	if cap(left) > manyKept && len(t.found) < manyKept/4 {
		left = slices.Clone(left)
	}
	t.found = left
	return out
}

// with returns the text with more after it.
func (t *tail) with(more []byte) []byte {
	text := slices.Grow(t.text, len(more))
	if cap(text) > cap(t.text) { // it was moved
		clear(t.text)
	}
	return append(text, more...)
}

// fast is how many more bytes it takes for the skippers to pay.
const fast = 64

// search brings machine and found up to text, of which the first old bytes were
// searched before.
func (t *tail) search(s *set, text []byte, old int) {
	if t.of != s { // forms were added
		t.of, old = s, t.skip
		t.machine.reset()
		t.found = t.found[:0]
	}
	if more := len(text) - old; len(s.skippers) > 0 && more >= s.fast && more >= old/2 {
		if t.rest > 0 {
			t.rest--
		} else if t.skim(s, text) {
			t.tries = 0
			return
		} else {
			t.tries = min(t.tries+1, 4)
			t.rest = 1<<t.tries - 1
			t.machine.reset()
			t.found, old = t.found[:0], t.skip
		}
	}
	t.found = t.machine.read(s, text, old, t.found)
}

// skim is search by the skippers. It reports false if another way is faster.
func (t *tail) skim(s *set, text []byte) bool {
	t.found = t.found[:0]
	t.view.of(text, t.skip)
	open, done := t.find(s, text)
	if done && bytes.IndexByte(text[t.skip:], esc) >= 0 {
		begun := t.view.ofBare(text, t.skip)
		var also int
		also, done = t.find(s, text)
		open = min(open, also)
		if begun > 0 { // what may be open before it is not in the view
			open = max(t.skip, min(open, len(text)-s.span-begun))
		}
		open = max(t.skip, sequenceAround(text, open)) // or what begins within a sequence would count
	}
	t.view.wipe()
	if !done {
		return false
	}
	t.machine.reset()
	n := len(t.found)
	t.found = t.machine.read(s, text, open, t.found)[:n]
	return true
}

// find appends what is in the view to found, and returns from where on text has to
// be read to know what is open.
func (t *tail) find(s *set, text []byte) (open int, done bool) {
	open = len(text)
	for _, k := range s.skippers {
		var from int
		if t.found, from, done = k.find(s, text, &t.view, t.found); !done {
			return 0, false
		}
		if from < len(t.view.bytes) {
			open = min(open, t.view.raw(from))
		}
	}
	return open, true
}

// wipe forgets the text.
func (t *tail) wipe() {
	clear(t.text)
	t.view.wipe()
	*t = tail{}
}
