package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

func (p *place) nothingIsLeft() {
	p.t.Helper()
	if entries, err := os.ReadDir(p.tmp); err != nil || len(entries) > 0 {
		p.t.Errorf("%d entries are left (%v)", len(entries), err)
	}
}

func TestTheStoryEndsWithNothingLeft(t *testing.T) {
	p := newPlace(t, "")
	p.real()
	code, stdout, stderr := status(t, p.program())
	if code != 0 || !strings.Contains(stdout, "nothing is staged any more") || strings.Contains(stdout, "UNUSED") {
		t.Errorf("it ended with %d\n%s%s", code, stdout, stderr)
	}
	p.nothingIsLeft()
}

func TestTheStoryBelievesNoNextflowThatOnlyEndsWell(t *testing.T) {
	for _, c := range []struct {
		name, script string
		code         int
		says         string
	}{
		{"without proofs", "", 1, "did not get the bytes of"},
		{"that talks on both streams at once", "yes | head -c 1000000 >&2 & yes | head -c 1000000; wait", 1, "did not get the bytes of"},
		{"that fails", "exit 5", 5, ""},
	} {
		p := newPlace(t, "")
		p.fake(c.script)
		code, stdout, stderr := status(t, p.program())
		if code != c.code || !strings.Contains(stderr, c.says) || strings.Contains(stdout, "What came of it") != (c.says != "") {
			t.Errorf("%s: it ended with %d\n%.2000s%.2000s", c.name, code, stdout, stderr)
		}
		p.nothingIsLeft()
	}
}

func TestASignalEndsTheStoryAndNothingIsLeft(t *testing.T) {
	p := newPlace(t, "")
	p.fake("echo ready >&2; exec sleep 60")
	cmd := p.program()
	out := &steps{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return strings.Contains(out.String(), "ready") })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the status is looked at below
	if code := cmd.ProcessState.ExitCode(); code != 128+int(syscall.SIGTERM) || !strings.Contains(out.String(), "nothing is left") {
		t.Errorf("it ended with %d\n%s", code, out)
	}
	p.nothingIsLeft()
}
