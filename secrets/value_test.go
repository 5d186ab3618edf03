package secrets_test

import (
	"bytes"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/pipesecrets/pipesecrets/internal/leak"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// value returns a Value that holds plain.
func value(t testing.TB, plain []byte) secrets.Value {
	t.Helper()
	v, err := secrets.NewValue(plain)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// revealed returns a copy of what v holds.
func revealed(v secrets.Value) (plain []byte, err error) {
	err = v.Reveal(func(b []byte) error {
		plain = bytes.Clone(b)
		return nil
	})
	return plain, err
}

func TestAValueIsOneTo65536Bytes(t *testing.T) {
	for _, c := range []struct {
		size int
		ok   bool
	}{{0, false}, {1, true}, {2, true}, {65535, true}, {65536, true}, {65537, false}, {1 << 20, false}} {
		plain := bytes.Repeat([]byte{0, 0xff, 'x', '\n'}, c.size/4+1)[:c.size]
		v, err := secrets.NewValue(plain)
		if !c.ok {
			checkInvalid(t, "", err, "value", "must be 1 to 65,536 bytes")
			if !v.IsZero() {
				t.Errorf("%d bytes: refused, and yet a value", c.size)
			}
			continue
		}
		if err != nil || v.IsZero() {
			t.Fatalf("%d bytes: %v", c.size, err)
		}
		if got, err := revealed(v); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes came back as %d, %v", c.size, len(got), err)
		}
	}
	if _, err := secrets.NewValue(nil); !errors.Is(err, secrets.ErrInvalid) {
		t.Errorf("nil: %v", err)
	}
}

func TestAValueHoldsACopyOfItsInput(t *testing.T) {
	plain := leak.Canary()
	want := bytes.Clone(plain)
	v := value(t, plain)
	clear(plain)
	if got, err := revealed(v); err != nil || !bytes.Equal(got, want) {
		t.Errorf("wiping the input changed the value: %q, %v", got, err)
	}
}

func TestAReaderCanChangeItsCopyOnly(t *testing.T) {
	want := leak.Canary()
	v := value(t, want)
	if err := v.Reveal(func(b []byte) error { clear(b); return nil }); err != nil {
		t.Fatal(err)
	}
	if got, err := revealed(v); err != nil || !bytes.Equal(got, want) {
		t.Errorf("a reader changed the value to %q, %v", got, err)
	}
}

func TestWhatAReaderKeepsReadsZeros(t *testing.T) {
	for how, end := range map[string]func() error{
		"returns":             func() error { return nil },
		"fails":               func() error { return errors.New("failed") },
		"panics":              func() error { panic("reader") },
		"exits its goroutine": func() error { runtime.Goexit(); return nil },
	} {
		t.Run(how, func(t *testing.T) {
			want := leak.Canary()
			v := value(t, want)
			var kept []byte
			var wg sync.WaitGroup
			wg.Go(func() {
				defer func() { _ = recover() }()
				_ = v.Reveal(func(b []byte) error {
					if !bytes.Equal(b, want) {
						t.Errorf("was lent %q", b)
					}
					kept = b
					return end()
				})
			})
			wg.Wait()
			if !bytes.Equal(kept, make([]byte, len(want))) {
				t.Errorf("what was kept reads %q", kept)
			}
			v.Destroy() // would wait for ever for a reader that was not released
			if _, err := revealed(v); !errors.Is(err, secrets.ErrDestroyed) {
				t.Errorf("after Destroy: %v", err)
			}
		})
	}
}

func TestRevealReturnsItsReadersErrorAndPanic(t *testing.T) {
	v := value(t, leak.Canary())
	failed := errors.New("failed")
	if err := v.Reveal(func([]byte) error { return failed }); err != failed {
		t.Errorf("error %v; want the reader's own", err)
	}
	defer func() {
		if r := recover(); r != "reader" {
			t.Errorf("recovered %v; want the reader's own panic", r)
		}
	}()
	_ = v.Reveal(func([]byte) error { panic("reader") })
}

func TestCopiesShareOneCell(t *testing.T) {
	want := leak.Canary()
	v := value(t, want)
	w := v
	inStruct := struct{ v secrets.Value }{v}
	inMap := map[string]secrets.Value{"v": v}
	copies := []secrets.Value{v, w, inStruct.v, inMap["v"]}
	for i, c := range copies {
		if got, err := revealed(c); err != nil || !bytes.Equal(got, want) {
			t.Errorf("copy %d: %q, %v", i, got, err)
		}
	}
	other := value(t, want)
	w.Destroy()
	for i, c := range copies {
		if _, err := revealed(c); !errors.Is(err, secrets.ErrDestroyed) {
			t.Errorf("copy %d after Destroy of another: %v", i, err)
		}
		if c.IsZero() {
			t.Errorf("copy %d is zero after Destroy", i)
		}
		c.Destroy() // does nothing
	}
	if _, err := revealed(other); err != nil {
		t.Errorf("another Value of the same plaintext: %v", err)
	}
}

func TestTheZeroValueHoldsNothing(t *testing.T) {
	var v secrets.Value
	if !v.IsZero() {
		t.Error("it is not zero")
	}
	if err := v.Reveal(func([]byte) error { t.Error("lent something"); return nil }); !errors.Is(err, secrets.ErrDestroyed) {
		t.Errorf("Reveal: %v", err)
	}
	v.Destroy()
}

func TestRevealInsideRevealIsAllowed(t *testing.T) {
	want := leak.Canary()
	v := value(t, want)
	err := v.Reveal(func(outer []byte) error {
		if inner, err := revealed(v); err != nil || !bytes.Equal(inner, want) {
			t.Errorf("inner: %q, %v", inner, err)
		}
		if !bytes.Equal(outer, want) {
			t.Error("the inner Reveal wiped the outer's copy")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestDestroyWaitsForEveryReaderAndRefusesNewOnes(t *testing.T) {
	for _, readers := range []int{1, 2, 7} {
		synctest.Test(t, func(t *testing.T) { destroyWhileRead(t, readers) })
	}
}

func destroyWhileRead(t *testing.T, readers int) {
	want := leak.Canary()
	v := value(t, want)
	leave := make(chan struct{})
	for range readers {
		go func() {
			err := v.Reveal(func(b []byte) error {
				<-leave
				if !bytes.Equal(b, want) {
					t.Errorf("Destroy wiped what a reader holds: %q", b)
				}
				// Destroy has begun: it must refuse this, as it waits for us.
				if _, err := revealed(v); !errors.Is(err, secrets.ErrDestroyed) {
					t.Errorf("Reveal inside Reveal after Destroy began: %v", err)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}()
	}
	synctest.Wait()

	var destroyed atomic.Int32
	for range 2 { // both wait
		go func() {
			v.Destroy()
			destroyed.Add(1)
		}()
	}
	for inside := readers; inside > 0; inside-- {
		synctest.Wait()
		if n := destroyed.Load(); n != 0 {
			t.Errorf("with %d readers of %d inside, %d of two Destroys returned", inside, readers, n)
		}
		if _, err := revealed(v); !errors.Is(err, secrets.ErrDestroyed) {
			t.Errorf("a new reader while Destroy waits: %v", err)
		}
		leave <- struct{}{}
	}
	synctest.Wait()
	if n := destroyed.Load(); n != 2 {
		t.Errorf("with no reader left, %d of two Destroys returned", n)
	}
}

func TestReadersNeverSeeAHalfWipedValue(t *testing.T) {
	for range 20 {
		want := bytes.Repeat(leak.Canary(), 64)
		v := value(t, want)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for {
					got, err := revealed(v)
					if errors.Is(err, secrets.ErrDestroyed) {
						return
					}
					if err != nil || !bytes.Equal(got, want) {
						t.Errorf("read %d bytes that differ, %v", len(got), err)
						return
					}
				}
			})
		}
		for range 2 {
			wg.Go(v.Destroy)
		}
		wg.Wait()
	}
}
