package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pipesecrets/pipesecrets/internal/component"
)

// real lets the program find the Nextflow that is on PATH: offline, and with a home of
// its own, as internal/nxf has it.
func (p *place) real() {
	p.t.Helper()
	for _, program := range []string{"nextflow", "bash", "sha256sum"} {
		component.Command(p.t, "nextflow", program)
	}
	p.env = append(p.env, "NXF_HOME="+p.t.TempDir(), "NXF_OFFLINE=true")
}

// ofTask reports whether a file is where Nextflow keeps what a task printed.
func ofTask(path string) bool {
	switch filepath.Base(path) {
	case ".command.out", ".command.err", ".command.log":
		return true
	}
	return false
}

func digest(plain []byte) string { return fmt.Sprintf("%x", sha256.Sum256(plain)) }

func TestTasksHaveTheExactBytesAndAFailureShowsNoneOfThemAndIsReplayed(t *testing.T) {
	p := newPlace(t, `
process PROVE {
    secret 'PASSPHRASE'
    publishDir '.', mode: 'copy'
    output: path 'proof'
    script:
    '''
    printf %s "$PASSPHRASE" | sha256sum > proof
    '''
}
process FAIL {
    secret 'TOKEN'
    input: val ready
    script:
    '''
    echo "it is $TOKEN"
    exit 3
    '''
}
workflow { PROVE(); FAIL(PROVE.out) }
`)
	p.real()
	p.write(".nextflow.log", "of an earlier run")
	token, passphrase := canary(), hostile()
	args := append(p.secret("TOKEN", token), p.secret("PASSPHRASE", passphrase)...)
	code, stdout, stderr := status(t, p.run(append(args, "-replay-for", "1h"), "run", "main.nf"))
	if code != 1 {
		t.Errorf("it ended with %d, want Nextflow's 1\n%s%s", code, stdout, stderr)
	}
	if !strings.HasPrefix(p.read("proof"), digest(passphrase)) {
		t.Error("the task had other bytes")
	}
	if !p.has("proof") || p.has("sentinel") {
		t.Error("a value was executed")
	}
	// A mark stands where Nextflow has written the value.
	for where, text := range map[string]string{"stdout": stdout, "log": p.read(".nextflow.log")} {
		if !strings.Contains(text, "it is [secret:TOKEN]") || !strings.Contains(text, "exit status (3)") {
			t.Errorf("%s does not tell of the failure, masked:\n%s", where, text)
		}
	}
	if bytes.Contains([]byte(stdout+stderr), token) {
		t.Error("the value was printed")
	}
	if !strings.Contains(p.read(".nextflow.log"), "Goodbye") || p.read(".nextflow.log.1") != "of an earlier run" {
		t.Error("the log is not whole, or the earlier one was not set aside")
	}
	said := kept.FindStringSubmatch(stderr)
	if !strings.Contains(stderr, "2 secret(s) were staged") || said == nil {
		t.Fatalf("it says %s", stderr)
	}
	tasks, err := filepath.Glob(p.path("work/*/*/.command.err"))
	if err != nil || len(tasks) != 2 {
		t.Fatalf("%d tasks (%v)", len(tasks), err)
	}
	replayed := 0
	for _, task := range tasks {
		code, stdout, stderr := status(t, p.program("-dir", p.dir, "-replay", said[2], "--", filepath.Dir(task)))
		if code == 3 && strings.Contains(stdout+stderr, "it is [secret:TOKEN]\n") {
			replayed++
		} else if code != 0 {
			t.Errorf("the replay ended with %d\n%s%s", code, stdout, stderr)
		}
	}
	if replayed != 1 {
		t.Errorf("of the task that fails %d replays had its secret", replayed)
	}
	if code, _, stderr := status(t, p.program("-dir", p.dir, "-end", said[2])); code != 0 {
		t.Errorf("its end ended with %d: %s", code, stderr)
	}
	p.clean(ofTask, token, passphrase)
}

func TestTheRouteCarriesLinesAndASignalEndsNextflowFirst(t *testing.T) {
	p := newPlace(t, `
process WAIT {
    secret 'KEY'
    script:
    """
    printf %s "\$KEY" | sha256sum > $launchDir/proof.part
    mv $launchDir/proof.part $launchDir/proof
    sleep 100
    """
}
workflow { WAIT() }
`)
	p.real()
	key := append([]byte("line\r\n\xff"), hostile()...) // no text at all
	key = append(key, "\n\n"...)
	cmd := p.run(append(p.secret("KEY", key), "-route"), "run", "main.nf")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return p.has("proof") })
	if !strings.HasPrefix(p.read("proof"), digest(key)) {
		t.Error("the task had other bytes")
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the status is looked at below
	// Its status is 1 or that of the signal, whichever of its threads is faster.
	if code := cmd.ProcessState.ExitCode(); code != 1 && code != 128+int(syscall.SIGTERM) ||
		!strings.Contains(stdout.String(), "Killing running tasks (1)") || !strings.Contains(stderr.String(), "nothing is left") {
		t.Errorf("it ended with %d\n%s%s", code, &stdout, &stderr)
	}
	p.clean(nil, key)
}
