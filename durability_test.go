//go:build linux

package pipesecrets_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/internal/component"
)

// What a launch, its end and a revocation ask of the operating system, in order, as
// strace sees it. A killed process can't show a missing fsync, since the page cache
// outlives it.

// call is one successful system call that concerns durability.
type call struct {
	op    string // mkdir, create, write, sync, rename, unlink, mark
	path  string
	flags string // of a create
	to    string // of a rename
}

var (
	unfinished = regexp.MustCompile(`^(\d+) +(.*) <unfinished \.\.\.>$`)
	resumed    = regexp.MustCompile(`^(\d+) +<\.\.\. \w+ resumed>(.*)$`)
	opened     = regexp.MustCompile(`^openat\([^,]*, "([^"]*)", ([A-Z_|]+)(?:, \d+)?\) += \d+<([^>]*)>`)
	marked     = regexp.MustCompile(`^openat\([^,]*, "[^"]*/mark-(\w+)"`)
	made       = regexp.MustCompile(`^mkdirat\(\d+<([^>]*)>, "([^"]*)", \d+\) += 0`)
	written    = regexp.MustCompile(`^(?:write|pwrite64)\(\d+<([^>]*)>.* += \d+$`)
	synced     = regexp.MustCompile(`^(?:fsync|fdatasync)\(\d+<([^>]*)>\) += 0`)
	renamed    = regexp.MustCompile(`^renameat2?\(\d+<([^>]*)>, "([^"]*)", \d+<([^>]*)>, "([^"]*)"(?:, \w+)?\) += 0`)
	unlinked   = regexp.MustCompile(`^unlinkat\(\d+<([^>]*)>, "([^"]*)", \w+\) += 0`)
)

// trace runs the step with n secrets under strace and returns its calls in the order
// in which they ended.
func trace(t *testing.T, what string, n int) (dir string, calls []call) {
	t.Helper()
	strace := component.Command(t, "strace", "strace")
	dir = newDir(t)
	inProcess(t, "create", dir, canary())
	log := filepath.Join(t.TempDir(), "trace")
	step := command(t, tracedStep+what+"-"+strconv.Itoa(n), dir)
	cmd := exec.Command(strace, append([]string{"-f", "-y", "-s", "0", "-o", log,
		"-e", "trace=openat,mkdirat,write,pwrite64,fsync,fdatasync,renameat,renameat2,unlinkat"}, step.Args...)...)
	cmd.Env = step.Env
	if out, err := cmd.CombinedOutput(); err != nil {
		if strings.Contains(string(out), "ptrace") {
			component.Missing(t, "strace", "it may not trace here")
		}
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	begun := map[string]string{}
	for line := range strings.Lines(strings.ReplaceAll(string(text), `"..."`, `""`)) {
		line = strings.TrimSpace(line)
		if m := unfinished.FindStringSubmatch(line); m != nil {
			begun[m[1]] = m[2]
			continue
		}
		if m := resumed.FindStringSubmatch(line); m != nil {
			line = begun[m[1]] + m[2]
		} else if _, rest, ok := strings.Cut(line, " "); ok {
			line = strings.TrimSpace(rest)
		}
		if m := marked.FindStringSubmatch(line); m != nil {
			calls = append(calls, call{op: "mark", path: m[1]})
		} else if m := opened.FindStringSubmatch(line); m != nil && strings.Contains(m[2], "O_CREAT") {
			calls = append(calls, call{op: "create", path: m[3], flags: m[2]})
		} else if m := made.FindStringSubmatch(line); m != nil {
			calls = append(calls, call{op: "mkdir", path: filepath.Join(m[1], m[2])})
		} else if m := written.FindStringSubmatch(line); m != nil {
			calls = append(calls, call{op: "write", path: m[1]})
		} else if m := synced.FindStringSubmatch(line); m != nil {
			calls = append(calls, call{op: "sync", path: m[1]})
		} else if m := renamed.FindStringSubmatch(line); m != nil {
			calls = append(calls, call{op: "rename", path: filepath.Join(m[1], m[2]), to: filepath.Join(m[3], m[4])})
		} else if m := unlinked.FindStringSubmatch(line); m != nil {
			calls = append(calls, call{op: "unlink", path: filepath.Join(m[1], m[2])})
		}
	}
	begin := slices.Index(calls, call{op: "mark", path: "begin"})
	end := slices.Index(calls, call{op: "mark", path: "end"})
	if begin < 0 || end < begin {
		t.Fatal("the trace has no marks")
	}
	return dir, calls[begin+1 : end]
}

// unsynced is what a loss of power would lose.
type unsynced map[string]bool

func (u unsynced) see(c call) {
	switch c.op {
	case "create", "mkdir":
		u[filepath.Dir(c.path)] = true
		u[c.path] = true
	case "write":
		u[c.path] = true
	case "sync":
		delete(u, c.path)
	case "rename": // of what is synced
		u[filepath.Dir(c.path)] = true
		u[filepath.Dir(c.to)] = true
	case "unlink": // what is in it went before
		delete(u, c.path)
		u[filepath.Dir(c.path)] = true
	}
}

func (u unsynced) under(dir string) (paths []string) {
	for path := range u {
		if strings.HasPrefix(path, dir) {
			paths = append(paths, path)
		}
	}
	return paths
}

func TestALaunchIsDurableAtEachStepBeforeTheNextBegins(t *testing.T) {
	durable(t, "launch", map[string]int{"create": 3 + 2, "mkdir": 2})
}

func TestTheEndOfARunIsDurableAtEachStepBeforeTheNextBegins(t *testing.T) {
	durable(t, "complete", map[string]int{"unlink": 3 + 2 + 2})
}

func TestARevocationIsDurableAtEachStepBeforeTheNextBegins(t *testing.T) {
	durable(t, "revoke", map[string]int{"mkdir": 1, "create": 2, "rename": 2, "unlink": 1 + 1})
}

// durable fails the test unless a step with three secrets changes the staging root
// as often as it is to, and each time only when what came before would outlast a
// loss of power: the commit that announces the change, and the content of a file
// before it takes another's place. What it changed is to outlast it before it is
// recorded.
func durable(t *testing.T, step string, want map[string]int) {
	t.Helper()
	dir, calls := trace(t, step, 3)
	database, root := filepath.Join(dir, "db"), filepath.Join(dir, "stage")
	u, commits, changes := unsynced{}, 0, map[string]int{}
	for _, c := range calls {
		staging := strings.HasPrefix(c.path, root)
		switch {
		case staging && c.op != "sync":
			if lost := u.under(database); commits == 0 || len(lost) > 0 {
				t.Fatalf("%s: %s after %d durable commits, with %q not synced", c.op, filepath.Base(c.path), commits, lost)
			}
			if c.op == "create" && (!strings.Contains(c.flags, "O_EXCL") || !strings.Contains(c.flags, "O_NOFOLLOW")) {
				t.Errorf("%s is opened with %s", filepath.Base(c.path), c.flags)
			}
			if c.op == "rename" && u[c.path] {
				t.Errorf("%s takes another's place before it is synced", filepath.Base(c.path))
			}
			if c.op != "write" {
				changes[c.op]++
			}
		case c.op == "write" && strings.HasPrefix(c.path, database) && commits > 0:
			if lost := u.under(root); len(lost) > 0 {
				t.Fatalf("the record of what was done is written before %q is synced", lost)
			}
		case c.op == "sync" && strings.HasPrefix(c.path, database):
			commits++
		}
		u.see(c)
	}
	if lost := append(u.under(database), u.under(root)...); len(lost) > 0 || !maps.Equal(changes, want) || commits < 2 {
		t.Errorf("%q is not synced when it says that it is done; %v in the staging root, %d commits", lost, changes, commits)
	}
}

func TestWhatAProcessRemovedThatCrashedThenIsSyncedByTheNextOne(t *testing.T) {
	for step, want := range map[string]string{"complete again": "stage", "revoke again": "files"} {
		_, calls := trace(t, step, 3)
		if !slices.ContainsFunc(calls, func(c call) bool { return c.op == "sync" && filepath.Base(c.path) == want }) {
			t.Errorf("%s: %s is not synced", step, want)
		}
	}
}

// extra is what a launch may cost in fsyncs beside one for each staged file: two
// commits, and three directories.
const extra = 5

func TestALaunchCostsAConstantNumberOfFsyncsBesideOneForEachFile(t *testing.T) {
	for _, n := range []int{1, 20} {
		_, calls := trace(t, "launch", n)
		files, syncs := 0, 0
		for _, c := range calls {
			switch c.op {
			case "create":
				files++
			case "sync":
				syncs++
			}
		}
		t.Logf("%d secrets: %d files, %d fsyncs beside them", n, files, syncs-files)
		if files != n+2 || syncs-files > extra {
			t.Errorf("%d secrets: %d files, %d fsyncs", n, files, syncs)
		}
	}
}
