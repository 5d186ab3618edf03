package redact

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// skipper finds forms by looking at few of the bytes: Wu and Manber's "A Fast
// Algorithm for Multi-Pattern Searching", 1994.
//
// A window of as many bytes as the shortest form has moves over the text. Its
// last three bytes, hashed, tell how far it may move without passing by the
// beginning of a form; where that is nothing, the forms whose beginning ends in
// these bytes are compared.
type skipper struct {
	window int
	slack  int     // how much work is no reason to give up
	bits   int     // of a hash
	shift  []uint8 // by the hash
	heads  []int32 // of the list of forms by the hash, where shift is 0
	ends   []int32 // of the list that begins at heads
	forms  []entry // those lists
}

// entry is a form in a list.
type entry struct {
	first uint32 // its first four bytes
	form  int32
}

// What looking at an entry, comparing a form and an occurrence cost, in units of
// which the automaton takes some ten for each byte.
const (
	costEntry   = 1
	costCompare = 10
	costFound   = 20
	costPerByte = 6 // above which skipping doesn't pay
)

// block is how many bytes are hashed.
const block = 3

// minWindow is the window below which skipping does not pay.
const minWindow = 4

// newSkippers makes a skipper for all forms but those that count as whole tokens
// only, which are short, and another for these. There is none if a form is too
// short for it.
func newSkippers(forms []form) []*skipper {
	var anywhere, whole []int32
	for i, f := range forms {
		switch {
		case len(f.bytes) < minWindow:
			return nil
		case f.whole:
			whole = append(whole, int32(i))
		default:
			anywhere = append(anywhere, int32(i))
		}
	}
	var all []*skipper
	for _, these := range [][]int32{anywhere, whole} {
		if len(these) > 0 {
			all = append(all, newSkipper(forms, these))
		}
	}
	return all
}

func newSkipper(forms []form, these []int32) *skipper {
	window := 255
	for _, i := range these {
		window = min(window, len(forms[i].bytes))
	}
	blocks := len(these) * (window - block + 1)
	// An eighth of the table is in use at most, as far as it fits into the cache.
	k := &skipper{window: window, slack: 1 << 10, bits: min(max(bits.Len(uint(8*blocks)), 12), 18)}
	k.shift = make([]uint8, 1<<k.bits)
	for i := range k.shift {
		k.shift[i] = uint8(window - block + 1)
	}
	k.heads, k.ends = make([]int32, 1<<k.bits), make([]int32, 1<<k.bits)
	last := make([]uint32, len(these)) // the hash at the end of each one's window
	for i, f := range these {
		for end := block; end <= window; end++ {
			h := k.hash(forms[f].bytes[end-block : end])
			k.shift[h] = min(k.shift[h], uint8(window-end))
			last[i] = h
		}
		k.ends[last[i]]++
	}
	at := int32(0)
	for h, n := range k.ends {
		k.heads[h], k.ends[h] = at, at
		at += n
	}
	k.forms = make([]entry, len(these))
	for i := len(these) - 1; i >= 0; i-- { // of nested forms the longest is last in their order
		h := last[i]
		k.forms[k.ends[h]] = entry{binary.LittleEndian.Uint32(forms[these[i]].bytes), these[i]}
		k.ends[h]++
	}
	return k
}

func (k *skipper) hash(b []byte) uint32 {
	_ = b[2]
	return (uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16) * multiplier >> (32 - k.bits)
}

// multiplier spreads blocks over the hashes (Knuth's, by the golden ratio).
const multiplier = 0x9E3779B1

// find appends to spans the occurrences that begin at each position of a view of
// text, but for those that a longer one there covers. It returns the first position
// at which a form may begin that the view does not hold in full, or of which its
// end does not tell whether it counts. It reports false, with some of the spans, if
// all that is too much work: then another way is faster.
func (k *skipper) find(s *set, text []byte, v *view, spans []span) (_ []span, open int, done bool) {
	work := len(v.bytes)*costPerByte + k.slack
	open = max(0, len(v.bytes)-k.window+1)
	of, shift, down := v.bytes, k.shift, 32-k.bits
	for end := k.window; end <= len(of); {
		h := binary.LittleEndian.Uint32(of[end-4:]) >> 8 * multiplier >> down
		if skip := shift[h]; skip > 0 {
			end += int(skip)
			continue
		}
		start := end - k.window
		rest := of[start:]
		longest, edged := 0, false
		first := binary.LittleEndian.Uint32(rest)
		list := k.forms[k.heads[h]:k.ends[h]]
		work -= costEntry * len(list)
		for _, e := range list {
			if e.first != first {
				continue
			}
			f := e.form
			p := &s.forms[f].pattern
			n := len(p.bytes)
			work -= costCompare + min(n, len(rest))/16
			if n > len(rest) {
				if start < open && bytes.HasPrefix(p.bytes, rest) {
					open = start
				}
				continue
			}
			if !bytes.HasPrefix(rest, p.bytes) || n < longest && (edged || p.before == nil) {
				continue
			}
			if p.looks() && v.raw(start+n-1)+1 == len(text) {
				open = min(open, start)
			} else if o, counts := v.judge(s, f, text, start); counts {
				work -= costFound
				spans = append(spans, o)
				longest, edged = max(longest, n), edged || o.from < v.raw(start)
			}
		}
		if work < 0 {
			return spans, open, false
		}
		end++
	}
	return spans, open, true
}

// judge is set.judge for a form that is in the view at an index.
func (v *view) judge(s *set, f int32, text []byte, at int) (span, bool) {
	n := len(s.forms[f].bytes)
	within := inside(v.gaps, at, n)
	from, end := v.raw(at), v.raw(at+n-1)+1
	if len(within) > 0 {
		p := &s.forms[f].pattern
		if p.tight || end-from > s.span || v.bare && bytes.IndexByte(p.bytes, esc) >= 0 {
			return span{}, false
		}
		for _, g := range within {
			if g.n > s.gap {
				return span{}, false
			}
		}
	}
	return s.judge(f, text, from, end, at, within)
}
