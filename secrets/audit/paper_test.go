package audit_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"iter"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
)

// paper is a log that anybody can rewrite. Its places have gaps: 2, 4, 6 and so
// on.
type paper struct {
	mu      sync.Mutex
	entries []audit.Entry
	links   []audit.Head

	before, after func(call string) error // stand around each call, if not nil
}

func (p *paper) around(call string, do func() error) error {
	if p.before != nil {
		if err := p.before(call); err != nil {
			return err
		}
	}
	p.mu.Lock()
	err := do()
	p.mu.Unlock()
	if p.after != nil {
		if err := p.after(call); err != nil {
			return err
		}
	}
	return err
}

func (p *paper) Record(ctx context.Context, ev ...secrets.Event) error {
	for _, e := range ev {
		p.entries = append(p.entries, audit.Entry{Seq: 2 * uint64(len(p.entries)+1), Event: e})
	}
	return ctx.Err()
}

func (p *paper) Entries(ctx context.Context, from uint64) iter.Seq2[audit.Entry, error] {
	return yielding(ctx, p, "Entries", func() []audit.Entry { return p.entries }, func(e audit.Entry) bool { return e.Seq >= from })
}

func (p *paper) Head(ctx context.Context) (head audit.Head, err error) {
	err = p.around("Head", func() error {
		if n := len(p.links); n > 0 {
			head = p.links[n-1]
		}
		return ctx.Err()
	})
	return head, err
}

func (p *paper) Links(ctx context.Context, from uint64) iter.Seq2[audit.Head, error] {
	return yielding(ctx, p, "Links", func() []audit.Head { return p.links }, func(h audit.Head) bool { return h.Seq >= from })
}

func yielding[T any](ctx context.Context, p *paper, call string, all func() []T, wanted func(T) bool) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var found []T
		if err := p.around(call, func() error {
			for _, x := range all() {
				if wanted(x) {
					found = append(found, x)
				}
			}
			return ctx.Err()
		}); err != nil {
			var none T
			yield(none, err)
			return
		}
		for _, x := range found {
			if !yield(x, nil) {
				return
			}
		}
	}
}

func (p *paper) Chain(ctx context.Context, prev, next audit.Head) error {
	if err := next.Follows(prev); err != nil {
		return err
	}
	return p.around("Chain", func() error {
		var head audit.Head
		if n := len(p.links); n > 0 {
			head = p.links[n-1]
		}
		if !head.Equal(prev) {
			return secrets.ErrConflict
		}
		p.links = append(p.links, next)
		return ctx.Err()
	})
}

// copy returns another paper with the same on it.
func (p *paper) copy() *paper {
	c := &paper{entries: slices.Clone(p.entries)}
	for _, h := range p.links {
		c.links = append(c.links, audit.Head{Seq: h.Seq, Sum: bytes.Clone(h.Sum)})
	}
	return c
}

// key is a MAC.
type key []byte

func newKey() key {
	k := make(key, 32)
	_, _ = rand.Read(k)
	return k
}

func (k key) ComputeMAC(data []byte) ([]byte, error) {
	h := hmac.New(sha256.New, k)
	h.Write(data)
	return h.Sum(nil), nil
}

func (k key) VerifyMAC(sum, data []byte) error {
	if want, _ := k.ComputeMAC(data); !hmac.Equal(want, sum) {
		return errors.New("another MAC")
	}
	return nil
}

// canary is text that is nowhere else.
func canary() string { return rand.Text() }

// anEvent returns an event with every field set.
func anEvent(t fataler, i int) secrets.Event {
	return secrets.Event{
		At: time.Date(2030, 1, 2, 3, 4, i, 678_901_000, time.UTC), Caller: "user:" + canary(), Action: secrets.ActionUse, Outcome: secrets.Done,
		Reason: canary(), Scope: secrets.Scope{Kind: secrets.Workspace, ID: canary()}, Name: nameOf(t, "N"+canary()),
		Pin: secrets.Pin{ID: secrets.ID(i), Version: secrets.Version(i)}, Run: runOf(t, "r"+strconv.Itoa(i)), Target: canary(),
	}
}

// sealed returns a log that was sealed after each n entries, and all its heads.
func sealed(t *testing.T, k audit.MAC, n ...int) (*paper, []audit.Head) {
	t.Helper()
	p := &paper{}
	var heads []audit.Head
	var kept audit.Head
	for _, n := range n {
		for range n {
			must(t, p.Record(t.Context(), anEvent(t, len(p.entries)+1)))
		}
		head, err := audit.Seal(t.Context(), p, k, kept)
		must(t, err)
		heads, kept = append(heads, head), head
	}
	return p, heads
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
