package rbac_test

import (
	"strings"
	"testing"

	. "github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
)

var (
	ownWork   = secrets.Scope{Kind: secrets.Workspace, ID: "1"} // of ownOrg
	sibling   = secrets.Scope{Kind: secrets.Workspace, ID: "2"} // of ownOrg
	foreign   = secrets.Scope{Kind: secrets.Workspace, ID: "3"} // of otherOrg
	ownOrg    = secrets.Scope{Kind: secrets.Organization, ID: "1"}
	otherOrg  = secrets.Scope{Kind: secrets.Organization, ID: "2"}
	ownUser   = secrets.Scope{Kind: secrets.User, ID: "1"}
	otherUser = secrets.Scope{Kind: secrets.User, ID: "2"}

	permissions = []Permission{Read, Write, Delete, Use, Operate}
)

// parent is the host's knowledge of what belongs where.
func parent(s secrets.Scope) secrets.Scope {
	switch s {
	case ownWork, sibling:
		return ownOrg
	case foreign:
		return otherOrg
	}
	return secrets.Scope{}
}

func grants(g ...Grant) Caller { return Caller{User: "1", Label: "a-label", Grants: g} }

func service(g ...Grant) Caller { return Caller{Label: "1", Grants: g} }

func operator(g ...Grant) Caller {
	c := Operator("1")
	c.User, c.Grants = "1", g
	return c
}

// row is one caller and what it may do in each scope: a letter for each permission,
// in the order Read, Write, Delete, Use, Operate, or a hyphen.
type row struct {
	cells  string // own workspace, sibling, foreign; own organization, other; own user, other
	name   string
	caller Caller
}

var scopes = []secrets.Scope{ownWork, sibling, foreign, ownOrg, otherOrg, ownUser, otherUser}

// custom adds to a policy what the rows of custom roles need.
func custom(t *testing.T, p Policy) Policy {
	t.Helper()
	for role, permissions := range map[Role][]Permission{
		"eraser":  {Delete},
		"runner":  {Use},
		"all":     {Read, Write, Delete, Use, Operate},
		"nothing": nil,
	} {
		var err error
		if p, err = p.With(role, permissions...); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// common are the rows that Default and Seqera have in common.
var common = []row{
	// ownWork sibling foreign; ownOrg otherOrg; ownUser otherUser
	{"----- ----- ----- ----- ----- RWDU- -----", "no grants", grants()},
	{"----- ----- ----- ----- ----- ----- -----", "a service", service()},
	{"----- ----- ----- ----- ----- ----- -----", "nobody", Caller{}},
	{"----O ----O ----O ----O ----O ----O ----O", "operator", Operator("1")},
	{"----O ----O ----O ----O ----O ----O ----O", "operator with a user", operator()},

	{"RWDUO ----- ----- ----- ----- RWDU- -----", "owner", grants(Grant{ownWork, Owner})},
	{"RWDUO ----- ----- ----- ----- RWDU- -----", "admin", grants(Grant{ownWork, Admin})},
	{"R--U- ----- ----- ----- ----- RWDU- -----", "launch", grants(Grant{ownWork, Launch})},
	{"R---- ----- ----- ----- ----- RWDU- -----", "connect", grants(Grant{ownWork, Connect})},
	{"R---- ----- ----- ----- ----- RWDU- -----", "view", grants(Grant{ownWork, View})},

	{"RWDUO RWDUO ----- RWDUO ----- RWDU- -----", "org-owner", grants(Grant{ownOrg, OrgOwner})},
	{"----- ----- ----- R---- ----- RWDU- -----", "org-member", grants(Grant{ownOrg, OrgMember})},
	{"----- ----- ----- ----- ----- RWDU- -----", "org-collab", grants(Grant{ownOrg, OrgCollaborator})},

	// A role of one kind of scope, granted on another.
	{"----- ----- ----- ----- ----- RWDU- -----", "owner on org", grants(Grant{ownOrg, Owner})},
	{"----- ----- ----- ----- ----- RWDU- -----", "admin on org", grants(Grant{ownOrg, Admin})},
	{"----- ----- ----- ----- ----- RWDU- -----", "view on org", grants(Grant{ownOrg, View})},
	{"----- ----- ----- ----- ----- RWDU- -----", "org-owner on work", grants(Grant{ownWork, OrgOwner})},
	{"----- ----- ----- ----- ----- RWDU- -----", "org-member on work", grants(Grant{ownWork, OrgMember})},
	{"----- ----- ----- ----- ----- RWDU- -----", "owner on user", grants(Grant{otherUser, Owner})},
	{"----- ----- ----- ----- ----- RWDU- -----", "org-owner on user", grants(Grant{otherUser, OrgOwner})},
	{"----- ----- ----- ----- ----- RWDU- -----", "all on user", grants(Grant{otherUser, "all"})},
	{"----- ----- ----- ----- ----- RWDU- -----", "all on own user", grants(Grant{ownUser, "all"})},
	{"----- ----- ----- ----- ----- ----- -----", "service on user", service(Grant{ownUser, "all"})},

	// Custom and unknown roles.
	{"RWDUO ----- ----- ----- ----- RWDU- -----", "all on work", grants(Grant{ownWork, "all"})},
	{"----- ----- ----- RWDUO ----- RWDU- -----", "all on org", grants(Grant{ownOrg, "all"})},
	{"--D-- ----- ----- ----- ----- RWDU- -----", "eraser on work", grants(Grant{ownWork, "eraser"})},
	{"----- ----- ----- --D-- ----- RWDU- -----", "eraser on org", grants(Grant{ownOrg, "eraser"})},
	{"---U- ----- ----- ----- ----- ----- -----", "runner on work", service(Grant{ownWork, "runner"})},
	{"----- ----- ----- ----- ----- RWDU- -----", "nothing on work", grants(Grant{ownWork, "nothing"})},
	{"----- ----- ----- ----- ----- RWDU- -----", "unknown role", grants(Grant{ownWork, "root"})},
	{"----- ----- ----- ----- ----- RWDU- -----", "empty role", grants(Grant{ownWork, ""})},
	{"----- ----- ----- ----- ----- RWDU- -----", "OWNER in capitals", grants(Grant{ownWork, "OWNER"})},

	// Unions, and grants elsewhere.
	{"R---- RWDUO ----- ----- ----- RWDU- -----", "view and owner", grants(Grant{ownWork, View}, Grant{sibling, Owner})},
	{"R-DU- ----- ----- ----- ----- RWDU- -----", "launch and eraser", grants(Grant{ownWork, Launch}, Grant{ownWork, "eraser"})},
	{"----- R--U- ----- R---- ----- RWDU- -----", "member and launch", grants(Grant{ownOrg, OrgMember}, Grant{sibling, Launch})},
	{"----- ----- RWDUO ----- RWDUO RWDU- -----", "other org's owner", grants(Grant{otherOrg, OrgOwner})},
	{"RWDUO RWDUO RWDUO RWDUO RWDUO RWDU- -----", "owner of both", grants(Grant{otherOrg, OrgOwner}, Grant{ownOrg, OrgOwner})},
	{"RWDUO ----- ----- ----- ----- ----- -----", "service as owner", service(Grant{ownWork, Owner})},
	{"RWDUO RWDUO ----- RWDUO ----- ----- -----", "service as org-owner", service(Grant{ownOrg, OrgOwner})},
	{"----O ----O ----O ----O ----O ----O ----O", "operator with grants", operator(Grant{ownWork, Owner}, Grant{ownOrg, OrgOwner})},
}

// The rows where the two policies differ.
var (
	defaultOnly = []row{
		{"R--UO ----- ----- ----- ----- RWDU- -----", "maintain", grants(Grant{ownWork, Maintain})},
		{"----- ----- ----- ----- ----- RWDU- -----", "maintain on org", grants(Grant{ownOrg, Maintain})},
		{"R--UO ----- ----- ----- ----- RWDU- -----", "maintain, launch", grants(Grant{ownWork, Maintain}, Grant{ownWork, Launch})},
	}
	seqeraOnly = []row{
		{"RWDUO ----- ----- ----- ----- RWDU- -----", "maintain", grants(Grant{ownWork, Maintain})},
		{"----- ----- ----- ----- ----- RWDU- -----", "maintain on org", grants(Grant{ownOrg, Maintain})},
		{"RWDUO ----- ----- ----- ----- RWDU- -----", "maintain, launch", grants(Grant{ownWork, Maintain}, Grant{ownWork, Launch})},
	}
)

func TestDefaultDecidesAsTheTableSays(t *testing.T) { testTable(t, Default(), defaultOnly) }

func TestSeqeraDecidesAsTheTableSays(t *testing.T) { testTable(t, Seqera(), seqeraOnly) }

func testTable(t *testing.T, policy Policy, only []row) {
	policy = custom(t, policy)
	cells, allowed := 0, 0
	for _, r := range append(only, common...) {
		columns := strings.Fields(r.cells)
		if len(columns) != len(scopes) {
			t.Fatalf("%s: %d columns", r.name, len(columns))
		}
		for i, s := range scopes {
			if len(columns[i]) != len(permissions) {
				t.Fatalf("%s: %q", r.name, columns[i])
			}
			for j, p := range permissions {
				letter := columns[i][j]
				if letter != '-' && letter != "RWDUO"[j] {
					t.Fatalf("%s: %q", r.name, columns[i])
				}
				cells++
				want := letter != '-'
				if want {
					allowed++
				}
				d := policy.Decide(r.caller, p, s, parent(s))
				if d.Allowed != want || d.Visible != (columns[i][0] == 'R') || d.Why == "" {
					t.Errorf("%s, %s on %s: %+v, want %s", r.name, p, s, d, columns[i])
				}
			}
		}
	}
	if cells < 500 || allowed < 100 {
		t.Errorf("only %d cells, %d of them allowed", cells, allowed)
	}
	t.Logf("%d cells, %d of them allowed", cells, allowed)
}
