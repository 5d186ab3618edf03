package rbac

import "github.com/pipesecrets/pipesecrets/secrets"

// Grant gives a role in one scope.
type Grant struct {
	Scope secrets.Scope
	Role  Role
}

// Caller is who asks: a user, a service, or the library's own upkeep as an
// operator. The host has authenticated it and vouches for its grants. The zero
// Caller is a service without grants, which may do nothing.
type Caller struct {
	// User is the host's immutable id of a user, the ID of that user's scope.
	// Empty for a service, which has no secrets of its own.
	User string
	// Label tells a service or an operator from others, in events and as the owner
	// of the runs it launched. Like User it is at most 128 bytes of visible ASCII;
	// whoever breaks that may do nothing.
	Label  string
	Grants []Grant // a caller's own, and those of its teams

	operator bool
}

// Operator returns the caller for work that nobody asked for: to sweep, rewrap,
// renew or complete. It may operate on every scope and has no other permission,
// whatever user or grants are set on it. The label is the host's, and tells operators
// apart in events.
func Operator(label string) Caller { return Caller{Label: label, operator: true} }

// IsOperator reports whether the caller was made by [Operator]: for what concerns
// the installation rather than a scope. Who breaks the rule for labels is none.
// Whether one may work is the policy's to say: see [Policy.Operates].
func (c Caller) IsOperator() bool { return c.operator && c.valid() }

// valid reports whether the caller's names are fit for events and scopes.
func (c Caller) valid() bool {
	for _, s := range []string{c.User, c.Label} {
		if s != "" && (secrets.Scope{Kind: secrets.User, ID: s}).Check() != nil {
			return false
		}
	}
	return true
}

// Name returns how events name the caller: "user:" and the id, "service:" and the
// label, or "operator:" and the label. The prefix keeps a label from passing for
// a user. It is "malformed" if User or Label breaks its rule.
func (c Caller) Name() string {
	switch {
	case !c.valid():
		return "malformed"
	case c.operator:
		return "operator:" + c.Label
	case c.User != "":
		return "user:" + c.User
	}
	return "service:" + c.Label
}
