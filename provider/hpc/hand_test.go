//go:build unix

package hpc_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pipesecrets/pipesecrets/internal/component"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Users of these tests.
const (
	jobUser   = 1234
	otherUser = 4321
)

// sharedRoot is a staging root that every user can pass and, on purpose, list.
func sharedRoot(t *testing.T) string {
	t.Helper()
	root := filepath.Join(public(t), "root")
	if err := errors.Join(os.Mkdir(root, 0o700), os.Chmod(root, 0o755)); err != nil {
		t.Fatal(err)
	}
	return root
}

// everything is each path of a run.
func everything(t *testing.T, dir string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	if err != nil || len(paths) != 5 { // two directories, the secret, env.sh, store.json
		t.Fatalf("there is %q (%v)", paths, err)
	}
	return paths
}

// reads is the part of the process of another user, which is told what it can
// read and what it can't: files, and directories to list.
func reads(t *testing.T) bool {
	for line := range strings.Lines(told()) {
		verdict, path, _ := strings.Cut(strings.TrimSpace(line), " ")
		_, listed := os.ReadDir(path)
		_, read := os.ReadFile(path)
		_, written := os.OpenFile(path, os.O_WRONLY, 0)
		switch able := listed == nil || read == nil || written == nil; {
		case able != (verdict == "allowed"):
			t.Errorf("%s: it says %v, %v, %v", line, listed, read, written)
		case !able && !(errors.Is(listed, fs.ErrPermission) && errors.Is(read, fs.ErrPermission)):
			t.Errorf("%s: for another reason: %v, %v", line, listed, read)
		}
	}
	return told() != ""
}

func verdict(v string, paths ...string) string {
	return v + " " + strings.Join(paths, "\n"+v+" ") + "\n"
}

func TestAnotherUserReadsNothingAlsoWhereTheRootIsOpen(t *testing.T) {
	if reads(t) {
		return
	}
	component.Root(t)
	root := sharedRoot(t)
	control := filepath.Join(root, "control")
	if err := errors.Join(os.WriteFile(control, nil, 0o600), os.Chmod(control, 0o644)); err != nil {
		t.Fatal(err)
	}
	passes(t, againAs(t, otherUser, verdict("allowed", root, control)+verdict("denied", stagedFor(t, root, 0)...)))
}

func TestOnlyTheJobsUserReadsWhatRootHandedToIt(t *testing.T) {
	if reads(t) {
		return
	}
	component.Root(t)
	root := sharedRoot(t)
	paths := stagedFor(t, root, jobUser)
	for _, path := range paths {
		info, err := os.Lstat(path)
		if err != nil || info.Sys().(*syscall.Stat_t).Uid != jobUser || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is not handed over (%v)", path, err)
		}
	}
	passes(t, againAs(t, otherUser, verdict("allowed", root)+verdict("denied", paths...)))
	passes(t, againAs(t, jobUser, verdict("allowed", paths...)))
}

func stagedFor(t *testing.T, root string, uid int) []string {
	t.Helper()
	d, _ := newDriver(t, hpc.Config{Root: root, JobUID: uid})
	o, open := staged(t, map[string][]byte{"TOKEN": canary()})
	id, err := d.Create(t.Context(), o, open)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(d.Environment(d.References(o, id))["PIPESECRETS_DIR"])
	t.Cleanup(func() {
		if err := d.Remove(context.Background(), o, id); err != nil {
			t.Error(err)
		}
	})
	return everything(t, dir)
}

func TestOnlyRootCanHandFilesToAnotherUser(t *testing.T) {
	refused := func(uid int) {
		t.Helper()
		_, err := hpc.New(hpc.Config{Root: t.TempDir(), JobUID: uid})
		var invalid *secrets.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != "job user" {
			t.Errorf("job user %d: got %v", uid, err)
		}
	}
	refused(-1)
	if os.Geteuid() == 0 {
		nobody := int64(1<<32 - 1) // to chown(2): leave it
		refused(int(nobody))
		asUser(t, jobUser)
		return
	}
	refused(otherUser)
	refused(os.Geteuid())
}

func TestWhatRootWithdrawsFromAHandedRunIsHandedAgain(t *testing.T) {
	component.Root(t)
	d, root := newDriver(t, hpc.Config{JobUID: jobUser})
	gone := canary()
	o, open := staged(t, map[string][]byte{"GONE": gone, "STAYS": canary()})
	id, err := d.Create(t.Context(), o, open)
	if err != nil {
		t.Fatal(err)
	}
	_, rest := staged(t, map[string][]byte{"STAYS": canary()})
	if err := d.Withdraw(t.Context(), o, id, rest); err != nil {
		t.Fatal(err)
	}
	for _, path := range everything(t, only(t, root)) {
		info, err := os.Lstat(path)
		if err != nil || info.Sys().(*syscall.Stat_t).Uid != jobUser {
			t.Errorf("%s is not handed over (%v)", path, err)
		}
		if content, err := os.ReadFile(path); err == nil && bytes.Contains(content, gone) {
			t.Errorf("%s has what was withdrawn", path)
		}
	}
}

func TestARootThatTheJobsUserCanNotPassIsRefused(t *testing.T) {
	component.Root(t)
	root := t.TempDir()
	for mode, ok := range map[fs.FileMode]bool{0o700: false, 0o744: false, 0o711: true, 0o710: true, 0o755: true} {
		if err := os.Chmod(root, mode); err != nil {
			t.Fatal(err)
		}
		_, err := hpc.New(hpc.Config{Root: root, JobUID: jobUser})
		var invalid *secrets.InvalidError
		if ok != (err == nil) || !ok && (!errors.As(err, &invalid) || invalid.Field != "staging root") {
			t.Errorf("%04o: got %v", mode, err)
		}
	}
}
