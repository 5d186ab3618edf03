package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/examples/internal/search"
	"github.com/pipesecrets/pipesecrets/internal/component"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// mainEnv makes the test binary be the program.
const mainEnv = "QUICKSTART_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" || os.Getenv(childEnv) != "" {
		main()
		return
	}
	syscall.Umask(0o022) // a directory of a test may be writable by nobody else
	os.Exit(m.Run())
}

func quickstart(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), mainEnv+"=1")
	return cmd
}

// status runs the program and returns its exit status and what it printed.
func status(t *testing.T, cmd *exec.Cmd) (code int, stdout, stderr []byte) {
	t.Helper()
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.Bytes(), complaints.Bytes()
}

// hostile is a value with what breaks other deliveries, and a random part.
func hostile() []byte {
	return append([]byte("'\"`touch sentinel`$(touch sentinel)\\ \r\n!x -n "), (rand.Text() + "\n\n")...)
}

// given writes two values to files and returns the arguments that name them.
func twoValues(t *testing.T) (dir string, args []string, workspace, user []byte) {
	t.Helper()
	tmp := t.TempDir()
	workspace, user = hostile(), hostile()
	one, two := filepath.Join(tmp, "one"), filepath.Join(tmp, "two")
	if err := errors.Join(os.WriteFile(one, workspace, 0o600), os.WriteFile(two, user, 0o600)); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(tmp, "state")
	return dir, []string{"-dir", dir, "-secret", "TOKEN=" + one, "-user-secret", "TOKEN=" + two, "--"}, workspace, user
}

// clean fails the test if a file under dir holds one of the values, or anything
// is staged.
func clean(t *testing.T, dir string, values ...[]byte) {
	t.Helper()
	if staged, err := (&house{dir: dir}).count(); err != nil || staged > 0 {
		t.Errorf("%d directories are staged (%v)", staged, err)
	}
	files := 0
	err := search.Walk(dir, func(_ string, content []byte) error {
		files++
		for i, v := range values {
			if search.Holds(content, v) || search.Holds(content, bytes.TrimSpace(v)) {
				t.Errorf("value %d is in a file", i)
			}
		}
		return nil
	})
	if err != nil || files < 2 {
		t.Errorf("%d files were read (%v)", files, err)
	}
}

func TestTheStoryEndsWithNothingLeft(t *testing.T) {
	component.Command(t, "shells", "bash")
	code, stdout, stderr := status(t, quickstart(t))
	if code != 0 || !bytes.Contains(stdout, []byte("== Nothing is left")) {
		t.Errorf("it ended with %d\n%s%s", code, stdout, stderr)
	}
}

func TestTheCommandSeesTheUsersBytesExactlyAndNothingIsLeft(t *testing.T) {
	dir, args, workspace, user := twoValues(t)
	cmd := quickstart(t, append(args, "sh", "-c", `printf %s "$TOKEN" > env; cat "$PIPESECRETS_DIR/TOKEN" > file; echo "it is $TOKEN"; exit 7`)...)
	cmd.Dir = t.TempDir()
	code, stdout, _ := status(t, cmd)
	if code != 7 {
		t.Errorf("it ended with %d, want the command's 7", code)
	}
	for _, f := range []string{"env", "file"} {
		if got, err := os.ReadFile(filepath.Join(cmd.Dir, f)); err != nil || !bytes.Equal(got, user) {
			t.Errorf("%s: not the user's bytes (%v)", f, err)
		}
	}
	if entries, _ := os.ReadDir(cmd.Dir); len(entries) != 2 {
		t.Error("a value was executed")
	}
	if !strings.HasPrefix(string(stdout), "it is [secret:TOKEN]") || bytes.Contains(stdout, bytes.TrimSpace(user)) {
		t.Error("its output is not masked")
	}
	clean(t, dir, workspace, user)
}

func TestNothingIsLeftHoweverTheCommandEnds(t *testing.T) {
	for _, c := range []struct {
		name   string
		script string
		code   int
	}{
		{"success", "exit 0", 0},
		{"failure", "exit 3", 3},
		{"killed", "kill -9 $$", 128 + 9},
		{"terminated", "kill -15 $$", 128 + 15},
		{"leaves files behind", `d=$(dirname "$PIPESECRETS_ENV"); printf %s "$TOKEN" > "$d/copy"; mkdir -p "$d/x/y"; chmod 0 "$d/x"`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, args, workspace, user := twoValues(t)
			code, _, stderr := status(t, quickstart(t, append(args, "sh", "-c", c.script)...))
			if code != c.code {
				t.Errorf("it ended with %d, want %d: %s", code, c.code, stderr)
			}
			clean(t, dir, workspace, user)
		})
	}
	t.Run("no such command", func(t *testing.T) {
		dir, args, workspace, user := twoValues(t)
		if code, _, _ := status(t, quickstart(t, append(args, "no-such-command")...)); code != 127 {
			t.Errorf("it ended with %d", code)
		}
		clean(t, dir, workspace, user)
	})
	t.Run("refused launch", func(t *testing.T) {
		dir, args, workspace, user := twoValues(t)
		nul := filepath.Join(t.TempDir(), "nul")
		if err := os.WriteFile(nul, []byte("a\x00b"), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append([]string{"-secret", "BLOB=" + nul}, args...)
		code, _, stderr := status(t, quickstart(t, append(args, "touch", filepath.Join(dir, "ran"))...))
		if code != 1 || !bytes.Contains(stderr, []byte("BLOB: target cluster: value: may hold no NUL byte")) {
			t.Errorf("it ended with %d: %s", code, stderr)
		}
		if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
			t.Error("the command ran all the same")
		}
		clean(t, dir, workspace, user)
	})
}

func TestASignalPassesToTheCommandAndTheRunStillCompletes(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		t.Run(s.String(), func(t *testing.T) {
			dir, args, workspace, user := twoValues(t)
			cmd := quickstart(t, append(args, "sh", "-c",
				`trap 'echo trapped; exit 42' INT TERM HUP QUIT; echo ready; for i in $(seq 600); do sleep 0.1; done; exit 43`)...)
			lines := ready(t, cmd)
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			rest, _ := io.ReadAll(lines)
			_ = cmd.Wait() // the status is looked at below
			if code := cmd.ProcessState.ExitCode(); code != 42 || !strings.Contains(string(rest), "trapped") {
				t.Errorf("it ended with %d", code)
			}
			clean(t, dir, workspace, user)
		})
	}
}

// ready starts the program and waits until the command prints that it is ready. It
// returns what is printed from then on.
func ready(t *testing.T, cmd *exec.Cmd) *bufio.Reader {
	t.Helper()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("it was never ready: %v", err)
		}
		if line == "ready\n" {
			return lines
		}
	}
}

func TestOneSweepCleansUpAfterALauncherThatWasKilled(t *testing.T) {
	dir, args, workspace, user := twoValues(t)
	cmd := quickstart(t, append(args, "sh", "-c", `echo ready; while read -r line; do :; done`)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	ready(t, cmd)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed

	staged, err := (&house{dir: dir}).count()
	if err != nil || staged != 1 {
		t.Fatalf("%d directories are staged after the kill (%v)", staged, err)
	}
	h, err := open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	until(t, func() bool { // the run's time is over, which nobody renews any more
		due, err := h.backend.Due(t.Context(), time.Now(), 10)
		return err == nil && len(due) == 1
	})
	report, err := h.service.Sweep(t.Context(), operator)
	if err != nil || report.Ended != 1 || report.Removed != 1 {
		t.Errorf("the sweep says %+v, %v", report, err)
	}
	clean(t, dir, workspace, user)
}

// until waits for something that another process brings about.
func until(t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(5 * time.Minute); !done(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it did not happen")
		}
	}
}

func TestARunWhoseLauncherLivesIsNotSwept(t *testing.T) {
	h, err := open(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	id, err := secrets.ParseRunID("r1")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(want bool) {
		t.Helper()
		if alive, err := h.alive(context.Background(), id); err != nil || alive != want {
			t.Errorf("alive: %t, %v", alive, err)
		}
	}
	ask(false)
	release, err := h.lockRun(id)
	if err != nil {
		t.Fatal(err)
	}
	ask(true)
	release()
	ask(false)
}

func TestStateIsKeptAndValuesAreReplaced(t *testing.T) {
	dir, args, _, _ := twoValues(t)
	if code, _, stderr := status(t, quickstart(t, args[:len(args)-1]...)); code != 0 {
		t.Fatalf("storing: %d: %s", code, stderr)
	}
	cmd := quickstart(t, "-dir", dir, "-user-secret", "TOKEN=-", "--", "sh", "-c", `test "$TOKEN" = "of standard input"`)
	cmd.Stdin = strings.NewReader("of standard input")
	if code, _, stderr := status(t, cmd); code != 0 {
		t.Errorf("replacing: %d: %s", code, stderr)
	}
}

func TestAWrongCommandLineIsRefusedWithoutQuotingIt(t *testing.T) {
	mark := rand.Text()
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"-secret", mark, "--", "true"}, 2, "NAME=FILE"},
		{[]string{"-secret", "A-B=" + mark, "--", "true"}, 2, "name: may hold only"},
		{[]string{"-secret", "TOKEN=" + mark, "--", "true"}, 1, "TOKEN: the file can't be opened"},
		{[]string{"-secret", "PATH=/dev/null", "--", "true"}, 1, "PATH: value: must be 1 to 65,536 bytes"},
		{[]string{"-secret", "PATH=" + os.Args[0], "--", "true"}, 1, "PATH: value: must be 1 to 65,536 bytes"},
		{[]string{"-secret", "AB=-", "-secret", "CD=-", "--", "true"}, 2, "only one secret"},
		{[]string{"-secret", "AB=/dev/null"}, 2, "give a COMMAND"},
		{[]string{"-no-such-flag"}, 2, "not defined"},
		{[]string{"--=" + mark}, 2, "an argument is no flag"},
		{[]string{"-h"}, 0, "usage"},
		{[]string{"-h"}, 0, "After a SIGKILL"},
	} {
		code, stdout, stderr := status(t, quickstart(t, c.args...))
		if code != c.code || !bytes.Contains(stderr, []byte(c.says)) || bytes.Contains(append(stdout, stderr...), []byte(mark)) {
			t.Errorf("%d arguments beginning with %s: ended with %d: %s", len(c.args), c.args[0], code, stderr)
		}
	}
}
