//go:build unix

// Package locks has locks that the kernel drops when a process ends, however it
// ends: by them one process tells whether another still lives, and several take
// turns. They are of one host, and on a filesystem that has flock(2).
package locks

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
)

var (
	errHeld   = errors.New("another process holds the lock")
	errMake   = errors.New("the lock file can't be made")
	errNoLock = errors.New("the file can't be locked")
)

// Wait takes the lock of a file that stays, and waits for it if need be.
func Wait(ctx context.Context, path string) (release func(), err error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(10 * time.Millisecond) // a wait inside flock could not be cancelled
	defer tick.Stop()
	for {
		err := try(f)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			_ = f.Close()
			return nil, errNoLock
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			_ = f.Close()
			return nil, context.Cause(ctx)
		}
	}
}

// Hold takes the lock of a file that is there for as long as the lock is held, or
// fails at once. After a process that was killed an empty file stays behind.
func Hold(path string) (release func(), err error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	if try(f) != nil {
		_ = f.Close()
		return nil, errHeld
	}
	return func() {
		_ = os.Remove(path) // what stays behind is an empty file
		_ = f.Close()
	}, nil
}

// Held tells whether a process holds the lock.
func Held(path string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	// Shared, so that two that ask at the same time are not told of each other.
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

func open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, errMake
	}
	return f, nil
}

func try(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
