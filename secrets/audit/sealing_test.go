package audit_test

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
)

// record appends n events of little text.
func record(t *testing.T, log audit.Log, n int) {
	t.Helper()
	all := make([]secrets.Event, n)
	for i := range all {
		all[i] = secrets.Event{Action: secrets.ActionGet, Pin: secrets.Pin{ID: secrets.ID(i + 1)}}
	}
	must(t, log.Record(t.Context(), all...))
}

func TestAnEmptyLogHasNothingToSeal(t *testing.T) {
	p := &paper{}
	head, err := audit.Seal(t.Context(), p, newKey(), audit.Head{})
	if err != nil || !head.IsZero() || len(p.links) != 0 {
		t.Errorf("it is sealed up to %v: %v", head, err)
	}
}

func TestALinkCoversABatchAtMost(t *testing.T) {
	for n, want := range map[int][]int{
		1: {1}, audit.BatchSize - 1: {audit.BatchSize - 1}, audit.BatchSize: {audit.BatchSize},
		audit.BatchSize + 1: {audit.BatchSize, 1}, 2*audit.BatchSize + 7: {audit.BatchSize, audit.BatchSize, 7},
	} {
		k, p := newKey(), &paper{}
		record(t, p, n)
		head, err := audit.Seal(t.Context(), p, k, audit.Head{})
		must(t, err)
		var got []int
		last := 0
		for _, h := range p.links {
			got = append(got, int(h.Seq)/2-last)
			last = int(h.Seq) / 2
		}
		if !slices.Equal(got, want) || !head.Equal(p.links[len(p.links)-1]) {
			t.Errorf("links cover %v of %d, and the head is at %d", got, n, head.Seq)
		}
		must(t, audit.Verify(t.Context(), p, k, head))
	}
}

var errFault = errors.New("connection lost")

// Seal is broken off before or after each of its calls, and begun anew.
func TestASealThatIsBrokenOffAnywhereIsTakenUpAgain(t *testing.T) {
	const n = 2*audit.BatchSize + 7
	calls := 0
	for step := 0; ; step++ {
		broken := false
		for _, done := range []bool{false, true} {
			k, p := newKey(), &paper{}
			record(t, p, 3)
			kept, err := audit.Seal(t.Context(), p, k, audit.Head{})
			must(t, err)
			record(t, p, n-3)
			calls = 0
			fail := func(string) error {
				if calls++; calls == step+1 {
					broken = true
					return errFault
				}
				return nil
			}
			if done {
				p.after = fail
			} else {
				p.before = fail
			}
			head, err := audit.Seal(t.Context(), p, k, kept)
			if (err == nil) != (calls <= step) || err != nil && !errors.Is(err, errFault) {
				t.Fatalf("step %d: %v", step, err)
			}
			p.before, p.after = nil, nil
			if !head.IsZero() {
				must(t, audit.Verify(t.Context(), p, k, head))
				kept = head
			}
			links := len(p.links)
			head, err = audit.Seal(t.Context(), p, k, kept)
			must(t, err)
			must(t, audit.Verify(t.Context(), p, k, head))
			if head.Seq != 2*n {
				t.Errorf("step %d: it is sealed up to %d", step, head.Seq)
			}
			if want := 4; len(p.links) != want || links > want {
				t.Errorf("step %d: %d links, after %d: what was sealed is sealed again", step, len(p.links), links)
			}
		}
		if !broken {
			t.Logf("%d steps", step)
			if step < 7 {
				t.Error("there were fewer steps than calls")
			}
			return
		}
	}
}

func TestACancelledSealKeepsTheBatchesThatItFinished(t *testing.T) {
	k, p := newKey(), &paper{}
	record(t, p, 3*audit.BatchSize)
	ctx, cancel := context.WithCancel(t.Context())
	chained := 0
	p.after = func(call string) error {
		if call == "Chain" {
			if chained++; chained == 2 {
				cancel()
			}
		}
		return nil
	}
	head, err := audit.Seal(ctx, p, k, audit.Head{})
	if !errors.Is(err, context.Canceled) || head.Seq != 2*2*audit.BatchSize || len(p.links) != 2 {
		t.Errorf("%v, and it is sealed up to %v", err, head)
	}
	must(t, audit.Verify(t.Context(), p, k, head))
}

// mute is a MAC that can't be asked.
type mute struct{ key }

func (mute) ComputeMAC([]byte) ([]byte, error) { return nil, errFault }

func TestNothingIsChainedWithoutAMAC(t *testing.T) {
	k, p := newKey(), &paper{}
	record(t, p, 3)
	kept, err := audit.Seal(t.Context(), p, k, audit.Head{})
	must(t, err)
	record(t, p, 3)
	head, err := audit.Seal(t.Context(), p, mute{k}, kept)
	if !errors.Is(err, errFault) || !head.Equal(kept) || len(p.links) != 1 {
		t.Errorf("%v, and it is sealed up to %v", err, head)
	}
}

func TestEntriesThatAreOutOfOrderAreNotSealed(t *testing.T) {
	for what, places := range map[string][]uint64{"backwards": {2, 6, 4}, "one twice": {2, 4, 4}, "one from before": {2, 4, 1}} {
		k := newKey()
		p, _ := sealed(t, k, 1)
		p.entries = nil
		for _, seq := range places {
			p.entries = append(p.entries, audit.Entry{Seq: seq})
		}
		p.entries = append(p.entries, audit.Entry{Seq: 8})
		l := &unordered{p}
		head, err := audit.Seal(t.Context(), l, k, audit.Head{})
		broken(t, what, err, 0, p)
		if len(p.links) != 1 {
			t.Errorf("%s: it is sealed up to %v", what, head)
		}
	}
}

func TestNothingIsSealedBehindALinkAtWhosePlaceThereIsNoEntry(t *testing.T) {
	for what, move := range map[string]func(p *paper){
		"moved to where nothing is yet": func(p *paper) { p.links[1].Seq = 1 << 62 },
		"moved between two places":      func(p *paper) { p.links[1].Seq++ },
		"what it covers is cut off":     func(p *paper) { p.entries = p.entries[:5] },
		"its last entry is gone":        func(p *paper) { p.entries = slices.Delete(p.entries, 6, 7) },
	} {
		k := newKey()
		p, heads := sealed(t, k, 3, 4)
		must(t, p.Record(t.Context(), anEvent(t, 8)))
		p.entries[len(p.entries)-1].Seq = 16
		move(p)
		head, err := audit.Seal(t.Context(), p, k, heads[0]) // the last head was never kept
		broken(t, what, err, p.links[1].Seq, p)
		if !head.IsZero() || len(p.links) != 2 {
			t.Errorf("%s: it is sealed up to %v", what, head)
		}
	}
}

func TestALinkThatIsMovedWhileMoreIsSealedStopsTheSealer(t *testing.T) {
	k, p := newKey(), &paper{}
	record(t, p, audit.BatchSize+50)
	p.after = func(call string) error {
		if call == "Chain" && len(p.links) == 1 {
			p.links[0].Seq = 2*audit.BatchSize + 1
		}
		return nil
	}
	head, err := audit.Seal(t.Context(), p, k, audit.Head{})
	broken(t, "between two batches", err, p.links[0].Seq, p)
	if head.Seq != 2*audit.BatchSize || len(p.links) != 1 {
		t.Errorf("%d links, and it is sealed up to %v", len(p.links), head)
	}
}

// unordered is a log that does not look at places.
type unordered struct{ *paper }

func (l *unordered) Entries(ctx context.Context, from uint64) iter.Seq2[audit.Entry, error] {
	return yielding(ctx, l.paper, "Entries", func() []audit.Entry { return l.entries }, func(audit.Entry) bool { return true })
}

func TestManySealersMakeOneChain(t *testing.T) {
	const sealers, n = 20, 6 * audit.BatchSize
	k, p := newKey(), &paper{}
	record(t, p, n)
	heads := make([]audit.Head, sealers)
	errs := make([]error, sealers)
	var all sync.WaitGroup
	for i := range sealers {
		all.Go(func() { heads[i], errs[i] = audit.Seal(t.Context(), p, k, audit.Head{}) })
	}
	all.Wait()
	must(t, errors.Join(errs...))
	if want := n / audit.BatchSize; len(p.links) != want {
		t.Errorf("%d links, want %d", len(p.links), want)
	}
	for _, head := range heads {
		if head.Seq != 2*n {
			t.Errorf("a sealer stopped at %d", head.Seq)
		}
		must(t, audit.Verify(t.Context(), p, k, head))
	}
}

func TestAChainThatIsCutOffWhileItIsSealedStopsTheSealer(t *testing.T) {
	for what, cut := range map[string]func(p *paper, call string, n int){
		"before the head is read": func(p *paper, call string, n int) {
			if call == "Head" && n == 1 {
				p.links = p.links[:1]
			}
		},
		"before the link is added": func(p *paper, call string, n int) {
			if call == "Chain" {
				p.links = p.links[:1]
			}
		},
		"to nothing": func(p *paper, call string, n int) {
			if call == "Chain" {
				p.links = nil
			}
		},
	} {
		k := newKey()
		p, heads := sealed(t, k, 3, 4)
		must(t, p.Record(t.Context(), anEvent(t, 8)))
		n := map[string]int{}
		p.before = func(call string) error {
			n[call]++
			cut(p, call, n[call])
			return nil
		}
		_, err := audit.Seal(t.Context(), p, k, heads[1])
		broken(t, what, err, 0, p)
	}
}

func TestSumsFromBeforeTheKeyWasRotatedVerify(t *testing.T) {
	keys := keyset.NewManager()
	add := func() tink.MAC {
		id, err := keys.Add(mac.HMACSHA256Tag256KeyTemplate())
		must(t, err)
		must(t, keys.SetPrimary(id))
		return primitive(t, keys)
	}
	p := &paper{}
	var kept audit.Head
	for range 3 {
		record(t, p, 2)
		k := add()
		head, err := audit.Seal(t.Context(), p, k, kept)
		must(t, err)
		must(t, audit.Verify(t.Context(), p, k, head))
		kept = head
	}
	h, err := keys.Handle()
	must(t, err)
	first, err := h.Entry(0)
	must(t, err)
	must(t, keys.Delete(first.KeyID()))
	broken(t, "without the first key", audit.Verify(t.Context(), p, primitive(t, keys), kept), p.links[0].Seq, p)
}

func primitive(t *testing.T, keys *keyset.Manager) tink.MAC {
	t.Helper()
	h, err := keys.Handle()
	must(t, err)
	m, err := mac.New(h)
	must(t, err)
	return m
}

// endless is a log that makes its entries as they are asked for.
type endless struct {
	*paper
	n     uint64
	asked int // entries
}

func (l *endless) Entries(_ context.Context, from uint64) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		for seq := max(from, 1); seq <= l.n; seq++ {
			l.asked++
			if !yield(audit.Entry{Seq: seq, Event: secrets.Event{Reason: "the same text in each", Action: secrets.ActionGet}}, nil) {
				return
			}
		}
	}
}

func TestSealingAndVerifyingReadEachEntryOnceAndKeepNone(t *testing.T) {
	k := newKey()
	cost := func(n uint64) (sealing, verifying uint64) {
		l := &endless{paper: &paper{}, n: n}
		allocated := func(do func()) uint64 {
			var before, after runtime.MemStats
			l.asked = 0
			runtime.ReadMemStats(&before)
			do()
			runtime.ReadMemStats(&after)
			if l.asked != int(n) {
				t.Errorf("of %d entries %d were read", n, l.asked)
			}
			return after.TotalAlloc - before.TotalAlloc
		}
		var head audit.Head
		sealing = allocated(func() {
			var err error
			head, err = audit.Seal(t.Context(), l, k, audit.Head{})
			must(t, err)
		})
		verifying = allocated(func() { must(t, audit.Verify(t.Context(), l, k, head)) })
		return sealing, verifying
	}
	const n = 100_000
	sealing, verifying := cost(n)
	t.Logf("sealing %d entries allocates %d bytes, verifying %d", n, sealing, verifying)
	// A link may take what it likes, an entry nothing.
	if limit := uint64(n / audit.BatchSize * 4096); sealing > limit || verifying > limit {
		t.Errorf("that is more than %d", limit)
	}
}
