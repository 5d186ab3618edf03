//go:build linux

package hpc_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/pipesecrets/pipesecrets/internal/component"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
)

func TestWhoStillHasARemovedFileOpenReadsNothing(t *testing.T) {
	d, root := newDriver(t, hpc.Config{})
	o, open := staged(t, map[string][]byte{"TOKEN": canary()})
	id, err := d.Create(t.Context(), o, open)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(only(t, root), "files", "TOKEN"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := d.Remove(t.Context(), o, id); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(f); err != nil || len(got) != 0 {
		t.Errorf("%d bytes are there still (%v)", len(got), err)
	}
}

func TestAFileThatHasAnotherNameIsNotEmptied(t *testing.T) {
	d, root := newDriver(t, hpc.Config{})
	o, open := staged(t, map[string][]byte{"TOKEN": canary()})
	id, err := d.Create(t.Context(), o, open)
	if err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(root, "outside")
	if err := errors.Join(os.WriteFile(outside, []byte("stays"), 0o600), os.Link(outside, filepath.Join(runIn(t, root), "linked"))); err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(t.Context(), o, id); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(outside); err != nil || string(got) != "stays" {
		t.Errorf("it holds %q (%v)", got, err)
	}
}

// runIn is the one run's directory in the root.
func runIn(t *testing.T, root string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, "psec-*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("there is %q (%v)", found, err)
	}
	return found[0]
}

func TestATreeOfAnyDepthIsRemovedWithFewDescriptors(t *testing.T) {
	d, root := newDriver(t, hpc.Config{})
	o, open := staged(t, map[string][]byte{"TOKEN": canary(), "OTHER": canary()})
	id, err := d.Create(t.Context(), o, open)
	if err != nil {
		t.Fatal(err)
	}
	_, rest := staged(t, map[string][]byte{"TOKEN": canary()})
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	few := limit
	few.Cur = 128
	for _, remove := range []func() error{
		func() error { return d.Withdraw(t.Context(), o, id, rest) },
		func() error { return d.Remove(t.Context(), o, id) },
	} {
		deepen(t, filepath.Join(only(t, root), "files"))
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
			t.Fatal(err)
		}
		err := remove()
		if err := errors.Join(err, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)); err != nil {
			t.Fatal(err)
		}
		for _, run := range entries(t, root) { // after the withdrawal
			if names := entries(t, filepath.Join(root, run)); len(names) != 3 {
				t.Errorf("there is %q", names)
			}
		}
	}
	empty(t, root)
}

// deepen makes a directory a thousand deep.
func deepen(t *testing.T, dir string) {
	t.Helper()
	at, err := os.OpenRoot(dir)
	for range 1000 {
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(at.Mkdir("d", 0o700), at.WriteFile("f", canary(), 0o600))
		next, failed := at.OpenRoot("d")
		err = errors.Join(err, failed, at.Close())
		at = next
	}
	if err := errors.Join(err, at.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestAPipeInThePlaceOfADirectoryStopsNobody(t *testing.T) {
	d, root := newDriver(t, hpc.Config{})
	o, open := staged(t, map[string][]byte{"TOKEN": canary(), "OTHER": canary()})
	id, err := d.Create(t.Context(), o, open)
	if err != nil {
		t.Fatal(err)
	}
	files := filepath.Join(only(t, root), "files")
	if err := errors.Join(os.Rename(files, files+"-away"), syscall.Mkfifo(files, 0o600)); err != nil {
		t.Fatal(err)
	}
	_, rest := staged(t, map[string][]byte{"TOKEN": canary()})
	if err := d.Withdraw(t.Context(), o, id, rest); err == nil {
		t.Error("it says that it withdrew")
	}
	if err := d.Remove(t.Context(), o, id); err != nil {
		t.Error(err)
	}
	empty(t, root)
}

// A user owns a directory in which another one has a directory: he can't empty
// that one. He moves his own into the run's directory, for root to do it.
func TestRootEmptiesNoDirectoryThatTheJobsUserCouldNot(t *testing.T) {
	component.Root(t)
	for _, victim := range []int{otherUser, 0} {
		d, root := newDriver(t, hpc.Config{JobUID: jobUser})
		o, open := staged(t, map[string][]byte{"TOKEN": canary()})
		id, err := d.Create(t.Context(), o, open)
		if err != nil {
			t.Fatal(err)
		}
		run := only(t, root)
		his := filepath.Join(run, "his")
		theirs := filepath.Join(his, "fresh-1")
		for range 2 {
			for _, err := range []error{
				os.MkdirAll(theirs, 0o700), os.Chown(his, jobUser, -1),
				os.WriteFile(filepath.Join(theirs, "work"), nil, 0o600),
				os.Chown(theirs, victim, -1),
				os.MkdirAll(filepath.Join(run, "fresh-2", "d"), 0o700), os.Chown(filepath.Join(run, "fresh-2"), otherUser, -1),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			refusedWith(t, provider.Forbidden, d.Remove(t.Context(), o, id))
			if _, err := os.Stat(filepath.Join(theirs, "work")); err != nil {
				t.Error(err)
			}
			if names := entries(t, run); len(names) != 2 {
				t.Errorf("what is the run's is there still: %q", names)
			}
		}
		if err := errors.Join(os.Remove(filepath.Join(theirs, "work")), os.Remove(filepath.Join(run, "fresh-2", "d"))); err != nil {
			t.Fatal(err)
		}
		if err := d.Remove(t.Context(), o, id); err != nil { // an empty one he could remove too
			t.Error(err)
		}
		empty(t, root)
	}
}

// A directory of root's in which everybody may make files and only their owners remove
// them, such as /tmp: who may move it may not empty it.
func TestRootEmptiesNoDirectoryThatWasMovedToWhereItsOwnAre(t *testing.T) {
	component.Root(t)
	d, root := newDriver(t, hpc.Config{JobUID: jobUser})
	o, open := staged(t, map[string][]byte{"TOKEN": canary(), "OTHER": canary()})
	id, err := d.Create(t.Context(), o, open)
	if err != nil {
		t.Fatal(err)
	}
	o.Epoch = 7
	moved := filepath.Join(only(t, root), "fresh-7")
	for _, err := range []error{
		os.Mkdir(moved, 0o700), os.Chmod(moved, os.ModeSticky|0o777),
		os.WriteFile(filepath.Join(moved, "work"), nil, 0o600), os.Chown(filepath.Join(moved, "work"), otherUser, -1),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	_, rest := staged(t, map[string][]byte{"TOKEN": canary()})
	refusedWith(t, provider.Forbidden, d.Withdraw(t.Context(), o, id, rest))
	refusedWith(t, provider.Forbidden, d.Remove(t.Context(), o, id))
	if _, err := os.Stat(filepath.Join(moved, "work")); err != nil {
		t.Error(err)
	}
}

// A mount stands for what a client of NFS keeps as .nfs* as long as a process has
// the removed file open: both are busy.
func TestALeftoverThatCanNotBeRemovedYetIsReported(t *testing.T) {
	onMounts(t, func(t *testing.T) {
		root := small(t, "")
		d, _ := newDriver(t, hpc.Config{Root: root})
		o, open := staged(t, map[string][]byte{"TOKEN": canary()})
		id, err := d.Create(t.Context(), o, open)
		if err != nil {
			t.Fatal(err)
		}
		run := only(t, root)
		busy := filepath.Join(run, ".nfs0000000000000001")
		if err := os.WriteFile(busy, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount(busy, busy, "", syscall.MS_BIND, ""); err != nil {
			t.Fatal("no mounts:", err)
		}
		refusedWith(t, provider.Unavailable, d.Remove(t.Context(), o, id))
		if presence, _, err := d.Probe(t.Context(), o); err != nil || presence != provider.Present {
			t.Errorf("probe says %v, %v", presence, err)
		}
		if names := entries(t, run); len(names) != 1 {
			t.Errorf("the rest is there still: %q", names)
		}
		if err := syscall.Unmount(busy, 0); err != nil {
			t.Fatal(err)
		}
		if err := d.Remove(t.Context(), o, id); err != nil {
			t.Error(err)
		}
	})
}

// countdown is a context that ends after so many looks at it.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestARemovalThatEndedAnywhereIsFinishedByTheNext(t *testing.T) {
	uid := 0
	if os.Geteuid() == 0 {
		uid = jobUser
	}
	for looks := 0; ; looks++ {
		d, root := newDriver(t, hpc.Config{JobUID: uid})
		o, open := staged(t, map[string][]byte{"TOKEN": canary()})
		id, err := d.Create(t.Context(), o, open)
		if err != nil {
			t.Fatal(err)
		}
		run := only(t, root)
		for _, dir := range []string{"work", "work/deep", "work/deep/er"} {
			path := filepath.Join(run, dir)
			err := errors.Join(os.Mkdir(path, 0o700), os.WriteFile(filepath.Join(path, "leftover"), canary(), 0o600))
			if uid != 0 {
				err = errors.Join(err, os.Chown(path, uid, -1))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		first := d.Remove(&countdown{t.Context(), looks}, o, id)
		if err := d.Remove(t.Context(), o, id); err != nil {
			t.Fatalf("after a first one that ended at look %d: %v", looks, err)
		}
		empty(t, root)
		if first == nil {
			if looks < 10 {
				t.Errorf("it has only %d points to end at", looks)
			}
			return
		}
	}
}
