package rbac

import (
	"maps"
	"slices"
)

// Policy says what each role may do. It is immutable and safe for concurrent use.
// The zero Policy denies everything, a user's own secrets and an operator's work
// included.
type Policy struct {
	roles map[Role]permissionSet // nil in the zero Policy only
}

// Default returns the policy of the package's table: only owners and admins write
// and delete.
func Default() Policy {
	const (
		read    = 1 << Read
		manage  = 1<<Write | 1<<Delete
		use     = 1 << Use
		operate = 1 << Operate
	)
	return Policy{map[Role]permissionSet{
		Owner:           read | manage | use | operate,
		Admin:           read | manage | use | operate,
		Maintain:        read | use | operate,
		Launch:          read | use,
		Connect:         read,
		View:            read,
		OrgOwner:        read | manage | use | operate,
		OrgMember:       read,
		OrgCollaborator: 0,
	}}
}

// Seqera returns [Default] where Maintain writes and deletes too, as in Seqera
// Platform.
func Seqera() Policy {
	p := Default()
	p.roles[Maintain] |= 1<<Write | 1<<Delete
	return p
}

// New returns a policy with exactly these roles; what is granted of any other has
// no meaning. It fails with a *secrets.InvalidError for "role" or "permission".
func New(roles map[Role][]Permission) (Policy, error) {
	p := Policy{make(map[Role]permissionSet, len(roles))}
	for _, role := range slices.Sorted(maps.Keys(roles)) { // so that of several errors it is always the same
		if err := p.set(role, roles[role]); err != nil {
			return Policy{}, err
		}
	}
	return p, nil
}

// With returns a copy of p where the role has exactly these permissions, whatever
// it had before. It fails with a *secrets.InvalidError for "role" or
// "permission". On the zero Policy it does what [New] does.
func (p Policy) With(role Role, permissions ...Permission) (Policy, error) {
	changed := Policy{make(map[Role]permissionSet, len(p.roles)+1)}
	maps.Copy(changed.roles, p.roles)
	if err := changed.set(role, permissions); err != nil {
		return Policy{}, err
	}
	return changed, nil
}

// Operates reports whether the caller is an operator whom the policy lets work: for
// what concerns the installation rather than a scope, where [Policy.Decide] says the
// same. Under the zero Policy nobody does.
func (p Policy) Operates(c Caller) bool { return p.roles != nil && c.IsOperator() }

func (p Policy) set(role Role, permissions []Permission) error {
	if err := role.check(); err != nil {
		return err
	}
	set, err := setOf(permissions)
	if err != nil {
		return err
	}
	p.roles[role] = set
	return nil
}
