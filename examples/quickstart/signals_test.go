package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/examples/internal/command"
)

// inTemporary makes the program put its temporary directory into the one that is
// returned.
func inTemporary(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	tmp := t.TempDir()
	cmd.Env = append(cmd.Env, "TMPDIR="+tmp)
	return tmp
}

func empty(t *testing.T, dir string) {
	t.Helper()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%d entries are left (%v)", len(entries), err)
	}
}

func write(t *testing.T, path, content string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestABrokenPipeDoesNotKeepTheRunFromCompleting(t *testing.T) {
	value := write(t, filepath.Join(t.TempDir(), "value"), "f", 0o600) // short: a warning goes to stderr
	t.Run("stdout", func(t *testing.T) {
		cmd := quickstart(t, "-secret", "KEY="+value, "--", "yes")
		tmp := inTemporary(t, cmd)
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "y\n" {
			t.Errorf("it printed %q (%v)", line, err)
		}
		_ = stdout.Close() // as head does
		_ = cmd.Wait()     // the status is looked at below
		if code := cmd.ProcessState.ExitCode(); code != 128+int(syscall.SIGPIPE) {
			t.Errorf("it ended with %v, want the status of the command's SIGPIPE", cmd.ProcessState)
		}
		empty(t, tmp)
	})
	t.Run("stderr", func(t *testing.T) {
		cmd := quickstart(t, "-secret", "KEY="+value, "--", "sh", "-c", "exit 5")
		tmp := inTemporary(t, cmd)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
		defer w.Close()
		cmd.Stderr = w
		_ = cmd.Run() // the status is looked at below
		if code := cmd.ProcessState.ExitCode(); code != 5 {
			t.Errorf("it ended with %v, want the command's 5", cmd.ProcessState)
		}
		empty(t, tmp)
	})
}

func TestASignalBeforeTheCommandStartsEndsItAndNothingIsLeft(t *testing.T) {
	for _, s := range command.Ending {
		t.Run(s.String(), func(t *testing.T) {
			fifo := filepath.Join(t.TempDir(), "fifo")
			if err := syscall.Mkfifo(fifo, 0o600); err != nil {
				t.Fatal(err)
			}
			ran := filepath.Join(t.TempDir(), "ran")
			cmd := quickstart(t, "-secret", "KEY="+fifo, "--", "touch", ran)
			tmp := inTemporary(t, cmd)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var w *os.File
			until(t, func() (opened bool) { // as soon as it reads
				var err error
				w, err = os.OpenFile(fifo, os.O_WRONLY|syscall.O_NONBLOCK, 0)
				return err == nil
			})
			defer w.Close()
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // the status is looked at below
			if code := cmd.ProcessState.ExitCode(); code != 1 {
				t.Errorf("it ended with %v", cmd.ProcessState)
			}
			if _, err := os.Stat(ran); err == nil {
				t.Error("the command ran all the same")
			}
			empty(t, tmp)
		})
	}
}

func TestASignalDuringTheLaunchKeepsTheCommandFromStarting(t *testing.T) {
	h, err := open(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGCONT // passed on, it would not end the command
	ran := filepath.Join(t.TempDir(), "ran")
	status, err := h.run(t.Context(), []string{"touch", ran}, signals)
	if status != 128+int(syscall.SIGCONT) || err != nil {
		t.Errorf("it ended with %d, %v", status, err)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("the command ran all the same")
	}
	clean(t, h.dir)
}

// telling starts the story, reads it up to a line, and returns what comes after,
// the story's temporary directory, and what tells that no descendant is left: the
// end of a pipe that they all inherit.
func telling(t *testing.T, cmd *exec.Cmd, line string) (rest io.ReadCloser, tmp string, family *os.File) {
	t.Helper()
	tmp = inTemporary(t, cmd)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	cmd.ExtraFiles = []*os.File{w}
	rest, err = cmd.StdoutPipe()
	if err := errors.Join(err, cmd.Start(), w.Close()); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(rest); lines.Scan(); {
		if strings.Contains(lines.Text(), line) {
			return rest, tmp, r
		}
	}
	t.Fatal("the story did not come so far")
	return nil, "", nil
}

func endedEarly(t *testing.T, cmd *exec.Cmd, tmp string, family *os.File) {
	t.Helper()
	_ = cmd.Wait() // the status is looked at below
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("it ended with %v", cmd.ProcessState)
	}
	empty(t, tmp)
	if err := family.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := family.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("a child process is left (%v)", err)
	}
}

func TestASignalEndsTheStoryAndNothingIsLeft(t *testing.T) {
	for _, s := range command.Ending {
		t.Run(s.String(), func(t *testing.T) {
			// A job that does not end, in the place of bash.
			bin := t.TempDir()
			write(t, filepath.Join(bin, "bash"), "#!/bin/sh\nexec sleep 60\n", 0o700)
			cmd := quickstart(t)
			cmd.Env = append(cmd.Env, "PATH="+bin+":"+os.Getenv("PATH"))
			rest, tmp, family := telling(t, cmd, "The job prints every value")
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, rest)
			endedEarly(t, cmd, tmp, family)
		})
	}
	t.Run("beside a second launcher", func(t *testing.T) {
		cmd := quickstart(t)
		rest, tmp, family := telling(t, cmd, "A second launcher")
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, rest)
		endedEarly(t, cmd, tmp, family)
	})
	t.Run("broken pipe", func(t *testing.T) {
		cmd := quickstart(t)
		rest, tmp, family := telling(t, cmd, "Ada, an admin")
		_ = rest.Close()
		endedEarly(t, cmd, tmp, family)
	})
}
