package secrets

import (
	"fmt"
	"io"
	"log/slog"
	"sync"
)

// MaxValue is the largest size of a [Value] in bytes. It is the limit of AWS
// Secrets Manager for one secret, and fits one environment string of Linux
// (131,072 bytes with its name).
const MaxValue = 65536

// Mark is what a [Value] shows wherever it is printed or encoded.
const Mark = "[secret]"

// Value holds the plaintext of one secret: 1 to 65,536 bytes of any content.
//
// Copies of a Value share one cell; destroying one ends them all. A Value can't
// be printed: whatever prints, logs or encodes it, or anything that holds it,
// shows [Mark] or an address. The cell is held by a closure because a method on
// a type protects nothing in an unexported field, where fmt reads fields by
// reflection and calls no methods; a function has no fields to read. Decoding
// into a Value fails with [ErrDecode].
//
// A Value is safe for concurrent use. The zero Value holds nothing.
//
// Wiping is best effort: the garbage collector, the kernel and libraries that
// were lent the bytes may have made copies that Destroy can't reach.
type Value struct {
	call func(op valueOp, use func([]byte) error) error
}

type valueOp uint8

const (
	opReveal valueOp = iota
	opDestroy
)

var errValueSize = &InvalidError{"value", "must be 1 to 65,536 bytes"}

// NewValue returns a Value with a copy of plain, which the caller may wipe then.
// It fails with an [InvalidError] for the field "value" unless plain is 1 to
// 65,536 bytes long.
func NewValue(plain []byte) (Value, error) {
	if len(plain) == 0 || len(plain) > MaxValue {
		return Value{}, errValueSize
	}
	c := &cell{plain: append([]byte(nil), plain...)}
	c.idle.L = &c.mu
	return Value{func(op valueOp, use func([]byte) error) error {
		if op == opDestroy {
			c.destroy()
			return nil
		}
		return c.reveal(use)
	}}, nil
}

// Reveal calls use with a copy of the plaintext and returns its error. The copy
// is wiped when use returns or panics, so that keeping it keeps zeros. Reveal
// fails with [ErrDestroyed], without calling use, once the Value is destroyed or
// if it is the zero Value.
func (v Value) Reveal(use func(plain []byte) error) error {
	if v.call == nil {
		return ErrDestroyed
	}
	return v.call(opReveal, use)
}

// Destroy refuses new readers, waits for those inside Reveal, and wipes the
// plaintext of v and of all its copies. Calling it again does nothing. It must
// not be called from within a Reveal of the same Value, for which it would wait.
func (v Value) Destroy() {
	if v.call != nil {
		_ = v.call(opDestroy, nil) // destroying can't fail
	}
}

// IsZero reports whether v is the zero Value, which never held anything.
func (v Value) IsZero() bool { return v.call == nil }

// cell is the one place of a value's plaintext.
type cell struct {
	mu      sync.Mutex
	idle    sync.Cond // no readers
	readers int
	gone    bool
	plain   []byte
}

func (c *cell) reveal(use func([]byte) error) error {
	c.mu.Lock()
	if c.gone {
		c.mu.Unlock()
		return ErrDestroyed
	}
	c.readers++
	c.mu.Unlock()

	lent := append([]byte(nil), c.plain...)
	defer func() {
		clear(lent)
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.readers--; c.readers == 0 {
			c.idle.Broadcast()
		}
	}()
	return use(lent)
}

func (c *cell) destroy() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true // before the wait: a reader that reveals again is refused, not waited for
	for c.readers > 0 {
		c.idle.Wait()
	}
	clear(c.plain)
	c.plain = nil
}

// String returns [Mark].
func (Value) String() string { return Mark }

// GoString returns [Mark].
func (Value) GoString() string { return Mark }

// Format writes [Mark], whatever the verb and flags.
func (Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Mark) }

// LogValue returns [Mark].
func (Value) LogValue() slog.Value { return slog.StringValue(Mark) }

// MarshalText returns [Mark].
func (Value) MarshalText() ([]byte, error) { return []byte(Mark), nil }

// MarshalJSON returns [Mark] as a JSON string.
func (Value) MarshalJSON() ([]byte, error) { return []byte(`"` + Mark + `"`), nil }

// GobEncode returns [Mark].
func (Value) GobEncode() ([]byte, error) { return []byte(Mark), nil }

// UnmarshalText fails with [ErrDecode].
func (*Value) UnmarshalText([]byte) error { return ErrDecode }

// UnmarshalJSON fails with [ErrDecode], for null too.
func (*Value) UnmarshalJSON([]byte) error { return ErrDecode }

// GobDecode fails with [ErrDecode].
func (*Value) GobDecode([]byte) error { return ErrDecode }

// Scan fails with [ErrDecode]: no database column is read into a Value.
func (*Value) Scan(any) error { return ErrDecode }
