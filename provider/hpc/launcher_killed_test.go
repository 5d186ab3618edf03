//go:build unix

package hpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/crypto"
	"github.com/pipesecrets/pipesecrets/internal/leak"
	"github.com/pipesecrets/pipesecrets/internal/slurm"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/sqlstore/sqlite"
)

var (
	workspace = secrets.Scope{Kind: secrets.Workspace, ID: "w"}
	person    = rbac.Caller{User: "p", Grants: []rbac.Grant{{Scope: workspace, Role: rbac.Admin}}}
)

// A house is what one process has open of a launcher's state in a directory.
type house struct {
	dir     string
	driver  *hpc.Driver
	service *pipesecrets.Service
}

func (h *house) root() string { return filepath.Join(h.dir, "staged") }

// lock takes the lock that the launcher holds as long as it lives, unless another has it.
func (h *house) lock() (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(h.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return f, syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// alive tells whether the launcher lives.
func (h *house) alive(context.Context, secrets.RunID) (bool, error) {
	f, err := h.lock()
	if f != nil {
		defer f.Close()
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// enter opens the state in a directory, which it makes in an empty one. Its runs need
// what is staged for a second, unless their launcher lives.
func enter(t *testing.T, dir string) *house {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	h := &house{dir: dir}
	database, key := filepath.Join(dir, "db", "p.db"), filepath.Join(dir, "kek", "key")
	_, err := os.Stat(key)
	first := errors.Is(err, fs.ErrNotExist)
	if first {
		for _, path := range []string{filepath.Dir(database), filepath.Dir(key), h.root()} {
			check(os.Mkdir(path, 0o700))
		}
		check(crypto.CreateFileKEK(key, database))
	}
	kek, err := crypto.FileKEK(key, database)
	check(err)
	backend, err := sqlite.Open(t.Context(), database)
	check(err)
	t.Cleanup(func() {
		if err := backend.Close(); err != nil {
			t.Error(err)
		}
	})
	installation, err := backend.Installation(t.Context(), "")
	check(err)
	var keyring *crypto.Keyring
	if first {
		keyring, err = crypto.Create(t.Context(), backend, kek, installation, crypto.XChaCha20Poly1305)
	} else {
		keyring, err = crypto.Load(t.Context(), backend, kek, installation)
	}
	check(err)
	h.driver, _ = newDriver(t, hpc.Config{Root: h.root(), NoStore: true}) // values need not be UTF-8
	h.service, err = pipesecrets.New(t.Context(), pipesecrets.Config{
		Backend: backend, Keyring: keyring, Home: "test", Policy: rbac.Default(),
		Targets: map[string]provider.Provider{"cluster": h.driver},
		Alive:   h.alive, Need: time.Second,
	})
	check(err)
	return h
}

// An errand is what a launcher in a process of its own does with the state in Dir: a
// run for each of Jobs.
type errand struct {
	Dir  string
	Jobs []batch
}

// A batch is a job that a launcher submits.
type batch struct {
	Run     string
	Rest    string // of the script, after the prologue
	Options []string
}

// TestDoomedLauncher is no test but that process. It answers with the ids of the jobs,
// and then has to be killed.
func TestDoomedLauncher(t *testing.T) {
	if os.Getenv("PIPESECRETS_TEST_DOOMED_LAUNCHER") == "" {
		return
	}
	var e errand
	if err := json.NewDecoder(os.Stdin).Decode(&e); err != nil {
		t.Fatal(err)
	}
	h := enter(t, e.Dir)
	held, err := h.lock()
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	var ids []string
	for _, b := range e.Jobs {
		launch, err := h.service.Launch(t.Context(), person, pipesecrets.LaunchRequest{Run: runID(t, b.Run), Workspace: workspace})
		if err != nil {
			t.Fatal(err)
		}
		text, err := h.driver.Prologue(launch.References)
		if err != nil {
			t.Fatal(err)
		}
		submit := exec.Command("sbatch", append([]string{"--parsable", "--export=NONE"}, b.Options...)...)
		submit.Stdin = strings.NewReader("#!/bin/sh\nset -eu\n" + text + b.Rest)
		id, err := submit.Output()
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, strings.TrimSpace(string(id)))
	}
	if err := json.NewEncoder(os.Stdout).Encode(ids); err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	t.Fatalf("it was not killed (%v)", err)
}

// doomed starts such a launcher, and returns the ids of its jobs and what kills it.
func doomed(t *testing.T, c *slurm.Cluster, e errand) (ids []string, kill func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestDoomedLauncher$")
	cmd.Dir, cmd.Env, cmd.Stderr = c.JobsDir, append(os.Environ(), "PIPESECRETS_TEST_DOOMED_LAUNCHER=1"), os.Stderr
	c.Use(cmd)
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(cmd.Start(), json.NewEncoder(input).Encode(e)); err != nil {
		t.Fatal(err)
	}
	answer := json.NewDecoder(output)
	if err := answer.Decode(&ids); err != nil {
		input.Close()
		rest, _ := io.ReadAll(io.MultiReader(answer.Buffered(), output)) // for the message
		t.Fatalf("the launcher: %v: %s", err, rest)
	}
	return ids, func() {
		t.Helper()
		err := cmd.Process.Kill()
		_ = cmd.Wait() // its status tells more
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); err != nil || !ok || status.Signal() != syscall.SIGKILL {
			t.Fatalf("the launcher ended by itself: %v (%v)", cmd.ProcessState, err)
		}
	}
}

func runID(t *testing.T, s string) secrets.RunID {
	t.Helper()
	id, err := secrets.ParseRunID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// keep has the service keep values in the workspace.
func (h *house) keep(t *testing.T, plain map[string][]byte) {
	t.Helper()
	for n, p := range plain {
		value, err := secrets.NewValue(p)
		if err == nil {
			_, err = h.service.Create(t.Context(), person, secrets.Secret{Name: name(t, n), Scope: workspace}, value)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// sweep waits until the time is over for which runs need what is staged, and sweeps.
func (h *house) sweep(t *testing.T, runs ...string) stage.Report {
	t.Helper()
	for _, run := range runs {
		needed := h.receipt(t, run).Run.Needed
		until(t, "the run's time is over", func() bool { return time.Now().After(needed) })
	}
	report, err := h.service.Sweep(t.Context(), rbac.Operator("test"))
	if err != nil {
		t.Error(err)
	}
	return report
}

func (h *house) receipt(t *testing.T, run string) stage.Receipt {
	t.Helper()
	receipt, err := h.service.Receipt(t.Context(), person, runID(t, run))
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

// copies are the directories in this node's memory in which jobs have their copies.
func copies(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("/dev/shm/pipesecrets.*")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestOfAKilledLauncherOneSweepTakesAllAndTheJobThatRunsEndsWellAndTheOneThatWaitsGetsNothing(t *testing.T) {
	t.Setenv("OF_THE_SUBMITTER", string(leak.Canary()))
	c := slurm.Start(t)
	h := enter(t, t.TempDir())
	values, canaries := corpus()
	h.keep(t, values)

	gate, sums := filepath.Join(c.JobsDir, "gate"), filepath.Join(c.Dir, "sums")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	rest := "echo \"arrived ${PIPESECRETS_DIR%/files}\"\ncat '" + gate + "'\n" + tells(values, sums)
	ids, kill := doomed(t, c, errand{h.dir, []batch{{Run: "runs", Rest: rest}, {Run: "waits", Rest: rest, Options: []string{"--hold"}}}})
	runs, waits := ids[0], ids[1]
	opened := atGate(t, c, runs, gate)
	defer opened.Close()
	copied := copyOf(t, c, runs)
	if lives, err := h.alive(t.Context(), runID(t, "runs")); err != nil || !lives {
		t.Errorf("before the kill the launcher's lock says that it lives: %t, %v", lives, err)
	}
	if state := c.State(t, waits); state != "PENDING" || len(entries(t, h.root())) != 2 {
		t.Errorf("of two runs %d are staged, and the job that waits is %s", len(entries(t, h.root())), state)
	}
	for n, canary := range canaries { // else a search finds nothing
		if len(slurm.Holding(t, h.dir, canary)) < 2 {
			t.Errorf("%s is staged for less than two runs", n)
		}
	}

	kill()
	report := h.sweep(t, "runs", "waits")
	if !h.receipt(t, "runs").Gone() || !h.receipt(t, "waits").Gone() || report.Ended != 2 || report.Removed != 2 {
		t.Errorf("the sweep after the kill: %+v", report)
	}
	empty(t, h.root())
	if _, err := os.Stat(copied + "/env.sh"); err != nil {
		t.Errorf("the job that runs has lost its copy: %v", err)
	}
	opened.Close()
	if state := c.Wait(t, runs); state != "COMPLETED" {
		t.Errorf("the job that runs has ended as %s", state)
	}
	if written, err := os.ReadFile(sums); err != nil || string(written) != digestsOf(values) {
		t.Errorf("%d bytes of digests are not those of the values (%v)", len(written), err)
	}
	until(t, "the copy is gone", func() bool { return !exists(copied) })

	before := copies(t)
	if out, err := c.Command(t, "scontrol", "release", waits).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if state := c.Wait(t, waits); state != "FAILED" {
		t.Errorf("the job that waited has ended as %s", state)
	}
	record := recordedBy(t, c, waits, "here that can be read: the secrets of a run are removed when it has ended")
	if !bytes.Contains(record, []byte("ExitCode=78:0")) || bytes.Contains(record, []byte("arrived /dev")) {
		t.Errorf("the job that waited has not ended at once, with 78: %s", record)
	}
	until(t, "what the job that waited made is gone", func() bool { // another's may come and go
		return !slices.ContainsFunc(copies(t), func(dir string) bool { return !slices.Contains(before, dir) })
	})

	withheld(t, c, slices.Concat(recordedBy(t, c, runs, "arrived"), record), canaries)
	for n, canary := range canaries {
		for _, form := range forms(canary) {
			if files := append(slurm.Holding(t, c.Dir, form), slurm.Holding(t, h.dir, form)...); files != nil {
				t.Errorf("%s is in %q", n, files)
			}
		}
	}
}
