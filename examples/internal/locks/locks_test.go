//go:build unix

package locks_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/pipesecrets/pipesecrets/examples/internal/locks"
)

func TestALockIsHeldByOneUntilItIsReleased(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	held := func(want bool) {
		t.Helper()
		if is, err := locks.Held(path); err != nil || is != want {
			t.Errorf("held: %t, %v", is, err)
		}
	}
	held(false)
	release, err := locks.Hold(path)
	if err != nil {
		t.Fatal(err)
	}
	held(true)
	if _, err := locks.Hold(path); err == nil {
		t.Error("it is held twice")
	}
	release()
	held(false)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its file stays (%v)", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil { // as one who was killed leaves it
		t.Fatal(err)
	}
	held(false)
}

func TestWhoAsksWhetherALockIsHeldDoesNotHoldIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if err := os.WriteFile(path, nil, 0o600); err != nil { // as one who was killed leaves it
		t.Fatal(err)
	}
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for range 1000 {
				if held, err := locks.Held(path); held || err != nil {
					t.Errorf("held: %t, %v", held, err)
					return
				}
			}
		})
	}
	asking.Wait()
}

func TestWaitingForALockEndsWithItsReleaseOrWithTheContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	release, err := locks.Wait(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := locks.Wait(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("it says %v", err)
	}
	taken := make(chan error, 1)
	go func() {
		again, err := locks.Wait(t.Context(), path)
		if err == nil {
			again()
		}
		taken <- err
	}()
	release()
	if err := <-taken; err != nil {
		t.Error(err)
	}
}
