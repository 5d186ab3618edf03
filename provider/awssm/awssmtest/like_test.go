package awssmtest

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAPatternMatchesAsTheRegularExpressionThatItStandsFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab*?.-]{0,8}`).Draw(t, "pattern")
		text := rapid.StringMatching(`[ab.-]{0,8}`).Draw(t, "text")
		expression := "^" + strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern)) + "$"
		if got, want := like(pattern, text), regexp.MustCompile(expression).MatchString(text); got != want {
			t.Errorf("like(%q, %q) is %v", pattern, text, got)
		}
	})
}
