package redact

import (
	"io"
	"sync"
)

// Reader masks a stream that is read. It is safe for concurrent use. The zero
// Reader is closed.
type Reader struct {
	source func() *source // hidden as in Redactor: it holds beginnings of forms
}

var _ io.Reader = (*Reader)(nil)

// source is what a Reader hides.
type source struct {
	core *core
	from io.Reader

	mu   sync.Mutex
	tail tail
	in   []byte
	out  []byte // masked, from next on not read yet
	next int
	err  error // for when out is read
}

// maxIdle is how many reads in a row may read nothing, as in package bufio.
const maxIdle = 100

// Reader returns a Reader of what r has, masked.
func (r *Redactor) Reader(from io.Reader) *Reader {
	s := &source{core: r.get(), from: from, in: make([]byte, window)}
	return &Reader{func() *source { return s }}
}

// Read reads masked bytes. It reads from the underlying reader, at most 32 KiB at a
// time, until it has some that are decided; [io.ErrNoProgress] says that it got
// nothing in 100 tries. At its end or its first error, which it
// returns after them, it passes what was held, as [Writer.Flush] does. It fails with
// [ErrClosed] once the Redactor is closed.
func (r *Reader) Read(p []byte) (int, error) {
	if r.source == nil {
		return 0, ErrClosed
	}
	s := r.source()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.core.open(); err != nil {
		s.end(err)
		return 0, err
	}
	for idle := 0; len(p) > 0 && s.next == len(s.out) && s.err == nil; {
		n, err := s.from.Read(s.in)
		if idle++; n > 0 {
			idle = 0
		} else if idle == maxIdle && err == nil {
			err = io.ErrNoProgress
		}
		closed := s.core.read(func(set *set) {
			s.out, s.next = s.tail.next(set, s.in[:n], s.out[:0], err != nil), 0
		})
		clear(s.in[:n])
		if closed != nil {
			s.end(closed)
		} else if err != nil {
			s.tail.wipe()
			s.err = err
		}
	}
	n := copy(p, s.out[s.next:])
	if s.next += n; n == 0 && len(p) > 0 {
		return 0, s.err
	}
	return n, nil
}

// end ends the stream with err, and forgets what was not read yet.
func (s *source) end(err error) {
	s.tail.wipe()
	s.out, s.next, s.err = nil, 0, err
}
