package redact_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

// The cases in which one masker or another of the field leaks.
func TestTheProbesOfTheField(t *testing.T) {
	long := canary()
	odd := "p'a\"s$s w<o>r&d/é-" + canary()[:12]
	pem := "-----BEGIN KEY-----\n" + canary() + "\n" + canary()[:30] + "\n-----END KEY-----\n"
	lines := strings.Split(strings.TrimSpace(pem), "\n")
	b64 := base64.StdEncoding.EncodeToString
	tiny := redact.Options{Short: 1, Token: 1, Mark: defaults.Mark}
	neutral := redact.Options{Mark: func(secrets.Name) string { return "[REDACTED]" }}

	for _, c := range []struct {
		probe   string
		options redact.Options
		secrets []string
		in      string
		want    string
	}{
		{"plain", defaults, []string{"AA=" + long}, "x " + long + " y", "x <AA> y"},
		{"twice, touching", defaults, []string{"AA=" + long}, long + long, "<AA><AA>"},
		{"aab in aaab", tiny, []string{"AA=aab"}, "aaab", "a<AA>"},
		{"abcabd in xabcabcabdx", tiny, []string{"AA=abcabd"}, "xabcabcabdx", "xabc<AA>x"},
		{"two that overlap", defaults, []string{"AA=" + long[:40], "BB=" + long[20:]}, "x" + long + "y", "x<AA>y"},
		{"short is a prefix of long", defaults, []string{"AA=" + long[:20], "BB=" + long}, long + " " + long[:30], "<BB> <AA>" + long[20:30]},
		{"short is a suffix of long", defaults, []string{"AA=" + long[20:], "BB=" + long}, long + " " + long[10:], "<BB> " + long[10:20] + "<AA>"},
		{"several lines", defaults, []string{"AA=" + pem}, "key:\n" + pem + "end", "key:\n<AA>\nend"},
		{"several lines, CRLF", defaults, []string{"AA=" + pem}, strings.ReplaceAll(pem, "\n", "\r\n"), "<AA>\r\n"},
		{"one line alone", defaults, []string{"AA=" + pem}, "got " + lines[1] + "!", "got <AA>!"},
		{"flattened with spaces", defaults, []string{"AA=" + pem}, strings.ReplaceAll(pem, "\n", " "), "<AA> "},
		{"line breaks escaped as in JSON", defaults, []string{"AA=" + pem}, `{"key":"` + strings.ReplaceAll(pem, "\n", `\n`) + `"}`, `{"key":"<AA>\n"}`},
		{"base64", defaults, []string{"AA=" + long}, b64([]byte(long)), "<AA>=="},
		{"base64 after u", defaults, []string{"AA=" + long}, b64([]byte("u" + long)), "d<AA>="},
		{"base64 after userx: and before a line break", defaults, []string{"AA=" + long}, b64([]byte("userx:" + long + "\n")), "dXNlcng6<AA>o="},
		{"base64, URL-safe", defaults, []string{"AA=" + odd + "\xff\xfe\xfb"}, base64.URLEncoding.EncodeToString([]byte(odd + "\xff\xfe\xfb")), "<AA>=="},
		{"URL-escaped", defaults, []string{"AA=" + odd}, "?q=" + strings.NewReplacer("'", "%27", `"`, "%22", "$", "%24", " ", "+", "<", "%3C", ">", "%3E", "&", "%26", "/", "%2F", "é", "%C3%A9").Replace(odd), "?q=<AA>"},
		{"JSON-escaped", defaults, []string{"AA=" + odd}, `{"v":"` + strings.NewReplacer(`"`, `\"`, "<", `\u003c`, ">", `\u003e`, "&", `\u0026`).Replace(odd) + `"}`, `{"v":"<AA>"}`},
		{"Go's %q", defaults, []string{"AA=" + odd}, `"` + strings.ReplaceAll(odd, `"`, `\"`) + `"`, `"<AA>"`},
		{"hex", defaults, []string{"AA=" + odd}, hex.EncodeToString([]byte(odd)), "<AA>"},
		{"a shell's single quotes", defaults, []string{"AA=" + odd}, "'" + strings.ReplaceAll(odd, "'", `'\''`) + "'", "'<AA>'"},
		{"base64 wrapped at 64", defaults, []string{"AA=" + long}, b64([]byte(long))[:64] + "\n" + b64([]byte(long))[64:], "<AA>=="},
		{"ANSI inside", defaults, []string{"AA=" + long}, long[:20] + "\x1b[1;31m" + long[20:40] + "\x1b[0m" + long[40:], "<AA>"},
		{"the secret is the word of the mask", neutral, []string{"AA=[REDACTED]", "BB=REDACTED"}, "x [REDACTED] y", "x *** y"},
		{"invalid UTF-8", defaults, []string{"AA=\xff\xfe" + long[:20] + "\xc3"}, "\xc3\xff\xfe" + long[:20] + "\xc3\xa9", "\xc3<AA>\xa9"},
		{"NUL", defaults, []string{"AA=\x00" + long[:20] + "\x00"}, "\x00\x00" + long[:20] + "\x00\x00", "\x00<AA>\x00"},
	} {
		t.Run(c.probe, func(t *testing.T) {
			t.Parallel()
			r := newRedactor(t, c.options, c.secrets...)
			failed := false
			everySplit(c.in, func(pieces ...string) {
				if got := masked(t, r, pieces...); got != c.want && !failed {
					failed = true
					t.Errorf("%d pieces: got %d bytes, want %d:\n%q\n%q", len(pieces), len(got), len(c.want), got, c.want)
				}
			})
		})
	}
}
