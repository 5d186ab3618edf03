package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/crypto"
)

func TestManyFirstStartsOnOneDirectorySucceed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	var starts [8]*exec.Cmd
	var said [len(starts)]bytes.Buffer
	for i := range starts {
		starts[i] = quickstart(t, "-dir", dir, "--", "true")
		starts[i].Stderr = &said[i]
		if err := starts[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range starts {
		if err := starts[i].Wait(); err != nil {
			t.Errorf("%v: %s", err, &said[i])
		}
	}
	clean(t, dir)
}

func TestAHouseIsOpenedByOneProcessAtATime(t *testing.T) {
	h := &house{dir: t.TempDir()}
	release, err := h.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := open(ctx, h.dir, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("opened while it was locked: %v", err)
	}
	if _, err := os.Stat(filepath.Join(h.dir, "db")); err == nil {
		t.Error("a database was made while the house was locked")
	}
	release()
	h, err = open(t.Context(), h.dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.close(); err != nil {
		t.Error(err)
	}
}

func TestAKeyFileThatAKilledFirstStartLeftIsUsed(t *testing.T) {
	dir, args, workspace, user := twoValues(t)
	key := filepath.Join(dir, "kek", "key")
	if err := errors.Join(os.MkdirAll(filepath.Dir(key), 0o700), crypto.CreateFileKEK(key, "")); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if code, _, stderr := status(t, quickstart(t, append(args, "true")...)); code != 0 {
			t.Errorf("it ended with %d: %s", code, stderr)
		}
	}
	if after, err := os.ReadFile(key); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the key file was changed (%v)", err)
	}
	clean(t, dir, workspace, user)
}

func TestARefusedDirectoryIsLeftAsItWas(t *testing.T) {
	for _, c := range []struct{ name, had, dir string }{
		{"new", "", "new/state"},
		{"empty", "state", "state"},
		{"with an empty stage", "state/stage", "state"},
		{"with other directories", "state/kek", "state"},
	} {
		t.Run(c.name, func(t *testing.T) {
			top := t.TempDir()
			if err := errors.Join(os.MkdirAll(filepath.Join(top, c.had), 0o700), os.Chmod(top, 0o770)); err != nil {
				t.Fatal(err)
			}
			before := tree(t, top)
			value := write(t, filepath.Join(t.TempDir(), "value"), "value", 0o600)
			code, _, stderr := status(t, quickstart(t, "-dir", filepath.Join(top, c.dir), "-secret", "KEY="+value, "--", "true"))
			if code != 1 || !bytes.Contains(stderr, []byte("staging root")) {
				t.Errorf("it ended with %d: %s", code, stderr)
			}
			if after := tree(t, top); after != before {
				t.Errorf("there was %s, and now there is %s", before, after)
			}
		})
	}
}

// tree lists all that is in a directory.
func tree(t *testing.T, dir string) string {
	t.Helper()
	list, err := exec.Command("find", dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(list)
}

func TestTheCommandDoesNotInheritWhatAnOuterRunStaged(t *testing.T) {
	outer := write(t, filepath.Join(t.TempDir(), "outer"), "export OUTER=sourced\n", 0o600)
	value := write(t, filepath.Join(t.TempDir(), "value"), "value", 0o600)
	for _, c := range []struct {
		name string
		args []string
		want int // variables that tell of something staged
	}{
		{"without secrets", nil, 0},
		{"with secrets", []string{"-secret", "KEY=" + value}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := quickstart(t, append(c.args, "--", "env")...)
			cmd.Env = append(cmd.Env, "PIPESECRETS_ENV="+outer, "PIPESECRETS_DIR="+outer, "PIPESECRETS_OTHER="+outer, "NXF_SECRETS_FILE="+outer)
			code, stdout, stderr := status(t, cmd)
			got := 0
			for line := range strings.Lines(string(stdout)) {
				if strings.HasPrefix(line, "PIPESECRETS_") || strings.HasPrefix(line, "NXF_SECRETS_FILE=") {
					got++
				}
			}
			if code != 0 || got != c.want || bytes.Contains(stdout, []byte(outer)) || bytes.Contains(stdout, []byte("OUTER=")) {
				t.Errorf("it ended with %d and %d variables: %s", code, got, stderr)
			}
		})
	}
}
