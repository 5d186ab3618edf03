package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/examples/internal/command"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestOnlyWhatThePipelineRefersToIsStaged(t *testing.T) {
	p := newPlace(t, declares("TOKEN")+"if( secrets.MAYBE ) println 'x'\n")
	p.write("nextflow.config", "profiles { cloud { process.secret = 'CLOUD' } }\n")
	p.write("conf/more.config", "params.key = secrets.MORE\n")
	p.fake(`grep -c '"name"' "$NXF_SECRETS_FILE"; grep -o '"name".*' "$NXF_SECRETS_FILE"`)
	var args []string
	for _, name := range []string{"TOKEN", "CLOUD", "MORE", "OTHER"} {
		args = append(args, p.secret(name, canary())...)
	}
	for _, c := range []struct {
		name string
		args []string
		want []string
	}{
		{"as it is", nil, []string{"TOKEN"}},
		{"with a profile", []string{"-profile", "test,cloud"}, []string{"CLOUD", "TOKEN"}},
		{"with a configuration file", []string{"-c", "conf/more.config"}, []string{"MORE", "TOKEN"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := status(t, p.run(args, append([]string{"run", "main.nf"}, c.args...)...))
			want := fmt.Sprintln(len(c.want))
			for _, name := range c.want {
				want += fmt.Sprintf("\"name\": \"%s\",\n", name)
			}
			if code != 0 || stdout != want {
				t.Errorf("it ended with %d\n%s%s", code, stdout, stderr)
			}
		})
	}
}

func TestNextflowIsToldPathsAndNoValues(t *testing.T) {
	for _, route := range []bool{false, true} {
		p := newPlace(t, declares("TOKEN"))
		p.fake(`{ env; echo; printf '%s\n' "$@"; } >seen; while [ $# -gt 0 ]; do [ "$1" != -c ] || cat "$2" >route; shift; done`)
		p.env = append(p.env, "NXF_SECRETS_FILE=/outer", "PIPESECRETS_ENV=/outer", "PIPESECRETS_DIR=/outer")
		token := canary()
		args := p.secret("TOKEN", token)
		if route {
			args = append(args, "-route")
		}
		code, stdout, stderr := status(t, p.run(args, "-q", "run", "main.nf", "--x", "y"))
		seen := p.read("seen")
		if code != 0 || strings.Contains(seen, "/outer") || strings.Contains(seen, "PIPESECRETS_") || strings.Count(seen, "NXF_SECRETS_FILE=") != 1 {
			t.Errorf("it ended with %d\n%s%s", code, stdout, stderr)
		}
		if !strings.Contains(seen, "\nNXF_ANSI_LOG=false\n") {
			t.Error("Nextflow may draw lines again, which a pipe shows one after the other")
		}
		if p.has("route") != route || route && (!strings.Contains(p.read("route"), p.dir+"/stage/psec-") || !strings.Contains(p.read("route"), "TOKEN")) {
			t.Error("the configuration of the route is not there, or not for this run")
		}
		p.clean(nil, token) // nor in what it has seen
	}
}

func TestWithNothingStagedNextflowsStoreIsEmptyAndItsLogItsOwn(t *testing.T) {
	p := newPlace(t, declares())
	p.fake(`[ -n "$NXF_SECRETS_FILE" ] && [ ! -e "$NXF_SECRETS_FILE" ] && [ "$1 $2 $3" = "run main.nf -resume" ]`)
	if code, stdout, stderr := status(t, p.run(p.secret("TOKEN", canary()), "run", "main.nf", "-resume")); code != 0 {
		t.Errorf("it ended with %d\n%s%s", code, stdout, stderr)
	}
}

func TestTheStatusIsNextflowsAndNothingIsLeft(t *testing.T) {
	for script, want := range map[string]int{"exit 0": 0, "exit 3": 3, "kill -9 $$": 128 + 9, "kill -15 $$": 128 + 15} {
		p := newPlace(t, declares("TOKEN"))
		p.fake(`values; values >&2; ` + script)
		token := canary()
		code, stdout, stderr := status(t, p.run(p.secret("TOKEN", token), "run", "main.nf"))
		if code != want || stdout != "[secret:TOKEN]\n" || !strings.HasPrefix(stderr, "[secret:TOKEN]\n") || !strings.Contains(stderr, "2 occurrence(s)") {
			t.Errorf("%s: it ended with %d\n%s%s", script, code, stdout, stderr)
		}
		p.clean(nil, token)
	}
}

func TestASignalPassesToNextflowAndTheRunStillCompletes(t *testing.T) {
	for _, s := range command.Ending {
		t.Run(s.String(), func(t *testing.T) {
			p := newPlace(t, declares("TOKEN"))
			p.fake(`trap 'values >>"$log"; exit 42' INT TERM HUP QUIT; echo ready; for i in $(seq 600); do sleep 0.1; done; exit 43`)
			token := canary()
			cmd := p.run(p.secret("TOKEN", token), "run", "main.nf")
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(stdout)
			if line, err := lines.ReadString('\n'); line != "ready\n" {
				t.Errorf("it printed %q (%v)", line, err)
			}
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, lines)
			_ = cmd.Wait() // the status is looked at below
			if code := cmd.ProcessState.ExitCode(); code != 42 || p.read(".nextflow.log") != "[secret:TOKEN]\n" {
				t.Errorf("it ended with %d", code)
			}
			p.clean(nil, token)
		})
	}
}

func TestASignalBeforeNextflowStartsEndsItAndNothingIsLeft(t *testing.T) {
	p := newPlace(t, declares("TOKEN"))
	p.fake("")
	fifo := filepath.Join(p.values, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := p.program("-secret", "TOKEN="+fifo, "--", "nextflow", "run", "main.nf")
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
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the status is looked at below
	if code := cmd.ProcessState.ExitCode(); code != 1 || p.has("ran") {
		t.Errorf("it ended with %v", cmd.ProcessState)
	}
	p.nothingIsLeft()
}

func TestABrokenPipeDoesNotKeepTheRunFromCompleting(t *testing.T) {
	p := newPlace(t, declares("TOKEN"))
	p.fake("exec yes")
	cmd := p.run(p.secret("TOKEN", canary()), "run", "main.nf")
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
	p.clean(nil)
}

func TestARunThatGoesOnIsRenewed(t *testing.T) {
	p := newPlace(t, declares("TOKEN"))
	p.fake("while read -r line; do :; done")
	cmd := p.run(p.secret("TOKEN", canary()), "run", "main.nf")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return p.has("ran") })
	h, err := open(t.Context(), p.dir, hpc.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	locked, err := os.ReadDir(h.runs())
	if err != nil || len(locked) != 1 {
		t.Fatalf("%d runs are locked (%v)", len(locked), err)
	}
	id, err := secrets.ParseRunID(locked[0].Name())
	if err != nil {
		t.Fatal(err)
	}
	needed := func() time.Time {
		run, _, err := h.backend.Load(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return run.Needed
	}
	first := needed()
	until(t, func() bool { return needed().After(first) })
	if alive, err := h.alive(t.Context(), id); err != nil || !alive {
		t.Errorf("alive: %t, %v", alive, err)
	}
	if code, _, stderr := status(t, p.program("-dir", p.dir, "-end", id.String())); code != 1 || !strings.Contains(stderr, "under way") {
		t.Errorf("to end it from elsewhere ended with %d: %s", code, stderr)
	}
	_ = stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if alive, err := h.alive(t.Context(), id); err != nil || alive {
		t.Errorf("after its end, alive: %t, %v", alive, err)
	}
}

func TestCallsThatGiveOneSecretAtTheSameTimeAllStoreIt(t *testing.T) {
	p := newPlace(t, declares())
	args := append([]string{"-dir", p.dir}, p.secret("TOKEN", canary())...)
	if code, _, stderr := status(t, p.program(args...)); code != 0 {
		t.Fatalf("it ended with %d: %s", code, stderr)
	}
	var calls []*exec.Cmd
	for range 12 {
		cmd := p.program(args...)
		cmd.Stderr = new(strings.Builder)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		calls = append(calls, cmd)
	}
	for _, cmd := range calls {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %s", err, cmd.Stderr)
		}
	}
}

func TestWhatCanNotBeRemovedIsToldByEachLaterCall(t *testing.T) {
	p := newPlace(t, declares("TOKEN"))
	moved := p.dir + "-moved"
	p.fake(`mv "$STATE" "$STATE-moved"`)
	p.env = append(p.env, "STATE="+p.dir)
	if code, _, stderr := status(t, p.run(p.secret("TOKEN", canary()), "run", "main.nf")); code != 1 || strings.Contains(stderr, "nothing is left") {
		t.Errorf("with the directory away it ended with %d: %s", code, stderr)
	}
	h, err := open(t.Context(), moved, hpc.Config{})
	if err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { // the removal is to be tried again
		due, err := h.backend.Due(t.Context(), time.Now(), 10)
		return err == nil && len(due) == 1
	})
	if err := h.close(); err != nil {
		t.Error(err)
	}
	if code, _, stderr := status(t, p.program("-dir", moved)); code != 1 {
		t.Errorf("what is in another place was removed (%d): %s", code, stderr)
	}
	for range 2 {
		if _, _, stderr := status(t, p.program("-dir", moved)); !strings.Contains(stderr, "1 thing(s) are staged that can't be removed") {
			t.Errorf("it says nothing: %s", stderr)
		}
	}
}
