package rbac_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	. "github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
)

var (
	roles = []Role{Owner, Admin, Maintain, Launch, Connect, View, OrgOwner, OrgMember, OrgCollaborator, "eraser", "all", "unknown", ""}

	oddScopes = []secrets.Scope{{}, {Kind: secrets.Workspace}, {Kind: 9, ID: "1"}, {Kind: secrets.Organization},
		{Kind: secrets.User}, {Kind: secrets.Organization, ID: "not an id"}}

	anyScope = rapid.SampledFrom(slices.Concat(scopes, oddScopes))
	anyGrant = rapid.Custom(func(t *rapid.T) Grant {
		return Grant{anyScope.Draw(t, "scope"), rapid.SampledFrom(roles).Draw(t, "role")}
	})
	anyCaller = rapid.Custom(func(t *rapid.T) Caller {
		var c Caller
		if rapid.IntRange(0, 9).Draw(t, "operator") == 9 {
			c = Operator("1")
		}
		c.User = rapid.SampledFrom([]string{"1", "2", "3", ""}).Draw(t, "user")
		c.Grants = rapid.SliceOfN(anyGrant, 0, 5).Draw(t, "grants")
		return c
	})
	anyPermission = rapid.SampledFrom(append([]Permission{0, 6, 255}, permissions...))
)

// coverage counts the cases that a property met, so that one that met none of a
// kind fails rather than proving nothing.
type coverage map[string]int

func (c coverage) count(class string, met bool) {
	c[class] += map[bool]int{true: 1}[met]
}

func check(t *testing.T, property func(*rapid.T, coverage, Policy)) {
	t.Helper()
	met := coverage{}
	policy := custom(t, Default())
	for range 10 { // 1,000 cases, so that no class is missed by chance
		rapid.Check(t, func(t *rapid.T) { property(t, met, policy) })
	}
	for class, n := range met {
		if n == 0 {
			t.Errorf("no case of %q: the property is vacuous", class)
		}
	}
	t.Log(met)
}

// decideAll returns the decisions on every permission in every scope.
func decideAll(policy Policy, c Caller, organization func(secrets.Scope) secrets.Scope) []Decision {
	var all []Decision
	for _, s := range slices.Concat(scopes, oddScopes) {
		for p := range Operate + 2 {
			all = append(all, policy.Decide(c, p, s, organization(s)))
		}
	}
	return all
}

func TestAddingAGrantNeverTakesARightAway(t *testing.T) {
	check(t, func(t *rapid.T, met coverage, policy Policy) {
		c := anyCaller.Draw(t, "caller")
		more := c
		at := rapid.IntRange(0, len(c.Grants)).Draw(t, "at")
		more.Grants = slices.Insert(slices.Clone(c.Grants), at, anyGrant.Draw(t, "grant"))
		before, after := decideAll(policy, c, parent), decideAll(policy, more, parent)
		gained := false
		for i := range before {
			if before[i].Allowed && !after[i].Allowed || before[i].Visible && !after[i].Visible {
				t.Fatalf("%+v became %+v", before[i], after[i])
			}
			gained = gained || after[i].Allowed && !before[i].Allowed
		}
		met.count("a right was added", gained)
		met.count("no right was added", !gained)
	})
}

func TestSeveralGrantsAreTheUnionOfEachAlone(t *testing.T) {
	check(t, func(t *rapid.T, met coverage, policy Policy) {
		c := anyCaller.Draw(t, "caller")
		none := c
		none.Grants = nil
		want := decideAll(policy, none, parent)
		sources := 0
		for _, g := range c.Grants {
			alone := c
			alone.Grants = []Grant{g}
			gives := false
			for i, d := range decideAll(policy, alone, parent) {
				gives = gives || d.Allowed && !want[i].Allowed
				want[i].Allowed = want[i].Allowed || d.Allowed
				want[i].Visible = want[i].Visible || d.Visible
			}
			if gives {
				sources++
			}
		}
		for i, got := range decideAll(policy, c, parent) {
			if got.Allowed != want[i].Allowed || got.Visible != want[i].Visible {
				t.Fatalf("together %+v, alone %+v", got, want[i])
			}
		}
		met.count("several give something", sources > 1)
	})
}

func TestTheOrderOfGrantsNeverMatters(t *testing.T) {
	check(t, func(t *rapid.T, met coverage, policy Policy) {
		c := anyCaller.Draw(t, "caller")
		if len(c.Grants) < 2 {
			return
		}
		other := c
		other.Grants = rapid.Permutation(c.Grants).Draw(t, "order")
		if !slices.Equal(decideAll(policy, c, parent), decideAll(policy, other, parent)) {
			t.Fatal("another order, other decisions")
		}
		met.count("really another order", !slices.Equal(c.Grants, other.Grants))
	})
}

func TestTheZeroPolicyDeniesEverything(t *testing.T) {
	check(t, func(t *rapid.T, met coverage, policy Policy) {
		c := anyCaller.Draw(t, "caller")
		for _, d := range decideAll(Policy{}, c, parent) {
			if d.Allowed || d.Visible {
				t.Fatalf("%+v", d)
			}
		}
		allows := slices.ContainsFunc(decideAll(policy, c, parent), func(d Decision) bool { return d.Allowed })
		met.count("another policy allows something", allows)
	})
}

func TestAnOperatorOperatesTheInstallationIfAndOnlyIfOnEveryScope(t *testing.T) {
	check(t, func(t *rapid.T, met coverage, policy Policy) {
		c := anyCaller.Draw(t, "caller")
		if rapid.Bool().Draw(t, "zero policy") {
			policy = Policy{}
		}
		operates := policy.Operates(c)
		for _, s := range scopes {
			if c.IsOperator() && policy.Decide(c, Operate, s, parent(s)).Allowed != operates {
				t.Fatalf("on %v it is not %t", s, operates)
			}
		}
		if operates && !c.IsOperator() {
			t.Fatal("who is no operator operates")
		}
		met.count("operates", operates)
		met.count("an operator who does not", c.IsOperator() && !operates)
	})
}

func TestTheZeroCallerMayDoNothing(t *testing.T) {
	for _, policy := range []Policy{{}, Default(), Seqera(), custom(t, Default())} {
		for _, d := range decideAll(policy, Caller{}, parent) {
			if d.Allowed || d.Visible {
				t.Fatalf("%+v", d)
			}
		}
	}
}

func TestWhatIsInvalidIsDenied(t *testing.T) {
	check(t, func(t *rapid.T, met coverage, policy Policy) {
		c := anyCaller.Draw(t, "caller")
		p, s := anyPermission.Draw(t, "permission"), anyScope.Draw(t, "scope")
		c.Grants = append(slices.Clone(c.Grants), Grant{s, "all"}, Grant{s, OrgOwner})
		d := policy.Decide(c, p, s, parent(s))
		badScope, badPermission := s.Check() != nil, p < Read || p > Operate
		if (badScope || badPermission) && d.Allowed || badScope && d.Visible {
			t.Fatalf("%v on %v: %+v", p, s, d)
		}
		if d.Visible != policy.Decide(c, Read, s, parent(s)).Allowed {
			t.Fatalf("%v on %v: %+v is not what the caller may read", p, s, d)
		}
		met.count("bad scope", badScope)
		met.count("bad permission", badPermission)
		met.count("bad permission on a visible scope", badPermission && d.Visible)
		met.count("allowed", d.Allowed)
	})
}

func TestAnOrganizationGivesNothingExceptToItsOwner(t *testing.T) {
	check(t, func(t *rapid.T, met coverage, policy Policy) {
		c := anyCaller.Draw(t, "caller")
		claimed := anyScope.Draw(t, "claimed") // true or not, valid or not
		if rapid.Bool().Draw(t, "has a role in it") {
			role := rapid.SampledFrom([]Role{OrgOwner, OrgMember, "all", Owner}).Draw(t, "role")
			c.Grants = append(slices.Clone(c.Grants), Grant{claimed, role})
		}
		owns := claimed.Kind == secrets.Organization && claimed.Check() == nil && slices.Contains(c.Grants, Grant{claimed, OrgOwner})
		none := func(secrets.Scope) secrets.Scope { return secrets.Scope{} }
		with := decideAll(policy, c, func(secrets.Scope) secrets.Scope { return claimed })
		without := decideAll(policy, c, none)
		if !owns && !slices.Equal(with, without) {
			t.Fatalf("%v changed a decision", claimed)
		}
		met.count("the caller owns it", owns && !slices.Equal(with, without))
		met.count("the caller has another role in it", !owns && slices.ContainsFunc(c.Grants, func(g Grant) bool {
			return g.Scope == claimed && g.Role != OrgOwner && claimed.Kind == secrets.Organization
		}))
		met.count("the caller owns another", !owns && slices.ContainsFunc(c.Grants, func(g Grant) bool {
			return g.Role == OrgOwner && (g.Scope == ownOrg || g.Scope == otherOrg)
		}))
		met.count("it is no organization", !owns && slices.Contains(c.Grants, Grant{claimed, OrgOwner}))
	})
}

func TestNobodyReachesAnotherUsersSecrets(t *testing.T) {
	check(t, func(t *rapid.T, met coverage, policy Policy) {
		c := anyCaller.Draw(t, "caller")
		for _, s := range []secrets.Scope{ownUser, otherUser} {
			c.Grants = append(slices.Clone(c.Grants), Grant{s, "all"}, Grant{s, Owner}, Grant{s, OrgOwner})
			for _, p := range permissions {
				d := policy.Decide(c, p, s, ownOrg)
				own := !c.IsOperator() && c.User == s.ID
				if want := own && p != Operate || c.IsOperator() && p == Operate; d.Allowed != want || d.Visible != own {
					t.Fatalf("%s as %q on %s: %+v", p, c.User, s, d)
				}
				met.count("own", own)
				met.count("another's", !own && c.User != "")
				met.count("no user", c.User == "")
				met.count("operator", c.IsOperator())
			}
		}
	})
}
