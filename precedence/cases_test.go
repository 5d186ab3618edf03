package precedence_test

import (
	"slices"
	"testing"
	"time"

	. "github.com/pipesecrets/pipesecrets/precedence"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// TestResolve is the rule in cases. Each has secrets of one name, ALPHA.
func TestResolve(t *testing.T) {
	type have map[secrets.Kind]secrets.Policy
	var (
		plain     = secrets.Policy{}
		locked    = secrets.Policy{Locked: true}
		disabled  = secrets.Policy{Disabled: true}
		expired   = secrets.Policy{Expires: now.Add(-time.Hour)}
		lives     = secrets.Policy{Expires: now.Add(time.Second)}
		elsewhere = secrets.Policy{Pipelines: []string{"elsewhere"}}
		here      = secrets.Policy{Pipelines: []string{"elsewhere", "here"}}
	)
	from := func(k ...secrets.Kind) Request { return Request{Wants: []Want{{From: k}}} }
	optional := func(k ...secrets.Kind) Request { return Request{Wants: []Want{{From: k, Optional: true}}} }
	all := func(k ...secrets.Kind) Request { return Request{All: k} }
	const (
		byOrg  = "choice organization:id-organization"
		byWork = "choice workspace:id-workspace"
		byUser = "choice user:id-user"
		unmet  = "problem invalid: missing"
	)
	for _, c := range []struct {
		name string
		req  Request
		have have
		want string
	}{
		{"only the organization", from(), have{org: plain}, byOrg},
		{"workspace over organization", from(), have{org: plain, work: plain}, byWork},
		{"user over workspace", from(), have{org: plain, work: plain, user: plain}, byUser},
		{"user over organization", from(), have{org: plain, user: plain}, byUser},
		{"nobody, required", from(), have{}, unmet},
		{"nobody, optional", optional(), have{}, "absent"},

		{"listed organization", from(org), have{org: plain, work: plain, user: plain}, byOrg},
		{"listed workspace", from(work), have{org: plain, work: plain, user: plain}, byWork},
		{"two listed", from(work, org), have{org: plain, work: plain, user: plain}, byWork},
		{"listed twice", from(org, org), have{org: plain, user: plain}, byOrg},
		{"only where it is not listed", from(user), have{org: plain, work: plain}, unmet},
		{"only where it is not listed, optional", optional(user), have{org: plain, work: plain}, "absent"},

		{"locked organization", from(), have{org: locked, work: plain, user: plain}, byOrg},
		{"locked workspace", from(), have{org: plain, work: locked, user: plain}, byWork},
		{"both locked", from(), have{org: locked, work: locked, user: plain}, byOrg},
		{"a user's lock is none", from(), have{org: plain, work: plain, user: locked}, byUser},
		{"a user's lock is none where it is not listed", from(work), have{work: plain, user: locked}, byWork},
		{"a lock where it is not listed", from(user), have{org: locked, user: plain}, byOrg},
		{"a lock where it is not listed, and nobody else", from(user), have{work: locked}, byWork},

		{"disabled", from(), have{org: plain, work: plain, user: disabled}, "problem user:id-user disabled"},
		{"expired", from(), have{org: plain, work: plain, user: expired}, "problem user:id-user expired"},
		{"not allowed", from(), have{org: plain, work: plain, user: elsewhere}, "problem user:id-user not allowed for this pipeline"},
		{"disabled, optional", optional(), have{org: plain, work: disabled}, "problem workspace:id-workspace disabled"},
		{"expired, optional", optional(), have{org: plain, work: expired}, "problem workspace:id-workspace expired"},
		{"not allowed, optional", optional(), have{work: elsewhere}, "problem workspace:id-workspace not allowed for this pipeline"},
		{"locked and expired", from(), have{org: {Locked: true, Expires: now}, user: plain}, "problem organization:id-organization expired"},
		{"disabled and expired", from(), have{user: {Disabled: true, Expires: now}}, "problem user:id-user disabled"},
		{"all at once", from(), have{user: {Disabled: true, Expires: now, Pipelines: []string{"x"}}}, "problem user:id-user not allowed for this pipeline"},
		{"not yet expired", from(), have{user: lives}, byUser},
		{"allowed", from(), have{user: here}, byUser},
		{"bad losers", from(), have{org: expired, work: disabled, user: plain}, byUser},

		{"all of the workspace", all(work), have{org: plain, work: plain}, byWork},
		{"all of the workspace, the user's overrides", all(work), have{work: plain, user: plain}, byUser},
		{"all of the workspace, the organization's lock", all(work), have{org: locked, work: plain}, byOrg},
		{"all, addressed to others", all(work), have{work: elsewhere}, "withheld workspace:id-workspace not allowed for this pipeline"},
		{"all, addressed to others by the winner only", all(work), have{work: plain, user: elsewhere}, "withheld user:id-user not allowed for this pipeline"},
		{"all, addressed to others and expired", all(work), have{work: {Expires: now, Pipelines: []string{"x"}}}, "withheld workspace:id-workspace not allowed for this pipeline"},
		{"all, disabled", all(work), have{work: disabled}, "problem workspace:id-workspace disabled"},
		{"all, expired", all(work), have{work: expired}, "problem workspace:id-workspace expired"},
		{"all and wanted, addressed to others", Request{All: []secrets.Kind{work}, Wants: []Want{{Optional: true}}}, have{work: elsewhere},
			"problem workspace:id-workspace not allowed for this pipeline"},
		{"all looks everywhere, whatever a want lists", Request{All: []secrets.Kind{org}, Wants: []Want{{From: []secrets.Kind{org}}}},
			have{org: plain, user: plain}, byUser},

		{"wanted twice, once required", Request{Wants: []Want{{Optional: true}, {}, {Optional: true}}}, have{}, unmet},
		{"wanted twice, both optional", Request{Wants: []Want{{Optional: true}, {Optional: true}}}, have{}, "absent"},
		{"two lists are their union", Request{Wants: []Want{{From: []secrets.Kind{org}}, {From: []secrets.Kind{work}}}},
			have{org: plain, work: plain, user: plain}, byWork},
		{"no list absorbs a list", Request{Wants: []Want{{From: []secrets.Kind{org}}, {}}}, have{org: plain, user: plain}, byUser},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.req.Now, c.req.Pipeline = now, "here"
			for i := range c.req.Wants {
				c.req.Wants[i].Name = names[0]
			}
			var layers []Layer
			for _, k := range kinds {
				l := Layer{Scope: scope(k), Read: true}
				if p, ok := c.have[k]; ok {
					l.Secrets = []secrets.Secret{{Name: names[0], Scope: l.Scope, Policy: p}}
				}
				layers = append(layers, l)
			}
			if got := verdict(Resolve(c.req, layers...), names[0]); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestAllAsksForNothingThatItsScopesLack(t *testing.T) {
	w := full()
	w.Req = Request{All: []secrets.Kind{work}, Now: now}
	w.Layers[1].Secrets = nil
	if d := diff(Resolution{}, w.resolve()); d != "" {
		t.Error(d)
	}
	w.Req.All = []secrets.Kind{} // of no kind
	if d := diff(Resolution{}, w.resolve()); d != "" {
		t.Error(d)
	}
}

func TestAnExpiryAtExactlyNowHasExpired(t *testing.T) {
	for _, c := range []struct {
		after time.Duration
		want  string
	}{{-1, "problem user:id-user expired"}, {0, "problem user:id-user expired"}, {1, "choice user:id-user"}} {
		w := full()
		w.candidate(names[0], user).Policy.Expires = now.Add(c.after)
		if got := verdict(w.resolve(), names[0]); got != c.want {
			t.Errorf("expires %v after now: %s", c.after, got)
		}
		w.Req.Now = now.In(time.FixedZone("elsewhere", -5*3600)) // the same time, told otherwise
		if got := verdict(w.resolve(), names[0]); got != c.want {
			t.Errorf("expires %v after now, in another zone: %s", c.after, got)
		}
	}
}

func TestShadowsAreToldBroadestFirstAndWhy(t *testing.T) {
	for _, c := range []struct {
		name   string
		locked []secrets.Kind
		from   []secrets.Kind
		want   []Reason // of the two losers
	}{
		{"no lock", nil, nil, []Reason{Overridden, Overridden}},                                  // user wins
		{"no lock, listed", nil, []secrets.Kind{org}, []Reason{NotListed, NotListed}},            // organization wins
		{"no lock, two listed", nil, []secrets.Kind{org, work}, []Reason{Overridden, NotListed}}, // workspace wins
		{"organization locked", []secrets.Kind{org}, nil, []Reason{LockedOut, LockedOut}},
		{"organization and workspace locked", []secrets.Kind{org, work}, []secrets.Kind{org}, []Reason{LockedOut, LockedOut}},
		{"workspace locked", []secrets.Kind{work}, nil, []Reason{Overridden, LockedOut}},
		{"workspace locked, user listed", []secrets.Kind{work}, []secrets.Kind{user}, []Reason{NotListed, LockedOut}},
	} {
		w := full()
		w.Req.Wants[0].From = c.from
		for _, k := range c.locked {
			w.candidate(names[0], k).Policy.Locked = true
		}
		r := w.resolve()
		if len(r.Choices) != 1 || len(r.Choices[0].Shadowed) != 2 {
			t.Errorf("%s: %v", c.name, r)
			continue
		}
		s := r.Choices[0].Shadowed
		if got := []Reason{s[0].Why, s[1].Why}; !slices.Equal(got, c.want) || s[0].Secret.Scope.Kind > s[1].Secret.Scope.Kind {
			t.Errorf("%s: %v", c.name, s)
		}
	}
}

func TestTheChoiceIsTheWholeSecretAsGiven(t *testing.T) {
	run, err := secrets.ParseRunID("run-1")
	if err != nil {
		t.Fatal(err)
	}
	w := full()
	s := w.candidate(names[0], user)
	*s = secrets.Secret{
		Pin: secrets.Pin{ID: 42, Version: 7}, Name: names[0], Scope: scope(user),
		Policy:      secrets.Policy{Expires: now.Add(1), Pipelines: []string{"here", "b", "here"}},
		Description: "as given", CreatedAt: now, UpdatedAt: now, LastUsed: now, CreatedBy: "a", UpdatedBy: "b", LastRun: run,
	}
	if d := diff(*s, w.resolve().Choices[0].Winner); d != "" {
		t.Error(d)
	}
}

func TestZeroValuesAskNothingOrAreRefused(t *testing.T) {
	noTime := Refusal{Why: Malformed, Rule: "Now is zero, so that no expiry can be judged"}
	noScope := Refusal{Why: Malformed, Rule: "the layer's scope is invalid"}
	for _, c := range []struct {
		name string
		got  Resolution
		want Resolution
	}{
		{"nothing at all", Resolve(Request{}), Resolution{Refused: []Refusal{noTime}}},
		{"no layers, no wants", Resolve(Request{Now: now}), Resolution{}},
		{"no layers", Resolve(Request{Now: now, Wants: []Want{{Name: names[0]}}}), Resolution{Problems: []Problem{{Name: names[0], Why: Missing}}}},
		{"zero want", Resolve(Request{Now: now, Wants: []Want{{}}}), Resolution{Refused: []Refusal{{Why: Malformed, Rule: "a want has no name"}}}},
		{"zero layer", Resolve(Request{Now: now}, Layer{}), Resolution{Refused: []Refusal{{Why: Unread}, noScope}}},
	} {
		if d := diff(c.want, c.got); d != "" {
			t.Errorf("%s: want (-), got (+):\n%s", c.name, d)
		}
	}
	if (Resolution{}).Err() != nil {
		t.Error("the zero Resolution has an error")
	}
}
