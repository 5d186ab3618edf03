//go:build linux

package pipesecrets_test

import (
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

// What a launch asks of the operating system, in order, as strace sees it. A
// killed process can't show a missing fsync, since the page cache outlives it.

// call is one successful system call that concerns durability.
type call struct {
	op    string // mkdir, create, write, sync, mark
	path  string
	flags string
}

var (
	unfinished = regexp.MustCompile(`^(\d+) +(.*) <unfinished \.\.\.>$`)
	resumed    = regexp.MustCompile(`^(\d+) +<\.\.\. \w+ resumed>(.*)$`)
	opened     = regexp.MustCompile(`^openat\([^,]*, "([^"]*)", ([A-Z_|]+)(?:, \d+)?\) += \d+<([^>]*)>`)
	marked     = regexp.MustCompile(`^openat\([^,]*, "[^"]*/mark-(\w+)"`)
	made       = regexp.MustCompile(`^mkdirat\(\d+<([^>]*)>, "([^"]*)", \d+\) += 0`)
	written    = regexp.MustCompile(`^(?:write|pwrite64)\(\d+<([^>]*)>.* += \d+$`)
	synced     = regexp.MustCompile(`^(?:fsync|fdatasync)\(\d+<([^>]*)>\) += 0`)
)

// trace runs the step under strace and returns its calls in the order in which
// they ended.
func trace(t *testing.T, n int) (dir string, calls []call) {
	t.Helper()
	strace := component.Command(t, "strace", "strace")
	dir = newDir(t)
	inProcess(t, "create", dir, canary())
	log := filepath.Join(t.TempDir(), "trace")
	step := command(t, "traced-"+strconv.Itoa(n), dir)
	cmd := exec.Command(strace, append([]string{"-f", "-y", "-s", "0", "-o", log,
		"-e", "trace=openat,mkdirat,write,pwrite64,fsync,fdatasync"}, step.Args...)...)
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
			calls = append(calls, call{"create", m[3], m[2]})
		} else if m := made.FindStringSubmatch(line); m != nil {
			calls = append(calls, call{op: "mkdir", path: filepath.Join(m[1], m[2])})
		} else if m := written.FindStringSubmatch(line); m != nil {
			calls = append(calls, call{op: "write", path: m[1]})
		} else if m := synced.FindStringSubmatch(line); m != nil {
			calls = append(calls, call{op: "sync", path: m[1]})
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
	dir, calls := trace(t, 3)
	database, root := filepath.Join(dir, "db"), filepath.Join(dir, "stage")
	u, commits, created := unsynced{}, 0, 0
	for _, c := range calls {
		staging := strings.HasPrefix(c.path, root)
		switch {
		case staging && c.op != "sync":
			if lost := u.under(database); commits == 0 || len(lost) > 0 {
				t.Fatalf("%s is made after %d durable commits, with %q not synced", filepath.Base(c.path), commits, lost)
			}
			if c.op == "create" {
				created++
				if !strings.Contains(c.flags, "O_EXCL") || !strings.Contains(c.flags, "O_NOFOLLOW") {
					t.Errorf("%s is opened with %s", filepath.Base(c.path), c.flags)
				}
			}
		case c.op == "write" && strings.HasPrefix(c.path, database) && commits > 0:
			if lost := u.under(root); len(lost) > 0 {
				t.Fatalf("the record of what was created is written before %q is synced", lost)
			}
		case c.op == "sync" && strings.HasPrefix(c.path, database):
			commits++
		}
		u.see(c)
	}
	if lost := append(u.under(database), u.under(root)...); len(lost) > 0 || created != 3+2 || commits < 2 {
		t.Errorf("%q is not synced when the references are handed out; %d files, %d commits", lost, created, commits)
	}
}

// extra is what a launch may cost in fsyncs beside one for each staged file: two
// commits, and three directories.
const extra = 5

func TestALaunchCostsAConstantNumberOfFsyncsBesideOneForEachFile(t *testing.T) {
	for _, n := range []int{1, 20} {
		_, calls := trace(t, n)
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
