package storetest

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"sync"

	"pgregory.net/rapid"

	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
)

// mac is a MAC under a random key.
type mac []byte

func newMAC() mac {
	key := make(mac, 32)
	_, _ = rand.Read(key) // never fails
	return key
}

func (key mac) ComputeMAC(data []byte) ([]byte, error) {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil), nil
}

func (key mac) VerifyMAC(sum, data []byte) error {
	if want, _ := key.ComputeMAC(data); !hmac.Equal(sum, want) {
		return errors.New("storetest: another MAC")
	}
	return nil
}

// link returns a link at a place, with a sum like no other.
func link(seq uint64) audit.Head { return audit.Head{Seq: seq, Sum: ciphertext()} }

// head returns the chain's head.
func (f *fixture) head() audit.Head {
	f.Helper()
	h, err := f.Head(f.ctx)
	f.ok(err)
	return h
}

// links returns the chain.
func (f *fixture) links(from uint64) []audit.Head {
	f.Helper()
	var all []audit.Head
	for h, err := range f.Links(f.ctx, from) {
		f.ok(err)
		all = append(all, h)
	}
	return all
}

var chainTests = []sentence{
	{"AnEmptyChainHasTheZeroHead", func(f *fixture) {
		f.ok(f.Record(f.ctx, told("unsealed")))
		f.same(f.head(), audit.Head{})
		f.same(len(f.links(0)), 0)
	}},
	{"ChainAppendsBehindTheHeadAndNowhereElse", func(f *fixture) {
		a, b := link(3), link(1<<40)
		f.fails(f.Chain(f.ctx, link(2), a), secrets.ErrConflict)
		f.ok(f.Chain(f.ctx, audit.Head{}, a))
		f.same(f.head(), a)
		for what, prev := range map[string]audit.Head{
			"the start": {}, "another place": {Seq: 2, Sum: a.Sum}, "another sum": link(3), "no sum": {Seq: 3},
		} {
			if err := f.Chain(f.ctx, prev, b); !errors.Is(err, secrets.ErrConflict) {
				f.Errorf("behind %s: %v", what, err)
			}
		}
		f.ok(f.Chain(f.ctx, a, b))
		f.fails(f.Chain(f.ctx, a, link(4)), secrets.ErrConflict)
		f.same(f.head(), b)
		f.same(f.links(0), []audit.Head{a, b})
	}},
	{"ALinkThatFollowsNothingIsRefused", func(f *fixture) {
		a := link(3)
		f.ok(f.Chain(f.ctx, audit.Head{}, a))
		for what, next := range map[string]audit.Head{
			"the same": a, "the same place": link(3), "a smaller place": link(2), "no sum": {Seq: 4}, "none": {},
			"no place of a log": link(math.MaxInt64 + 1),
		} {
			if err := f.Chain(f.ctx, a, next); !errors.Is(err, secrets.ErrInvalid) {
				f.Errorf("%s: %v", what, err)
			}
		}
		f.same(f.links(0), []audit.Head{a})
		f.ok(f.Chain(f.ctx, a, link(math.MaxInt64)))
	}},
	{"LinksStartAtTheGivenPlaceAndStopWhenAskedTo", func(f *fixture) {
		const n = 1200 // several pages of any backend
		var all []audit.Head
		for i := range uint64(n) {
			all = append(all, link(10*i+10))
			f.ok(f.Chain(f.ctx, f.head(), all[i]))
		}
		f.same(f.links(0), all)
		f.same(f.links(7001), all[700:])
		f.same(f.links(7010), all[700:])
		f.same(len(f.links(10*n+1)), 0)
		f.same(len(f.links(math.MaxUint64)), 0)
		seen := 0
		for h, err := range f.Links(f.ctx, 0) {
			f.ok(err)
			h.Sum[0] ^= 1 // what is yielded is the caller's
			f.ok(f.Chain(f.ctx, f.head(), link(10*n+10+uint64(seen))))
			if seen++; seen == 3 {
				break
			}
		}
		f.same(len(f.links(0)), n+3)
		f.same(f.links(0)[:n], all)
	}},
	{"OneOfManyChains", func(f *fixture) {
		for i := range uint64(5) {
			prev := f.head()
			f.race(secrets.ErrConflict, func(int) error { return f.Chain(f.ctx, prev, link(i+1)) })
		}
		f.same(len(f.links(0)), 5)
	}},
	{"ASealedLogVerifiesAndASecondSealAddsNothing", func(f *fixture) {
		key := newMAC()
		var kept audit.Head
		for i := range 3 {
			f.ok(f.Record(f.ctx, whole(f.clock.Now()), told(fmt.Sprint(i))))
			head, err := audit.Seal(f.ctx, f.Backend, key, kept)
			f.ok(err)
			log := f.entries(0)
			f.same(head.Seq, log[len(log)-1].Seq)
			f.same(head, f.head())
			again, err := audit.Seal(f.ctx, f.Backend, key, head)
			f.ok(err)
			f.same(again, head)
			f.same(len(f.links(0)), i+1)
			f.ok(audit.Verify(f.ctx, f.Backend, key, head))
			if i > 0 {
				f.ok(audit.Verify(f.ctx, f.Backend, key, kept)) // an older head as well
				f.ok(audit.Reaches(f.ctx, f.Backend, kept))
			}
			kept = head
		}
		f.fails(audit.Verify(f.ctx, f.Backend, newMAC(), kept), audit.ErrBroken)
	}},
	{"SealersAtOnceAndWritersMakeOneChain", func(f *fixture) {
		const n, each = 20, 5
		key := newMAC()
		errs := make([]error, n)
		heads := make([]audit.Head, n)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				for j := range each {
					errs[i] = errors.Join(errs[i], f.Record(f.ctx, told(fmt.Sprint(i, j)), told("too")))
					head, err := audit.Seal(f.ctx, f.Backend, key, heads[i])
					errs[i] = errors.Join(errs[i], err)
					heads[i] = head
				}
			})
		}
		all.Wait()
		f.ok(errors.Join(errs...))
		log := f.entries(0)
		f.same(len(log), 2*n*each)
		f.same(f.head().Seq, log[len(log)-1].Seq) // whoever was last saw everything
		for _, head := range append(heads, f.head()) {
			f.ok(audit.Verify(f.ctx, f.Backend, key, head))
		}
	}},
}

// covers counts what each link covers: places are the backend's own affair.
func covers(ctx context.Context, b Backend) ([]int, error) {
	var all []int
	var prev audit.Head
	for h, err := range b.Links(ctx, 0) {
		if err != nil {
			return nil, err
		}
		n := 0
		for e, err := range b.Entries(ctx, prev.Seq+1) {
			if err != nil {
				return nil, err
			}
			if e.Seq > h.Seq {
				break
			}
			n++
		}
		all = append(all, n)
		prev = h
	}
	return all, nil
}

// seal seals the log and verifies it.
func (m *machine) seal(t *rapid.T) {
	m.both(t, "seal", func(b Backend) (any, error) {
		kept, err := b.Head(m.ctx)
		if err != nil {
			return nil, err
		}
		head, err := audit.Seal(m.ctx, b, m.mac, kept)
		if err != nil || head.IsZero() {
			return nil, err
		}
		return nil, audit.Verify(m.ctx, b, m.mac, head)
	})
	m.both(t, "links", func(b Backend) (any, error) { return covers(m.ctx, b) })
}

// stale tries to append behind what is not the head.
func (m *machine) stale(t *rapid.T) {
	sum := ciphertext()
	m.both(t, "chain", func(b Backend) (any, error) {
		head, err := b.Head(m.ctx)
		if err != nil {
			return nil, err
		}
		return nil, b.Chain(m.ctx, audit.Head{Seq: head.Seq, Sum: sum}, audit.Head{Seq: head.Seq + 1, Sum: sum})
	})
}
