package redact_test

import (
	"io"
	"strings"
	"testing"
)

var (
	fuzzNames = []string{"AA", "BB", "CC", "DD", "EE", "FF", "GG", "HH", "II", "JJ"}
	fuzzMarks = "<" + strings.Join(fuzzNames, "> <") + ">"
)

// FuzzRedactor holds a stream, cut as the fuzzer likes, against the oracle. The
// values are divided by "/"; each byte of cuts is the size of a write, and the
// last write takes the rest.
func FuzzRedactor(f *testing.F) {
	for _, c := range streamCases {
		var values []string
		for _, p := range c.secrets {
			_, v, _ := strings.Cut(p, "=")
			values = append(values, v)
		}
		var cuts []byte
		for piece := range strings.SplitSeq(c.in, "|") {
			cuts = append(cuts, byte(len(piece)))
		}
		f.Add(strings.Join(values, "/"), strings.ReplaceAll(c.in, "|", ""), cuts)
	}
	f.Fuzz(func(t *testing.T, values, text string, cuts []byte) {
		if len(values) > 1<<10 || len(text) > 1<<12 || len(cuts) > 1<<8 {
			return // the oracle is slow
		}
		var needles []needle
		for v := range strings.SplitSeq(values, "/") {
			// A mark may not hold a form, which the oracle doesn't know.
			if len(needles) == len(fuzzNames) {
				break
			}
			if n := literal(fuzzNames[len(needles)], v); n.value != "" && !strings.Contains(fuzzMarks, n.value) {
				needles = append(needles, n)
			}
		}
		pieces, _ := plan(needles, text)
		want := strings.Join(pieces, "")

		r := lawRedactor(t, needles)
		var out strings.Builder
		w := r.Writer(&out)
		rest := text
		for _, c := range cuts {
			n := min(int(c), len(rest))
			_, _ = io.WriteString(w, rest[:n])
			rest = rest[n:]
			written := len(text) - len(rest)
			decided := undecided(needles, text[:written])
			if got, want := out.String(), strings.Join(pieces[:decided], ""); got != want {
				t.Fatalf("after %q: got %q, want %q", text[:written], got, want)
			}
		}
		_, _ = io.WriteString(w, rest)
		_ = w.Close()
		if got := out.String(); got != want {
			t.Fatalf("stream: got %q, want %q", got, want)
		}
		if got := r.String(text); got != want {
			t.Fatalf("String: got %q, want %q", got, want)
		}
	})
}
