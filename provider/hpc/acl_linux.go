package hpc

import (
	"encoding/binary"
	"errors"
	"syscall"
)

// Extended attributes with POSIX ACLs, and what they hold, from the kernel's
// include/uapi/linux/posix_acl_xattr.h: a version, then entries of a tag, the
// permissions and an id, little-endian.
const (
	defaultACL    = "system.posix_acl_default"
	aclVersion    = 2
	aclHeader     = 4
	aclEntry      = 8
	aclNamedUser  = 0x02
	aclNamedGroup = 0x08
)

// inherits reports whether what is created in a directory gets an ACL by which
// others than its owner may be let in.
//
// Such an ACL does no harm as long as the group bits of a mode are zero, since
// these are its mask (acl(5)). One chmod of a task, and those whom the ACL names
// read the secrets that the group bits were given for.
//
// The directory's own ACL needs no look: it lets nobody write whom the mode does
// not show as its group, which is refused.
func inherits(path string) (bool, error) {
	acl := make([]byte, 1024)
	n, err := syscall.Getxattr(path, defaultACL, acl)
	switch {
	case errors.Is(err, syscall.ENODATA), errors.Is(err, syscall.EOPNOTSUPP):
		return false, nil
	case errors.Is(err, syscall.ERANGE): // it has over a hundred entries
		return true, nil
	case err != nil:
		return false, err
	}
	return namesSomebody(acl[:n]), nil
}

func namesSomebody(acl []byte) bool {
	if len(acl) < aclHeader || binary.LittleEndian.Uint32(acl) != aclVersion || len(acl[aclHeader:])%aclEntry != 0 {
		return true // it can't be judged
	}
	for at := aclHeader; at < len(acl); at += aclEntry {
		switch binary.LittleEndian.Uint16(acl[at:]) {
		case aclNamedUser, aclNamedGroup:
			return true
		}
	}
	return false
}
