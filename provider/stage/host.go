package stage

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pipesecrets/pipesecrets/internal/hook"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Questions to the host. Its hooks may fail, panic or never come back, and their
// texts are not passed on.

// hostTimeout bounds each hook of the host's.
const hostTimeout = 10 * time.Second

// ErrOlder is what [Config.Intact] answers for a ledger that is an older copy of
// itself, such as a restored backup.
var ErrOlder = errors.New("stage: the ledger is an older copy")

// errIntact hides the host's own error text.
var errIntact = errors.New("stage: the host could not say whether the ledger is intact")

// intactOnce asks the host, at most once a sweep.
func (e *Engine) intactOnce() func(context.Context) error {
	var once sync.Once
	err := errIntact
	return func(ctx context.Context) error {
		once.Do(func() {
			if e.config.Intact == nil {
				return
			}
			_, told := hook.Ask(ctx, hostTimeout, func(ctx context.Context) (struct{}, error) { return struct{}{}, e.config.Intact(ctx) })
			switch {
			case told == nil:
				err = nil
			case errors.Is(told, ErrOlder):
				err = ErrOlder
			}
		})
		return err
	}
}

// errAlive hides the host's own error text.
var errAlive = errors.New("stage: the host could not say whether a run is alive")

// askAlive asks the host, unless it did not answer in this sweep before.
func (e *Engine) askAlive(ctx context.Context, w *sweep, id secrets.RunID) (alive bool, err error) {
	if w.deaf.Load() {
		return false, errAlive
	}
	alive, err = hook.Ask(ctx, hostTimeout, func(ctx context.Context) (bool, error) { return e.config.Alive(ctx, id) })
	if errors.Is(err, hook.ErrLate) {
		w.deaf.Store(true)
	}
	if err != nil {
		return false, errAlive
	}
	return alive, nil
}
