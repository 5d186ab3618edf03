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

// formsFor are forms of these values, named by their order: some of them whole
// tokens, or such of which what is next to them may count.
func formsFor(t *rapid.T, values []string) (forms []form) {
	neighbours := []*charset{nil, charsetOf("ab"), charsetOf("c")}
	for i, v := range values {
		name, err := secrets.ParseName(fmt.Sprint("N", i))
		if err != nil {
			t.Fatal(err)
		}
		p := squeezed([]byte(v))
		if p.whole = rapid.IntRange(0, 3).Draw(t, "whole") == 0; !p.whole {
			p.tight = p.tight && rapid.Bool().Draw(t, "tight")
			p.before, p.after = rapid.SampledFrom(neighbours).Draw(t, "before"), rapid.SampledFrom(neighbours).Draw(t, "after")
		}
		forms = append(forms, form{name: name, pattern: p, mark: fmt.Sprintf("<%d>", i), hits: new(atomic.Uint64)})
	}
	return forms
}

// copied are forms of their own, which a set may keep.
func copied(forms []form) []form {
	forms = slices.Clone(forms)
	for i, f := range forms {
		forms[i].bytes = bytes.Clone(f.bytes)
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
		rapid.StringMatching(fmt.Sprintf(`[ab]{1,5}\r?\n[ab]{%d,%d}`, least, 2*least)),
		rapid.StringMatching(fmt.Sprintf(`[abm]{%d,%d}\x1b\[1?[abm]?`, least, 2*least)),
	)
	return rapid.SliceOfNDistinct(one, 1, 12, rapid.ID).Draw(t, "values")
}

// drawLong is a text of pieces of the values, and of what is none.
func drawLong(t *rapid.T, values []string) string {
	gaps := []string{"\n", "\r\n", "\x1b[1m", "\x1b[", "\x1b", "\x1b[3", "1;31m", strings.Repeat("\n", 20), strings.Repeat("\x1b[0m", 6)}
	parts := []string{"a", "b", "aaaa", "c", "-----------------", " log line "}
	for _, v := range values {
		at := rapid.IntRange(0, len(v)).Draw(t, "at")
		parts = append(parts, v, v[:len(v)-1], v[1:], v+v, v[:at]+rapid.SampledFrom(gaps).Draw(t, "gap")+v[at:])
	}
	if rapid.Bool().Draw(t, "broken") {
		parts = append(parts, gaps...)
	}
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 60).Draw(t, "text"), "")
}

func TestTheAutomatonFindsTheLongestFormThatEndsAtEachPositionAndTheBeginningThatIsOpen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := drawForms(t, rapid.IntRange(1, 8).Draw(t, "least"))
		s := compile(formsFor(t, values))
		text := strings.NewReplacer("\n", "", "\r", "").Replace(drawLong(t, values))
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
				if f.looks() && strings.HasSuffix(read, string(f.bytes)) {
					begun = max(begun, len(f.bytes))
				}
			}
			found := ""
			if f := s.automaton.states[state].found; f >= 0 {
				found = string(s.forms[f].bytes)
			}
			if found != longest {
				t.Fatalf("after %q: %q, want %q", read, found, longest)
			}
			if open := int(s.automaton.states[s.automaton.open(state)].depth); open != begun {
				t.Fatalf("after %q: %d bytes are open, want %d", read, open, begun)
			}
		}
	})
}

// maskedBy is what a text becomes piece by piece, with every seventh flushed, and
// what is held, by one way of searching.
func maskedBy(forms []form, text string, cuts []int, fast, slack int) (states []string) {
	s := compile(copied(forms))
	s.fast = fast
	for _, k := range s.skippers {
		k.slack = slack
	}
	var tail tail
	for i, rest := 0, text; rest != ""; i++ {
		n := min(len(rest), cuts[i%len(cuts)])
		out := tail.next(s, []byte(rest[:n]), nil, i%7 == 6)
		rest = rest[n:]
		states = append(states, fmt.Sprintf("%q, %d marks, %q held", out, tail.marks, tail.text[tail.shown:]))
	}
	out := tail.next(s, nil, nil, true)
	return append(states, fmt.Sprintf("%q, %d marks", out, tail.marks))
}

// allWays fails unless all ways of searching do the same.
func allWays(t interface{ Fatalf(string, ...any) }, forms []form, text string, cuts []int) {
	want := maskedBy(forms, text, cuts, math.MaxInt, 0)
	for _, way := range []struct {
		name        string
		fast, slack int
	}{
		{"the skippers", 1, 1 << 20},
		{"both in turn", 40, 1 << 10},
		{"the skippers, which give up", 1, -1 << 20},
	} {
		if got := maskedBy(forms, text, cuts, way.fast, way.slack); !slices.Equal(got, want) {
			t.Fatalf("%s: %q became\n%s\nwant\n%s", way.name, text, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// Whichever way it is searched, and however it is cut, the output is the same, and
// so is what is held after each piece.
func TestAllWaysOfSearchingMaskTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := drawForms(t, rapid.IntRange(minWindow, 12).Draw(t, "least"))
		allWays(t, formsFor(t, values), drawLong(t, values), rapid.SliceOfN(rapid.IntRange(1, 90), 1, 9).Draw(t, "cuts"))
	})
}

// What chance meets too seldom.
func TestAllWaysOfSearchingMaskRareTextsTheSame(t *testing.T) {
	for _, c := range []struct {
		why    string
		values string // "=" before one that counts as a whole token
		text   string
		cut    int
	}{
		{"a form begins within a sequence", "aaaabb\x1b[", "aaaabb\x1b[aaaabb\x1b[", 1},
		{"a form begins with the end of a sequence", "aaaaaaaab\x1b[ =aaaaaaaab aaaaaaaaa", "aaaaaaaab\x1b[aaaaaaaab\x1b[", 3},
		{"a sequence under way may be left out", "aaaabbbb aaaaa", "aaaab\x1b[aaaab\x1b[1mbbb aaaab\x1b[", 1},
		{"what is undecided begins before what is held", "aaab =aaaa a\naaaa b\naaaa", "aaa\nb\naaaa", 1},
		{"a form with a sequence of its own, broken by another", "abcdefgh\x1b[1;", "abcd\x1b[mefgh\x1b[1;\n abcdefgh\x1b[1;\n", 50},
		{"a piece begins within a sequence", "aaaabbcc", "0123456789\x1b[aaaabb\x1b[mcc----------------", 17},
		{"a piece begins within what becomes a sequence", "[mabcdefg", "0123456789abcde\x1b[mabc\x1b[mdefg------------", 17},
		{"what is undecided is searched again", "aaab b\naaaa", "0123456789aaa\nb\nzzzzzzzzzzzzzzzzzz", 15},
		{"a whole token at the end, next to another", "=aaaaaaaa =aaaaaa a\naaaaaa", "aaaaaaaaa", 3},
		{"a longer one that is preceded by nothing", "aaaaaaaaaaaa aaaaaaaaaaaaa", "baaaaaaaaaaaaaaaa", 6},
	} {
		t.Run(c.why, func(t *testing.T) {
			var forms []form
			for i, v := range strings.Split(c.values, " ") {
				v, whole := strings.CutPrefix(v, "=")
				p := squeezed([]byte(v))
				if p.whole = whole; !whole {
					p.tight = false
				}
				name, err := secrets.ParseName(fmt.Sprint("N", i))
				if err != nil {
					t.Fatal(err)
				}
				forms = append(forms, form{name: name, pattern: p, mark: fmt.Sprintf("<%d>", i), hits: new(atomic.Uint64)})
			}
			allWays(t, forms, c.text, []int{c.cut})
		})
	}
}

func TestATextThatNearlyHoldsFormsEverywhereIsLeftToTheAutomaton(t *testing.T) {
	var forms []form
	for n := minWindow; n < 45; n++ {
		forms = append(forms, form{pattern: pattern{bytes: []byte(strings.Repeat("a", n) + "b")}, hits: new(atomic.Uint64)})
	}
	s := compile(forms)
	text := bytes.Repeat([]byte("a"), 10_000)
	if _, _, done := s.skippers[0].find(s, text, &view{bytes: text}, nil); done {
		t.Error("the skipper compared all forms at all positions")
	}
}

// The states of a larger set are others.
func TestWhatIsHeldIsSearchedAgainWhenFormsAreAdded(t *testing.T) {
	before, after := compile([]form{{pattern: pattern{bytes: []byte("bcdefgh")}, mark: "<1>", hits: new(atomic.Uint64)}}), compile([]form{
		{pattern: pattern{bytes: []byte("aaaaaaa")}, mark: "<2>", hits: new(atomic.Uint64)},
		{pattern: pattern{bytes: []byte("bcdefgh")}, mark: "<1>", hits: new(atomic.Uint64)},
		{pattern: pattern{bytes: []byte("cdXYZ")}, mark: "<3>", hits: new(atomic.Uint64)},
		{pattern: pattern{bytes: []byte("dX")}, mark: "<4>", hits: new(atomic.Uint64)},
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
