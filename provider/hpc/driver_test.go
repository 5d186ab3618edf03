//go:build unix

package hpc_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func newDriver(t *testing.T, c hpc.Config) (*hpc.Driver, string) {
	t.Helper()
	if c.Root == "" {
		c.Root = t.TempDir()
	}
	d, err := hpc.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return d, c.Root
}

func name(t testing.TB, s string) secrets.Name {
	t.Helper()
	n, err := secrets.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// staged is an object and the values that go into it.
func staged(t testing.TB, plain map[string][]byte) (provider.Object, provider.Opener) {
	t.Helper()
	o := provider.Object{Name: strings.ToLower(rand.Text()), Mark: [16]byte{1, 2, 3}}
	values := map[secrets.Name]secrets.Value{}
	for n, p := range plain {
		v, err := secrets.NewValue(p)
		if err != nil {
			t.Fatal(err)
		}
		values[name(t, n)] = v
		o.Items = append(o.Items, provider.Item{Name: name(t, n)})
	}
	return o, func(context.Context) (map[secrets.Name]secrets.Value, error) { return values, nil }
}

func canary() []byte { return []byte(rand.Text()) }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// entries returns the names in the root, but for the root's mark.
func entries(t *testing.T, root string) []string {
	t.Helper()
	all, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		if e.Name() != ".psec-root" {
			names = append(names, e.Name())
		}
	}
	return names
}

// only returns the one directory in the root.
func only(t *testing.T, root string) string {
	t.Helper()
	names := entries(t, root)
	if len(names) != 1 {
		t.Fatalf("root has %d entries, want 1", len(names))
	}
	return filepath.Join(root, names[0])
}

func empty(t *testing.T, root string) {
	t.Helper()
	if names := entries(t, root); len(names) != 0 {
		t.Errorf("root has %d entries, want none", len(names))
	}
}

func TestAJobFindsExactBytesInFilesOfModes0600And0700WhateverTheUmask(t *testing.T) { umasks(t, 1) }

// From an ordinary user a umask can take its own permissions.
func TestAJobFindsExactBytesInFilesOfModes0600And0700WhateverTheUmaskOfAnOrdinaryUser(t *testing.T) {
	if os.Geteuid() == 0 {
		asUser(t, 1234)
		return
	}
	umasks(t, 7) // 0777 and whatever else of the owner's
}

func umasks(t *testing.T, step int) {
	plain := map[string][]byte{"PEM_KEY": []byte("-----BEGIN X-----\nab'c\n-----END X-----\n\n"), "TOKEN": canary()}
	for umask := 0; umask < 0o1000; umask += step {
		if testing.Short() && umask%37 != 0 && umask != 0o777 {
			continue
		}
		d, root := newDriver(t, hpc.Config{})
		o, open := staged(t, plain)
		old := syscall.Umask(umask)
		id, err := d.Create(t.Context(), o, open)
		syscall.Umask(old)
		if err != nil || id == "" {
			t.Fatalf("umask %04o: %v", umask, err)
		}
		env := d.Environment(d.References(o, id))
		for n, want := range plain {
			got, err := os.ReadFile(filepath.Join(env["PIPESECRETS_DIR"], n))
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("umask %04o: %s is not what was staged (%v)", umask, n, err)
			}
		}
		count := 0
		err = filepath.WalkDir(only(t, root), func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := e.Info()
			want := fs.FileMode(0o600)
			if e.IsDir() {
				want = 0o700
			}
			if count++; info.Mode().Perm() != want {
				t.Errorf("umask %04o: %s has mode %04o", umask, e.Name(), info.Mode().Perm())
			}
			return err
		})
		if err != nil || count != 6 {
			t.Fatalf("umask %04o: %d files and directories, want 6 (%v)", umask, count, err)
		}
		if err := d.Remove(t.Context(), o, id); err != nil {
			t.Fatal(err)
		}
		empty(t, root)
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEnvironmentHoldsPathsOnlyAndOfThisDriverOnly(t *testing.T) {
	d, root := newDriver(t, hpc.Config{})
	o, open := staged(t, map[string][]byte{"TOKEN": canary()})
	id, err := d.Create(t.Context(), o, open)
	if err != nil {
		t.Fatal(err)
	}
	dir := only(t, root)
	want := map[string]string{
		"PIPESECRETS_DIR":  dir + "/files",
		"PIPESECRETS_ENV":  dir + "/env.sh",
		"NXF_SECRETS_FILE": dir + "/store.json",
	}
	refs := append([]provider.Reference{{Kind: "arn", Locator: "elsewhere"}, {Kind: "file", Locator: "/etc/x/y"}}, d.References(o, id)...)
	if diff := cmp.Diff(want, d.Environment(refs)); diff != "" {
		t.Error(diff)
	}
	if got := d.Environment(refs[:2]); len(got) != 0 {
		t.Errorf("references of others gave %v", got)
	}
}

func TestAValueThatADeliveryCanNotCarryIsRefusedByRule(t *testing.T) {
	for _, c := range []struct {
		value          string
		noEnv, noStore bool
		rule           string // "" if it is carried
	}{
		{"plain", false, false, ""},
		{"line\nbreak 'quote' \"double\" \\ ` $x", false, false, ""},
		{"a\x00b", false, false, "NUL"},
		{"a\x00b", true, false, ""},
		{"a\xffb", false, false, "UTF-8"},
		{"a\xffb", false, true, ""},
		{"a\x00\xffb", true, true, ""},
		{"a\x00\xffb", true, false, "UTF-8"},
	} {
		d, _ := newDriver(t, hpc.Config{NoEnv: c.noEnv, NoStore: c.noStore})
		v, err := secrets.NewValue([]byte(c.value))
		if err != nil {
			t.Fatal(err)
		}
		err = d.Carries(name(t, "TOKEN"), v)
		var invalid *secrets.InvalidError
		switch {
		case c.rule == "" && err != nil:
			t.Errorf("%+v: %v", c, err)
		case c.rule != "" && (!errors.As(err, &invalid) || invalid.Field != "value" || !strings.Contains(invalid.Rule, c.rule)):
			t.Errorf("%+v: got %v", c, err)
		}
		if err == nil { // what is said to be carried is
			o, open := staged(t, map[string][]byte{"TOKEN": []byte(c.value)})
			if _, err := d.Create(t.Context(), o, open); err != nil {
				t.Errorf("%+v: create: %v", c, err)
			}
		}
	}
}

func TestAStagerWhoseFenceIsClosedLeavesNothing(t *testing.T) {
	d, root := newDriver(t, hpc.Config{})
	fenced := errors.New("fenced")
	o, _ := staged(t, map[string][]byte{"TOKEN": canary()})
	_, err := d.Create(t.Context(), o, func(context.Context) (map[secrets.Name]secrets.Value, error) {
		only(t, root) // the directory is made before the values are asked for
		return nil, fenced
	})
	if !errors.Is(err, fenced) {
		t.Errorf("got %v", err)
	}
	empty(t, root)
}

func TestAStagerThatIsPausedAfterTheFenceAndCleanedUpAfterWritesNothing(t *testing.T) {
	d, root := newDriver(t, hpc.Config{})
	o, open := staged(t, map[string][]byte{"TOKEN": canary()})
	_, err := d.Create(t.Context(), o, func(ctx context.Context) (map[secrets.Name]secrets.Value, error) {
		values, err := open(ctx)
		// The pause: another process ends the run, knowing only the planned name.
		if err := d.Remove(ctx, o, ""); err != nil {
			t.Error(err)
		}
		return values, err
	})
	if err == nil {
		t.Error("it went on and said that it had created")
	}
	empty(t, root)
}

func TestAnExistingObjectIsNotOpenedByCreate(t *testing.T) {
	d, _ := newDriver(t, hpc.Config{})
	o, open := staged(t, map[string][]byte{"TOKEN": canary()})
	if _, err := d.Create(t.Context(), o, open); err != nil {
		t.Fatal(err)
	}
	var failure *provider.Error
	_, err := d.Create(t.Context(), o, func(context.Context) (map[secrets.Name]secrets.Value, error) {
		t.Error("values were asked for")
		return nil, nil
	})
	if !errors.As(err, &failure) || failure.Code != provider.Taken {
		t.Errorf("got %v", err)
	}
	if presence, _, _ := d.Probe(t.Context(), o); presence != provider.Present {
		t.Error("the first one's object is gone")
	}
}

func TestListYieldsWhatCarriesTheMark(t *testing.T) {
	d, root := newDriver(t, hpc.Config{})
	want := map[string]bool{}
	for range 3 {
		o, open := staged(t, map[string][]byte{"TOKEN": canary()})
		if _, err := d.Create(t.Context(), o, open); err != nil {
			t.Fatal(err)
		}
		want[o.Name] = true
	}
	other, open := staged(t, map[string][]byte{"TOKEN": canary()})
	other.Mark[15] = 9
	if _, err := d.Create(t.Context(), other, open); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "somebody-elses"), 0o700); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for o, err := range d.List(t.Context(), [16]byte{1, 2, 3}) {
		if err != nil {
			t.Fatal(err)
		}
		got[o.Name] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestACancelledCallDoesNothing(t *testing.T) {
	d, root := newDriver(t, hpc.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o, open := staged(t, map[string][]byte{"TOKEN": canary()})
	if _, err := d.Create(ctx, o, open); err == nil {
		t.Error("created")
	}
	if _, _, err := d.Probe(ctx, o); err == nil {
		t.Error("a look that did not happen is no answer")
	}
	if err := d.Remove(ctx, o, ""); err == nil {
		t.Error("removed")
	}
	empty(t, root)
}

func TestARootThatIsOutOfSightIsNotEmpty(t *testing.T) {
	parent := t.TempDir()
	root := filepath.Join(parent, "mount")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	d, _ := newDriver(t, hpc.Config{Root: root + "/"})
	o, open := staged(t, map[string][]byte{"TOKEN": canary()})
	id, err := d.Create(t.Context(), o, open)
	if err != nil {
		t.Fatal(err)
	}
	away := filepath.Join(parent, "away")
	for name, appears := range map[string]func() error{
		"a bare directory": func() error { return os.Mkdir(root, 0o700) },
		"another host's root": func() error {
			if err := os.Mkdir(root, 0o700); err != nil {
				return err
			}
			other, err := hpc.New(hpc.Config{Root: root})
			if err == nil && other.Location() == d.Location() {
				t.Error("two roots have one location")
			}
			return err
		},
		"nothing": func() error { return nil },
	} {
		if err := errors.Join(os.Rename(root, away), appears()); err != nil {
			t.Fatal(err)
		}
		if presence, _, err := d.Probe(t.Context(), o); err == nil {
			t.Errorf("%s: probe says %v", name, presence)
		}
		if err := d.Remove(t.Context(), o, id); err == nil {
			t.Errorf("%s: remove says that it is gone", name)
		}
		if _, err := d.Create(t.Context(), o, open); err == nil {
			t.Errorf("%s: created", name)
		}
		if err := errors.Join(os.RemoveAll(root), os.Rename(away, root)); err != nil {
			t.Fatal(err)
		}
	}
	again, err := hpc.New(hpc.Config{Root: root})
	if err != nil || again.Location() != d.Location() {
		t.Errorf("the same root has another location (%v)", err)
	}
	if err := again.Remove(t.Context(), o, id); err != nil {
		t.Error(err)
	}
	empty(t, root)
}

func TestARootThatHasLostItsMarkIsNotMarkedAnewWhileItHoldsARun(t *testing.T) {
	d, root := newDriver(t, hpc.Config{})
	o, open := staged(t, map[string][]byte{"TOKEN": canary()})
	id, err := d.Create(t.Context(), o, open)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(root, ".psec-root")); err != nil {
		t.Fatal(err)
	}
	var invalid *secrets.InvalidError
	if _, err := hpc.New(hpc.Config{Root: root}); !errors.As(err, &invalid) || invalid.Field != "staging root" {
		t.Errorf("it says %v", err)
	}
	// The mark can be put back.
	if err := os.WriteFile(filepath.Join(root, ".psec-root"), []byte(d.Location().Account), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := hpc.New(hpc.Config{Root: root})
	if err != nil || again.Location() != d.Location() {
		t.Fatalf("%v", err)
	}
	if err := again.Remove(t.Context(), o, id); err != nil {
		t.Error(err)
	}
}
