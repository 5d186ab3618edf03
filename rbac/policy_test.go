package rbac_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	. "github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
)

var all = rapid.SliceOfN(rapid.SampledFrom(permissions), 0, 5)

// everyone returns the decisions of a policy for each role, granted in every scope.
func everyone(p Policy) []Decision {
	var all []Decision
	for _, r := range roles {
		var everywhere []Grant
		for _, s := range scopes {
			everywhere = append(everywhere, Grant{s, r})
		}
		all = append(all, decideAll(p, service(everywhere...), parent)...)
	}
	return all
}

func TestWithNeverChangesTheOriginal(t *testing.T) {
	check(t, func(t *rapid.T, met coverage, policy Policy) {
		role := rapid.SampledFrom(roles[:len(roles)-1]).Draw(t, "role")
		permissions := all.Draw(t, "permissions")
		before := everyone(policy)
		changed, err := policy.With(role, permissions...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := changed.With(role, Use); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(before, everyone(policy)) {
			t.Fatal("the original changed")
		}
		met.count("the copy differs", !slices.Equal(before, everyone(changed)))

		// In the copy the role has just these, where it counts.
		s := ownWork
		if strings.HasPrefix(string(role), "org-") {
			s = ownOrg
		}
		for p := Read; p <= Operate; p++ {
			if got := changed.Decide(service(Grant{s, role}), p, s, parent(s)).Allowed; got != slices.Contains(permissions, p) {
				t.Fatalf("%s: %s is %v", role, p, got)
			}
		}
	})
}

func TestSeqeraDiffersFromDefaultInMaintainOnly(t *testing.T) {
	p, err := Default().With(Maintain, Read, Write, Delete, Use, Operate)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(everyone(p), everyone(Seqera())) {
		t.Error("Seqera is not Default with more rights for Maintain")
	}
	if slices.Equal(everyone(Default()), everyone(Seqera())) {
		t.Error("Seqera is Default")
	}
}

func TestNewKnowsOnlyTheRolesThatItIsGiven(t *testing.T) {
	given := map[Role][]Permission{Owner: {Read, Write}, "auditor": {Read}}
	p, err := New(given)
	if err != nil {
		t.Fatal(err)
	}
	given[Owner][0], given["auditor"] = Delete, []Permission{Write} // the policy is a copy
	for _, c := range []struct {
		role Role
		p    Permission
		want bool
	}{
		{Owner, Read, true}, {Owner, Write, true}, {Owner, Delete, false}, {Admin, Read, false}, {View, Read, false},
		{"auditor", Read, true}, {"auditor", Write, false},
	} {
		if got := p.Decide(service(Grant{ownWork, c.role}), c.p, ownWork, ownOrg).Allowed; got != c.want {
			t.Errorf("%s, %s: %v", c.role, c.p, got)
		}
	}
	if p.Decide(service(Grant{ownOrg, OrgOwner}), Read, ownWork, ownOrg).Allowed {
		t.Error("an org-owner that the policy does not know reads")
	}
}

func TestAPolicyWithoutRolesStillLeavesUsersTheirOwn(t *testing.T) {
	p, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !p.Decide(grants(), Write, ownUser, secrets.Scope{}).Allowed || !p.Decide(Operator(""), Operate, ownWork, ownOrg).Allowed {
		t.Error("denied")
	}
	if p.Decide(grants(Grant{ownWork, Owner}), Read, ownWork, ownOrg).Allowed {
		t.Error("a role without permissions reads")
	}
}

func TestBadRolesAndPermissionsAreRefused(t *testing.T) {
	for _, c := range []struct {
		role  Role
		p     Permission
		field string // "" if it is accepted
	}{
		{"a", Read, ""},
		{"0-", Operate, ""},
		{Role(strings.Repeat("z", MaxRole)), Use, ""},
		{"", Read, "role"},
		{Role(strings.Repeat("z", MaxRole+1)), Read, "role"},
		{"Owner", Read, "role"},
		{"a b", Read, "role"},
		{"a_b", Read, "role"},
		{"a\n", Read, "role"},
		{"a\x00", Read, "role"},
		{"é", Read, "role"},
		{"a`", Read, "role"}, // the byte before a
		{"a{", Read, "role"}, // after z
		{"a/", Read, "role"}, // before 0
		{"a:", Read, "role"}, // after 9
		{"a", 0, "permission"},
		{"a", Operate + 1, "permission"},
		{"a", 255, "permission"},
	} {
		_, err := New(map[Role][]Permission{Owner: {Read}, c.role: {Read, c.p}})
		p, withErr := Default().With(c.role, Read, c.p)
		for _, err := range []error{err, withErr} {
			var invalid *secrets.InvalidError
			if errors.As(err, &invalid) != (c.field != "") || err != nil && (invalid.Field != c.field || !errors.Is(err, secrets.ErrInvalid)) {
				t.Errorf("%q, %d: %v, want a refusal of %q", c.role, c.p, err, c.field)
			}
			if err != nil && len(c.role) > 2 && strings.Contains(err.Error(), string(c.role)) {
				t.Errorf("%v quotes the role", err)
			}
		}
		if withErr != nil && p.Decide(grants(), Read, ownUser, secrets.Scope{}).Allowed {
			t.Errorf("%q, %d: refused, and yet a policy", c.role, c.p)
		}
	}
}

func TestOfSeveralErrorsNewAlwaysTellsTheSame(t *testing.T) {
	for range 50 {
		_, err := New(map[Role][]Permission{"a": {0}, "B": {Read}, "c": {9}, "": {Read}})
		var invalid *secrets.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != "role" {
			t.Fatal(err)
		}
	}
}

func TestALabelNeverPassesForAUser(t *testing.T) {
	both := Caller{User: "ana", Label: "rotation"}
	op := Operator("sweep")
	op.User = "ana"
	for _, c := range []struct {
		caller Caller
		want   string
	}{
		{Caller{User: "ana"}, "user:ana"},
		{both, "user:ana"},
		{Caller{Label: "rotation"}, "service:rotation"},
		{Caller{Label: "user:ana"}, "service:user:ana"},
		{Caller{Label: "operator:sweep"}, "service:operator:sweep"},
		{Operator("sweep"), "operator:sweep"},
		{Operator("user:ana"), "operator:user:ana"},
		{op, "operator:sweep"},
		{Caller{}, "service:"},
	} {
		if got := c.caller.Name(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
		if c.caller.IsOperator() != strings.HasPrefix(c.want, "operator:") {
			t.Errorf("%q: operator %v", c.want, c.caller.IsOperator())
		}
	}
}

func TestPermissionsHaveNames(t *testing.T) {
	want := []string{"invalid", "read", "write", "delete", "use", "operate", "invalid"}
	for p, name := range want {
		if got := Permission(p).String(); got != name {
			t.Errorf("%d is %q", p, got)
		}
	}
	if got := Permission(255).String(); got != "invalid" {
		t.Error(got)
	}
}

func TestWhyNamesTheRuleAndNoID(t *testing.T) {
	const id = "4711"
	work := secrets.Scope{Kind: secrets.Workspace, ID: id}
	org := secrets.Scope{Kind: secrets.Organization, ID: id}
	me := secrets.Scope{Kind: secrets.User, ID: id}
	caller := func(g ...Grant) Caller { return Caller{User: "ana-" + id, Grants: g} }
	for _, c := range []struct {
		c    Caller
		p    Permission
		s    secrets.Scope
		want string
	}{
		{caller(Grant{work, Owner}, Grant{work, Admin}), Write, work, "role admin on the workspace"},
		{caller(Grant{work, View}, Grant{work, Launch}), Use, work, "role launch on the workspace"},
		{caller(Grant{org, OrgOwner}), Write, work, "role org-owner on the workspace's organization"},
		{caller(Grant{org, OrgOwner}, Grant{work, View}), Write, work, "role org-owner on the workspace's organization"},
		{caller(Grant{org, OrgMember}), Read, org, "role org-member on the organization"},
		{caller(Grant{work, View}), Write, work, "no role of the caller's here gives write"},
		{caller(Grant{org, OrgMember}), Write, work, "the caller has no role here"},
		{caller(), Read, me, "another user's secrets"},
		{Caller{User: id}, Read, me, "the user's own secrets"},
		{Caller{User: id}, Operate, me, "there is nothing to operate on a user"},
		{Caller{Label: id}, Read, me, "a service has no user's secrets"},
		{Operator(id), Operate, work, "an operator operates everywhere"},
		{Operator(id), Read, work, "an operator may only operate"},
		{caller(), Read, secrets.Scope{ID: id}, "the scope is invalid"},
		{caller(), 9, work, "the permission is invalid"},
	} {
		if got := Default().Decide(c.c, c.p, c.s, org).Why; got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
