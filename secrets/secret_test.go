package secrets_test

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/internal/leak"
	"github.com/pipesecrets/pipesecrets/secrets"
	"pgregory.net/rapid"
)

// The rules of what a caller chooses.
const (
	locked      = "a user's secret has no narrower scope to lock out"
	expires     = "must lie between the years 1970 and 9999"
	tooMany     = "may list at most 64"
	pipeline    = "each must be 1 to 512 bytes of printable text"
	description = "must be at most 500 bytes of printable text"
)

func TestCheckRefusesWhatBreaksARule(t *testing.T) {
	type secret = secrets.Secret
	canary := string(leak.Canary())
	list := func(p ...string) func(*secret) { return func(s *secret) { s.Policy.Pipelines = p } }
	expire := func(at time.Time) func(*secret) { return func(s *secret) { s.Policy.Expires = at } }
	describe := func(d string) func(*secret) { return func(s *secret) { s.Description = d } }
	west := time.FixedZone("west", -12*3600)
	for _, c := range []struct {
		what        string
		change      func(*secret)
		field, rule string // "" if the secret is good
	}{
		{"nothing changed", func(*secret) {}, "", ""},
		{"an organization's", func(s *secret) { s.Scope.Kind = secrets.Organization }, "", ""},
		{"a user's", func(s *secret) { s.Scope.Kind = secrets.User }, "", ""},
		{"locked", func(s *secret) { s.Policy.Locked = true }, "", ""},
		{"an organization's, locked", func(s *secret) { s.Policy.Locked, s.Scope.Kind = true, secrets.Organization }, "", ""},
		{"disabled", func(s *secret) { s.Policy.Disabled = true }, "", ""},
		{"a reserved name", func(s *secret) { s.Name = name(t, "PATH") }, "", ""}, // the host's to decide
		{"expires in the first second", expire(time.Unix(1, 0)), "", ""},
		{"expires in the last second", expire(time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)), "", ""},
		{"expired already", expire(time.Unix(1e9, 0)), "", ""},
		{"as many pipelines as may be", list(slices.Repeat([]string{canary}, 64)...), "", ""},
		{"the longest pipeline", list(strings.Repeat("p", 512)), "", ""},
		{"the shortest pipeline", list("p"), "", ""},
		{"a pipeline with signs", list("https://example.org/group/flow@sha256:00ff é 分析"), "", ""},
		{"no pipelines, not nil", list([]string{}...), "", ""},
		{"the longest description", describe(strings.Repeat("d", 500)), "", ""},
		{"a description with signs", describe("Wert für die “Probe” – № 7 分析 🔑"), "", ""},

		{"no name", func(s *secret) { s.Name = secrets.Name{} }, "name", length},
		{"no scope", func(s *secret) { s.Scope = secrets.Scope{} }, "scope.kind", kind},
		{"a scope of no kind", func(s *secret) { s.Scope = secrets.Scope{Kind: 9, ID: canary} }, "scope.kind", kind},
		{"a scope without id", func(s *secret) { s.Scope.ID = "" }, "scope.id", id},
		{"a bad scope id", func(s *secret) { s.Scope.ID = canary + "\n" }, "scope.id", id},
		{"a user's, locked", func(s *secret) { s.Policy.Locked, s.Scope.Kind = true, secrets.User }, "policy.locked", locked},
		{"expires at the epoch", expire(time.Unix(0, 999_999_999)), "policy.expires", expires},
		{"expires before the epoch", expire(time.Unix(-1, 0)), "policy.expires", expires},
		{"expires in the first year's first second", expire(time.Time{}.Add(1)), "policy.expires", expires},
		{"expires in the year 10000", expire(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)), "policy.expires", expires},
		{"expires in the year 10000, in the west still 9999", expire(time.Date(9999, 12, 31, 23, 0, 0, 0, west)), "policy.expires", expires},
		{"expires at the end of time", expire(time.Unix(math.MaxInt64, 0)), "policy.expires", expires},
		{"expires before the beginning of time", expire(time.Unix(math.MinInt64, 0)), "policy.expires", expires},
		{"a pipeline too many", list(slices.Repeat([]string{canary}, 65)...), "policy.pipelines", tooMany},
		{"a pipeline too long", list(canary, strings.Repeat("p", 513)), "policy.pipelines", pipeline},
		{"an empty pipeline", list(canary, ""), "policy.pipelines", pipeline},
		{"a pipeline of two lines", list(canary + "\n" + canary), "policy.pipelines", pipeline},
		{"a pipeline with a direction mark", list(canary + "\u202e"), "policy.pipelines", pipeline},
		{"a pipeline that is not UTF-8", list(canary + "\xff"), "policy.pipelines", pipeline},
		{"a description too long", describe(strings.Repeat("d", 501)), "description", description},
		{"a description too long in bytes", describe(strings.Repeat("é", 251)), "description", description},
		{"a description of two lines", describe(canary + "\n"), "description", description},
		{"a description with a tab", describe(canary + "\t"), "description", description},
		{"a description with a NUL", describe(canary + "\x00"), "description", description},
		{"a description with an escape", describe("\x1b[2J" + canary), "description", description},
		{"a description with a C1 control", describe(canary + "\u009b"), "description", description},
		{"a description with a line separator", describe(canary + "\u2028"), "description", description},
		{"a description with a zero-width space", describe(canary + "\u200b"), "description", description},
		{"a description with a no-break space", describe(canary + "\u00a0"), "description", description},
		{"a description that is not UTF-8", describe(canary + "\xc3\x28"), "description", description},
		{"a description with half a surrogate", describe(canary + "\xed\xa0\x80"), "description", description},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := secret{Name: name(t, "NAME"), Scope: secrets.Scope{Kind: secrets.Workspace, ID: canary}, Description: canary}
			s.Policy.Pipelines = []string{canary}
			c.change(&s)
			err := s.Check()
			if c.rule == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			checkInvalid(t, c.what, err, c.field, c.rule)
			if _, leaked := leak.Find([]byte(err.Error()), []byte(canary)); leaked {
				t.Errorf("the refusal quotes what was given: %v", err)
			}
		})
	}
}

func TestNoRefusalQuotesWhatWasGiven(t *testing.T) {
	canary := leak.Canary()
	_, byName := secrets.ParseName(string(canary) + "-")
	_, byRun := secrets.ParseRunID(string(canary) + "/")
	_, byValue := secrets.NewValue(slices.Repeat(canary, secrets.MaxValue))
	byScope := secrets.Scope{Kind: secrets.User, ID: string(canary) + " "}.Check()
	for _, err := range []error{byName, byRun, byValue, byScope} {
		if err == nil {
			t.Fatal("not refused")
		}
		if _, leaked := leak.Find([]byte(err.Error()), canary); leaked {
			t.Errorf("the refusal quotes what was given: %v", err)
		}
	}
}

// policies draws policies, their times from all that Time can say.
func policies() *rapid.Generator[secrets.Policy] {
	return rapid.Custom(func(t *rapid.T) secrets.Policy {
		zone := time.FixedZone("", rapid.IntRange(-14*3600, 14*3600).Draw(t, "zone"))
		p := secrets.Policy{Disabled: rapid.Bool().Draw(t, "disabled"), Locked: rapid.Bool().Draw(t, "locked")}
		if rapid.Bool().Draw(t, "expires") {
			p.Expires = time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).In(zone)
		}
		if rapid.Bool().Draw(t, "listed") {
			p.Pipelines = rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "B", "a ", "é", ""}), 0, 8).Draw(t, "pipelines")
		}
		return p
	})
}

func TestThereIsOneCanonicalFormOfAPolicy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := policies().Draw(t, "policy")
		before := p
		before.Pipelines = slices.Clone(p.Pipelines)

		c := p.Canonical()
		if !reflect.DeepEqual(p, before) {
			t.Fatalf("%+v was changed to %+v", before, p)
		}
		if again := c.Canonical(); !reflect.DeepEqual(again, c) {
			t.Fatalf("not idempotent: %+v, then %+v", c, again)
		}

		other := p
		other.Pipelines = rapid.Permutation(append(slices.Clone(p.Pipelines), p.Pipelines...)).Draw(t, "order")
		if !p.Expires.IsZero() {
			other.Expires = p.Expires.Truncate(time.Second).Add(time.Duration(rapid.IntRange(0, 999_999_999).Draw(t, "ns"))).In(time.UTC)
		}
		if got := other.Canonical(); !reflect.DeepEqual(got, c) {
			t.Fatalf("%+v and %+v differ as %+v and %+v", p, other, c, got)
		}

		if len(c.Pipelines) > 0 {
			c.Pipelines[0] += "changed"
			if !reflect.DeepEqual(p, before) {
				t.Fatal("the canonical form shares the argument's pipelines")
			}
		}
	})
}

func TestTheCanonicalFormAllowsWhatThePolicyAllows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := policies().Draw(t, "policy")
		c := p.Canonical()
		if c.Disabled != p.Disabled || c.Locked != p.Locked {
			t.Fatalf("%+v became %+v", p, c)
		}
		for _, pipeline := range []string{"a", "b", "c", "B", "a ", "é", "", "other"} {
			if p.Allows(pipeline) != c.Allows(pipeline) || p.Allows(pipeline) != (len(p.Pipelines) == 0 || slices.Contains(p.Pipelines, pipeline)) {
				t.Fatalf("%q: %v by %+v, %v by %+v", pipeline, p.Allows(pipeline), p, c.Allows(pipeline), c)
			}
		}
		if c.Expires.IsZero() != p.Expires.IsZero() || c.Expires.Nanosecond() != 0 || c.Expires.Location() != time.UTC {
			t.Fatalf("%v became %v", p.Expires, c.Expires)
		}
		if lost := p.Expires.Sub(c.Expires); lost < 0 || lost >= time.Second {
			t.Fatalf("%v became %v", p.Expires, c.Expires)
		}
	})
}

func TestAPolicyExpiresAtItsInstantAndNotBefore(t *testing.T) {
	at := time.Date(2030, 6, 1, 12, 0, 0, 0, time.UTC)
	p := secrets.Policy{Expires: at}
	for _, c := range []struct {
		now  time.Time
		over bool
	}{
		{at.Add(-1), false}, {at, true}, {at.Add(1), true}, {time.Time{}, false}, {at.AddDate(100, 0, 0), true},
		{at.In(time.FixedZone("east", 14*3600)), true}, {at.Add(-1).In(time.FixedZone("east", 14*3600)), false},
	} {
		if p.Expired(c.now) != c.over {
			t.Errorf("at %v: expired %v", c.now, !c.over)
		}
		if (secrets.Policy{}).Expired(c.now) {
			t.Errorf("at %v: a policy without an end expired", c.now)
		}
	}
}
