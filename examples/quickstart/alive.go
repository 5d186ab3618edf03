package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// lockRun takes the lock that says that a run's launcher lives. The kernel drops
// it when the process ends, however it ends.
func (h *house) lockRun(id secrets.RunID) (release func(), err error) {
	path := filepath.Join(h.runs(), id.String())
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, errors.New("the run's lock file can't be made")
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, errors.New("another process holds the run's lock")
	}
	return func() {
		_ = os.Remove(path) // what stays behind is an empty file
		_ = f.Close()
	}, nil
}

// alive tells whether a run's launcher still holds its lock.
func (h *house) alive(_ context.Context, id secrets.RunID) (bool, error) {
	f, err := os.Open(filepath.Join(h.runs(), id.String()))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}
