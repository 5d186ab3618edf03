package redact_test

import (
	"encoding/base64"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

// base64Needles are the needles of a value in base64, found by encoding it with
// every byte before and after it: what never changes is the needle, and what takes
// some characters only is next to it.
func base64Needles(name, value string) (all []needle) {
	all = append(all, needleOf(name, value))
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			at := map[int]string{} // the characters at each place
			for b := range 256 {
				text := encoding.EncodeToString([]byte(strings.Repeat(string([]byte{byte(b)}), before) + value + string([]byte{byte(b ^ 0x5a), byte(b)})))
				for i := range len(text) {
					if !strings.Contains(at[i], text[i:i+1]) {
						at[i] += text[i : i+1]
					}
				}
			}
			first := 0
			for len(at[first]) > 1 {
				first++
			}
			n := needle{name: name}
			for i := first; len(at[i]) == 1; i++ {
				n.value += at[i]
			}
			if next := at[first+len(n.value)]; len(next) < 64 {
				n.after = next
			}
			if first > 0 && len(at[first-1]) < 64 {
				n.before = at[first-1]
			}
			n.raw, n.size = n.value, len(n.value)
			all = append(all, n)
		}
	}
	return all
}

func TestLawBase64IsMaskedWithAnythingBeforeAndAfterIt(t *testing.T) {
	options := redact.Options{Token: 1, Forms: []redact.Form{redact.Base64}, Mark: angled.Mark}
	property(t, func(t *testing.T, rt *rapid.T) {
		value := string(rapid.SliceOfN(rapid.SampledFrom([]byte("aZ9~\xff?\x00-")), 6, 14).Draw(rt, "value"))
		if literal("AA", value).value != value {
			return
		}
		any := rapid.StringMatching(`[ab\x00~?]{0,5}`)
		part := rapid.Custom(func(t *rapid.T) string {
			encoding := rapid.SampledFrom([]*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawURLEncoding}).Draw(t, "encoding")
			text := encoding.EncodeToString([]byte(any.Draw(t, "before") + value + any.Draw(t, "after")))
			if at := rapid.IntRange(0, len(text)).Draw(t, "broken at"); at%2 == 0 {
				text = text[:at] + rapid.SampledFrom([]string{"\n", "\r\n", "\x1b[1m"}).Draw(t, "break") + text[at:]
			}
			return text + rapid.SampledFrom([]string{"", " ", "a", "Q"}).Draw(t, "next")
		})
		text := strings.Join(rapid.SliceOfN(part, 1, 4).Draw(rt, "text"), "")
		needles := base64Needles("AA", value)
		want, _ := plan(needles, text)
		r := newRedactor(t, options, "AA="+value)
		var out strings.Builder
		w := r.Writer(&out)
		written, decided := 0, 0
		for _, p := range drawPieces(rt, text) {
			_, _ = io.WriteString(w, p)
			written += len(p)
			// What may be next to a form is held if it could be; later, if it is in the
			// alphabet; but it has passed then.
			decided = max(decided, undecided(needles, text[:written]))
			if got, want := out.String(), strings.Join(want[:decided], ""); got != want {
				rt.Fatalf("after %q: got %q, want %q", text[:written], got, want)
			}
		}
		_ = w.Close()
		if got, want := out.String(), strings.Join(want, ""); got != want {
			rt.Fatalf("%q: got %q, want %q", text, got, want)
		}
	})
}

// Some values of some forms are tokens: what is held need not be least then, but
// what passes is the same.
func TestLawShortValuesAreMaskedAsWholeTokens(t *testing.T) {
	options := redact.Options{Short: 1, Token: 5, Forms: []redact.Form{}, Mark: angled.Mark}
	property(t, func(t *testing.T, rt *rapid.T) {
		needles := drawNeedles(rt)
		for i, n := range needles {
			needles[i].whole = len(n.value) < 5 || len(literal("", n.raw).raw) < 5
			needles[i].tight = needles[i].whole && !strings.ContainsAny(n.raw, "\r\n")
		}
		text := drawText(rt, needles)
		if rapid.Bool().Draw(rt, "apart") {
			text = strings.NewReplacer("c", " ", "b", "-b").Replace(text)
		}
		want, _ := plan(merged(needles), text)
		r := redactorOf(t, options, needles)
		if got := r.String(text); got != strings.Join(want, "") {
			rt.Fatalf("String(%q) = %q, want %q", text, got, strings.Join(want, ""))
		}
		var out strings.Builder
		w := r.Writer(&out)
		written := 0
		for _, p := range drawPieces(rt, text) {
			_, _ = io.WriteString(w, p)
			written += len(p)
			if !strings.HasPrefix(strings.Join(want, ""), out.String()) {
				rt.Fatalf("after %q: got %q, want the beginning of %q", text[:written], out.String(), strings.Join(want, ""))
			}
		}
		_ = w.Close()
		if got := out.String(); got != strings.Join(want, "") {
			rt.Fatalf("%q: got %q, want %q", text, got, strings.Join(want, ""))
		}
	})
}

// merged makes needles with equal values alike: they count where one of them does.
func merged(needles []needle) []needle {
	all := append([]needle{}, needles...)
	for i := range all {
		for _, n := range needles {
			if n.value == all[i].value {
				all[i].whole, all[i].tight = all[i].whole && n.whole, all[i].tight && n.tight
			}
		}
	}
	return all
}
