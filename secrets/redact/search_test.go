package redact

// Which way a text is searched can't be seen from outside.

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// formsFor are forms of these values, named by their order.
func formsFor(t *rapid.T, values []string) (forms []form) {
	for i, v := range values {
		name, err := secrets.ParseName(fmt.Sprint("N", i))
		if err != nil {
			t.Fatal(err)
		}
		forms = append(forms, form{name: name, bytes: []byte(v), mark: fmt.Sprintf("<%d>", i), hits: new(atomic.Uint64)})
	}
	return forms
}

// drawForms draws values of few letters, none shorter than least, so that they
// nest, overlap and share beginnings.
func drawForms(t *rapid.T, least int) []string {
	one := rapid.OneOf(
		rapid.StringMatching(fmt.Sprintf(`[ab]{%d,%d}`, least, least+6)),
		rapid.StringMatching(fmt.Sprintf(`a{%d,%d}b?`, least, least+9)),
		rapid.StringMatching(fmt.Sprintf(`[abcd]{%d,%d}`, least, 3*least)),
	)
	return rapid.SliceOfNDistinct(one, 1, 12, rapid.ID).Draw(t, "values")
}

// drawLong is a text of pieces of the values, and of what is none.
func drawLong(t *rapid.T, values []string) string {
	parts := []string{"a", "b", "aaaa", "c", "-----------------", " log line "}
	for _, v := range values {
		parts = append(parts, v, v[:len(v)-1], v[1:], v+v)
	}
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 60).Draw(t, "text"), "")
}

// occurrences is the oracle: the longest form at each position.
func occurrences(forms []form, text string) (all []span) {
	for i := range len(text) {
		longest := int32(-1)
		for j, f := range forms {
			if strings.HasPrefix(text[i:], string(f.bytes)) && (longest < 0 || len(f.bytes) > len(forms[longest].bytes)) {
				longest = int32(j)
			}
		}
		if longest >= 0 {
			all = append(all, span{i, i + len(forms[longest].bytes), longest})
		}
	}
	return all
}

func TestTheSkipperFindsTheLongestFormAtEachPosition(t *testing.T) {
	skipped := 0
	rapid.Check(t, func(t *rapid.T) {
		values := drawForms(t, rapid.IntRange(minWindow, 12).Draw(t, "least"))
		s := compile(formsFor(t, values))
		text := drawLong(t, values)
		got, done := s.skipper.find(s.forms, []byte(text), nil)
		if !done {
			return
		}
		skipped++
		if want := occurrences(s.forms, text); !slices.Equal(got, want) {
			t.Fatalf("in %q: %v, want %v", text, got, want)
		}
	})
	if skipped == 0 {
		t.Error("it always gave up")
	}
}

func TestTheAutomatonFindsTheLongestFormThatEndsAtEachPositionAndTheBeginningThatIsOpen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := drawForms(t, rapid.IntRange(1, 8).Draw(t, "least"))
		s := compile(formsFor(t, values))
		text := drawLong(t, values)
		state := int32(0)
		for i := range len(text) {
			state = s.automaton.step(state, text[i])
			read := text[:i+1]
			longest, begun := "", 0
			for _, f := range s.forms {
				if v := string(f.bytes); strings.HasSuffix(read, v) && len(v) > len(longest) {
					longest = v
				}
				for n := 1; n < len(f.bytes); n++ {
					if strings.HasSuffix(read, string(f.bytes[:n])) {
						begun = max(begun, n)
					}
				}
			}
			found := ""
			if f := s.automaton.found[state]; f >= 0 {
				found = string(s.forms[f].bytes)
			}
			if found != longest {
				t.Fatalf("after %q: %q, want %q", read, found, longest)
			}
			if open := int(s.automaton.depth[s.automaton.open(state)]); open != begun {
				t.Fatalf("after %q: %d bytes are open, want %d", read, open, begun)
			}
		}
	})
}

// Whichever way it is searched, and however it is cut, the output is the same.
func TestBothWaysOfSearchingMaskTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := drawForms(t, rapid.IntRange(minWindow, 12).Draw(t, "least"))
		text := drawLong(t, values)
		mask := func(fast, slack int, cut func(rest string) int) (out []byte, marks int) {
			s := compile(formsFor(t, values))
			s.fast, s.skipper.slack = fast, slack
			var tail tail
			for rest := text; rest != ""; {
				n := cut(rest)
				out = tail.next(s, []byte(rest[:n]), out, false)
				rest = rest[n:]
			}
			return tail.next(s, nil, out, true), tail.marks
		}
		want, marks := mask(math.MaxInt, 0, func(rest string) int { return len(rest) })
		for _, way := range []struct {
			name        string
			fast, slack int
		}{
			{"the automaton", math.MaxInt, 0},
			{"the skipper", 1, 64},
			{"both in turn", 40, 64},
			{"the skipper, which gives up", 1, -100},
		} {
			got, n := mask(way.fast, way.slack, func(rest string) int { return min(len(rest), rapid.IntRange(1, 90).Draw(t, "piece")) })
			if !bytes.Equal(got, want) || n != marks {
				t.Fatalf("%s: %q became %q, want %q", way.name, text, got, want)
			}
		}
	})
}

func TestATextThatNearlyHoldsFormsEverywhereIsLeftToTheAutomaton(t *testing.T) {
	var forms []form
	for n := minWindow; n < 45; n++ {
		forms = append(forms, form{bytes: []byte(strings.Repeat("a", n) + "b"), hits: new(atomic.Uint64)})
	}
	s := compile(forms)
	if _, done := s.skipper.find(s.forms, bytes.Repeat([]byte("a"), 10_000), nil); done {
		t.Error("the skipper compared all forms at all positions")
	}
}

// The states of a larger set are others.
func TestWhatIsHeldIsSearchedAgainWhenFormsAreAdded(t *testing.T) {
	before, after := compile([]form{{bytes: []byte("bcdefgh"), mark: "<1>", hits: new(atomic.Uint64)}}), compile([]form{
		{bytes: []byte("aaaaaaa"), mark: "<2>", hits: new(atomic.Uint64)},
		{bytes: []byte("bcdefgh"), mark: "<1>", hits: new(atomic.Uint64)},
		{bytes: []byte("cdXYZ"), mark: "<3>", hits: new(atomic.Uint64)},
		{bytes: []byte("dX"), mark: "<4>", hits: new(atomic.Uint64)},
	})
	for rest, want := range map[string]string{"efgh-": "-<1>-", "XYZ-": "-b<3>-", "X-": "-bc<4>-", "-": "-bcd-"} {
		var tail tail
		out := tail.next(before, []byte("-bcd"), nil, false)
		out = tail.next(after, []byte(rest), out, false)
		if out = tail.next(after, nil, out, true); string(out) != want {
			t.Errorf("-bcd, then %s: %q, want %q", rest, out, want)
		}
	}
}
