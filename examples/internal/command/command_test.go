//go:build unix

package command_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pipesecrets/pipesecrets/examples/internal/command"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

func TestOnlyTheFirstSignalBeforeTheHandOverIsTaken(t *testing.T) {
	signals := make(chan os.Signal, 2)
	ctx, handOver := command.CancelOn(t.Context(), signals)
	signals <- syscall.SIGTERM
	<-ctx.Done()
	signals <- syscall.SIGINT
	if err := handOver(); err == nil || len(signals) != 1 {
		t.Errorf("%v, and %d signals are left", err, len(signals))
	}
	ctx, handOver = command.CancelOn(t.Context(), make(chan os.Signal))
	if err := handOver(); err != nil || ctx.Err() != nil {
		t.Errorf("without a signal: %v", err)
	}
}

// redactor masks one random value.
func redactor(t *testing.T) (r *redact.Redactor, plain string) {
	t.Helper()
	plain = rand.Text()
	name, err := secrets.ParseName("TOKEN")
	if err != nil {
		t.Fatal(err)
	}
	value, err := secrets.NewValue([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	if r, err = redact.New(map[secrets.Name]secrets.Value{name: value}, redact.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r, plain
}

func TestBothStreamsAreMaskedAndTheStatusIsAShells(t *testing.T) {
	r, plain := redactor(t)
	for script, want := range map[string]int{
		"exit 0": 0, "exit 7": 7, "kill -9 $$": 128 + 9, "kill -15 $$": 128 + 15,
	} {
		var stdout, stderr bytes.Buffer
		cmd := exec.Command("sh", "-c", `cat; cat /dev/fd/3 >&2; `+script)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("out "+plain), &stdout, &stderr
		in, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.ExtraFiles = []*os.File{in}
		if _, err := w.WriteString("err " + plain); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		status, err := command.Execute(cmd, r, nil)
		if status != want || err != nil || stdout.String() != "out [secret:TOKEN]" || stderr.String() != "err [secret:TOKEN]" {
			t.Errorf("%s: %d, %v, %d and %d bytes", script, status, err, stdout.Len(), stderr.Len())
		}
		_ = in.Close()
	}
}

func TestASignalThatCameBeforeTheCommandKeepsItFromStarting(t *testing.T) {
	r, _ := redactor(t)
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGCONT // passed on, it would not end the command
	ran := filepath.Join(t.TempDir(), "ran")
	cmd := exec.Command("touch", ran)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	status, err := command.Execute(cmd, r, signals)
	if status != 128+int(syscall.SIGCONT) || err != nil {
		t.Errorf("it ended with %d, %v", status, err)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("the command ran all the same")
	}
}

// stalled is a writer that takes nothing until it is released, and tells of a write.
type stalled struct{ called, released chan struct{} }

func (s *stalled) Write(b []byte) (int, error) {
	close(s.called)
	<-s.released
	return len(b), nil
}

func TestASignalEndsTheWaitForWhoReadsNothing(t *testing.T) {
	r, _ := redactor(t)
	to := &stalled{called: make(chan struct{}), released: make(chan struct{})}
	defer close(to.released)
	cmd := exec.Command("echo", "last words")
	cmd.Stdout, cmd.Stderr = to, os.Stderr
	signals := make(chan os.Signal)
	ended := make(chan error)
	go func() {
		_, err := command.Execute(cmd, r, signals)
		ended <- err
	}()
	<-to.called
	signals <- syscall.SIGCONT
	if err := <-ended; err == nil {
		t.Error("what was not read is no error")
	}
}

func TestASignalThatComesAfterTheCommandsEndCostsNoOutput(t *testing.T) {
	r, plain := redactor(t)
	to := &stalled{called: make(chan struct{}), released: make(chan struct{})}
	cmd := exec.Command("printf", "%s", plain[:10]) // which is held back until the command has ended
	cmd.Stdout, cmd.Stderr = to, os.Stderr
	signals := make(chan os.Signal)
	type end struct {
		status int
		err    error
	}
	ended := make(chan end, 1)
	go func() {
		status, err := command.Execute(cmd, r, signals)
		ended <- end{status, err}
	}()
	<-to.called
	for range 2 {
		select {
		case signals <- syscall.SIGTERM:
		case e := <-ended:
			t.Fatalf("it ended with %d, %v before the output was read", e.status, e.err)
		}
	}
	close(to.released)
	if e := <-ended; e.status != 0 || e.err != nil {
		t.Errorf("it ended with %d, %v", e.status, e.err)
	}
}

func TestASignalThatEndsTheCommandEndsTheWaitForWhoReadsNothingToo(t *testing.T) {
	r, _ := redactor(t)
	to := &stalled{called: make(chan struct{}), released: make(chan struct{})}
	defer close(to.released)
	cmd := exec.Command("sh", "-c", "echo last words; exec cat")
	in, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer in.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, to, os.Stderr
	signals := make(chan os.Signal, 1)
	ended := make(chan error)
	go func() {
		_, err := command.Execute(cmd, r, signals)
		ended <- err
	}()
	<-to.called
	signals <- syscall.SIGTERM
	if err := <-ended; err == nil {
		t.Error("what was not read is no error")
	}
}

func TestACommandThatIsNotThereIsA127(t *testing.T) {
	r, _ := redactor(t)
	cmd := exec.Command(filepath.Join(t.TempDir(), "none"))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if status, err := command.Execute(cmd, r, nil); status != 127 || err == nil {
		t.Errorf("it ended with %d, %v", status, err)
	}
}

func TestWhatIsGivenIsReadFromFilesAndNeverQuoted(t *testing.T) {
	mark, dir := rand.Text(), t.TempDir()
	file := filepath.Join(dir, "value")
	if err := os.WriteFile(file, []byte(mark), 0o600); err != nil {
		t.Fatal(err)
	}
	lists, err := command.Givens([]string{"ONE=" + file}, []string{"TWO=-"})
	if err != nil || len(lists) != 2 || lists[1][0].File != "-" {
		t.Fatalf("%d lists, %v", len(lists), err)
	}
	value, err := lists[0][0].Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = value.Reveal(func(plain []byte) error {
		if string(plain) != mark {
			t.Error("it is not what the file holds")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for want, args := range map[string][]string{
		"NAME=FILE":           {mark},
		"may hold only":       {"A-B=" + mark},
		"only one secret can": {"ONE=-", "TWO=-"},
	} {
		if _, err := command.Givens(args); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), mark) {
			t.Errorf("%s: %d bytes of error", want, len(err.Error()))
		}
	}
	g := command.Given{Name: lists[0][0].Name, File: filepath.Join(dir, mark)}
	if _, err := g.Read(t.Context()); err == nil || strings.Contains(err.Error(), mark) {
		t.Error("a missing file is no error, or is quoted")
	}
}

func TestAReadThatWaitsEndsWithItsContext(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	g := command.Given{File: fifo}
	if _, err := g.Read(ctx); !errors.Is(err, cause) {
		t.Errorf("it says %v", err)
	}
}
