package redact_test

import (
	"io"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

var (
	fuzzNames = []string{"AA", "BB", "CC", "DD", "EE", "FF", "GG", "HH", "II", "JJ"}
	fuzzMarks = "<" + strings.Join(fuzzNames, "> <") + ">"
)

// fuzzed makes the options and the needles of an input: by the first two bits of
// how, short values count as whole tokens, and values count in base64 as well.
func fuzzed(values string, how byte) (o redact.Options, pairs []string, needles []needle) {
	o = angled
	most := len(fuzzNames)
	if how&1 != 0 {
		o.Token = 8
	} else if how&2 != 0 {
		o.Forms, most = []redact.Form{redact.Base64}, 2 // of which the oracle takes its time
	}
	for v := range strings.SplitSeq(values, "/") {
		if len(pairs) == most {
			break
		}
		name := fuzzNames[len(pairs)]
		n := literal(name, v)
		n.whole = o.Token > len(n.value) || o.Token > len(n.raw)
		n.tight = n.whole && !strings.ContainsAny(n.raw, "\r\n")
		all := []needle{n}
		if how&3 == 2 && n.value != "" {
			for _, n := range base64Needles(name, n.raw)[1:] {
				if len(n.value) >= 4 {
					all = append(all, n)
				}
			}
		}
		inMark := false // which the oracle doesn't know
		for _, n := range all {
			inMark = inMark || n.value == "" || strings.Contains(fuzzMarks, n.value)
		}
		if !inMark {
			pairs, needles = append(pairs, name+"="+v), append(needles, all...)
		}
	}
	return o, pairs, merged(needles)
}

// FuzzRedactor holds a stream, cut as the fuzzer likes, against the oracle. The
// values are divided by "/"; each byte of cuts is the size of a write, and the
// last write takes the rest.
func FuzzRedactor(f *testing.F) {
	for i, c := range streamCases {
		var values []string
		for _, p := range c.secrets {
			_, v, _ := strings.Cut(p, "=")
			values = append(values, v)
		}
		var cuts []byte
		for piece := range strings.SplitSeq(c.in, "|") {
			cuts = append(cuts, byte(len(piece)))
		}
		f.Add(strings.Join(values, "/"), strings.ReplaceAll(c.in, "|", ""), cuts, byte(i))
	}
	f.Fuzz(func(t *testing.T, values, text string, cuts []byte, how byte) {
		if len(values) > 1<<8 || len(text) > 1<<11 || len(cuts) > 1<<7 {
			return // the oracle is slow
		}
		options, pairs, needles := fuzzed(values, how)
		pieces, _ := plan(needles, text)
		want := strings.Join(pieces, "")

		r := newRedactor(t, options, pairs...)
		var out strings.Builder
		w := r.Writer(&out)
		rest, decided := text, 0
		for _, c := range cuts {
			n := min(int(c), len(rest))
			_, _ = io.WriteString(w, rest[:n])
			rest = rest[n:]
			written := len(text) - len(rest)
			if !strings.HasPrefix(want, out.String()) {
				t.Fatalf("after %q: got %q, want the beginning of %q", text[:written], out.String(), want)
			}
			if how&1 != 0 {
				continue
			}
			decided = max(decided, undecided(needles, text[:written]))
			if got, want := out.String(), strings.Join(pieces[:decided], ""); got != want {
				t.Fatalf("after %q: got %q, want %q", text[:written], got, want)
			}
			if held := written - decided; held > r.MaxHold() {
				t.Fatalf("after %q: %d bytes held, MaxHold is %d", text[:written], held, r.MaxHold())
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
