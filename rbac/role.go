package rbac

import (
	"fmt"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// Role names a set of permissions, which a [Policy] knows. A name is 1 to 64
// bytes of a-z, 0-9 and hyphens.
type Role string

// The roles in a workspace. They count only where they are granted on one.
const (
	Owner    Role = "owner"
	Admin    Role = "admin"
	Maintain Role = "maintain"
	Launch   Role = "launch"
	Connect  Role = "connect"
	View     Role = "view"
)

// The roles in an organization. They count only where they are granted on one.
const (
	OrgOwner        Role = "org-owner" // counts in every workspace of the organization too
	OrgMember       Role = "org-member"
	OrgCollaborator Role = "org-collaborator" // takes part in some workspaces; is nobody in the organization itself
)

// MaxRole is the largest length of a [Role] in bytes.
const MaxRole = 64

var errRole = &secrets.InvalidError{Field: "role", Rule: fmt.Sprintf("must be 1 to %d bytes of a-z, 0-9 and hyphens", MaxRole)}

// check returns nil, or an InvalidError for "role".
func (r Role) check() error {
	if len(r) == 0 || len(r) > MaxRole {
		return errRole
	}
	for i := range len(r) {
		if c := r[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return errRole
		}
	}
	return nil
}

// counts reports whether the role means anything where it is granted on a scope
// of this kind.
func (r Role) counts(k secrets.Kind) bool {
	switch r {
	case Owner, Admin, Maintain, Launch, Connect, View:
		return k == secrets.Workspace
	case OrgOwner, OrgMember, OrgCollaborator:
		return k == secrets.Organization
	}
	return k == secrets.Workspace || k == secrets.Organization
}
