//go:build unix

package hpc_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pipesecrets/pipesecrets/internal/component"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestARootThatOthersCouldSwapIsRefused(t *testing.T) {
	component.Root(t) // to give directories to others
	const other = 1234
	mkdir := func(t *testing.T, mode os.FileMode, uid int, under string, name string) string {
		t.Helper()
		dir := filepath.Join(under, name)
		if err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, mode), os.Chown(dir, uid, -1)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for _, c := range []struct {
		name string
		path func(t *testing.T, tmp string) string
		ok   bool
	}{
		{"mode 0700", func(t *testing.T, tmp string) string { return mkdir(t, 0o700, 0, tmp, "r") }, true},
		{"mode 0755", func(t *testing.T, tmp string) string { return mkdir(t, 0o755, 0, tmp, "r") }, true},
		{"group-writable", func(t *testing.T, tmp string) string { return mkdir(t, 0o770, 0, tmp, "r") }, false},
		{"world-writable", func(t *testing.T, tmp string) string { return mkdir(t, 0o777, 0, tmp, "r") }, false},
		{"world-writable and sticky", func(t *testing.T, tmp string) string { return mkdir(t, 0o777|os.ModeSticky, 0, tmp, "r") }, false},
		{"another's", func(t *testing.T, tmp string) string { return mkdir(t, 0o700, other, tmp, "r") }, false},
		{"sticky world-writable parent of root's", func(t *testing.T, tmp string) string {
			return mkdir(t, 0o700, 0, mkdir(t, 0o777|os.ModeSticky, 0, tmp, "p"), "r")
		}, true},
		{"sticky world-writable parent of another's", func(t *testing.T, tmp string) string {
			return mkdir(t, 0o700, 0, mkdir(t, 0o777|os.ModeSticky, other, tmp, "p"), "r")
		}, false},
		{"world-writable parent", func(t *testing.T, tmp string) string {
			return mkdir(t, 0o700, 0, mkdir(t, 0o777, 0, tmp, "p"), "r")
		}, false},
		{"group-writable grandparent", func(t *testing.T, tmp string) string {
			return mkdir(t, 0o700, 0, mkdir(t, 0o755, 0, mkdir(t, 0o775, 0, tmp, "g"), "p"), "r")
		}, false},
		{"parent of another's", func(t *testing.T, tmp string) string {
			return mkdir(t, 0o700, 0, mkdir(t, 0o755, other, tmp, "p"), "r")
		}, false},
		{"link to a good one", func(t *testing.T, tmp string) string {
			link := filepath.Join(tmp, "l")
			if err := os.Symlink(mkdir(t, 0o700, 0, tmp, "r"), link); err != nil {
				t.Fatal(err)
			}
			return link
		}, true},
		{"link to one in a world-writable parent", func(t *testing.T, tmp string) string {
			link := filepath.Join(tmp, "l")
			if err := os.Symlink(mkdir(t, 0o700, 0, mkdir(t, 0o777, 0, tmp, "p"), "r"), link); err != nil {
				t.Fatal(err)
			}
			return link
		}, false},
		{"link of another's to a good one", func(t *testing.T, tmp string) string {
			link := filepath.Join(mkdir(t, 0o777|os.ModeSticky, 0, tmp, "p"), "l")
			if err := errors.Join(os.Symlink(mkdir(t, 0o700, 0, tmp, "r"), link), os.Lchown(link, other, -1)); err != nil {
				t.Fatal(err)
			}
			return link
		}, false},
		{"under a link of another's", func(t *testing.T, tmp string) string {
			link := filepath.Join(mkdir(t, 0o777|os.ModeSticky, 0, tmp, "p"), "l")
			if err := errors.Join(os.Symlink(filepath.Dir(mkdir(t, 0o700, 0, tmp, "r")), link), os.Lchown(link, other, -1)); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(link, "r")
		}, false},
		{"link to a link, relative", func(t *testing.T, tmp string) string {
			mkdir(t, 0o700, 0, tmp, "r")
			if err := errors.Join(os.Symlink("r", filepath.Join(tmp, "l")), os.Symlink("./l", filepath.Join(tmp, "m"))); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(tmp, "m")
		}, true},
		{"link to itself", func(t *testing.T, tmp string) string {
			link := filepath.Join(tmp, "l")
			if err := os.Symlink("l", link); err != nil {
				t.Fatal(err)
			}
			return link
		}, false},
		{"a mark that is a directory", func(t *testing.T, tmp string) string {
			root := mkdir(t, 0o700, 0, tmp, "r")
			mkdir(t, 0o700, 0, root, ".psec-root")
			return root
		}, false},
		{"a file", func(t *testing.T, tmp string) string {
			file := filepath.Join(tmp, "f")
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return file
		}, false},
		{"absent", func(_ *testing.T, tmp string) string { return filepath.Join(tmp, "no") }, false},
		{"relative", func(*testing.T, string) string { return "." }, false},
		{"the root of all", func(*testing.T, string) string { return "/" }, false},
		{"empty", func(*testing.T, string) string { return "" }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := hpc.New(hpc.Config{Root: c.path(t, t.TempDir())})
			var invalid *secrets.InvalidError
			switch {
			case c.ok && err != nil:
				t.Errorf("refused: %v", err)
			case !c.ok && (!errors.As(err, &invalid) || invalid.Field != "staging root"):
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestARootThatBecomesUnsafeIsRefusedAtItsNextUse(t *testing.T) {
	d, root := newDriver(t, hpc.Config{})
	if err := os.Chmod(root, 0o777); err != nil {
		t.Fatal(err)
	}
	o, open := staged(t, map[string][]byte{"TOKEN": canary()})
	if _, err := d.Create(t.Context(), o, open); err == nil {
		t.Error("created in a directory that anybody can write in")
	}
	empty(t, root)
}
