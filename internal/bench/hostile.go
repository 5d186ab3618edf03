package main

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
)

// hostileSize is the size of the hostile texts: the slowest contender takes long
// for one.
const hostileSize = 2 * pieceSize

// needleSet is a set of values.
type needleSet struct {
	name    string
	needles []string
}

// randomSet names the set that the targets are about.
const randomSet = "random"

// needleSets are sets of values that a text can be hostile to: random ones, ones
// with a long beginning in common, and one byte over and over before another.
func needleSets(seed uint64) []needleSet {
	random := needlesOf(seed, 20, needleSize)
	var shared, nested []string
	for i := range 20 {
		shared = append(shared, random[0][:needleSize-1]+alphabet[i:i+1])
		nested = append(nested, strings.Repeat("a", 8+i)+"b")
	}
	return []needleSet{{randomSet, random}, {"shared", shared}, {"nested", nested}}
}

// hostileText is a text that makes searching it work.
type hostileText struct {
	name  string
	plain bool                                        // values as they are is all that is in it
	unit  func(needles []string, r *rand.Rand) string // the text is these, one after the other
}

var hostileTexts = []hostileText{
	{"beginnings of values", true, func(needles []string, r *rand.Rand) string { return cut(pick(r, needles)) }},
	{"beginnings and ends of values", true, func(needles []string, r *rand.Rand) string {
		end := pick(r, needles)
		return pick(r, needles)[:4+r.IntN(3)] + end[len(end)-3:]
	}},
	{"values", true, func(needles []string, r *rand.Rand) string { return pick(r, needles) }},
	{"one byte", true, func(needles []string, _ *rand.Rand) string { return needles[0][:1] }},
	{"a log, then beginnings", true, func(needles []string, r *rand.Rand) string {
		// So much that giving up on a piece comes late.
		var b strings.Builder
		for b.Len() < pieceSize*7/8 {
			b.WriteString(logLine(r) + "\n")
		}
		for b.Len() < pieceSize {
			b.WriteString(cut(pick(r, needles)))
		}
		return b.String()[:pieceSize]
	}},
	{"beginnings and ends of forms", false, func(needles []string, r *rand.Rand) string {
		end := pick(r, written(pick(r, needles)))
		at := min(needleSize, len(end))
		return pick(r, written(pick(r, needles)))[:4+r.IntN(3)] + end[at-3:at]
	}},
	{"beginnings of forms", false, func(needles []string, r *rand.Rand) string { return cut(pick(r, written(pick(r, needles)))) }},
	{"forms that go wrong", false, func(needles []string, r *rand.Rand) string {
		form := pick(r, written(pick(r, needles)))
		at := len(form)/2 + r.IntN(len(form)/2)
		return form[:at] + "~" + form[at:]
	}},
	{"broken by lines", false, func(needles []string, r *rand.Rand) string {
		return broken(cut(pick(r, written(pick(r, needles)))), "\n")
	}},
	{"broken by CRLF", false, func(needles []string, r *rand.Rand) string {
		return broken(cut(pick(r, written(pick(r, needles)))), "\r\n")
	}},
	{"broken by colours", false, func(needles []string, r *rand.Rand) string {
		return broken(cut(pick(r, written(pick(r, needles)))), "\x1b[1;31m")
	}},
	{"broken by what is no colour", false, func(needles []string, r *rand.Rand) string {
		return broken(cut(pick(r, written(pick(r, needles)))), "\x1b[1;1;1;1;1;1;1;")
	}},
	{"escapes", false, func([]string, *rand.Rand) string { return "\x1b[" }},
	{"forms", false, func(needles []string, r *rand.Rand) string { return pick(r, written(pick(r, needles))) }},
	{"hexadecimal", false, func(_ []string, r *rand.Rand) string { return draw(r, hexDigits, 64) }},
	{"numbers", false, func(_ []string, r *rand.Rand) string { return fmt.Sprint(r.IntN(256), ", ") }},
}

// of returns the text for needles. It is the same for the same seed, and ends in
// one of them.
func (h hostileText) of(seed uint64, needles []string) []byte {
	r := rand.New(rand.NewPCG(seed, 4))
	last := needles[len(needles)-1]
	var b strings.Builder
	for b.Len() < hostileSize {
		b.WriteString(h.unit(needles, r))
	}
	return []byte(b.String()[:hostileSize-len(last)-1] + "\t" + last)
}

func pick(r *rand.Rand, all []string) string { return all[r.IntN(len(all))] }

// cut leaves out the last byte.
func cut(s string) string { return s[:len(s)-1] }

// broken breaks s as early as redact looks beyond a break, and after each byte from
// then on.
func broken(s, by string) string {
	var b strings.Builder
	for i := range len(s) {
		if i >= 4 {
			b.WriteString(by)
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// written returns a value as other programs write it, in some of the ways that
// redact knows.
func written(value string) []string {
	all := []string{
		value, hex.EncodeToString([]byte(value)), strings.ToUpper(hex.EncodeToString([]byte(value))),
		base32.StdEncoding.EncodeToString([]byte(value)), base64.StdEncoding.EncodeToString([]byte(value)),
		base64.StdEncoding.EncodeToString([]byte("u:" + value)), base64.StdEncoding.EncodeToString([]byte(":" + value)),
	}
	for _, as := range []string{"%02x ", "%02x:", "\\x%02x", "%%%02X", "\\u%04x", "&#%d;", "%d ", "%d, ", "%c\x00"} {
		var b strings.Builder
		for i := range len(value) {
			fmt.Fprintf(&b, as, value[i])
		}
		all = append(all, b.String())
	}
	return all
}

// maskedSlowly is what a text with needles in it should become, by looking at each
// position for each of them. Those that share a byte get one mark.
func maskedSlowly(text []byte, needles []string) []byte {
	var out []byte
	shown, until := 0, 0 // until: where the last run ends
	for i := range text {
		longest := 0
		for _, n := range needles {
			if len(n) > longest && i+len(n) <= len(text) && string(text[i:i+len(n)]) == n {
				longest = len(n)
			}
		}
		if longest == 0 {
			continue
		}
		if i >= until {
			out = append(append(out, text[shown:i]...), mark...)
		}
		until = max(until, i+longest)
		shown = until
	}
	return append(out, text[shown:]...)
}
