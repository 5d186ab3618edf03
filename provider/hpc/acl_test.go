//go:build linux

package hpc_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/pipesecrets/pipesecrets/internal/component"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Tags of the entries of a POSIX ACL.
const (
	owner, user, owningGroup, group, mask, others = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
)

type entry struct {
	tag, perm uint16
	id        uint32
}

// setACL gives a directory an ACL ("access" or "default") of these entries, which
// stand in the order of their tags.
func setACL(t *testing.T, path, kind string, entries []entry) {
	t.Helper()
	acl := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range entries {
		if e.tag != user && e.tag != group {
			e.id = ^uint32(0)
		}
		acl = binary.LittleEndian.AppendUint16(acl, e.tag)
		acl = binary.LittleEndian.AppendUint16(acl, e.perm)
		acl = binary.LittleEndian.AppendUint32(acl, e.id)
	}
	err := syscall.Setxattr(path, "system.posix_acl_"+kind, acl, 0)
	if errors.Is(err, syscall.EOPNOTSUPP) {
		component.Missing(t, "acl", "the filesystem of temporary files has no POSIX ACLs")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// allowing is an ACL that gives a user or a group some permissions, under a mask.
func allowing(tag, perm, masked uint16) []entry {
	named := entry{tag, perm, 1234}
	if tag == user {
		return []entry{{tag: owner, perm: 7}, named, {tag: owningGroup}, {tag: mask, perm: masked}, {tag: others}}
	}
	return []entry{{tag: owner, perm: 7}, {tag: owningGroup}, named, {tag: mask, perm: masked}, {tag: others}}
}

func TestAnACLThatWidensAccessIsRefusedAtFirstAndAtEachUse(t *testing.T) {
	plain := []entry{{tag: owner, perm: 7}, {tag: owningGroup, perm: 5}, {tag: others, perm: 5}}
	for _, c := range []struct {
		name, on, kind string
		acl            []entry
		ok             bool
	}{
		{"a user may write in the root", "root", "access", allowing(user, 7, 7), false},
		{"a group may write in the root", "root", "access", allowing(group, 7, 7), false},
		{"a user may write in a parent", "parent", "access", allowing(user, 3, 7), false},
		{"a group may write in a parent", "parent", "access", allowing(group, 3, 3), false},
		{"a user may pass the root", "root", "access", allowing(user, 1, 1), true},
		{"a user may read a parent", "parent", "access", allowing(user, 5, 5), true},
		{"a user might write in the root, but for the mask", "root", "access", allowing(user, 7, 5), true},
		{"a user is let into what is created", "root", "default", allowing(user, 7, 7), false},
		{"a group is let into what is created", "root", "default", allowing(group, 4, 4), false},
		{"a user would be let into what is created, but for the mask", "root", "default", allowing(user, 4, 0), false},
		{"owner, group and others, as a umask would", "root", "default", plain, true},
		{"a user is let into what is created in a parent", "parent", "default", allowing(user, 7, 7), true}, // the root is there already
	} {
		t.Run(c.name, func(t *testing.T) {
			paths := map[string]string{"parent": filepath.Join(t.TempDir(), "parent")}
			paths["root"] = filepath.Join(paths["parent"], "root")
			if err := os.MkdirAll(paths["root"], 0o700); err != nil {
				t.Fatal(err)
			}
			d, root := newDriver(t, hpc.Config{Root: paths["root"]})
			setACL(t, paths[c.on], c.kind, c.acl)

			_, err := hpc.New(hpc.Config{Root: root})
			var invalid *secrets.InvalidError
			switch {
			case c.ok && err != nil:
				t.Errorf("refused: %v", err)
			case !c.ok && (!errors.As(err, &invalid) || invalid.Field != "staging root"):
				t.Errorf("got %v", err)
			}
			o, open := staged(t, map[string][]byte{"TOKEN": canary()})
			if _, err := d.Create(t.Context(), o, open); (err == nil) != c.ok {
				t.Errorf("create says %v", err)
			}
			if names := entries(t, root); !c.ok && len(names) != 0 {
				t.Errorf("there is %q", names)
			}
		})
	}
}
