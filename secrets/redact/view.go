package redact

import "bytes"

// A form may be broken: lines are wrapped, and terminals are sent control
// sequences in the middle of a word. So forms are looked for in a view of the
// stream from which the line breaks are left out, and where there are control
// sequences in another one that lacks these, too.

const (
	maxGap = 32 // bytes that may be left out at one place
	esc    = 0x1b
	maxCSI = 18 // bytes of a control sequence
)

// gap is a place in a view at which bytes were left out.
type gap struct {
	kept int // bytes that are kept before it
	n    int // bytes left out here
	sum  int // and up to here
}

// view is a text from which bytes were left out.
type view struct {
	bytes []byte
	gaps  []gap
	from  int // where the text begins in the tail's
	bare  bool
}

// shortLine is how long a line is that is faster copied byte by byte.
const shortLine = 8

// of makes a view of text from an index on, without line breaks.
func (v *view) of(text []byte, from int) {
	v.bytes, v.gaps, v.from, v.bare = v.bytes[:0], v.gaps[:0], from, false
	rest := text[from:]
	if bytes.IndexByte(rest, '\r') >= 0 {
		v.slowly(rest)
		return
	}
	run, sum := 0, 0
	for {
		n := bytes.IndexByte(rest, '\n')
		if n == 0 {
			run++
			rest = rest[1:]
			continue
		}
		if run > 0 {
			sum += run
			v.gaps = append(v.gaps, gap{len(v.bytes), run, sum})
			run = 0
		}
		if n < 0 {
			v.bytes = append(v.bytes, rest...)
			return
		}
		if n < shortLine {
			for i := range n {
				v.bytes = append(v.bytes, rest[i])
			}
		} else {
			v.bytes = append(v.bytes, rest[:n]...)
		}
		rest, run = rest[n+1:], 1
	}
}

// ofBare makes a view of text from an index on, without line breaks and control
// sequences. What is in it and has the byte that begins one counts in the other view
// only. It returns how many bytes at the end of text may begin a sequence.
func (v *view) ofBare(text []byte, from int) (begun int) {
	v.bytes, v.gaps, v.from, v.bare = v.bytes[:0], v.gaps[:0], from, true
	return v.slowly(text[from:])
}

func (v *view) slowly(text []byte) (begun int) {
	run, sum := 0, 0
	for i := 0; i < len(text); {
		n := 0
		switch b := text[i]; {
		case isBreak(b):
			n = 1
		case b == esc && v.bare:
			n, begun = controlSequence(text[i:])
		}
		if n > 0 {
			run += n
			i += n
			continue
		}
		if run > 0 {
			sum += run
			v.gaps = append(v.gaps, gap{len(v.bytes), run, sum})
			run = 0
		}
		v.bytes = append(v.bytes, text[i])
		i++
	}
	return begun
}

// controlSequence returns the size of the control sequence (CSI, ECMA-48 §5.4)
// that text begins with, 0 if it begins with none; or else, if all of text may
// begin one, the size of text.
func controlSequence(text []byte) (size, begun int) {
	state := csi(0)
	for i, b := range text {
		switch state = state.next(b); {
		case state == 0, state == 1 && i > 0:
			return 0, 0
		case state == csiEnds:
			return i + 1, 0
		}
	}
	return 0, len(text)
}

// csi is how many bytes of a control sequence were read; csiEnds after its last.
type csi int

const csiEnds csi = -1

func (c csi) next(b byte) csi {
	switch {
	case b == esc:
		return 1
	case c == 1 && b == '[', 1 < c && c < maxCSI-1 && 0x20 <= b && b < 0x40:
		return c + 1
	case 1 < c && 0x40 <= b && b < 0x7f:
		return csiEnds
	}
	return 0
}

// inside returns the gaps between the first and the last of n bytes, of which so
// many are kept before them.
func inside(gaps []gap, kept, n int) []gap {
	from, to := after(gaps, kept), after(gaps, kept+n-1)
	return gaps[from:to]
}

// after returns how many gaps there are before more than this many kept bytes.
func after(gaps []gap, kept int) int {
	lo, hi := 0, len(gaps)
	for lo < hi {
		if mid := int(uint(lo+hi) / 2); gaps[mid].kept <= kept {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// raw returns where a byte of the view is in the tail's text.
func (v *view) raw(kept int) int {
	if n := after(v.gaps, kept); n > 0 {
		return v.from + kept + v.gaps[n-1].sum
	}
	return v.from + kept
}

// sequenceAround returns where the control sequence begins that an index in text
// is within, or the index if it is within none.
func sequenceAround(text []byte, index int) int {
	for i := index - 1; i >= 0 && i > index-maxCSI; i-- {
		if text[i] == esc {
			if size, _ := controlSequence(text[i:]); i+size > index {
				return i
			}
			break
		}
	}
	return index
}

// manyKept is how many gaps or occurrences a stream keeps memory for when it has few
// of them.
const manyKept = 1 << 12

// wipe forgets the view, and keeps its memory.
func (v *view) wipe() {
	clear(v.bytes)
	if cap(v.gaps) > manyKept && len(v.gaps) < manyKept/4 {
		v.gaps = nil
	}
	v.bytes, v.gaps = v.bytes[:0], v.gaps[:0]
}
