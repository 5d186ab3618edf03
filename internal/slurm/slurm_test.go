package slurm_test

import (
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/internal/slurm"
)

func TestJobsRunAsWhoSubmitsThemAndEndAsTheyDo(t *testing.T) {
	for name, id := range map[string]uint32{"root": 0, "an ordinary user": 65534} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // two clusters at a time don't know of each other
			c := slurm.Start(t).As(id, id)

			writes := c.Submit(t, "#!/bin/sh\nid -u >written\n")
			if state := c.Wait(t, writes); state != "COMPLETED" {
				t.Errorf("the job that writes: %s", state)
			}
			written, err := os.ReadFile(filepath.Join(c.JobsDir, "written"))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(string(written)); got != strconv.Itoa(int(id)) {
				t.Errorf("the job ran as %s", got)
			}

			if state := c.Wait(t, c.Submit(t, "#!/bin/sh\nexit 3\n")); state != "FAILED" {
				t.Errorf("the job that fails: %s", state)
			}

			pipe := fifo(t, c.JobsDir)
			sleeps := c.Submit(t, holding(pipe))
			defer started(t, pipe).Close()
			if state := c.State(t, sleeps); state != "RUNNING" {
				t.Errorf("the job that runs: %s", state)
			}
			c.Cancel(t, sleeps)
			if state := c.Wait(t, sleeps); state != "CANCELLED" {
				t.Errorf("the job that was cancelled: %s", state)
			}
		})
	}
}

func TestTheStateDirectoryHoldsTheEnvironmentOfAJob(t *testing.T) {
	c := slurm.Start(t)
	value := rand.Text()
	c.Submit(t, "#!/bin/sh\n", "--hold", "--export=ALL,TOKEN="+value)
	if slurm.Holding(t, c.StateDir, []byte(value)) == nil {
		t.Error("it does not hold it: a search in it proves nothing")
	}
}

func TestAJobThatRunsEndsWithItsCluster(t *testing.T) {
	pipe := fifo(t, t.TempDir())
	var job *os.File
	if !t.Run("the cluster", func(t *testing.T) {
		slurm.Start(t).Submit(t, holding(pipe))
		job = started(t, pipe)
	}) || job == nil { // the cluster may be missing
		return
	}
	defer job.Close()
	if err := job.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := job.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the job still holds its end of the pipe: %v", err)
	}
}

// fifo makes a named pipe in a directory.
func fifo(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o622); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	return path
}

// holding is a job that holds its end of a named pipe open for as long as it runs.
func holding(pipe string) string { return "#!/bin/sh\nexec sleep infinity >'" + pipe + "'\n" }

// started waits until such a job has opened its end, and returns the other.
func started(t *testing.T, pipe string) *os.File {
	t.Helper()
	f, err := os.Open(pipe)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
