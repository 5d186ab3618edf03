package redact_test

import (
	"io"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

type streamCase struct {
	why     string
	secrets []string
	in      string // "|" is the end of a write
	want    string
}

var streamCases = []streamCase{
	{"no secrets", nil, "any|thing", "anything"},
	{"empty stream", []string{"AA=abcd"}, "", ""},
	{"no occurrence", []string{"AA=abcd"}, "abc abd| bcd", "abc abd bcd"},
	{"plain", []string{"AA=hunter22"}, "user bob password hunter22 ok", "user bob password <AA> ok"},
	{"split", []string{"AA=hunter22"}, "user bob password hun|ter22 ok", "user bob password <AA> ok"},
	{"at the start", []string{"AA=hunter22"}, "hunter22 ok", "<AA> ok"},
	{"at the end", []string{"AA=hunter22"}, "ok hunt|er22", "ok <AA>"},
	{"all there is", []string{"AA=hunter22"}, "h|unter22", "<AA>"},
	{"only the beginning of one", []string{"AA=hunter22"}, "hunter2", "hunter2"},
	{"a false start, then the true one", []string{"AA=hunter22"}, "hunter2|hunter22", "hunter2<AA>"},
	{"twice, apart", []string{"AA=abcd"}, "abcd abcd", "<AA> <AA>"},
	{"twice, touching", []string{"AA=abcd"}, "abcd|abcd", "<AA><AA>"},
	{"two secrets, touching", []string{"AA=abcd", "BB=wxyz"}, "-abcdwx|yzabcd-", "-<AA><BB><AA>-"},
	{"one byte", []string{"AA=x"}, "axbxxc", "a<AA>b<AA><AA>c"},
	{"case counts", []string{"AA=abcd"}, "ABCD Abcd", "ABCD Abcd"},

	{"self-overlap after a false start", []string{"AA=aab"}, "aa|ab", "a<AA>"},
	{"self-overlap with a longer period", []string{"AA=abcabd"}, "xabc|abcabdx", "xabc<AA>x"},
	{"self-overlap, two periods in", []string{"AA=abcabd"}, "xabcabcabc|abdabx", "xabcabc<AA>abx"},
	{"occurrences of one that overlap", []string{"AA=aba"}, "xaba|bax", "x<AA>x"},
	{"occurrences of one that overlap in a row", []string{"AA=aba"}, "abababa", "<AA>"},
	{"occurrences of one that touch", []string{"AA=aba"}, "abaaba", "<AA><AA>"},
	{"a run of one byte", []string{"AA=aaa"}, "baaaaaab", "b<AA>b"},
	{"a run of one byte, too short", []string{"AA=aaa"}, "aabaa", "aabaa"},

	{"two that overlap", []string{"AA=abcd", "BB=cdef"}, "-abc|def-", "-<AA>-"},
	{"two that overlap by a byte", []string{"AA=abcd", "BB=defg"}, "-abcdefg-", "-<AA>-"},
	{"a chain of three", []string{"CC=abcd", "BB=cdef", "AA=efgh"}, "-abcdefgh-", "-<CC>-"},
	{"a chain, then one that touches it", []string{"AA=abcd", "BB=cdef", "CC=ghij"}, "abcdefghij", "<AA><CC>"},
	{"touching, with a third over the seam", []string{"AA=abcd", "BB=efgh", "CC=de"}, "abcdefgh", "<AA>"},
	{"overlap with a beginning that fails", []string{"AA=abcd", "BB=cdef"}, "-abcdex", "-<AA>ex"},

	{"short is a prefix of long", []string{"AA=abcd", "BB=abcdef"}, "-abcd|ef-abcde-", "-<BB>-<AA>e-"},
	{"short is a suffix of long", []string{"AA=cdef", "BB=abcdef"}, "-abcd|ef-bcdef-", "-<BB>-b<AA>-"},
	{"short is inside long", []string{"AA=cd", "BB=abcdef"}, "-abcdef-abcde", "-<BB>-ab<AA>e"},
	{"short twice inside long", []string{"AA=bc", "BB=abcbcd"}, "abcbcd abcbcx", "<BB> a<AA><AA>x"},
	{"short inside long, long fails at its last byte", []string{"AA=bc", "BB=abcdefgh"}, "abcdefg|xabcdefgh", "a<AA>defgx<BB>"},
	{"short then reaches beyond long", []string{"AA=efgh", "BB=abcdef"}, "-abcdefgh-", "-<BB>-"},
	{"the first is the shorter", []string{"AA=bcdefgh", "BB=abc"}, "-abcdefgh-", "-<BB>-"},
	{"three nested prefixes", []string{"AA=ab", "BB=abab", "CC=ababab"}, "ab abab ababab abababab ababa", "<AA> <BB> <CC> <CC> <BB>a"},

	{"equal values", []string{"BB=abcd", "AA=abcd"}, "-abcd-", "-<AA>-"},
	{"a name with two values", []string{"AA=abcd", "AA=wxyz"}, "abcd wxyz abwxyz", "<AA> <AA> ab<AA>"},
	{"a name with one value twice", []string{"AA=abcd", "AA=abcd"}, "abcd", "<AA>"},

	{"several lines", []string{"AA=-- begin\nMIIB\n-- end\n"}, "key: -- begin\n|MIIB\n-- end\ndone\n", "key: <AA>\ndone\n"},
	{"without the line break that its file ends in", []string{"AA=hunter22\n"}, "x hunter22 y hunter22\nz", "x <AA> y <AA>\nz"},
	{"without the white space around it", []string{"AA= \thunter22\r\n\n"}, "hunter22; \thunter2|2\r\n; \thunter22\r\n\n;", "<AA>; \t<AA>\r\n; \t<AA>\r\n\n;"},
	{"several lines, CRLF", []string{"AA=one\r\ntwo"}, "one\r|\ntwo one\ntwo onetwo on\ne\rtwo", "<AA> <AA> <AA> on\n<AA>"},
	{"many empty lines", []string{"AA=one" + strings.Repeat("\n", 40) + "two"}, "one" + strings.Repeat("\n", 40) + "two one" + strings.Repeat("\r\n", 40) + "two one" + strings.Repeat("\n", 81) + "two",
		"<AA> <AA> one" + strings.Repeat("\n", 81) + "two"},
	{"a break that is its own in a shorter one", []string{"AA=zaab", "BB=a\nab"}, "za\nab", "z<BB>"},
	{"as much broken as may be", []string{"AA=aaaaaaaaaaaaaaab"}, breaks("aaaa|aaaa|aaaaaaab", 32), "<AA>"},
	{"more broken than may be", []string{"AA=aaaaaaaaaaaaaaab"}, breaks("aaaa|aaaa|aaaa|aaab", 32), breaks("aaaa|aaaa|aaaa|aaab", 32)},
	{"too much left out at one place", []string{"AA=aaaaaaaaaaaaaaab"}, breaks("aaaaaaaa|aaaaaaab", 33), breaks("aaaaaaaa|aaaaaaab", 33)},
	{"the longest sequence that is left out", []string{"AA=abcdefgh"}, "abcd\x1b[" + strings.Repeat("1", 15) + "mefgh", "<AA>"},
	{"a longer sequence", []string{"AA=abcdefgh"}, "abcd\x1b[" + strings.Repeat("1", 16) + "mefgh", "abcd\x1b[" + strings.Repeat("1", 16) + "mefgh"},
	{"a sequence in a sequence", []string{"AA=abcdefgh"}, "abcd\x1b[1\x1b[mefgh abcd\x1b[1m\x1b[mefgh", "abcd\x1b[1\x1b[mefgh <AA>"},
	{"a sequence that looks like a value", []string{"AA=1;31m", "BB=abcdefgh"}, "abcd\x1b[1;31mefgh", "<BB>"},
	{"NUL and bytes that are no UTF-8", []string{"AA=\x00\xff\xfe\x00"}, "a\x00\xff|\xfe\x00b\x00\xff\xfd", "a<AA>b\x00\xff\xfd"},
	{"half a rune before a secret", []string{"AA=\xa9abc"}, "\xc3|\xa9abc", "\xc3<AA>"},
	{"a secret that looks like a pattern", []string{"AA=.*[a-z]+$1\\"}, "x.*[a-z]+$1\\x abc", "x<AA>x abc"},
	{"the mark in the stream", []string{"AA=abcd"}, "<AA> abcd", "<AA> <AA>"},
}

// breaks puts n line breaks wherever there is "|".
func breaks(text string, n int) string { return strings.ReplaceAll(text, "|", strings.Repeat("\n", n)) }

func TestAStreamIsMaskedAlikeHoweverItIsCut(t *testing.T) {
	for _, c := range streamCases {
		t.Run(c.why, func(t *testing.T) {
			r := newRedactor(t, angled, c.secrets...)
			whole := strings.ReplaceAll(c.in, "|", "")
			check := func(pieces ...string) {
				if got := masked(t, r, pieces...); got != c.want {
					t.Fatalf("writes %q: got %q, want %q", pieces, got, c.want)
				}
			}
			check(strings.Split(c.in, "|")...)
			check(whole)
			check(strings.Split(whole, "")...) // by rune
			var single []string
			for i := range len(whole) {
				single = append(single, whole[i:i+1])
			}
			check(single...)
			for i := range len(whole) + 1 {
				check(whole[:i], whole[i:])
				if len(whole) > 200 {
					continue
				}
				for j := i; j <= len(whole); j++ {
					check(whole[:i], whole[i:j], whole[j:])
				}
			}
			if got := r.String(whole); got != c.want {
				t.Errorf("String = %q, want %q", got, c.want)
			}
			in := []byte(whole)
			got := r.Bytes(in)
			if string(got) != c.want {
				t.Errorf("Bytes = %q, want %q", got, c.want)
			}
			if len(got) > 0 {
				if got[0] ^= 0xff; string(in) != whole {
					t.Error("Bytes returned the caller's memory")
				}
			}
		})
	}
}

func TestAFlushShowsWhatIsHeldAndTheRestIsMaskedAllTheSame(t *testing.T) {
	for _, c := range []struct {
		why     string
		secrets []string
		in      string // "|" is the end of a write, "~" that and a flush
		want    string
	}{
		{"nothing held", []string{"AA=abcd"}, "xyz~abcd~", "xyz<AA>"},
		{"the beginning was no secret", []string{"AA=abcd"}, "xab~xy", "xabxy"},
		{"the beginning was a secret's", []string{"AA=abcd"}, "xab~cdx", "xab<AA>x"},
		{"two flushes in one secret", []string{"AA=abcdef"}, "ab~c~def-", "abc<AA>-"},
		{"twice at one place", []string{"AA=abcd"}, "ab~~cd", "ab<AA>"},
		{"a whole one in what is held", []string{"AA=abcdef", "BB=bc"}, "abcd~x", "a<BB>dx"},
		{"a whole one in what is held, which completes", []string{"AA=abcdef", "BB=bc"}, "abcd~ef-", "a<BB>d<AA>-"},
		{"a whole one at its end, which completes", []string{"AA=abcdef", "BB=bc"}, "abc~def-", "a<BB>-"},
		{"a whole one at its start, which completes", []string{"AA=abcdef", "BB=ab"}, "ab~cdef-", "<BB>-"},
		{"a whole one at its start, not all of it", []string{"AA=abcdef", "BB=ab"}, "abc~def-", "<BB>c<AA>-"},
		{"the middle of a run", []string{"AA=aba"}, "aba~ba-", "<AA>-"},
		{"a run that touches another", []string{"AA=abcd"}, "abcd~abcd", "<AA><AA>"},
		{"a beginning in a run", []string{"AA=abcd", "BB=cdef"}, "abcde~f-", "<AA>e<BB>-"},
		{"a beginning right after a shown one", []string{"AA=abab"}, "aba~b-", "aba<AA>-"},
	} {
		t.Run(c.why, func(t *testing.T) {
			var out strings.Builder
			w := newRedactor(t, angled, c.secrets...).Writer(&out)
			for part := range strings.SplitAfterSeq(c.in, "~") {
				text, flush := strings.CutSuffix(part, "~")
				for piece := range strings.SplitSeq(text, "|") {
					if _, err := io.WriteString(w, piece); err != nil {
						t.Fatal(err)
					}
				}
				if flush {
					if err := w.Flush(); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if got := out.String(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestWhatBeginsNoFormPassesAtOnce(t *testing.T) {
	r := newRedactor(t, angled, "AA=hunter22", "BB=%secret", "CC=\nline\n")
	for _, c := range []struct{ in, now string }{
		{"Password: ", "Password: "},
		{"Continue? [y/N] ", "Continue? [y/N] "},
		{"\r 42% done", "\r 42% done"},
		{"\r 42%", "\r 42"},
		{"hunter2", ""},
		{"user hunt", "user "},
		{"hunter22", "<AA>"},
		{"hunter22hun", "<AA>"},
		{"a line\n", "a <CC>\n"}, // the form is the value without its white space
	} {
		var out strings.Builder
		if _, err := io.WriteString(r.Writer(&out), c.in); err != nil || out.String() != c.now {
			t.Errorf("after writing %q: %q, %v; want %q", c.in, out.String(), err, c.now)
		}
	}
}

// What ends before a control sequence does not end behind it.
func TestAWholeTokenBeforeASequenceIsNotOneAfterIt(t *testing.T) {
	o := redact.Options{Short: 1, Token: 5, Forms: []redact.Form{}, Mark: angled.Mark}
	r := newRedactor(t, o, "AA=aa\x1b[", "CC=b", "BB=a", "DD=aaaaa")
	for _, pieces := range [][]string{{"aa\x1b[b"}, {"aa", "\x1b", "[", "b"}} {
		if got := masked(t, r, pieces...); got != "<AA><CC>" {
			t.Errorf("%q: got %q", pieces, got)
		}
	}
}
