package redact_test

import (
	"io"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

// needle is a value and its name in the oracle.
type needle struct{ name, value string }

// trimmed returns the needles without the white space around them, found by cutting
// off one character at a time; one that is white space stays as it is.
func trimmed(needles []needle) []needle {
	var all []needle
	for _, n := range needles {
		v := n.value
		for v != "" && strings.Contains(" \t\r\n", v[:1]) {
			v = v[1:]
		}
		for v != "" && strings.Contains(" \t\r\n", v[len(v)-1:]) {
			v = v[:len(v)-1]
		}
		if v == "" {
			v = n.value
		}
		all = append(all, needle{n.name, v})
	}
	return all
}

// plan is the oracle: what each byte of text becomes, which is itself, or a mark
// if a run begins there, or nothing within a run. It knows all of the text, and
// looks for every needle at every position.
func plan(needles []needle, text string) (pieces []string, hits map[string]int) {
	covered := make([]bool, len(text))
	joined := make([]bool, len(text)) // some occurrence covers this byte and the one before
	longest := make([]needle, len(text))
	for i := range len(text) {
		for _, n := range needles {
			if !strings.HasPrefix(text[i:], n.value) {
				continue
			}
			for j := i; j < i+len(n.value); j++ {
				covered[j] = true
				joined[j] = joined[j] || j > i
			}
			l := longest[i]
			if len(n.value) > len(l.value) || len(n.value) == len(l.value) && n.name < l.name {
				longest[i] = n
			}
		}
	}
	pieces = make([]string, len(text))
	for i := range len(text) {
		switch {
		case !covered[i]:
			pieces[i] = text[i : i+1]
		case !joined[i]:
			pieces[i] = "<" + longest[i].name + ">"
		}
	}

	hits = make(map[string]int)
	counted := make([]bool, len(text))
	for i := range len(text) {
		fresh := false
		for j := i; j < i+len(longest[i].value); j++ {
			fresh = fresh || !counted[j]
			counted[j] = true
		}
		if fresh {
			hits[longest[i].name]++
		}
	}
	return pieces, hits
}

// undecided is the first position of text at which a needle may have begun that
// is not there in full.
func undecided(needles []needle, text string) int {
	for i := range len(text) {
		for _, n := range needles {
			if len(n.value) > len(text)-i && strings.HasPrefix(n.value, text[i:]) {
				return i
			}
		}
	}
	return len(text)
}

// drawNeedles draws from few letters, or hardly any two would overlap.
func drawNeedles(t *rapid.T) []needle {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) needle {
		return needle{
			rapid.SampledFrom([]string{"AA", "BB", "CC", "DD", "EE"}).Draw(t, "name"),
			rapid.StringMatching(`[abc]{1,3}|[ab]{1,7}|a{1,9}`).Draw(t, "value"),
		}
	}), 1, 6).Draw(t, "needles")
}

// drawText is letters and needles, so that these are found.
func drawText(t *rapid.T, needles []needle) string {
	parts := []string{"a", "b", "c", "-"}
	for _, n := range needles {
		parts = append(parts, n.value, n.value[:len(n.value)/2], n.value[len(n.value)/2:])
	}
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 16).Draw(t, "text"), "")
}

// drawPieces cuts text at random.
func drawPieces(t *rapid.T, text string) []string {
	var pieces []string
	for len(text) > 0 {
		n := rapid.IntRange(0, min(9, len(text))).Draw(t, "piece")
		pieces, text = append(pieces, text[:n]), text[n:]
	}
	return pieces
}

func lawRedactor(t testing.TB, needles []needle) *redact.Redactor {
	t.Helper()
	var pairs []string
	for _, n := range needles {
		pairs = append(pairs, n.name+"="+n.value)
	}
	return newRedactor(t, angled, pairs...)
}

// property runs a law with a testing.TB for what needs one.
func property(t *testing.T, law func(*testing.T, *rapid.T)) {
	rapid.Check(t, func(rt *rapid.T) { law(t, rt) })
}

func TestLawAfterEachWriteTheOutputIsAllThatIsDecided(t *testing.T) {
	property(t, func(t *testing.T, rt *rapid.T) {
		needles := drawNeedles(rt)
		text := drawText(rt, needles)
		want, wantHits := plan(needles, text)
		r := lawRedactor(t, needles)
		var out strings.Builder
		w := r.Writer(&out)
		written := 0
		for _, p := range drawPieces(rt, text) {
			_, _ = io.WriteString(w, p)
			written += len(p)
			decided := undecided(needles, text[:written])
			if got, want := out.String(), strings.Join(want[:decided], ""); got != want {
				rt.Fatalf("after %q: got %q, want %q", text[:written], got, want)
			}
			if held := written - decided; held > r.MaxHold() {
				rt.Fatalf("after %q: %d bytes held, MaxHold is %d", text[:written], held, r.MaxHold())
			}
		}
		_ = w.Close()
		if got, want := out.String(), strings.Join(want, ""); got != want {
			rt.Fatalf("at the end: got %q, want %q", got, want)
		}
		hits := r.Hits()
		for _, n := range needles {
			if got := hits[parseName(t, n.name)]; int(got) != wantHits[n.name] {
				rt.Fatalf("%d hits of %s, want %d", got, n.name, wantHits[n.name])
			}
		}
	})
}

func TestLawAStringIsMaskedAsAStreamOfItsOwn(t *testing.T) {
	property(t, func(t *testing.T, rt *rapid.T) {
		needles := drawNeedles(rt)
		text := drawText(rt, needles)
		pieces, _ := plan(needles, text)
		want := strings.Join(pieces, "")
		r := lawRedactor(t, needles)
		if got := r.String(text); got != want {
			rt.Fatalf("String(%q) = %q, want %q", text, got, want)
		}
		if got := string(r.Bytes([]byte(text))); got != want {
			rt.Fatalf("Bytes(%q) = %q, want %q", text, got, want)
		}
	})
}

var marks = regexp.MustCompile(`<[A-Z]+>`)

func TestLawNoNeedleIsLeftBetweenTheMarks(t *testing.T) {
	property(t, func(t *testing.T, rt *rapid.T) {
		needles := drawNeedles(rt)
		text := drawText(rt, needles)
		got := masked(t, lawRedactor(t, needles), drawPieces(rt, text)...)
		for _, raw := range marks.Split(got, -1) {
			for _, n := range needles {
				if strings.Contains(raw, n.value) {
					rt.Fatalf("%q became %q: %q is in it", text, got, n.value)
				}
			}
		}
	})
}

// A byte is shown after all if no occurrence that covers it was complete when
// the next flush came.
func TestLawAFlushShowsOnlyWhatNoCompleteOccurrenceCovers(t *testing.T) {
	property(t, func(t *testing.T, rt *rapid.T) {
		needles := drawNeedles(rt)
		text := drawText(rt, needles)
		var out strings.Builder
		w := lawRedactor(t, needles).Writer(&out)
		var flushes []int
		written := 0
		for _, p := range drawPieces(rt, text) {
			_, _ = io.WriteString(w, p)
			written += len(p)
			if rapid.Bool().Draw(rt, "flush") {
				_ = w.Flush()
				flushes = append(flushes, written)
			}
		}
		_ = w.Close()

		var want strings.Builder
		for i := range len(text) {
			until := len(text)
			for _, f := range flushes {
				if f > i {
					until = f
					break
				}
			}
			shown := true
			for _, n := range needles {
				for from := max(0, i-len(n.value)+1); from <= i; from++ {
					if from+len(n.value) <= until && strings.HasPrefix(text[from:], n.value) {
						shown = false
					}
				}
			}
			if shown {
				want.WriteByte(text[i])
			}
		}
		if got := marks.ReplaceAllString(out.String(), ""); got != want.String() {
			rt.Fatalf("%q, flushed at %v: shown %q, want %q", text, flushes, got, want.String())
		}
	})
}

func TestTheOracleItself(t *testing.T) {
	for _, c := range []struct{ needles, text, want string }{
		{"AA=ab", "xabx", "x<AA>x"},
		{"AA=ab BB=bc", "abc", "<AA>"},
		{"AA=ab BB=cd", "abcd", "<AA><BB>"},
		{"AA=ab BB=cd CC=bc", "abcd", "<AA>"},
		{"BB=ab AA=ab CC=abc", "ab abc", "<AA> <CC>"},
	} {
		var needles []needle
		for p := range strings.FieldsSeq(c.needles) {
			name, value, _ := strings.Cut(p, "=")
			needles = append(needles, needle{name, value})
		}
		pieces, _ := plan(needles, c.text)
		if got := strings.Join(pieces, ""); got != c.want {
			t.Errorf("%s in %q: %q, want %q", c.needles, c.text, got, c.want)
		}
	}
}
