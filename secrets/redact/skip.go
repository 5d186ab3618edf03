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
	slack  int     // how many comparisons are no reason to give up
	bits   int     // of a hash
	shift  []uint8 // by the hash
	heads  []int32 // of the list of forms by the hash, where shift is 0
	forms  []int32 // those lists: an index for each form, the longest of a list first
	ends   []int32 // of the list that begins at heads
}

// block is how many bytes are hashed.
const block = 3

// minWindow is the window below which skipping does not pay.
const minWindow = 4

func newSkipper(forms []form) *skipper {
	window := 255
	for _, f := range forms {
		window = min(window, len(f.bytes))
	}
	if len(forms) == 0 || window < minWindow {
		return nil
	}
	blocks := len(forms) * (window - block + 1)
	// An eighth of the table is in use at most, as far as it fits into the cache.
	k := &skipper{window: window, slack: 64, bits: min(max(bits.Len(uint(8*blocks)), 12), 18)}
	k.shift = make([]uint8, 1<<k.bits)
	for i := range k.shift {
		k.shift[i] = uint8(window - block + 1)
	}
	last := make([]uint32, len(forms)) // the hash at the end of each one's window
	for i, f := range forms {
		for end := block; end <= window; end++ {
			h := k.hash(f.bytes[end-block : end])
			k.shift[h] = min(k.shift[h], uint8(window-end))
			last[i] = h
		}
	}
	k.list(forms, last)
	return k
}

// list groups the forms by their hashes.
func (k *skipper) list(forms []form, last []uint32) {
	k.heads, k.ends = make([]int32, 1<<k.bits), make([]int32, 1<<k.bits)
	for _, h := range last {
		k.ends[h]++
	}
	at := int32(0)
	for h, n := range k.ends {
		k.heads[h] = at
		at += n
		k.ends[h] = k.heads[h]
	}
	k.forms = make([]int32, len(forms))
	for i := len(forms) - 1; i >= 0; i-- { // of nested forms the longest is last in their order
		h := last[i]
		k.forms[k.ends[h]] = int32(i)
		k.ends[h]++
	}
}

func (k *skipper) hash(b []byte) uint32 {
	_ = b[2]
	return k.mix(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16)
}

func (k *skipper) mix(v uint32) uint32 { return v * 0x9E3779B1 >> (32 - k.bits) }

// find appends the longest form at each position of text to spans, in their order.
// It reports false, with some of them, if that is too much work: then another way
// is faster.
func (k *skipper) find(forms []form, text []byte, spans []span) ([]span, bool) {
	work := len(text)/8 + k.slack
	for end := k.window; end <= len(text); {
		var v uint32
		if end >= 4 {
			v = binary.LittleEndian.Uint32(text[end-4:]) >> 8
		}
		h := k.mix(v)
		if skip := k.shift[h]; skip > 0 {
			end += int(skip)
			continue
		}
		start := end - k.window
		longest := int32(-1)
		for _, i := range k.forms[k.heads[h]:k.ends[h]] {
			work--
			if bytes.HasPrefix(text[start:], forms[i].bytes) && (longest < 0 || len(forms[i].bytes) > len(forms[longest].bytes)) {
				longest = i
			}
		}
		if longest >= 0 {
			spans = append(spans, span{start, start + len(forms[longest].bytes), longest})
		}
		if work < 0 {
			return spans, false
		}
		end++
	}
	return spans, true
}
