// Package hook asks hooks of the host, which may fail, panic or never come back.
package hook

import (
	"context"
	"errors"
	"time"
)

// What a hook did instead of answering.
var (
	ErrPanic = errors.New("a hook of the host did not return")
	ErrLate  = errors.New("a hook of the host did not answer in time")
)

// Ask calls a hook on a goroutine of its own, which lasts as long as the hook, and
// waits for its answer until ctx ends or timeout has passed: ErrLate then. A panic,
// or a goroutine that ends itself, is ErrPanic. The hook's own error is for the
// caller to look at and not to pass on: its text is the host's.
func Ask[T any](ctx context.Context, timeout time.Duration, hook func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	type answer struct {
		told T
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		a := answer{err: ErrPanic}
		defer func() {
			_ = recover() // a stays as it is
			answers <- a
		}()
		told, err := hook(ctx)
		a = answer{told, err}
	}()
	select {
	case a := <-answers:
		return a.told, a.err
	case <-ctx.Done():
		return answer{}.told, ErrLate
	}
}
