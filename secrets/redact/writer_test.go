package redact_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

// scripted is an underlying writer that answers as told, then as a buffer does.
type scripted struct {
	bytes.Buffer
	script []answer
	calls  []int // sizes
}

type answer struct {
	n   int
	err error
}

func (s *scripted) Write(p []byte) (int, error) {
	s.calls = append(s.calls, len(p))
	if len(s.script) > 0 {
		a := s.script[0]
		s.script = s.script[1:]
		return a.n, a.err
	}
	return s.Buffer.Write(p)
}

func TestTheFirstFailureOfTheUnderlyingWriterIsAllThatFollows(t *testing.T) {
	errDisk := errors.New("disk full")
	for _, c := range []struct {
		why  string
		a    answer
		want error
	}{
		{"an error", answer{0, errDisk}, errDisk},
		{"an error after all bytes", answer{5, errDisk}, errDisk},
		{"a short write", answer{2, nil}, io.ErrShortWrite},
		{"a short write with an error", answer{2, errDisk}, errDisk},
		{"more than there was", answer{9, nil}, io.ErrShortWrite},
	} {
		t.Run(c.why, func(t *testing.T) {
			under := &scripted{script: []answer{c.a}}
			w := newRedactor(t, angled, "AA=abcd").Writer(under)
			if n, err := io.WriteString(w, "helloab"); n != 0 || !errors.Is(err, c.want) {
				t.Errorf("Write = %d, %v; want 0, %v", n, err, c.want)
			}
			if n, err := io.WriteString(w, "cd and more"); n != 0 || !errors.Is(err, c.want) {
				t.Errorf("the next Write = %d, %v; want 0, %v", n, err, c.want)
			}
			if err := w.Flush(); !errors.Is(err, c.want) {
				t.Errorf("Flush = %v, want %v", err, c.want)
			}
			if err := w.Close(); !errors.Is(err, c.want) {
				t.Errorf("Close = %v, want %v", err, c.want)
			}
			if err := w.Close(); err != nil {
				t.Errorf("the second Close = %v", err)
			}
			if len(under.calls) != 1 || under.Len() != 0 {
				t.Errorf("the underlying writer was called %d times and got %q", len(under.calls), under.String())
			}
		})
	}
}

func TestAFailureShowsInFlushAndCloseToo(t *testing.T) {
	errDisk := errors.New("disk full")
	for _, end := range []func(*redact.Writer) error{(*redact.Writer).Flush, (*redact.Writer).Close} {
		w := newRedactor(t, angled, "AA=abcd").Writer(&scripted{script: []answer{{0, errDisk}}})
		if n, err := io.WriteString(w, "abc"); n != 3 || err != nil {
			t.Errorf("Write of held bytes = %d, %v", n, err)
		}
		if err := end(w); !errors.Is(err, errDisk) {
			t.Errorf("got %v, want %v", err, errDisk)
		}
	}
}

func TestTheUnderlyingWriterGetsOneWriteForOneAndNeverAnEmptyOne(t *testing.T) {
	under := &scripted{}
	w := newRedactor(t, angled, "AA=abcd").Writer(under)
	for _, s := range []string{"", "ab", "", "cd", "xyz abcd abcd xyz", "a", "", strings.Repeat("-", 100_000)} {
		_, _ = io.WriteString(w, s)
	}
	if err := errors.Join(w.Flush(), w.Flush(), w.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	want := "<AA>xyz <AA> <AA> xyza" + strings.Repeat("-", 100_000)
	if under.String() != want {
		t.Errorf("got %d bytes, want %d", under.Len(), len(want))
	}
	if len(under.calls) != 3 {
		t.Errorf("%d calls: %v", len(under.calls), under.calls)
	}
	for _, n := range under.calls {
		if n == 0 {
			t.Error("an empty write")
		}
	}

	// Where every mark is empty, so may be what a Write comes to.
	under = &scripted{}
	silent := angled
	silent.Mark = func(secrets.Name) string { return "" }
	w = newRedactor(t, silent, "AA=abcd").Writer(under)
	if n, err := io.WriteString(w, "abcdabcd"); n != 8 || err != nil || len(under.calls) != 0 {
		t.Errorf("Write = %d, %v, %d calls", n, err, len(under.calls))
	}
}

func TestAWriterIsClosedByItsOwnClose(t *testing.T) {
	var out strings.Builder
	w := newRedactor(t, angled, "AA=abcd").Writer(&out)
	_, _ = io.WriteString(w, "x ab")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := io.WriteString(w, "cd"); n != 0 || !errors.Is(err, redact.ErrClosed) {
		t.Errorf("Write = %d, %v", n, err)
	}
	if err := w.Flush(); !errors.Is(err, redact.ErrClosed) {
		t.Errorf("Flush = %v", err)
	}
	if out.String() != "x ab" {
		t.Errorf("got %q", out.String())
	}
}

type closer struct {
	io.Writer
	closed bool
}

func (c *closer) Close() error { c.closed = true; return nil }

func TestCloseLeavesTheUnderlyingWriterOpen(t *testing.T) {
	under := &closer{Writer: io.Discard}
	if err := newRedactor(t, angled, "AA=abcd").Writer(under).Close(); err != nil || under.closed {
		t.Errorf("Close = %v, underlying closed: %v", err, under.closed)
	}
}

func TestAWriterDoesNotKeepTheCallersMemory(t *testing.T) {
	var out strings.Builder
	w := newRedactor(t, angled, "AA=abcdef").Writer(&out)
	p := []byte("xabc")
	_, _ = w.Write(p)
	if string(p) != "xabc" {
		t.Errorf("Write changed its argument to %q", p)
	}
	clear(p)
	_, _ = io.WriteString(w, "def")
	if out.String() != "x<AA>" {
		t.Errorf("got %q", out.String())
	}
}

func TestStreamsOfOneRedactorDoNotMix(t *testing.T) {
	r := newRedactor(t, angled, "AA=abcd")
	var a, b strings.Builder
	wa, wb := r.Writer(&a), r.Writer(&b)
	_, _ = io.WriteString(wa, "ab")
	_, _ = io.WriteString(wb, "cd")
	_, _ = io.WriteString(wa, "cd")
	if a.String() != "<AA>" || b.String() != "cd" {
		t.Errorf("got %q and %q", a.String(), b.String())
	}
}

// Lines are written whole by many goroutines while values are added, strings are
// masked and, at last, the Redactor is closed.
func TestConcurrentUseKeepsWritesWholeAndSecretsMasked(t *testing.T) {
	const writers, lines = 8, 100
	plain, late := canary(), canary()
	r := newRedactor(t, redact.Options{}, "AA="+plain)
	var out bytes.Buffer
	w := r.Writer(&out)
	var all sync.WaitGroup
	for i := range writers {
		line := strings.Repeat(string(rune('p'+i)), 20) + " " + plain + "\n"
		all.Go(func() {
			for range lines {
				if _, err := io.WriteString(w, line); err != nil {
					t.Error(err)
				}
				if got := r.String(line); strings.Contains(got, plain) {
					t.Error("String shows the value")
				}
				r.Hits()
				r.MaxHold()
			}
		})
	}
	all.Go(func() {
		for i := range 20 {
			if err := r.Add(pair(t, "BB="+late+string(rune('a'+i)))); err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	count := 0
	for line := range strings.Lines(out.String()) {
		count++
		if strings.Trim(line, line[:1]) != " [secret:AA]\n" || len(line) != 20+len(" [secret:AA]\n") {
			t.Fatalf("line %q", line)
		}
	}
	if count != writers*lines {
		t.Errorf("%d lines, want %d", count, writers*lines)
	}
	if got := r.Hits()[parseName(t, "AA")]; got != 2*writers*lines {
		t.Errorf("%d hits, want %d", got, 2*writers*lines)
	}
}

func TestClosingWhileOthersMaskNeverShowsAValue(t *testing.T) {
	plain := canary()
	for range 50 {
		r := newRedactor(t, redact.Options{}, "AA="+plain)
		var out bytes.Buffer
		w := r.Writer(&out)
		var all sync.WaitGroup
		all.Go(func() {
			for {
				if _, err := io.WriteString(w, plain+"\n"); err != nil {
					return
				}
			}
		})
		all.Go(func() {
			for r.String(plain) == "[secret:AA]" {
			}
			if got := r.String(plain); got != "***" {
				t.Errorf("String = %q", got)
			}
		})
		all.Go(func() { _ = r.Close() })
		all.Wait()
		if bytes.Contains(out.Bytes(), []byte(plain[:8])) {
			t.Fatal("the stream shows the value")
		}
	}
}
