package redact_test

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The oracle knows all of a text and looks for every needle at every position, in
// each view. It shares no code with what it judges.

// needle is a form and its name in the oracle.
type needle struct {
	name, value   string
	raw           string // as it was written
	before, after string // bytes that count next to it
	whole, tight  bool
	size, run     int // of raw: bytes, and line breaks in a row
}

// literal returns the needle that a value itself is: without the white space
// around it and line breaks. It is "" if nothing is left.
func literal(name, value string) needle {
	for value != "" && strings.Contains(" \t\r\n", value[:1]) {
		value = value[1:]
	}
	for value != "" && strings.Contains(" \t\r\n", value[len(value)-1:]) {
		value = value[:len(value)-1]
	}
	return needleOf(name, value)
}

// needleOf returns the needle of what is written so.
func needleOf(name, value string) needle {
	n := needle{name: name, raw: value, size: len(value)}
	for _, breaks := range strings.FieldsFunc(value, func(r rune) bool { return r != '\r' && r != '\n' }) {
		n.run = max(n.run, len(breaks))
	}
	n.value = strings.NewReplacer("\r", "", "\n", "").Replace(value)
	return n
}

// seen is a view of a text: the positions of the bytes that are in it.
type seen struct {
	bare bool
	text string
	at   []int
}

func (v seen) string() string {
	b := make([]byte, len(v.at))
	for i, at := range v.at {
		b[i] = v.text[at]
	}
	return string(b)
}

var (
	sequence = regexp.MustCompile(`\x1b\[[\x20-\x3f]{0,15}[\x40-\x7e]`)
	cutShort = regexp.MustCompile(`\x1b(\[[\x20-\x3f]{0,15})?$`)
)

// seenIn returns the views of a text; of one that may end in a part of a control
// sequence also that in which it does.
func seenIn(text string) []seen {
	view := func(left [][]int) seen {
		v := seen{text: text, bare: left != nil}
		for i := 0; i < len(text); i++ {
			if len(left) > 0 && left[0][0] == i {
				i = left[0][1] - 1
				left = left[1:]
			} else if text[i] != '\r' && text[i] != '\n' {
				v.at = append(v.at, i)
			}
		}
		return v
	}
	sequences := sequence.FindAllStringIndex(text, -1)
	views := []seen{view(nil), view(sequences)}
	if part := cutShort.FindStringIndex(text); part != nil {
		views = append(views, view(append(sequences, part)))
	}
	return views
}

// limits returns how many bytes may be left out at one place, and how many an
// occurrence may take with those.
func limits(needles []needle) (gap, span int) {
	gap = 32
	for _, n := range needles {
		span = max(span, len(n.value))
		if !n.tight {
			gap, span = max(gap, 2*n.run), max(span, n.size+n.size/2+64)
		}
	}
	return gap, span
}

// broken returns how many bytes of what is at these positions come before the last
// break that comes early: after less than four, where nothing that begins with these
// has a break of its own. It also tells whether it may be broken so.
func broken(needles []needle, v seen, at []int, end int, tight bool) (early int, allowed bool) {
	gap, span := limits(needles)
	gaps := false
	for i, next := range append(slices.Clone(at[1:]), end) {
		left := next - at[i] - 1
		if left == 0 {
			continue
		}
		gaps = true
		if left > gap {
			return 0, false
		}
		own := slices.ContainsFunc(needles, func(n needle) bool {
			var raw strings.Builder // the first bytes with the break after them
			for _, at := range at[:i+1] {
				raw.WriteByte(v.text[at])
			}
			return strings.HasPrefix(n.value, raw.String()) && breaksAfter(n.raw, i+1)
		})
		if i+1 < 4 && !own {
			early = i + 1
		}
	}
	if v.bare && gaps && strings.Contains(seen{text: v.text, at: at}.string(), "\x1b") {
		return 0, false
	}
	return early, !gaps || !tight && end-at[0] <= span
}

// breaksAfter reports whether there is a line break in raw after n other bytes.
func breaksAfter(raw string, n int) bool {
	for i := range len(raw) {
		if raw[i] == '\n' || raw[i] == '\r' {
			if n == 0 {
				return true
			}
		} else {
			n--
		}
	}
	return false
}

// isWord reports whether a byte is part of a token.
func isWord(b byte) bool {
	return b >= 0x80 || strings.IndexByte("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_", b) >= 0
}

// behindEscape reports whether text ends in an escape or a control sequence.
func behindEscape(text string) bool {
	for n := 2; n <= min(18, len(text)); n++ {
		end := text[len(text)-n:]
		switch {
		case n == 2 && strings.Contains(`\a\b\f\n\r\t\v\0`, end) && end[0] == '\\',
			n == 3 && end[0] == '%' && strings.Trim(end[1:], "0123456789abcdefABCDEF") == "",
			n == 4 && strings.HasPrefix(end, `\x`) && strings.Trim(end[2:], "0123456789abcdefABCDEF") == "",
			n == 6 && strings.HasPrefix(end, `\u`) && strings.Trim(end[2:], "0123456789abcdefABCDEF") == "",
			sequence.FindString(end) == end:
			return true
		}
	}
	return false
}

// occurrence is where a needle stands.
type occurrence struct {
	from, to int
	of       needle
}

func occurrencesIn(needles []needle, text string) (all []occurrence) {
	for _, v := range seenIn(text)[:2] {
		view := v.string()
		for i := range v.at {
			for _, n := range needles {
				if !strings.HasPrefix(view[i:], n.value) {
					continue
				}
				at := v.at[i : i+len(n.value)]
				from, to := at[0], at[len(at)-1]+1
				early, allowed := broken(needles, v, at, to, n.tight)
				if !allowed {
					continue
				}
				if n.whole && (from > 0 && isWord(text[from]) && isWord(text[from-1]) && !behindEscape(text[:from]) || to < len(text) && isWord(text[to-1]) && isWord(text[to])) {
					continue
				}
				if early > 0 {
					from = at[early]
				} else if from > 0 && strings.Contains(n.before, text[from-1:from]) {
					from--
				}
				if to < len(text) && strings.Contains(n.after, text[to:to+1]) {
					to++
				}
				all = append(all, occurrence{from, to, n})
			}
		}
	}
	slices.SortFunc(all, func(a, b occurrence) int {
		return cmp.Or(a.from-b.from, b.to-a.to, len(b.of.value)-len(a.of.value), strings.Compare(a.of.name, b.of.name))
	})
	return all
}

// plan is what each byte of text becomes, which is itself, or a mark if a run
// begins there, or nothing within a run.
func plan(needles []needle, text string) (pieces []string, hits map[string]int) {
	covered := make([]bool, len(text))
	joined := make([]bool, len(text)) // some occurrence covers this byte and the one before
	first := map[int]occurrence{}
	hits = make(map[string]int)
	for _, o := range occurrencesIn(needles, text) {
		fresh := false
		for i := o.from; i < o.to; i++ {
			fresh = fresh || !covered[i]
			covered[i] = true
			joined[i] = joined[i] || i > o.from
		}
		if _, known := first[o.from]; !known {
			first[o.from] = o
			if fresh {
				hits[o.of.name]++
			}
		}
	}
	pieces = make([]string, len(text))
	for i := range len(text) {
		switch {
		case !covered[i]:
			pieces[i] = text[i : i+1]
		case !joined[i]:
			pieces[i] = "<" + first[i].of.name + ">"
		}
	}
	return pieces, hits
}

// undecided is the first position of text of which it is not known what becomes of
// it.
func undecided(needles []needle, text string) int {
	least := len(text)
	for _, v := range seenIn(text) {
		view := v.string()
		for i := range v.at {
			at, rest := v.at[i:], view[i:]
			left := len(text) - at[len(at)-1] - 1 // at the end
			for _, n := range needles {
				looks := n.value == rest && left == 0 && (n.whole || n.after != "")
				if !looks && (len(n.value) <= len(rest) || !strings.HasPrefix(n.value, rest)) {
					continue
				}
				early, allowed := broken(needles, v, at, len(text), n.tight)
				switch {
				case !allowed:
				case early == len(at):
				case early > 0:
					least = min(least, at[early])
				case n.before != "" && at[0] > 0 && strings.Contains(base64Chars, text[at[0]-1:at[0]]):
					least = min(least, at[0]-1)
				default:
					least = min(least, at[0])
				}
			}
		}
	}
	for _, n := range needles {
		if text != "" && strings.Contains(n.before, text[len(text)-1:]) {
			least = min(least, len(text)-1)
		}
	}
	return least
}

const base64Chars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"

func TestTheOracleItself(t *testing.T) {
	for _, c := range []struct{ needles, text, want string }{
		{"AA=ab", "xabx", "x<AA>x"},
		{"AA=ab BB=bc", "abc", "<AA>"},
		{"AA=ab BB=cd", "abcd", "<AA><BB>"},
		{"AA=ab BB=cd CC=bc", "abcd", "<AA>"},
		{"BB=ab AA=ab CC=abc", "ab abc", "<AA> <CC>"},
		{"AA=abcdef", "abcde\nf", "<AA>"},
		{"AA=abcdef", "abc\r\ndef", "abc\r\n<AA>"},
		{"AA=abcdef", "abcd\x1b[1mef", "<AA>"},
		{"AA=abcdef", "abcd\x1b[1ef", "abcd\x1b[1ef"},
	} {
		var needles []needle
		for p := range strings.FieldsSeq(c.needles) {
			name, value, _ := strings.Cut(p, "=")
			needles = append(needles, needleOf(name, value))
		}
		pieces, _ := plan(needles, c.text)
		if got := strings.Join(pieces, ""); got != c.want {
			t.Errorf("%s in %q: %q, want %q", c.needles, c.text, got, c.want)
		}
	}
}
