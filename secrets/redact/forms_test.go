package redact_test

import (
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

// defaults are the usual options, but for the marks.
var defaults = redact.Options{Mark: func(n secrets.Name) string { return "<" + n.String() + ">" }}

// everySplit calls check with text cut in two everywhere, in three if it is short
// enough, in single bytes, and not at all.
func everySplit(text string, check func(pieces ...string)) {
	check(text)
	check(strings.SplitAfter(text, "")...)
	single := make([]string, len(text))
	for i := range len(text) {
		single[i] = text[i : i+1]
	}
	check(single...)
	for i := 1; i < len(text); i++ {
		check(text[:i], text[i:])
		if len(text) > 200 || testing.Short() && i%7 > 0 {
			continue
		}
		for j := i + 1; j < len(text); j++ {
			check(text[:i], text[i:j], text[j:])
		}
	}
}

func TestEachFormIsMaskedHoweverItIsCut(t *testing.T) {
	redactors := map[int]*redact.Redactor{}
	for i, v := range formValues {
		redactors[i] = newRedactor(t, defaults, "AA="+v)
	}
	for _, c := range formTable {
		t.Run(c.form, func(t *testing.T) {
			t.Parallel()
			failed := false
			everySplit(c.text, func(pieces ...string) {
				if got := masked(t, redactors[c.value], pieces...); got != c.want && !failed {
					failed = true
					t.Errorf("%q: got %q, want %q", pieces, got, c.want)
				}
			})
			around := "- " + c.text + " -"
			if got, want := redactors[c.value].String(around), "- "+c.want+" -"; got != want {
				t.Errorf("%q: got %q, want %q", around, got, want)
			}
		})
	}
}
