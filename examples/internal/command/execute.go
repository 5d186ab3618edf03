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

// patience is how long we wait for others once the command has ended.
const patience = 5 * time.Second

var errUnread = errors.New("what the command printed last was not read")

// Execute runs cmd with its Stdout and Stderr masked, passes signals on to it, and
// returns its exit status: 128 and the signal's number if a signal ended it, or if
// one came before it started. It dies with us. Who does not read what it printed
// keeps us after its end only until a signal comes, and not for long then.
func Execute(cmd *exec.Cmd, redactor *redact.Redactor, signals <-chan os.Signal) (status int, err error) {
	stdout, stderr := redactor.Writer(cmd.Stdout), redactor.Writer(cmd.Stderr)
	cmd.Stdout, cmd.Stderr = io.Writer(stdout), io.Writer(stderr)
	cmd.WaitDelay = patience // for what the command left running with its output open
	cmd.SysProcAttr = DieWithUs()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	select {
	case s := <-signals:
		return 128 + int(s.(syscall.Signal)), errors.Join(stdout.Close(), stderr.Close())
	default: // one that comes from here on is passed to the command
	}
	if err := cmd.Start(); err != nil {
		return 127, errors.Join(errors.New("the command can't be started"), stdout.Close(), stderr.Close())
	}
	type end struct {
		status int
		err    error
	}
	ended := make(chan end, 1)
	go func() { // which stays behind if nobody reads
		status, err := 0, cmd.Wait()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
			status, err = 1, errors.New("the command's output could not be passed on")
		} else {
			status, err = Status(cmd.ProcessState), nil
		}
		ended <- end{status, errors.Join(err, stdout.Close(), stderr.Close())}
	}()
	var look <-chan time.Time // for whether it has ended, once a signal has come
	for gone := false; ; {
		select {
		case e := <-ended:
			return e.status, e.err
		case s := <-signals:
			// One that was sent to all of a group may have ended the command already,
			// whose last words are still on their way.
			done := !fromTerminal(s) && errors.Is(cmd.Process.Signal(s), os.ErrProcessDone)
			if look == nil || done && !gone {
				look = time.After(patience)
			}
			gone = gone || done
		case <-look:
			if gone {
				return 1, errUnread
			}
			gone = errors.Is(cmd.Process.Signal(syscall.Signal(0)), os.ErrProcessDone)
			look = time.After(patience)
		}
	}
}

// Status is the exit status that a shell gives a process that has ended.
func Status(state *os.ProcessState) int {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return state.ExitCode()
}
