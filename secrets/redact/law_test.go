package redact_test

import (
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

// drawNeedles draws from few letters, or hardly any two would overlap.
func drawNeedles(t *rapid.T) []needle {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) needle {
		return needleOf(
			rapid.SampledFrom([]string{"AA", "BB", "CC", "DD", "EE"}).Draw(t, "name"),
			rapid.StringMatching(`[abc]{1,3}|[ab]{1,7}|a{1,9}|[ab]{1,6}\r?\n{1,2}[ab]{1,4}|[abm]{4,9}|[ab]{2,4}\x1b\[1?[abm]?`).Draw(t, "value"),
		)
	}), 1, 6).Draw(t, "needles")
}

// drawText is letters and needles, so that these are found.
func drawText(t *rapid.T, needles []needle) string {
	parts := []string{"a", "b", "c", "-"}
	gaps := []string{"\n", "\r\n", "\x1b[1m", "\x1b[", "\x1b", "\x1b[3", "1;31m", strings.Repeat("\n", 15), strings.Repeat("\x1b[0m", 6)}
	for _, n := range needles {
		at := rapid.IntRange(0, len(n.value)).Draw(t, "at")
		parts = append(parts, n.value, n.value[:at], n.value[at:], n.value[:at]+rapid.SampledFrom(gaps).Draw(t, "gap")+n.value[at:])
	}
	if rapid.Bool().Draw(t, "broken") {
		parts = append(parts, gaps...)
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
	return redactorOf(t, angled, needles)
}

func redactorOf(t testing.TB, o redact.Options, needles []needle) *redact.Redactor {
	t.Helper()
	var pairs []string
	for _, n := range needles {
		pairs = append(pairs, n.name+"="+n.raw)
	}
	return newRedactor(t, o, pairs...)
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
				if strings.Contains(raw, n.raw) {
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
			shown := !slices.ContainsFunc(occurrencesIn(needles, text[:until]), func(o occurrence) bool { return o.from <= i && i < o.to })
			if shown {
				want.WriteByte(text[i])
			}
		}
		if got := marks.ReplaceAllString(out.String(), ""); got != want.String() {
			rt.Fatalf("%q, flushed at %v: shown %q, want %q", text, flushes, got, want.String())
		}
	})
}
