package main

import (
	"context"
	"path/filepath"

	"github.com/pipesecrets/pipesecrets/examples/internal/locks"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// lock takes the lock of the house and waits for it if need be, so that of several
// first starts one makes key and keyring, and the others find them.
func (h *house) lock(ctx context.Context) (release func(), err error) {
	return locks.Wait(ctx, filepath.Join(h.dir, "lock"))
}

// lockRun takes the lock that says that a run's launcher lives. The kernel drops
// it when the process ends, however it ends.
func (h *house) lockRun(id secrets.RunID) (release func(), err error) {
	return locks.Hold(filepath.Join(h.runs(), id.String()))
}

// alive tells whether a run's launcher still holds its lock.
func (h *house) alive(_ context.Context, id secrets.RunID) (bool, error) {
	return locks.Held(filepath.Join(h.runs(), id.String()))
}
