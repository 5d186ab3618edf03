package redact

import (
	"io"
	"sync"
)

// Writer masks one stream. It is safe for concurrent use; each Write is one
// piece of the stream, in the order in which they take their turn. The zero
// Writer is closed.
type Writer struct {
	stream func() *stream // hidden as in Redactor: it holds beginnings of forms
}

var _ io.WriteCloser = (*Writer)(nil)

// window is how much of a Write is looked at in one go, in bytes. It bounds the
// memory that a Writer keeps, and does not show in the output.
const window = 32 << 10

// stream is what a Writer hides.
type stream struct {
	core *core
	to   io.Writer

	mu   sync.Mutex
	tail tail
	out  []byte // kept for its memory
	err  error  // of the first failure, or ErrClosed
	done bool   // Writer.Close was called
}

// Write masks p and passes on what is decided, in at most one Write of the
// underlying writer and in none if that is nothing. It returns len(p), also if
// some of p is held back. If the underlying writer fails it returns 0 and that
// writer's error, [io.ErrShortWrite] if it had none for a short write; how much
// of p got through can't be told, and all later calls fail likewise. It fails
// with [ErrClosed] if the Writer or the Redactor is closed.
func (w *Writer) Write(p []byte) (int, error) {
	if w.stream == nil {
		return 0, ErrClosed
	}
	s := w.stream()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.pass(p, false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush passes on the bytes held, as they are except for complete forms among
// them: the beginning of a secret is not a secret. Call it where a stream
// pauses, not after each Write: should the rest of the secret come later, it is
// masked by a mark of its own, but the beginning has been shown. Flush does not
// flush the underlying writer. It fails as Write does.
func (w *Writer) Flush() error {
	if w.stream == nil {
		return ErrClosed
	}
	s := w.stream()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pass(nil, true)
}

// Close flushes and ends the stream; it does not close the underlying writer. It
// fails as Write does, and the bytes held are lost then. Closing again returns
// nil.
func (w *Writer) Close() error {
	if w.stream == nil {
		return nil
	}
	s := w.stream()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return nil
	}
	s.done = true
	err := s.pass(nil, true)
	if err == nil {
		s.fail(ErrClosed)
	}
	return err
}

// pass takes p, and everything held if flush, to the underlying writer.
func (s *stream) pass(p []byte, flush bool) error {
	if s.err != nil {
		return s.err
	}
	out := s.out[:0]
	err := s.core.read(func(set *set) {
		for len(p) > 0 {
			n := min(len(p), window)
			out = s.tail.next(set, p[:n], out, false)
			p = p[n:]
		}
		if flush {
			out = s.tail.next(set, nil, out, true)
		}
	})
	if err != nil {
		return s.fail(err)
	}
	if s.out = out; cap(out) > 4*window { // of a Write that was larger than most
		s.out = nil
	}
	if len(out) == 0 {
		return nil
	}
	n, err := s.to.Write(out)
	if err == nil && n != len(out) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return s.fail(err)
	}
	return nil
}

// fail ends the stream with err.
func (s *stream) fail(err error) error {
	s.tail.wipe()
	s.err = err
	return err
}
