//go:build unix

package command

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

// Execute runs cmd with its Stdout and Stderr masked, passes signals on to it, and
// returns its exit status: 128 and the signal's number if a signal ended it, or if
// one came before it started. It dies with us.
func Execute(cmd *exec.Cmd, redactor *redact.Redactor, signals <-chan os.Signal) (status int, err error) {
	stdout, stderr := redactor.Writer(cmd.Stdout), redactor.Writer(cmd.Stderr)
	defer func() { err = errors.Join(err, stdout.Close(), stderr.Close()) }()
	cmd.Stdout, cmd.Stderr = io.Writer(stdout), io.Writer(stderr)
	cmd.WaitDelay = 5 * time.Second // for what the command left running with its output open
	cmd.SysProcAttr = DieWithUs()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	select {
	case s := <-signals:
		return 128 + int(s.(syscall.Signal)), nil
	default: // one that comes from here on is passed to the command
	}
	if err := cmd.Start(); err != nil {
		return 127, errors.New("the command can't be started")
	}
	done := make(chan struct{})
	forwarded := make(chan struct{})
	go func() {
		defer close(forwarded)
		for {
			select {
			case s := <-signals:
				_ = cmd.Process.Signal(s) // it may have ended by itself
			case <-done:
				return
			}
		}
	}()
	err = cmd.Wait()
	close(done)
	<-forwarded
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		return 1, errors.New("the command's output could not be passed on")
	}
	return Status(cmd.ProcessState), nil
}

// Status is the exit status that a shell gives a process that has ended.
func Status(state *os.ProcessState) int {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return state.ExitCode()
}
