package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/pipesecrets/pipesecrets/examples/internal/command"
)

// signalled is why a context ended, if by a signal.
type signalled struct{ signal syscall.Signal }

func (s *signalled) Error() string { return fmt.Sprint("ended by a signal: ", s.signal) }

// status is what a shell makes of a program that a signal ended.
func (s *signalled) status() int { return 128 + int(s.signal) }

// onSignal returns a context that a signal ends which asks the program to end, so
// that it still completes its run. A broken pipe ends it neither.
func onSignal(ctx context.Context) context.Context {
	command.OutlivePipes()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, command.Ending...)
	ctx, cancel := context.WithCancelCause(ctx)
	go func() { cancel(&signalled{(<-signals).(syscall.Signal)}) }()
	return ctx
}
