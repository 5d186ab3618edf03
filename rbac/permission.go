package rbac

import "github.com/pipesecrets/pipesecrets/secrets"

// Permission is something that can be done with the secrets of a scope. The zero
// Permission is invalid and never given.
type Permission uint8

// The permissions. They are independent of each other: a role may delete without
// writing, or use what it may not read about.
const (
	Read    Permission = iota + 1 // metadata: names, policies, when last used; never a value
	Write                         // create and update
	Delete                        // delete and revoke
	Use                           // launch runs with them
	Operate                       // end and renew the runs of others
)

var permissionNames = [...]string{"invalid", "read", "write", "delete", "use", "operate"}

// String returns "read", "write", "delete", "use", "operate", or "invalid".
func (p Permission) String() string {
	if int(p) >= len(permissionNames) {
		p = 0
	}
	return permissionNames[p]
}

func (p Permission) valid() bool { return p >= Read && p <= Operate }

var errPermission = &secrets.InvalidError{Field: "permission", Rule: "must be read, write, delete, use or operate"}

// permissionSet is a set of valid permissions, as bits.
type permissionSet uint8

// setOf returns an InvalidError for "permission" if one is invalid.
func setOf(permissions []Permission) (permissionSet, error) {
	var set permissionSet
	for _, p := range permissions {
		if !p.valid() {
			return 0, errPermission
		}
		set |= 1 << p
	}
	return set, nil
}

func (s permissionSet) has(p Permission) bool { return p.valid() && s>>p&1 != 0 }
