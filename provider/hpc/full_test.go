//go:build linux

package hpc_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/pipesecrets/pipesecrets/internal/component"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// onMounts runs this test again in a mount namespace of its own, with a temporary
// filesystem as the root of all, so that an ordinary user can do it too.
func onMounts(t *testing.T, inside func(t *testing.T)) {
	t.Helper()
	if base := told(); base != "" {
		for _, err := range []error{
			syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
			syscall.Mount("tmpfs", base, "tmpfs", 0, "mode=0755"),
			syscall.Chroot(base),
			os.Chdir("/"),
			os.Mkdir("/tmp", 0o700),
			os.Setenv("TMPDIR", "/tmp"),
		} {
			if err != nil {
				t.Fatal("no mounts:", err)
			}
		}
		inside(t)
		return
	}
	cmd := again(t, t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil && (len(out) == 0 || bytes.Contains(out, []byte("no mounts:"))) {
		component.Missing(t, "mounts", "this process may not mount in a namespace of its own")
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// small mounts a filesystem of 64 KiB.
func small(t *testing.T, options string) string {
	t.Helper()
	root := t.TempDir()
	if err := syscall.Mount("tmpfs", root, "tmpfs", 0, "mode=0700,size=64k"+options); err != nil {
		t.Fatal("no mounts:", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(root, 0); err != nil { // something is open
			t.Error(err)
		}
	})
	return root
}

func statfs(t *testing.T, root string) syscall.Statfs_t {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(root, &st); err != nil {
		t.Fatal(err)
	}
	return st
}

// leave fills a filesystem up to so many blocks.
func leave(t *testing.T, root string, blocks int) {
	t.Helper()
	fill := filepath.Join(root, "fill")
	if err := os.Remove(fill); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	st := statfs(t, root)
	content := make([]byte, (int(st.Bfree)-blocks)*int(st.Bsize))
	if err := os.WriteFile(fill, content, 0o600); err != nil || int(statfs(t, root).Bfree) != blocks {
		t.Fatalf("%d blocks are left, not %d (%v)", statfs(t, root).Bfree, blocks, err)
	}
}

func refusedWith(t *testing.T, code provider.Code, err error) {
	t.Helper()
	var failure *provider.Error
	if !errors.As(err, &failure) || failure.Code != code {
		t.Errorf("got %v, want %v", err, code)
	}
}

// sized is a value of three blocks beside one of few bytes.
func sized() map[string][]byte {
	big := canary()
	return map[string][]byte{"BIG": bytes.Repeat(big, 2*os.Getpagesize()/len(big)+len(big)), "SMALL": canary()}
}

func TestAFullFilesystemHoldsNoPartOfASecretWhereverItFilledUp(t *testing.T) {
	onMounts(t, func(t *testing.T) {
		root := small(t, "")
		d, _ := newDriver(t, hpc.Config{Root: root})
		for blocks := 0; ; blocks++ {
			leave(t, root, blocks)
			before := statfs(t, root)
			o, open := staged(t, sized())
			id, err := d.Create(t.Context(), o, open)
			if err == nil {
				if blocks < 10 {
					t.Errorf("it had room in %d blocks: no write point was left out", blocks)
				}
				break
			}
			refusedWith(t, provider.Quota, err)
			after := statfs(t, root)
			if names := entries(t, root); len(names) != 1 || names[0] != "fill" || id != "" ||
				before.Bfree != after.Bfree || before.Ffree != after.Ffree {
				t.Fatalf("%d blocks: %q is left; %d blocks were free, now %d", blocks, names, before.Bfree, after.Bfree)
			}
			leave(t, root, 14)
			if _, err = d.Create(t.Context(), o, open); err != nil {
				t.Fatalf("%d blocks: again, with room: %v", blocks, err)
			}
			if err := d.Remove(t.Context(), o, ""); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestAFilesystemWithoutRoomForAnotherFileHoldsNoPartOfASecret(t *testing.T) {
	onMounts(t, func(t *testing.T) {
		root := small(t, "")
		d, _ := newDriver(t, hpc.Config{Root: root})
		const needed = 6 // two directories, two secrets, env.sh, store.json
		o, open := staged(t, sized())
		for free := range needed + 1 {
			st := statfs(t, root)
			options := "nr_inodes=" + strconv.Itoa(int(st.Files-st.Ffree)+free)
			if err := syscall.Mount("", root, "", syscall.MS_REMOUNT, options); err != nil {
				t.Fatal("no mounts:", err)
			}
			_, err := d.Create(t.Context(), o, open)
			if free == needed {
				if err != nil {
					t.Errorf("with room: %v", err)
				}
				break
			}
			refusedWith(t, provider.Quota, err)
			empty(t, root)
		}
	})
}

func TestAWithdrawalWithoutRoomLeavesNoPartOfANewFile(t *testing.T) {
	onMounts(t, func(t *testing.T) {
		root := small(t, "")
		d, _ := newDriver(t, hpc.Config{Root: root})
		plain := sized()
		o, open := staged(t, plain)
		id, err := d.Create(t.Context(), o, open)
		if err != nil {
			t.Fatal(err)
		}
		_, rest := staged(t, map[string][]byte{"BIG": plain["BIG"]})
		dir := filepath.Join(root, "psec-01020300000000000000000000000000-"+o.Name)
		for blocks := 0; ; blocks++ {
			leave(t, root, blocks)
			if err := d.Withdraw(t.Context(), o, id, rest); err == nil {
				if blocks < 3 {
					t.Errorf("it had room in %d blocks", blocks)
				}
				break
			} else {
				refusedWith(t, provider.Quota, err)
			}
			names := strings.Join(entries(t, dir), " ")
			if names != "env.sh files store.json" {
				t.Fatalf("%d blocks: there is %s", blocks, names)
			}
			if got, err := os.ReadFile(filepath.Join(dir, "store.json")); err != nil || !bytes.Contains(got, plain["BIG"]) {
				t.Fatalf("%d blocks: what a live job reads is gone or cut (%v)", blocks, err)
			}
		}
	})
}

func TestAReadOnlyFilesystemIsRefusedWithNothingHalfWritten(t *testing.T) {
	onMounts(t, func(t *testing.T) {
		root := small(t, "")
		d, _ := newDriver(t, hpc.Config{Root: root})
		remount := func(flags uintptr) {
			t.Helper()
			if err := syscall.Mount("", root, "", syscall.MS_REMOUNT|flags, ""); err != nil {
				t.Fatal("no mounts:", err)
			}
		}
		remount(syscall.MS_RDONLY)
		o, open := staged(t, sized())
		_, err := d.Create(t.Context(), o, open)
		refusedWith(t, provider.Forbidden, err)
		empty(t, root)

		// It becomes so between the directory and the values.
		remount(0)
		_, err = d.Create(t.Context(), o, func(ctx context.Context) (map[secrets.Name]secrets.Value, error) {
			remount(syscall.MS_RDONLY)
			return open(ctx)
		})
		refusedWith(t, provider.Forbidden, err)
		if names := entries(t, only(t, root)); len(names) != 0 {
			t.Errorf("there is %q", names)
		}
		refusedWith(t, provider.Forbidden, d.Remove(t.Context(), o, ""))
		remount(0)
		if err := d.Remove(t.Context(), o, ""); err != nil {
			t.Error(err)
		}
		empty(t, root)
	})
}
