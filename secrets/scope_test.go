package secrets_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// The rules of a scope and of a run's id.
const (
	kind = "must be organization, workspace or user"
	id   = "must be 1 to 128 bytes of visible ASCII"
	run  = "must be 1 to 64 letters, digits, hyphens and underscores, and begin with a letter or digit"
)

func TestAScopeIsAKindAndAVisibleID(t *testing.T) {
	const (
		none = secrets.Kind(0)
		org  = secrets.Organization
		ws   = secrets.Workspace
		user = secrets.User
	)
	for _, c := range []struct {
		kind        secrets.Kind
		id          string
		field, rule string // "" if the scope is good
		text        string
	}{
		{org, "1", "", "", "organization:1"},
		{ws, "4711", "", "", "workspace:4711"},
		{user, "u-0123456789abcdef", "", "", "user:u-0123456789abcdef"},
		{ws, "!", "", "", "workspace:!"},
		{ws, "~", "", "", "workspace:~"},
		{ws, "a/b:c@d.e", "", "", "workspace:a/b:c@d.e"},
		{ws, strings.Repeat("x", 128), "", "", "workspace:" + strings.Repeat("x", 128)},

		{none, "", "scope.kind", kind, "invalid:"},
		{none, "1", "scope.kind", kind, "invalid:1"},
		{4, "1", "scope.kind", kind, "invalid:1"},
		{255, "1", "scope.kind", kind, "invalid:1"},
		{none, "not visible", "scope.kind", kind, "invalid:not visible"},
		{org, "", "scope.id", id, "organization:"},
		{ws, strings.Repeat("x", 129), "scope.id", id, "workspace:" + strings.Repeat("x", 129)},
		{ws, "a b", "scope.id", id, "workspace:a b"},
		{ws, " a", "scope.id", id, "workspace: a"},
		{ws, "a ", "scope.id", id, "workspace:a "},
		{ws, "a\tb", "scope.id", id, "workspace:a\tb"},
		{ws, "a\n", "scope.id", id, "workspace:a\n"},
		{ws, "a\x00", "scope.id", id, "workspace:a\x00"},
		{ws, "a\x1f", "scope.id", id, "workspace:a\x1f"},
		{ws, "a\x7f", "scope.id", id, "workspace:a\x7f"},
		{ws, "a\x80", "scope.id", id, "workspace:a\x80"},
		{ws, "a\xff", "scope.id", id, "workspace:a\xff"},
		{ws, "\u00e9", "scope.id", id, "workspace:\u00e9"},
		{ws, "a\u200b", "scope.id", id, "workspace:a\u200b"},
		{ws, "a\u202e", "scope.id", id, "workspace:a\u202e"},
		{user, "\uff11", "scope.id", id, "user:\uff11"},
	} {
		s := secrets.Scope{Kind: c.kind, ID: c.id}
		err := s.Check()
		if c.rule == "" && err != nil {
			t.Errorf("%v: %v", s, err)
		} else if c.rule != "" {
			checkInvalid(t, c.id, err, c.field, c.rule)
		}
		if s.String() != c.text {
			t.Errorf("String() = %q; want %q", s, c.text)
		}
		if zero := c.kind == 0 && c.id == ""; s.IsZero() != zero {
			t.Errorf("%v: IsZero() = %v", s, !zero)
		}
	}
}

func TestKindsAreOrderedFromTheBroadest(t *testing.T) {
	if !(0 < secrets.Organization && secrets.Organization < secrets.Workspace && secrets.Workspace < secrets.User) {
		t.Error("they are not")
	}
	for k := range 256 {
		want := map[secrets.Kind]string{1: "organization", 2: "workspace", 3: "user"}[secrets.Kind(k)]
		valid := want != ""
		if !valid {
			want = "invalid"
		}
		if got := secrets.Kind(k); got.String() != want || got.Valid() != valid {
			t.Errorf("kind %d is %q, valid %v; want %q, %v", k, got, got.Valid(), want, valid)
		}
	}
}

var (
	validRunIDs = append(strings.Fields(`
		1 a Z 0 r1 2xF9yQ4mT run-1 run_1 a- a_ a-- a__b 9_-_9 01234567-89ab-cdef-0123-456789abcdef 20260101T120000Z-42`),
		strings.Repeat("x", 64), "0"+strings.Repeat("-", 63))
	invalidRunIDs = []string{
		"", "-", "_", "-a", "_a", "--", "-rf", strings.Repeat("x", 65), strings.Repeat("x", 1<<20),
		".", "..", "a.", "a..", ".a", "../a", "a/b", "/a", "a/", "a\\b", "C:", "a:b", "~a", "a~", "a b", " a", "a ", "a\t", "a\n", "\na", "a\x00",
		"a\x7f", "a\x80", "a\xff", "\u00e9", "a\u00e9", "\u0430" /* Cyrillic a */, "\uff11" /* full-width 1 */, "a\u200b", "a\u202e", "a\u2010b" /* hyphen */, "a\u2212b", /* minus */
		"$a", "a$(id)", "a;b", "a|b", "a&b", "a*", "a?", "a[b]", "a{b}", "a'b", `a"b`, "a`b", "a<b", "a>b", "a=b", "a%b", "a,b", "a@b", "a#b", "a+b",
		"a!b", "a^b", "a(b)", "a/", "a@", "a[", "a`",
	}
)

func TestARunIDCanStandInAPathALabelAndACommandLine(t *testing.T) {
	for _, s := range validRunIDs {
		if r, err := secrets.ParseRunID(s); err != nil || r.String() != s || r.IsZero() {
			t.Errorf("%q: %v, %v", s, r, err)
		}
	}
	for _, s := range invalidRunIDs {
		r, err := secrets.ParseRunID(s)
		checkInvalid(t, s, err, "run", run)
		if !r.IsZero() || r.String() != "" {
			t.Errorf("%q: refused, and yet the id %v", s, r)
		}
	}
}

func TestARunIDGoesThroughJSONAndBack(t *testing.T) {
	type document struct {
		Run   secrets.RunID
		ByKey map[secrets.RunID]int
	}
	for _, s := range validRunIDs {
		r, err := secrets.ParseRunID(s)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(document{r, map[secrets.RunID]int{r: 1}})
		if want := fmt.Sprintf(`{"Run":%q,"ByKey":{%[1]q:1}}`, s); err != nil || string(text) != want {
			t.Errorf("%s, %v; want %s", text, err, want)
		}
		var out document
		if err := json.Unmarshal(text, &out); err != nil || out.Run != r || out.ByKey[r] != 1 {
			t.Errorf("%s came back as %+v, %v", text, out, err)
		}
	}
	before, err := secrets.ParseRunID("before")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range invalidRunIDs {
		r := before
		checkInvalid(t, s, r.UnmarshalText([]byte(s)), "run", run)
		if r != before {
			t.Errorf("%q: refused, and yet the id became %v", s, r)
		}
	}
}
