package redact

import (
	"bytes"
	"cmp"
	"regexp"
	"sync/atomic"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// form is one sequence of bytes that gives a secret away.
type form struct {
	name secrets.Name
	pattern
	mark string         // of the name
	hits *atomic.Uint64 // of the name
}

// pattern is what is looked for.
type pattern struct {
	bytes []byte // without line breaks; never empty; wiped by Redactor.Close

	whole bool // counts only where it stands as a whole token
	tight bool // counts only where it is not broken

	// Which bytes right before and after hold some bits of the secret, too.
	before, after *charset

	// Of line breaks of its own: after which of the first bytes they are; the most
	// bytes of them in a row; and how many bytes there are with them.
	own       flags
	run, size int
}

// looks reports whether the byte after an occurrence tells whether, or how far, it
// counts.
func (p *pattern) looks() bool { return p.whole || p.after != nil }

// charset is a set of bytes.
type charset [4]uint64

func (c *charset) has(b byte) bool { return c != nil && c[b>>6]>>(b&63)&1 != 0 }

func (c *charset) add(b byte) { c[b>>6] |= 1 << (b & 63) }

// or returns the union of two sets.
func (c *charset) or(d *charset) *charset {
	switch {
	case c == nil:
		return d
	case d == nil:
		return c
	}
	return &charset{c[0] | d[0], c[1] | d[1], c[2] | d[2], c[3] | d[3]}
}

// charsetOf returns the set of these bytes.
func charsetOf(all string) *charset {
	var c charset
	for i := range len(all) {
		c.add(all[i])
	}
	return &c
}

const (
	digits  = "0123456789"
	capital = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	small   = "abcdefghijklmnopqrstuvwxyz"

	alphabet64    = capital + small + digits + "+/"
	alphabet64URL = capital + small + digits + "-_"
	alphabet32    = capital + "234567"
)

// word reports whether b is part of a token: an ASCII letter or digit, "_", or
// part of a rune beyond ASCII.
func word(b byte) bool {
	return b >= 0x80 || b == '_' || b-'0' < 10 || b|0x20-'a' < 26
}

// escapes end in a letter or digit that is no part of the token after it: those of
// control characters, of JSON and of URLs, and control sequences.
var escapes = regexp.MustCompile(`(\\[abfnrtv0]|\\x[[:xdigit:]]{2}|\\u[[:xdigit:]]{4}|%[[:xdigit:]]{2}|\x1b\[[\x20-\x3f]{0,15}[\x40-\x7e])$`)

// goesOn reports whether a token goes on from the end of text.
func goesOn(text []byte) bool {
	if len(text) == 0 || !word(text[len(text)-1]) {
		return false
	}
	return !escapes.Match(text[max(0, len(text)-maxCSI):])
}

func isBreak(b byte) bool { return b == '\n' || b == '\r' }

// unbroken is how many bytes of a form a break must leave together at its
// beginning. Else what ends a line would be held back until the next one has begun,
// whenever some form begins with its last byte.
const unbroken = 4

// squeezed returns a pattern of what raw holds, in memory of its own: without line
// breaks.
func squeezed(raw []byte) pattern {
	p := pattern{bytes: make([]byte, 0, len(raw)), size: len(raw), tight: true}
	run := 0
	for _, b := range raw {
		if !isBreak(b) {
			p.bytes, run = append(p.bytes, b), 0
			continue
		}
		if n := len(p.bytes); n < unbroken {
			p.own |= ownBreak(n)
		}
		p.tight = false
		run++
		p.run = max(p.run, run)
	}
	return p
}

// compareForms orders forms by their bytes, of equal ones the lowest name first.
func compareForms(a, b form) int {
	return cmp.Or(bytes.Compare(a.bytes, b.bytes), a.name.Compare(b.name))
}

// merge makes a count wherever a or b, which has the same bytes, counts.
func (a *pattern) merge(b pattern) {
	a.whole, a.tight = a.whole && b.whole, a.tight && b.tight
	a.before, a.after = a.before.or(b.before), a.after.or(b.after)
	a.own |= b.own
	a.size, a.run = max(a.size, b.size), max(a.run, b.run)
}
