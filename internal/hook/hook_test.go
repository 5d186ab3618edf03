package hook_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets/internal/hook"
)

func TestAHookIsHeardOrNotWaitedFor(t *testing.T) {
	own := errors.New("the host's own")
	for name, c := range map[string]struct {
		hook func(context.Context) (int, error)
		told int
		err  error
		took time.Duration
	}{
		"answers":            {func(context.Context) (int, error) { return 7, nil }, 7, nil, 0},
		"fails":              {func(context.Context) (int, error) { return 0, own }, 0, own, 0},
		"panics":             {func(context.Context) (int, error) { panic("x") }, 0, hook.ErrPanic, 0},
		"ends itself":        {func(context.Context) (int, error) { runtime.Goexit(); return 0, nil }, 0, hook.ErrPanic, 0},
		"takes its time":     {func(context.Context) (int, error) { time.Sleep(time.Second); return 7, nil }, 7, nil, time.Second},
		"waits for its end":  {func(ctx context.Context) (int, error) { <-ctx.Done(); time.Sleep(time.Nanosecond); return 7, nil }, 0, hook.ErrLate, time.Minute},
		"does not come back": {func(context.Context) (int, error) { time.Sleep(time.Hour); return 7, nil }, 0, hook.ErrLate, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				told, err := hook.Ask(t.Context(), time.Minute, c.hook)
				took := time.Since(start)
				if told != c.told || err != c.err || took != c.took {
					t.Errorf("%d, %v, after %v", told, err, took)
				}
				time.Sleep(time.Hour)
			})
		})
	}
}

func TestACallerWhoGivesUpIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := hook.Ask(ctx, time.Minute, func(context.Context) (int, error) { time.Sleep(time.Hour); return 7, nil })
		if took := time.Since(start); err != hook.ErrLate || took != time.Second {
			t.Errorf("%v, after %v", err, took)
		}
		time.Sleep(time.Hour)
	})
}
