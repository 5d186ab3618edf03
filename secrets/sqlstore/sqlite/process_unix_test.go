//go:build unix

package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/sqlstore"
	"github.com/pipesecrets/pipesecrets/secrets/sqlstore/sqlite"
)

// The test binary plays the other processes too: with this variable set it is
// one of them.
const childVar = "PIPESECRETS_SQLITE_TEST_CHILD"

func TestMain(m *testing.M) {
	role := os.Getenv(childVar)
	if role == "" {
		syscall.Umask(0o022) // of what a test writes beside the database
		os.Exit(m.Run())
	}
	if err := child(role, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

const updates = 20 // that each counting child makes

func child(role, path string) error {
	ctx := context.Background()
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil { // until all are here
		return err
	}
	if role == "probe" {
		return probe(path)
	}
	s, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	switch role {
	case "open":
		in, err := s.Installation(ctx, strconv.Itoa(os.Getpid()))
		fmt.Printf("%x %x %s\n", in.ID, in.Mark, in.Home)
		return errors.Join(err, s.Close())
	case "count":
		for done := 0; done < updates; {
			err := step(ctx, s)
			if err == nil {
				done++
			} else if !errors.Is(err, secrets.ErrConflict) {
				return err
			}
		}
		return s.Close()
	default: // until killed
		for {
			if err := step(ctx, s); err != nil {
				return err
			}
			r, err := s.Find(ctx, 1)
			if err != nil {
				return err
			}
			id := runID(fmt.Sprintf("r%d", r.Version))
			var rows []stage.Row
			for i := range 2 {
				rows = append(rows, stage.Row{Object: provider.Object{Stage: fmt.Sprintf("%s-%d", id, i)}})
			}
			items := []stage.Item{{Item: provider.Item{Name: r.Name, Pin: r.Pin}, Scope: r.Scope}}
			if _, err := s.Begin(ctx, stage.Run{ID: id, Items: items}, rows, stage.Terms{}); err != nil {
				return err
			}
			fmt.Println(r.Version) // acknowledged
		}
	}
}

// step makes the next version of secret 1, and tells it in the log.
func step(ctx context.Context, s *sqlstore.Store) error {
	r, err := s.Find(ctx, 1)
	if err != nil {
		return err
	}
	r.Version++
	r.Sealed = fmt.Appendf(nil, "sealed %d", r.Version)
	return s.Put(ctx, r, r.Version-1, secrets.Event{Action: secrets.ActionUpdate, Pin: r.Pin})
}

// spawn starts a child that goes on when its input is closed.
func spawn(t *testing.T, role, path string) (cmd *exec.Cmd, start io.Closer, out *bufio.Scanner) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), os.Args[0], path)
	cmd.Env = append(os.Environ(), childVar+"="+role)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, in, bufio.NewScanner(stdout)
}

// together runs n children at once and returns the first line of each.
func together(t *testing.T, n int, role, path string) []string {
	t.Helper()
	cmds, starts, outs := make([]*exec.Cmd, n), make([]io.Closer, n), make([]*bufio.Scanner, n)
	for i := range n {
		cmds[i], starts[i], outs[i] = spawn(t, role, path)
	}
	for _, s := range starts {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	lines := make([]string, n)
	for i := range n {
		outs[i].Scan()
		lines[i] = outs[i].Text()
		if err := cmds[i].Wait(); err != nil {
			t.Errorf("child %d: %v", i, err)
		}
	}
	return lines
}

func TestProcessesThatOpenANewFileAtOnceAllSucceedAndAgree(t *testing.T) {
	for range 6 { // the moment at which they get into each other's way is short
		path := filepath.Join(t.TempDir(), "store.db")
		lines := together(t, 12, "open", path)
		for _, l := range lines {
			if l != lines[0] || strings.Count(l, " ") != 2 {
				t.Fatalf("their installations are %q", lines)
			}
		}
	}
}

// probe reports whether another process holds the lock that SQLite keeps on a
// file it uses (its SHARED_FIRST and SHARED_SIZE).
func probe(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: 0x40000002, Len: 510}
	err = syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &lock)
	fmt.Println(lock.Type != syscall.F_UNLCK)
	return errors.Join(err, f.Close())
}

func TestOpeningAFileAgainEndsNoLockOnIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path)
	if err := s.Put(t.Context(), record(1, "AA", "x"), 0); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"before", "after"} {
		if line := together(t, 1, "probe", path)[0]; line != "true" {
			t.Errorf("%s opening it again, the file is locked: %s", when, line)
		}
		open(t, path)
	}
}

func TestProcessesThatWriteAtOnceLoseNoUpdate(t *testing.T) {
	const writers = 3
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path)
	if err := s.Put(t.Context(), record(1, "AA", "x"), 0); err != nil {
		t.Fatal(err)
	}
	together(t, writers, "count", path)
	checkLog(t, s, 1+writers*updates)
}

// checkLog ends the test unless secret 1 is at least at a version, and the log
// tells of each of its updates, once and in order.
func checkLog(t *testing.T, s *sqlstore.Store, atLeast int) {
	t.Helper()
	r, err := s.Find(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if int(r.Version) < atLeast {
		t.Fatalf("version is %d, but %d was acknowledged", r.Version, atLeast)
	}
	if want := fmt.Sprintf("sealed %d", r.Version); string(r.Sealed) != want {
		t.Fatalf("version %d has %q", r.Version, r.Sealed)
	}
	next := secrets.Version(2)
	for e, err := range s.Entries(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Event.Pin.Version != next {
			t.Fatalf("the log tells of version %d where %d is next", e.Event.Pin.Version, next)
		}
		next++
	}
	if next != r.Version+1 {
		t.Fatalf("the log ends at version %d, the secret is at %d", next-1, r.Version)
	}
}

func TestNoAcknowledgedWriteIsLostToAKill(t *testing.T) {
	const kills = 20
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path)
	if err := s.Put(t.Context(), record(1, "AA", "sealed 1"), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil { // so that each next one has a log to recover
		t.Fatal(err)
	}
	acknowledged := map[int]bool{1: true} // versions; the first one is ours
	for range kills {
		cmd, start, out := spawn(t, "write", path)
		if err := start.Close(); err != nil {
			t.Fatal(err)
		}
		before := len(acknowledged)
		for i := rand.IntN(8); i >= 0 && out.Scan(); i-- {
			n, err := strconv.Atoi(out.Text())
			if err != nil {
				t.Fatal(err)
			}
			acknowledged[n] = true
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for out.Scan() { // what it said before it was killed counts
			if n, err := strconv.Atoi(out.Text()); err == nil {
				acknowledged[n] = true
			}
		}
		_ = cmd.Wait() // says that it was killed
		if len(acknowledged) == before {
			t.Fatal("the child wrote nothing")
		}
		inspect(t, path, acknowledged)
	}
}

// inspect ends the test unless the file is sound and has all of what the writing
// children acknowledged, each run by its version.
func inspect(t *testing.T, path string, acknowledged map[int]bool) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	last := slices.Max(slices.Collect(maps.Keys(acknowledged)))
	checkLog(t, s, last)
	for v := 2; v <= last; v++ {
		r, rows, err := s.Load(t.Context(), runID(fmt.Sprintf("r%d", v)))
		if errors.Is(err, stage.ErrNoRun) && !acknowledged[v] {
			continue // its child was killed between the two commits
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) != 2 {
			t.Fatalf("run %d has %d rows", v, len(rows))
		}
		if _, err := s.Pinned(t.Context(), []secrets.Pin{r.Items[0].Pin}); err != nil {
			t.Fatalf("version %d is pinned: %v", v, err)
		}
	}
	db := raw(t, path)
	var verdict string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		t.Fatalf("integrity_check: %q, %v", verdict, err)
	}
	rows, err := db.Query(`PRAGMA foreign_key_check`)
	if err != nil {
		t.Fatal(err)
	}
	if rows.Next() {
		t.Error("foreign_key_check finds a row")
	}
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
}
