package main

import (
	"bufio"
	"context"
	"io"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/awssm"
	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

func TestASignalPassesToTheCommandAndTheRunStillCompletes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		signal syscall.Signal
		trap   string
		code   int
	}{
		{syscall.SIGINT, "", 130},
		{syscall.SIGTERM, "", 143},
		{syscall.SIGTERM, "trap 'exit 42' TERM; ", 42},
		{syscall.SIGHUP, "trap 'exit 42' HUP; ", 42},
		{syscall.SIGQUIT, "trap 'exit 42' QUIT; ", 42},
	} {
		t.Run(c.signal.String()+" "+c.trap, func(t *testing.T) {
			cmd, tmp := awsbatch(t, "-secret", "TOKEN="+write(t, hostile()), "--", "sh", "-c",
				c.trap+`echo ready; for i in $(seq 600); do sleep 0.1; done; exit 43`)
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			var stderr strings.Builder
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(stdout)
			if line, err := lines.ReadString('\n'); line != "ready\n" {
				t.Errorf("it printed %q (%v)", line, err)
			}
			if err := cmd.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, lines)
			_ = cmd.Wait() // the status is looked at below
			if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(stderr.String(), "The fake has none at all") {
				t.Errorf("it ended with %d, want %d: %s", code, c.code, &stderr)
			}
			empty(t, tmp)
		})
	}
}

// signalling is a writer whose user hears a signal as it has written so many times.
type signalling struct {
	writes int
	signal func()
}

func (s *signalling) Write(b []byte) (int, error) {
	if s.writes--; s.writes == 0 {
		s.signal()
	}
	return len(b), nil
}

func TestASignalBeforeAnythingIsStagedIsAllThatIsTold(t *testing.T) {
	fake := awssmtest.New(awssmtest.Config{})
	server := httptest.NewServer(fake)
	defer server.Close()
	tmp := t.TempDir()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "key", "TMPDIR": tmp,
	} {
		t.Setenv(name, value)
	}
	const staged = 11 // the line that tells that it is
	for line := range staged {
		ctx, cancel := context.WithCancelCause(t.Context())
		hear := func() { cancel(&signalled{syscall.SIGTERM}) }
		if line == 0 {
			hear()
		}
		status, err := story(ctx, options{layout: awssm.PerSecret, hours: 4, account: "123456789012"}, teller{&signalling{line, hear}})
		cancel(nil)
		if status != 0 || err == nil || err.Error() != "ended by a signal: terminated" || report(err) != 143 {
			t.Errorf("after line %d: it ended with %d: %v", line, status, err)
		}
		empty(t, tmp)
	}
	for _, call := range fake.Calls() {
		if call.Op == "CreateSecret" {
			t.Error("something was staged")
		}
	}
}

func TestACommandThatDoesNotHeedTheSignalIsKilledInTheEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	redactor, err := redact.New(nil, redact.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := &play{teller: teller{io.Discard}, grace: time.Millisecond}
	ready := &signalling{1, func() { cancel(&signalled{syscall.SIGTERM}) }}
	status, err := p.execute(ctx, []string{"sh", "-c", "trap '' TERM; echo ready; exec sleep 60"},
		os.Environ(), redactor, ready, io.Discard, p.window(redactor))
	if err != nil || status != 128+int(syscall.SIGKILL) {
		t.Errorf("it ended with %d (%v)", status, err)
	}
}

func TestABrokenPipeDoesNotKeepTheRunFromCompleting(t *testing.T) {
	t.Parallel()
	cmd, tmp := awsbatch(t, "-secret", "TOKEN="+write(t, hostile()), "--", "yes")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "y\n" {
		t.Errorf("it printed %q (%v)", line, err)
	}
	_ = stdout.Close() // as head does
	_ = cmd.Wait()     // the status is looked at below
	if code := cmd.ProcessState.ExitCode(); code != 128+int(syscall.SIGPIPE) || !strings.Contains(stderr.String(), "The fake has none at all") {
		t.Errorf("it ended with %v, want the status of the command's SIGPIPE: %s", cmd.ProcessState, &stderr)
	}
	empty(t, tmp)
}

func TestAStoryThatNobodyReadsEndsWell(t *testing.T) {
	t.Parallel()
	cmd, tmp := awsbatch(t)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = stdout.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	empty(t, tmp)
}
