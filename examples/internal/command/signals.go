//go:build unix

package command

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Ending are the signals that ask a process to end. Caught, they leave it the
// time to remove what it staged.
var Ending = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}

// OutlivePipes makes a write to a broken pipe an error as any other, instead of
// the end of the process. Ignoring SIGPIPE would do so for the command, too.
func OutlivePipes() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// CancelOn returns a context that the first signal ends. handOver leaves the
// signals that come later in the channel, and returns an error if one has come.
func CancelOn(ctx context.Context, signals <-chan os.Signal) (_ context.Context, handOver func() error) {
	ctx, cancel := context.WithCancelCause(ctx)
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case s := <-signals:
			cancel(fmt.Errorf("signal before the command had started: %v", s))
		case <-over:
		}
	}()
	return ctx, func() error {
		close(over)
		<-done
		return context.Cause(ctx)
	}
}
