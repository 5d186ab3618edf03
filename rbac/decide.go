package rbac

import "github.com/pipesecrets/pipesecrets/secrets"

// Decision is the answer to whether a caller may do something.
type Decision struct {
	Allowed bool
	// Visible reports whether the caller may read the scope's metadata. Where it
	// is false, a denial is told as secrets.ErrNotFound, so that what the caller
	// may not know of and what does not exist are the same answer; else as
	// secrets.ErrDenied.
	Visible bool
	// Why names the rule that decided, for the audit log and for callers to whom
	// the scope is visible. It holds no ids.
	Why string
}

// Decide answers whether the caller may do p to the secrets of scope s.
//
// The organization is the one that workspace s belongs to, as the host knows it
// and never as the caller says; zero if there is none or s is no workspace. What
// is not a valid organization counts as none. An invalid scope and an invalid
// permission are denied.
func (policy Policy) Decide(c Caller, p Permission, s, organization secrets.Scope) Decision {
	switch {
	case policy.roles == nil:
		return Decision{Why: "the zero policy denies everything"}
	case !c.valid():
		return Decision{Why: "the caller's user or label is malformed"}
	case s.Check() != nil:
		return Decision{Why: "the scope is invalid"}
	case !p.valid():
		d := policy.Decide(c, Read, s, organization)
		return Decision{Visible: d.Visible, Why: "the permission is invalid"}
	case c.operator:
		if p == Operate {
			return Decision{Allowed: true, Why: "an operator operates everywhere"}
		}
		return Decision{Why: "an operator may only operate"}
	case s.Kind == secrets.User:
		return decideUser(c, p, s)
	}
	return policy.decideRoles(c, p, s, organization)
}

// decideUser is about a user's own secrets, where no role has a say.
func decideUser(c Caller, p Permission, s secrets.Scope) Decision {
	switch {
	case c.User == "":
		return Decision{Why: "a service has no user's secrets"}
	case c.User != s.ID:
		return Decision{Why: "another user's secrets"}
	case p == Operate:
		return Decision{Visible: true, Why: "there is nothing to operate on a user"}
	}
	return Decision{Allowed: true, Visible: true, Why: "the user's own secrets"}
}

// decideRoles takes the union of the grants. Of several that give p, the role
// first in the alphabet is told, so that their order does not matter.
func (policy Policy) decideRoles(c Caller, p Permission, s, organization secrets.Scope) Decision {
	owned := s.Kind == secrets.Workspace && organization.Kind == secrets.Organization && organization.Check() == nil
	var d Decision
	var by Role // gives p
	var where string
	hasRole := false
	for _, g := range c.Grants {
		here := g.Scope == s && g.Role.counts(s.Kind)
		above := owned && g.Scope == organization && g.Role == OrgOwner
		set, known := policy.roles[g.Role]
		if !known || !here && !above {
			continue
		}
		hasRole = true
		d.Visible = d.Visible || set.has(Read)
		if set.has(p) && (by == "" || g.Role < by) {
			by, where = g.Role, "on the "+s.Kind.String()
			if above {
				where = "on the workspace's organization"
			}
		}
	}
	switch {
	case by != "":
		d.Allowed, d.Why = true, "role "+string(by)+" "+where
	case hasRole:
		d.Why = "no role of the caller's here gives " + p.String()
	default:
		d.Why = "the caller has no role here"
	}
	return d
}
