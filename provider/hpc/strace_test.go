//go:build linux

package hpc_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/pipesecrets/pipesecrets/internal/component"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
)

// traced runs this test again under strace and returns the calls that it made, in
// the order in which they ended.
func traced(t *testing.T, root string, options ...string) []string {
	t.Helper()
	log := filepath.Join(t.TempDir(), "trace")
	front := append([]string{component.Command(t, "strace", "strace"), "-f", "-qq", "-y", "-s0", "-o", log}, options...)
	if out, err := again(t, root, front...).CombinedOutput(); err != nil {
		if strings.Contains(string(out), "ptrace") {
			component.Missing(t, "strace", "this process may not be traced")
		}
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var calls []string
	begun := map[string]string{} // by thread
	for line := range strings.Lines(string(text)) {
		thread, call, _ := strings.Cut(strings.TrimSpace(line), " ")
		call = strings.TrimSpace(call)
		if first, ok := strings.CutSuffix(call, "<unfinished ...>"); ok {
			begun[thread] = strings.TrimSpace(first)
			continue
		}
		if _, rest, ok := strings.Cut(call, " resumed>"); ok && strings.HasPrefix(call, "<...") {
			call = begun[thread] + rest
		}
		calls = append(calls, call)
	}
	return calls
}

// createdNow is looked for by a process when it has created.
const createdNow = "/created-now"

func TestEveryFileIsCreatedExclusivelyAndHasItsModeBeforeItsFirstByteAndNoneIsChangedByPath(t *testing.T) {
	if root := told(); root != "" {
		defer syscall.Umask(syscall.Umask(0))
		c := hpc.Config{Root: root}
		if os.Geteuid() == 0 {
			c.JobUID = jobUser
		}
		d, _ := newDriver(t, c)
		o, open := staged(t, map[string][]byte{"FIRST": canary(), "SECOND": canary()})
		id, err := d.Create(t.Context(), o, open)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = os.Stat(createdNow) // for the trace
		_, rest := staged(t, map[string][]byte{"SECOND": canary()})
		if err := d.Withdraw(t.Context(), o, id, rest); err != nil {
			t.Fatal(err)
		}
		if err := d.Remove(t.Context(), o, id); err != nil {
			t.Fatal(err)
		}
		return
	}
	root := t.TempDir()
	calls := traced(t, root, "-e", "trace=open,openat,openat2,creat,mkdir,mkdirat,chmod,fchmod,fchmodat,?fchmodat2,chown,lchown,fchownat,fchown,write,writev,pwrite64,fsync,stat,newfstatat")

	creates := regexp.MustCompile(`^(?:open\w*|creat)\(.*O_CREAT.*\) = \d+<(.*)>$`)
	other := regexp.MustCompile(`^(\w+)\(\d+<(` + regexp.QuoteMeta(root) + `[^>]*)>(.*)`)
	byPath := regexp.MustCompile(`^(chmod|fchmodat2?|l?chown|fchownat)\(`)
	const created, moded, written, synced = 1, 2, 3, 4
	files, dirs := map[string]int{}, map[string]int{}
	var handed []string
	durable := func() {
		t.Helper()
		for path, state := range files {
			if state != synced {
				t.Errorf("%s was not synced after its last byte", path)
			}
		}
		for path, state := range dirs {
			if state != synced {
				t.Errorf("%s was not synced after its last entry", path)
			}
		}
	}
	for _, call := range calls {
		if strings.Contains(call, createdNow) {
			if durable(); len(files) != 5 || len(dirs) != 3 {
				t.Errorf("%d files and %d directories after Create, want 5 and 3", len(files), len(dirs))
			}
			if os.Geteuid() == 0 && (len(handed) != 6 || filepath.Dir(handed[5]) != root) {
				t.Errorf("the run's directory is not the last of what is handed over: %q", handed)
			}
		}
		if m := creates.FindStringSubmatch(call); m != nil && strings.HasPrefix(m[1], root+"/") {
			if !strings.Contains(call, "O_EXCL") || !strings.Contains(call, ", 0600)") {
				t.Errorf("not exclusively, or with another mode: %s", call)
			}
			files[m[1]], dirs[filepath.Dir(m[1])] = created, created
			continue
		}
		if byPath.MatchString(call) {
			t.Errorf("a mode or an owner is changed by path: %s", call)
		}
		m := other.FindStringSubmatch(call)
		if m == nil {
			continue
		}
		path, args := m[2], m[3]
		state, file := files[path], true
		if state == 0 {
			state, file = dirs[path], false
		}
		switch m[1] {
		case "fchown":
			handed = append(handed, path)
		case "mkdirat":
			dirs[path] = created
			if !strings.Contains(args, ", 0700)") {
				t.Errorf("a directory with another mode: %s", call)
			}
		case "fchmod":
			if !file {
				dirs[path] = moded
			} else if files[path] = moded; state != created || !strings.HasPrefix(args, ", 0600)") {
				t.Errorf("not the file's mode, or not at once: %s", call)
			}
		case "write", "writev", "pwrite64":
			if files[path] = written; !file || state != moded && state != written {
				t.Errorf("written before it had its mode: %s", call)
			}
		case "fsync":
			if file && state == written {
				files[path] = synced
			} else if !file {
				dirs[path] = synced
			}
		}
	}
	// The root's mark, two secrets, env.sh and store.json, and the latter two again.
	if len(files) != 7 {
		t.Errorf("%d files were created, want 7: %v", len(files), files)
	}
}

func TestAFilesystemThatOnlySaysThatItChangedAModeGetsNoSecret(t *testing.T) {
	if root := told(); root != "" {
		d, _ := newDriver(t, hpc.Config{Root: root})
		defer syscall.Umask(syscall.Umask(0o200))
		o, _ := staged(t, map[string][]byte{"TOKEN": canary()})
		_, err := d.Create(t.Context(), o, nil) // nobody asks for the values
		if failure := new(provider.Error); !errors.As(err, &failure) || failure.Code != provider.Forbidden {
			t.Errorf("got %v", err)
		}
		empty(t, root)
		return
	}
	root := t.TempDir()
	newDriver(t, hpc.Config{Root: root}) // marks it
	traced(t, root, "-e", "trace=fchmod", "-e", "inject=fchmod:retval=0")
}
