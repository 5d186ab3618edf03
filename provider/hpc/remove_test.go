//go:build unix

package hpc_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestRemoveTakesWhateverATaskLeftInThereToo(t *testing.T) { removeLeftovers(t) }

// Permissions count for an ordinary user only: root starts this test again as one.
func TestRemoveTakesWhateverATaskLeftInThereTooForAnOrdinaryUser(t *testing.T) {
	if os.Geteuid() == 0 {
		asUser(t, 1234)
		return
	}
	removeLeftovers(t)
}

func removeLeftovers(t *testing.T) {
	d, root := newDriver(t, hpc.Config{})
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("stays"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, open := staged(t, map[string][]byte{"TOKEN": canary()})
	id, err := d.Create(t.Context(), o, open)
	if err != nil {
		t.Fatal(err)
	}
	dir := only(t, root)
	for _, err := range []error{
		os.WriteFile(filepath.Join(dir, ".nf-0123.secrets"), canary(), 0o600),
		os.MkdirAll(filepath.Join(dir, "work", "deep", "er"), 0o700),
		os.WriteFile(filepath.Join(dir, "work", "deep", "x"), canary(), 0o400),
		os.Symlink(outside, filepath.Join(dir, "link")),
		os.Symlink(filepath.Dir(outside), filepath.Join(dir, "work", "link-to-dir")),
		syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600),
		os.Chmod(filepath.Join(dir, "work", "deep", "er"), 0),
		os.Chmod(filepath.Join(dir, "work", "deep"), 0),
		os.Chmod(filepath.Join(dir, "files"), 0o500),
		os.Chmod(dir, 0o500),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Remove(t.Context(), o, id); err != nil {
		t.Error(err)
	}
	empty(t, root)
	if _, err := os.Stat(outside); err != nil {
		t.Error("what a link pointed to is gone:", err)
	}
	presence, _, err := d.Probe(t.Context(), o)
	if err != nil || presence != provider.Absent {
		t.Errorf("probe says %v, %v", presence, err)
	}
	if err := d.Remove(t.Context(), o, id); err != nil {
		t.Error("removing what is gone:", err)
	}
}

func TestWhatIsNotOursIsNeverRemoved(t *testing.T) {
	d, root := newDriver(t, hpc.Config{})
	o, open := staged(t, map[string][]byte{"TOKEN": canary()})
	id, err := d.Create(t.Context(), o, open)
	if err != nil {
		t.Fatal(err)
	}
	dir := only(t, root)
	// Somebody moved ours away and put another directory in its place.
	if err := errors.Join(os.Rename(dir, dir+".moved"), os.Mkdir(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	presence, other, err := d.Probe(t.Context(), o)
	if err != nil || presence != provider.Present || other == id {
		t.Errorf("probe says %v, %v, %v", presence, other, err)
	}
	var failure *provider.Error
	if err := d.Remove(t.Context(), o, id); !errors.As(err, &failure) || failure.Code != provider.NotOurs {
		t.Errorf("remove says %v", err)
	}
	if err := d.Withdraw(t.Context(), o, id, open); !errors.As(err, &failure) || failure.Code != provider.NotOurs {
		t.Errorf("withdraw says %v", err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}

func TestWithdrawLeavesTheOthersAndNothingOfTheWithdrawn(t *testing.T) {
	d, root := newDriver(t, hpc.Config{})
	gone, stays := canary(), canary()
	o, open := staged(t, map[string][]byte{"GONE": gone, "STAYS": stays})
	id, err := d.Create(t.Context(), o, open)
	if err != nil {
		t.Fatal(err)
	}
	dir := only(t, root)
	if err := os.WriteFile(filepath.Join(dir, ".nf-0123.secrets"), gone, 0o600); err != nil {
		t.Fatal(err)
	}
	_, rest := staged(t, map[string][]byte{"STAYS": stays})
	for range 2 { // it may be repeated
		if err := d.Withdraw(t.Context(), o, id, rest); err != nil {
			t.Fatal(err)
		}
		var all []byte
		files := 0
		err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				content, err := os.ReadFile(path)
				all = append(all, content...)
				files++
				return err
			}
			return err
		})
		if err != nil || files != 3 || bytes.Contains(all, gone) || bytes.Count(all, stays) != 3 {
			t.Fatalf("%d files; the withdrawn one is there: %t; the other %d times (%v)",
				files, bytes.Contains(all, gone), bytes.Count(all, stays), err)
		}
	}
}

func TestADeposedWithdrawPutsNothingBack(t *testing.T) {
	first, second, stays := canary(), canary(), canary()
	d, root := newDriver(t, hpc.Config{})
	o, open := staged(t, map[string][]byte{"FIRST": first, "SECOND": second, "STAYS": stays})
	id, err := d.Create(t.Context(), o, open)
	if err != nil {
		t.Fatal(err)
	}
	earlier, later := o, o
	earlier.Epoch, later.Epoch = 2, 3
	_, withoutFirst := staged(t, map[string][]byte{"SECOND": second, "STAYS": stays})
	_, withoutBoth := staged(t, map[string][]byte{"STAYS": stays})
	err = d.Withdraw(t.Context(), earlier, id, func(ctx context.Context) (map[secrets.Name]secrets.Value, error) {
		values, err := withoutFirst(ctx)
		// The pause, after the fence: a later actor pulls more.
		if err := d.Withdraw(ctx, later, id, withoutBoth); err != nil {
			t.Error(err)
		}
		return values, err
	})
	if err == nil {
		t.Error("the deposed one says that it withdrew")
	}
	err = filepath.WalkDir(only(t, root), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, first) || bytes.Contains(content, second) {
			t.Errorf("%s has a withdrawn value", e.Name())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
