//go:build unix

package hpc_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/internal/leak"
	"github.com/pipesecrets/pipesecrets/internal/slurm"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
)

// An order is what a launcher in a process of its own stages, and where.
type order struct {
	Root   string
	Values map[string][]byte
}

// TestLauncher is no test but that process. It answers with the prologue, and removes
// what it staged when its input ends.
func TestLauncher(t *testing.T) {
	if os.Getenv("PIPESECRETS_TEST_LAUNCHER") == "" {
		return
	}
	input := json.NewDecoder(os.Stdin)
	var o order
	if err := input.Decode(&o); err != nil {
		t.Fatal(err)
	}
	d, _ := newDriver(t, hpc.Config{Root: o.Root, NoStore: true}) // values need not be UTF-8
	object, id := stagedIn(t, d, o.Values)
	text, err := d.Prologue(d.References(object, id))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(text); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(t.Context(), object, id); err != nil {
		t.Fatal(err)
	}
}

// stagedAs has a launcher of this user stage values in a root of its own, and returns
// the prologue and what makes the launcher remove them and end.
func stagedAs(t *testing.T, c *slurm.Cluster, uid uint32, values map[string][]byte) (text, root string, remove func()) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	root = filepath.Join(c.JobsDir, "staged")
	check(os.Mkdir(root, 0o700))
	check(os.Chown(root, int(uid), int(uid)))
	self, err := os.Executable()
	check(err)
	program, err := os.ReadFile(self)
	check(err)
	launcher := filepath.Join(c.Dir, "launcher") // where every user may run it
	check(os.WriteFile(launcher, program, 0o700))
	check(os.Chmod(launcher, 0o755))

	cmd := exec.CommandContext(t.Context(), launcher, "-test.run=^TestLauncher$")
	cmd.Dir, cmd.Env = c.JobsDir, append(os.Environ(), "PIPESECRETS_TEST_LAUNCHER=1", "GOCOVERDIR="+c.JobsDir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	check(err)
	output, err := cmd.StdoutPipe()
	check(err)
	check(cmd.Start())
	check(json.NewEncoder(input).Encode(order{root, values}))
	answer := json.NewDecoder(output)
	if err := answer.Decode(&text); err != nil {
		input.Close()
		rest, _ := io.ReadAll(io.MultiReader(answer.Buffered(), output)) // for the message
		t.Fatalf("the launcher: %v: %s", err, rest)
	}
	return text, root, func() {
		t.Helper()
		input.Close()
		rest, err := io.ReadAll(io.MultiReader(answer.Buffered(), output))
		if err := errors.Join(err, cmd.Wait()); err != nil {
			t.Errorf("the launcher: %v: %s", err, rest)
		}
		empty(t, root)
	}
}

// corpus is 20 hostile values, each of which holds a canary of its own, by which it is
// found wherever it is.
func corpus() (values, canaries map[string][]byte) {
	values, canaries = map[string][]byte{}, map[string][]byte{}
	kinds := hostile()[:42] // without the single bytes
	for i := range 20 {
		name, canary := fmt.Sprintf("SECRET_%d", i), leak.Canary()
		values[name] = slices.Concat(kinds[2*i], canary, kinds[2*i+1])
		canaries[name] = canary
	}
	return values, canaries
}

// forms are a canary as it may stand in a file of any size without being there by
// chance: as it is, and encoded as others encode what they record.
func forms(canary []byte) [][]byte {
	all := [][]byte{canary, canary[:len(canary)/2], canary[len(canary)/2:],
		[]byte(hex.EncodeToString(canary)), []byte(strings.ToUpper(hex.EncodeToString(canary)))}
	for shift := range 3 {
		encoded := base64.StdEncoding.EncodeToString(append(make([]byte, shift), canary...))
		all = append(all, []byte(encoded[4:len(encoded)-4]))
	}
	return all
}

// until waits for something that is about to be, but not for ever.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for again := time.NewTicker(20 * time.Millisecond); !done(); <-again.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within two minutes: %s", what)
		}
	}
}

// digests is a job that tells where its copy is, writes the digests of its variables
// and of its files, and then comes to a gate.
func digests(text string, values map[string][]byte, shell, sums, gate, rest string) string {
	return "#!/bin/" + shell + "\nset -eux\n" + text + "set +x\necho \"arrived ${PIPESECRETS_DIR%/files}\"\n" +
		tells(values, sums) + "cat '" + gate + "'\n" + rest
}

// tells is the part of a job that writes the digests of its variables and of its files.
func tells(values map[string][]byte, sums string) string {
	script := "{\n"
	for _, n := range slices.Sorted(maps.Keys(values)) {
		script += fmt.Sprintf("\tprintf %%s \"$%s\" | sha256sum\n\tsha256sum <\"$PIPESECRETS_DIR/%s\"\n", n, n)
	}
	return script + "} >'" + sums + "'\n"
}

// digestsOf is what it writes if it has these values.
func digestsOf(values map[string][]byte) string {
	var lines strings.Builder
	for _, n := range slices.Sorted(maps.Keys(values)) {
		line := fmt.Sprintf("%x  -\n", sha256.Sum256(values[n]))
		lines.WriteString(line + line)
	}
	return lines.String()
}

// atGate waits until a job is at its gate, and returns what it waits for the end of.
func atGate(t *testing.T, c *slurm.Cluster, id, gate string) (opened *os.File) {
	t.Helper()
	until(t, "the job is at the gate", func() bool {
		var err error
		opened, err = os.OpenFile(gate, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err != nil && slices.Contains([]string{"COMPLETED", "FAILED"}, c.State(t, id)) {
			out, _ := os.ReadFile(outputOf(c, id)) // for the message
			t.Fatalf("the job has ended: %s", out)
		}
		return err == nil
	})
	return opened
}

// outputOf is where a job's output goes.
func outputOf(c *slurm.Cluster, id string) string {
	return filepath.Join(c.JobsDir, "slurm-"+id+".out")
}

// copyOf is where a job that has arrived has its copy.
func copyOf(t *testing.T, c *slurm.Cluster, id string) string {
	t.Helper()
	out, err := os.ReadFile(outputOf(c, id))
	_, rest, told := strings.Cut(string(out), "arrived ")
	copied, _, whole := strings.Cut(rest, "\n")
	if err != nil || !told || !whole || !strings.HasPrefix(copied, "/dev/shm/pipesecrets.") {
		t.Fatalf("the job told: %s (%v)", out, err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(copied) }) // should it not be gone by then
	return copied
}

func TestASlurmJobHasItsSecretsAndSlurmHasNothingOfThem(t *testing.T) {
	t.Setenv("OF_THE_SUBMITTER", string(leak.Canary()))
	for user, uid := range map[string]uint32{"root": 0, "an ordinary user": 65534} {
		for ending, e := range map[string]struct {
			shell, rest, state string
			cancel             bool
		}{
			"completes":    {"sh", "", "COMPLETED", false},
			"fails":        {"bash", "false\n", "FAILED", false},
			"is cancelled": {"bash", "", "CANCELLED", true},
		} {
			t.Run(user+"'s job "+ending, func(t *testing.T) {
				c := slurm.Start(t).As(uid, uid)
				values, canaries := corpus()
				text, root, remove := stagedAs(t, c, uid, values)
				if len(entries(t, root)) != 1 {
					t.Error("nothing is staged")
				}
				sums, gate := filepath.Join(c.Dir, "sums"), filepath.Join(c.JobsDir, "gate")
				if err := errors.Join(os.WriteFile(sums, nil, 0o600), os.Chown(sums, int(uid), int(uid)),
					syscall.Mkfifo(gate, 0o600), os.Chown(gate, int(uid), int(uid))); err != nil {
					t.Fatal(err)
				}
				script := digests(text, values, e.shell, sums, gate, e.rest)
				id := c.Submit(t, script, "--export=NONE")
				opened := atGate(t, c, id, gate)
				defer opened.Close()

				copied := copyOf(t, c, id)
				if written, err := os.ReadFile(sums); err != nil || string(written) != digestsOf(values) {
					t.Errorf("%d bytes of digests are not those of the values (%v)", len(written), err)
				}
				if info, err := os.Stat(copied + "/env.sh"); err != nil || info.Sys().(*syscall.Stat_t).Uid != uid {
					t.Errorf("the copy is at %q (%v)", copied, err)
				}

				withheld(t, c, recordedBy(t, c, id, "arrived"), canaries)
				if e.cancel {
					c.Cancel(t, id)
				} else {
					opened.Close()
				}
				if state := c.Wait(t, id); state != e.state {
					t.Errorf("the job has ended as %s", state)
				}
				until(t, "the copy is gone", func() bool { return !exists(copied) })
				withheld(t, c, recordedBy(t, c, id, "arrived"), canaries)
				remove()
			})
		}
	}
}

// recordedBy is what Slurm shows of a job: its record, its script and its output, in
// which it has told this.
func recordedBy(t *testing.T, c *slurm.Cluster, id, told string) []byte {
	t.Helper()
	record, err := c.Command(t, "scontrol", "-dd", "show", "job", id).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, record)
	}
	script, err := c.Command(t, "scontrol", "write", "batch_script", id, "-").CombinedOutput()
	if err != nil || !bytes.Contains(script, []byte("pipesecrets_load")) {
		t.Fatalf("%v: %s", err, script)
	}
	output, err := os.ReadFile(outputOf(c, id))
	if err != nil || !bytes.Contains(output, []byte(told)) {
		t.Fatalf("the job told: %s (%v)", output, err)
	}
	return slices.Concat(record, script, output)
}

// withheld is that no record of a job and no file of the cluster holds anything of a
// value, nor of the submitter's environment.
func withheld(t *testing.T, c *slurm.Cluster, recorded []byte, canaries map[string][]byte) {
	t.Helper()
	for name, canary := range canaries {
		for _, form := range forms(canary) {
			if bytes.Contains(recorded, form) {
				t.Errorf("%s is in the job's record, script or output", name)
			}
			for _, dir := range []string{c.StateDir, c.SpoolDir} {
				if files := slurm.Holding(t, dir, form); files != nil {
					t.Errorf("%s is in %q", name, files)
				}
			}
		}
	}
	if files := slurm.Holding(t, c.StateDir, []byte(os.Getenv("OF_THE_SUBMITTER"))); files != nil {
		t.Errorf("the submitter's environment is in %q", files)
	}
}
