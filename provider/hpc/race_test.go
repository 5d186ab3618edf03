//go:build linux && (amd64 || arm64)

package hpc_test

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/pipesecrets/pipesecrets/internal/component"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
)

var (
	raceSwaps    = flag.Int("race.swaps", 10_000, "how often the attacker swaps a link and a directory at least")
	raceRemovals = flag.Int("race.removals", 200, "how many runs are removed under attack at least")
)

// exchange and symlinkat are calls relative to a descriptor that package syscall lacks: renameat2(2)
// with RENAME_EXCHANGE, which swaps two names at once, and symlinkat(2).
func exchange(dir int, a, b string) error {
	number := uintptr(316) // amd64
	if runtime.GOARCH == "arm64" {
		number = 276
	}
	from, to := cstring(a), cstring(b)
	_, _, errno := syscall.Syscall6(number, uintptr(dir), uintptr(unsafe.Pointer(from)), uintptr(dir), uintptr(unsafe.Pointer(to)), 2, 0)
	runtime.KeepAlive(from)
	runtime.KeepAlive(to)
	return nilIfZero(errno)
}

func symlinkat(to string, dir int, name string) error {
	a, b := cstring(to), cstring(name)
	_, _, errno := syscall.Syscall(syscall.SYS_SYMLINKAT, uintptr(unsafe.Pointer(a)), uintptr(dir), uintptr(unsafe.Pointer(b)))
	runtime.KeepAlive(a)
	runtime.KeepAlive(b)
	return nilIfZero(errno)
}

func cstring(s string) *byte {
	p, err := syscall.BytePtrFromString(s)
	if err != nil {
		panic(err)
	}
	return p
}

func nilIfZero(errno syscall.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}

// attack is the process of the job's user. For each line "RUN VICTIM" it swaps
// directories and links to the victim in the run's directory, by descriptors that
// it opened while it could, until the directory is gone; then it answers how often.
func attack(t *testing.T) {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		run, victim, _ := strings.Cut(in.Text(), " ")
		nest := filepath.Join(run, "nest")
		_ = os.Mkdir(nest, 0o777)
		_ = os.Link(filepath.Join(victim, "keep"), filepath.Join(nest, "hard")) // where the system lets him
		var dirs []int
		for _, dir := range []string{run, nest, filepath.Join(run, "files")} {
			fd, err := syscall.Open(dir, syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			dirs = append(dirs, fd)
		}
		var swaps atomic.Int64
		var begun, done sync.WaitGroup
		for _, fd := range dirs {
			begun.Add(1)
			done.Go(func() {
				var once sync.Once
				swapIn(fd, victim, func() { swaps.Add(1); once.Do(begun.Done) })
				once.Do(begun.Done)
			})
		}
		begun.Wait()
		fmt.Println("attacking")
		done.Wait()
		for _, fd := range dirs {
			_ = syscall.Close(fd)
		}
		fmt.Println("swapped", swaps.Load())
	}
}

// swapIn swaps in a directory until nothing can be made there any more.
func swapIn(fd int, victim string, swapped func()) {
	for {
		err := exchange(fd, "a", "b")
		if err == nil {
			swapped()
			continue
		}
		made := syscall.Mkdirat(fd, "a", 0o700)
		if inner, err := syscall.Openat(fd, "a", syscall.O_DIRECTORY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0); err == nil {
			_ = syscall.Mkdirat(inner, "sub", 0o700) // what the victim has too
			_ = syscall.Close(inner)
		}
		linked := symlinkat(victim, fd, "b")
		if errors.Is(made, syscall.ENOENT) || errors.Is(made, syscall.EACCES) ||
			errors.Is(linked, syscall.ENOENT) || errors.Is(linked, syscall.EACCES) {
			return
		}
	}
}

// attacker is the parent's end of it.
type attacker struct {
	t   *testing.T
	in  *os.File
	out *bufio.Scanner
}

func newAttacker(t *testing.T) *attacker {
	cmd := againAs(t, jobUser, "attack")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stderr = r, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(w.Close(), cmd.Wait(), r.Close()); err != nil {
			t.Error("attacker:", err)
		}
	})
	return &attacker{t, w, bufio.NewScanner(out)}
}

// answer reads up to the answer and returns the number after it.
func (a *attacker) answer(word string) (n int) {
	a.t.Helper()
	for a.out.Scan() {
		if rest, ok := strings.CutPrefix(a.out.Text(), word); ok {
			_, _ = fmt.Sscan(rest, &n)
			return n
		}
	}
	a.t.Fatal("the attacker has ended")
	return 0
}

func (a *attacker) begin(run, victim string) {
	a.t.Helper()
	if _, err := fmt.Fprintln(a.in, run, victim); err != nil {
		a.t.Fatal(err)
	}
	a.answer("attacking")
}

// victimOf makes a tree that the job's user may look at and not change.
func victimOf(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(public(t), "victim")
	for _, err := range []error{
		os.MkdirAll(filepath.Join(dir, "sub", "deep"), 0o755),
		os.WriteFile(filepath.Join(dir, "keep"), canary(), 0o644),
		os.WriteFile(filepath.Join(dir, "sub", "keep"), canary(), 0o640),
		os.WriteFile(filepath.Join(dir, "sub", "deep", "keep"), canary(), 0o400),
		os.Chmod(filepath.Join(dir, "sub", "deep"), 0o511),
		os.Chmod(filepath.Join(dir, "sub"), 0o751),
		os.Chown(filepath.Join(dir, "sub"), otherUser, otherUser),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// look describes a tree: what is there, whose, with which mode and content, and
// since when.
func look(t *testing.T, dir string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		content, _ := os.ReadFile(path)
		st := info.Sys().(*syscall.Stat_t)
		seen[path] = fmt.Sprint(info.Mode(), st.Uid, st.Gid, st.Ino, info.ModTime(), string(content))
		return nil
	})
	if err != nil {
		seen["error"] = err.Error()
	}
	return seen
}

func TestAJobsUserWhoSwapsLinksAndDirectoriesLeadsRootNowhere(t *testing.T) {
	if told() != "" {
		attack(t)
		return
	}
	component.Root(t)
	root := sharedRoot(t)
	d, _ := newDriver(t, hpc.Config{Root: root, JobUID: jobUser})
	a := newAttacker(t)

	// That the race is real: the same attacker against a removal by path.
	beaten := 0
	const tries = 3000
	for try := 1; try <= tries && beaten == 0; try++ {
		victim := victimOf(t)
		before := look(t, victim)
		o, open := staged(t, map[string][]byte{"TOKEN": canary()})
		if _, err := d.Create(t.Context(), o, open); err != nil {
			t.Fatal(err)
		}
		run := runIn(t, root)
		a.begin(run, victim)
		for start := time.Now(); time.Since(start) < 10*time.Second; {
			if naive(run); !exists(run) {
				break
			}
		}
		if exists(run) {
			if err := d.Remove(t.Context(), o, ""); err != nil {
				t.Fatal(err)
			}
		}
		a.answer("swapped")
		if !maps.Equal(before, look(t, victim)) {
			beaten = try
		}
	}
	if beaten == 0 {
		t.Logf("in %d tries the attacker did not beat a removal by path: what follows shows little", tries)
	} else {
		t.Logf("a removal by path was beaten in try %d", beaten)
	}

	victim := victimOf(t)
	before := look(t, victim)
	swaps, removals, again, withdrawn := 0, 0, 0, 0
	for removals < *raceRemovals || swaps < *raceSwaps {
		o, open := staged(t, map[string][]byte{"TOKEN": canary(), "OTHER": canary()})
		id, err := d.Create(t.Context(), o, open)
		if err != nil {
			t.Fatal(err)
		}
		run := runIn(t, root)
		a.begin(run, victim)
		if removals%4 == 0 {
			_, rest := staged(t, map[string][]byte{"TOKEN": canary()})
			if d.Withdraw(t.Context(), o, id, rest) == nil {
				withdrawn++
			}
		}
		for d.Remove(t.Context(), o, id) != nil {
			if again++; again > 100**raceRemovals {
				t.Fatal("it removes nothing")
			}
		}
		swaps += a.answer("swapped")
		removals++
		if exists(run) {
			t.Fatal("it is there")
		}
		if after := look(t, victim); !maps.Equal(before, after) {
			t.Fatalf("removal %d: outside it was\n%v\nand is\n%v", removals, before, after)
		}
	}
	if again != 0 {
		t.Errorf("%d removals had to be repeated: the attacker can hold them up", again)
	}
	t.Logf("%d swaps, %d removals, %d of them after a withdrawal: nothing outside was touched", swaps, removals, withdrawn)
}

// naive removes a tree by path, as one would without an enemy.
func naive(path string) {
	info, err := os.Lstat(path)
	if err != nil {
		return
	}
	if info.IsDir() {
		_ = os.Chmod(path, 0o700) // a task may have shut it
		entries, _ := os.ReadDir(path)
		for _, e := range entries {
			naive(filepath.Join(path, e.Name()))
		}
	}
	_ = os.Remove(path)
}
