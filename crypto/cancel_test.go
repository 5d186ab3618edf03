package crypto_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/pipesecrets/pipesecrets/crypto"
)

func TestACancelledCallDoesNothing(t *testing.T) {
	h := newHouse(t)
	k := h.create(t, crypto.XChaCha20Poly1305)
	r := seal(t, k, token(t), randomBytes(8))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	loads, saves, kek := h.store.loads.Load(), h.store.saves.Load(), h.kek.encrypts.Load()+h.kek.decrypts.Load()
	for label, do := range map[string]func() error{
		"create": func() error {
			_, err := crypto.Create(ctx, &memory{}, h.kek, h.in, crypto.XChaCha20Poly1305)
			return err
		},
		"load":    func() error { _, err := crypto.Load(ctx, h.store, h.kek, h.in); return err },
		"reload":  func() error { return k.Reload(ctx) },
		"open":    func() error { _, err := k.Open(ctx, r); return err },
		"reseal":  func() error { _, err := k.Reseal(ctx, r); return err },
		"add":     func() error { _, err := k.AddKey(ctx, crypto.XChaCha20Poly1305); return err },
		"promote": func() error { return k.Promote(ctx, k.Primary()) },
		"retire":  func() error { return k.Retire(ctx, 1) },
		"rekey":   func() error { return k.Rekey(ctx, h.kek) },
	} {
		if err := do(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want Canceled", label, err)
		}
	}
	if h.store.loads.Load() != loads || h.store.saves.Load() != saves || h.kek.encrypts.Load()+h.kek.decrypts.Load() != kek {
		t.Error("something was called all the same")
	}
}

func TestACancelDuringAKEKCallIsToldAsSuch(t *testing.T) {
	h := newHouse(t)
	k := h.create(t, crypto.XChaCha20Poly1305)
	for label, do := range map[string]func(context.Context, kekFuncs) error{
		"load": func(ctx context.Context, kek kekFuncs) error {
			_, err := crypto.Load(ctx, h.store, kek, h.in)
			return err
		},
		"rekey": func(ctx context.Context, kek kekFuncs) error { return k.Rekey(ctx, kek) },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		said := canary()
		hang := func(ctx context.Context, _, _ []byte) ([]byte, error) {
			cancel()
			<-ctx.Done()
			return nil, fmt.Errorf("kms: gave up: %s: %w", said, ctx.Err())
		}
		err := do(ctx, kekFuncs{encrypt: hang, decrypt: hang})
		if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), said) {
			t.Errorf("%s: got %v, want Canceled in our own words", label, err)
		}
	}
}

func TestWhoWaitsForAReloadCanGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		a := h.create(t, crypto.XChaCha20Poly1305)
		k := h.load(t)
		plain := randomBytes(8)
		known := seal(t, a, token(t), plain)
		noError(t, a.Promote(t.Context(), addKey(t, a)))
		r := seal(t, a, token(t), plain)

		release := make(chan struct{})
		h.store.loading = func(context.Context) error { <-release; return nil }
		var slow, waiting error
		var first, second sync.WaitGroup
		first.Go(func() { slow = k.Reload(t.Context()) })
		synctest.Wait() // the first one is in the store

		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		second.Go(func() { _, waiting = k.Open(ctx, r) })
		synctest.Wait()
		opens(t, k, known, plain) // a known key waits for nobody
		cancel()
		second.Wait()
		if !errors.Is(waiting, context.Canceled) {
			t.Errorf("got %v, want Canceled", waiting)
		}
		close(release)
		first.Wait()
		noError(t, slow)
		opens(t, k, r, plain)
	})
}

func TestAKeyFileKEKHonoursItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	noError(t, crypto.CreateFileKEK(path, ""))
	kek, err := crypto.FileKEK(path, "")
	noError(t, err)
	sealed, err := kek.EncryptWithContext(t.Context(), []byte("x"), nil)
	noError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := kek.EncryptWithContext(ctx, []byte("x"), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("encrypt: got %v", err)
	}
	if _, err := kek.DecryptWithContext(ctx, sealed, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("decrypt: got %v", err)
	}
}
