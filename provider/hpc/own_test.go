//go:build unix

package hpc

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pipesecrets/pipesecrets/internal/component"
)

// Between making a directory within a run that was handed over and opening it, the
// run's user may put something else under its name.
func TestWhatWasPutInThePlaceOfANewDirectoryIsNotTakenForIt(t *testing.T) {
	component.Root(t)
	top := t.TempDir()
	aside := filepath.Join(top, "aside")
	mkdir := func(mode os.FileMode, uid int) func(string) error {
		return func(path string) error {
			return errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, mode), os.Chown(path, uid, -1))
		}
	}
	if err := mkdir(0o700, 0)(aside); err != nil {
		t.Fatal(err)
	}
	parent, err := os.OpenRoot(top)
	if err != nil {
		t.Fatal(err)
	}
	defer parent.Close()
	for name, c := range map[string]struct {
		put   func(path string) error
		taken bool
	}{
		"the new one itself":       {mkdir(0o700, 0), true},
		"with the bit of a group":  {mkdir(os.ModeSetgid|0o700, 0), true},
		"under a narrow umask":     {mkdir(0o500, 0), true},
		"a link to another":        {func(path string) error { return os.Symlink("aside", path) }, false},
		"one of the user's":        {mkdir(0o700, 1234), false},
		"one where all may write":  {mkdir(os.ModeSticky|0o777, 0), false},
		"one where some may write": {mkdir(0o770, 0), false},
	} {
		if err := c.put(filepath.Join(top, name)); err != nil {
			t.Fatal(err)
		}
		dir, err := openDir(parent, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := sameOwn(parent, name, dir); (err == nil) != c.taken {
			t.Errorf("%s: %v", name, err)
		}
		dir.Close()
	}
	// A link that is put there when the directory has been opened.
	dir, err := openDir(parent, "aside")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := sameOwn(parent, "a link to another", dir); !errors.Is(err, errSwapped) {
		t.Errorf("a link in the place of the one that was opened: %v", err)
	}
}
