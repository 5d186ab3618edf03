package audit_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
)

// broken ends the test unless err says that the log is broken, at a place if it is
// not zero, and tells nothing of the entries.
func broken(t *testing.T, what string, err error, place uint64, p *paper) {
	t.Helper()
	var b *audit.BrokenError
	if !errors.Is(err, audit.ErrBroken) || !errors.As(err, &b) {
		t.Errorf("%s: the error is %v", what, err)
		return
	}
	if place != 0 && (place < b.First || place > b.Last) || b.First > b.Last {
		t.Errorf("%s at %d: it is looked for between %d and %d", what, place, b.First, b.Last)
	}
	for _, e := range p.entries {
		for _, text := range []string{e.Event.Caller, e.Event.Reason, e.Event.Scope.ID, e.Event.Name.String(), e.Event.Target} {
			if len(text) > 8 && strings.Contains(err.Error(), text) {
				t.Errorf("%s: the error quotes the log: %v", what, err)
			}
		}
	}
}

func TestAnyChangeOfAnEntryShows(t *testing.T) {
	k := newKey()
	p, heads := sealed(t, k, 3, 4, 3)
	last := heads[2]
	must(t, audit.Verify(t.Context(), p, k, last))
	cases := 0
	for i := range p.entries {
		for _, c := range changes(t) {
			forged := p.copy()
			c.do(&forged.entries[i].Event)
			broken(t, c.field, audit.Verify(t.Context(), forged, k, last), p.entries[i].Seq, p)
			cases++
		}
		for _, seq := range []uint64{0, p.entries[i].Seq - 1, p.entries[i].Seq + 1} {
			forged := p.copy()
			forged.entries[i].Seq = seq
			broken(t, fmt.Sprint("moved to ", seq), audit.Verify(t.Context(), forged, k, last), 0, p)
			cases++
		}
	}
	t.Logf("%d changes", cases)
}

// rewriting is what somebody does to a log who can write to it and has no key.
type rewriting struct {
	what  string
	place uint64 // where it is, if it is at one place
	do    func(*paper)
}

func rewritings(t *testing.T, p *paper, heads []audit.Head, k, another audit.MAC) []rewriting {
	t.Helper()
	var all []rewriting
	add := func(place uint64, do func(*paper), what string, a ...any) {
		all = append(all, rewriting{fmt.Sprintf(what, a...), place, do})
	}
	stranger := anEvent(t, 50)
	// upTo returns how many entries a head covers.
	upTo := func(h audit.Head) (n int) {
		for n < len(p.entries) && p.entries[n].Seq <= h.Seq {
			n++
		}
		return n
	}
	for i, e := range p.entries {
		add(e.Seq, func(p *paper) { p.entries = slices.Delete(p.entries, i, i+1) }, "entry %d deleted", i)
		add(e.Seq, func(p *paper) {
			p.entries = slices.Delete(p.entries, i, i+1)
			for j := i; j < len(p.entries); j++ {
				p.entries[j].Seq -= 2
			}
		}, "entry %d deleted and the others moved up", i)
		for _, inserted := range []struct {
			what string
			ev   secrets.Event
		}{{"a stranger", stranger}, {"itself again", e.Event}, {"an empty one", secrets.Event{}}} {
			add(e.Seq-1, func(p *paper) {
				p.entries = slices.Insert(p.entries, i, audit.Entry{Seq: e.Seq - 1, Event: inserted.ev})
			}, "%s inserted before entry %d", inserted.what, i)
		}
		add(e.Seq, func(p *paper) { p.entries = slices.Insert(p.entries, i, e) }, "entry %d twice", i)
		add(0, func(p *paper) { p.entries = p.entries[:i] }, "cut off behind entry %d, links kept", i)
		for j := range i {
			add(p.entries[j].Seq, func(p *paper) {
				p.entries[i].Event, p.entries[j].Event = p.entries[j].Event, p.entries[i].Event
			}, "events %d and %d swapped", i, j)
			add(0, func(p *paper) { p.entries[i], p.entries[j] = p.entries[j], p.entries[i] }, "entries %d and %d swapped with their places", i, j)
		}
	}
	add(0, func(p *paper) { p.entries = slices.Insert(p.entries, 0, audit.Entry{Event: stranger}) }, "an entry at place 0")
	add(0, func(p *paper) { p.entries = nil }, "no entries")
	add(0, func(p *paper) { p.links = nil }, "no links")
	add(0, func(p *paper) { p.entries, p.links = nil, nil }, "nothing")
	add(0, func(p *paper) {
		p.links = nil
		_, err := audit.Seal(t.Context(), p, another, audit.Head{})
		must(t, err)
	}, "all sealed again under another key")
	for i, h := range heads {
		add(0, func(p *paper) { p.links = p.links[:i] }, "links cut off behind %d", i)
		add(0, func(p *paper) { p.links = slices.Delete(p.links, i, i+1) }, "link %d deleted", i)
		if n := upTo(h); i < len(heads)-1 {
			add(0, func(p *paper) { p.entries, p.links = p.entries[:n], p.links[:i+1] }, "an older copy, up to link %d", i)
			add(0, func(p *paper) {
				p.entries, p.links = p.entries[:n], p.links[:i+1]
				must(t, p.Record(t.Context(), stranger, stranger, stranger, stranger, stranger, stranger, stranger))
				_, err := audit.Seal(t.Context(), p, k, audit.Head{})
				must(t, err)
			}, "an older copy, up to link %d, that was written and sealed with the key since", i)
			add(0, func(p *paper) { p.entries = p.entries[:n] }, "entries of an older copy, up to link %d", i)
			add(0, func(p *paper) {
				p.entries = p.entries[:n]
				p.links = append(p.links[:i+1], heads[len(heads)-1])
			}, "an older copy, up to link %d, with the head put on top", i)
		}
		var prev audit.Head
		first := 0
		if i > 0 {
			prev, first = heads[i-1], upTo(heads[i-1])
		}
		for _, with := range []struct {
			what string
			k    audit.MAC
			prev audit.Head
			last int
		}{
			{"another key", another, prev, upTo(h)},
			{"another link before", k, audit.Head{Seq: prev.Seq, Sum: []byte("other")}, upTo(h)},
			{"fewer entries", k, prev, upTo(h) - 1},
		} {
			sum, err := with.k.ComputeMAC(audit.Text(with.prev, p.entries[first:with.last]))
			must(t, err)
			add(h.Seq, func(p *paper) { p.links[i].Sum = sum }, "link %d with %s", i, with.what)
		}
		for j := range h.Sum {
			add(h.Seq, func(p *paper) { p.links[i].Sum[j] ^= 0x10 }, "byte %d of link %d changed", j, i)
		}
		add(h.Seq, func(p *paper) { p.links[i].Sum = p.links[i].Sum[:len(h.Sum)-1] }, "sum %d cut off", i)
		add(h.Seq, func(p *paper) { p.links[i].Sum = nil }, "sum %d gone", i)
		for _, d := range []uint64{^uint64(1), ^uint64(0), 1, 2} {
			add(0, func(p *paper) { p.links[i].Seq += d }, "link %d moved by %d", i, int64(d))
		}
		for j := range i {
			add(0, func(p *paper) { p.links[i].Sum, p.links[j].Sum = p.links[j].Sum, p.links[i].Sum }, "the sums of links %d and %d swapped", i, j)
			add(0, func(p *paper) { p.links[i], p.links[j] = p.links[j], p.links[i] }, "links %d and %d swapped", i, j)
		}
		if i < len(heads)-1 { // the last one twice is no change of what it covers
			add(0, func(p *paper) { p.links = slices.Insert(p.links, i, p.links[i]) }, "link %d twice", i)
		}
		add(0, func(p *paper) {
			p.links = slices.Insert(p.links, i, audit.Head{Seq: h.Seq - 2, Sum: p.links[i].Sum})
		}, "a link inserted before %d", i)
	}
	return all
}

func TestAnyRewritingOfTheLogShows(t *testing.T) {
	k := newKey()
	p, heads := sealed(t, k, 3, 4, 3)
	all := rewritings(t, p, heads, k, newKey())
	for _, r := range all {
		forged := p.copy()
		r.do(forged)
		broken(t, r.what, audit.Verify(t.Context(), forged, k, heads[2]), r.place, p)
	}
	must(t, audit.Verify(t.Context(), p, k, heads[2])) // the copies are copies
	t.Logf("%d rewritings", len(all))
}

// A rewriting of what an older head does not cover leaves what it covers intact.
func TestWhatLiesBehindTheHeadIsNotLookedAt(t *testing.T) {
	k := newKey()
	p, heads := sealed(t, k, 3, 4)
	must(t, p.Record(t.Context(), anEvent(t, 8)))
	for _, head := range heads {
		forged := p.copy()
		forged.entries[7].Event.Reason = "another"
		must(t, audit.Verify(t.Context(), forged, k, head))
		forged.entries = forged.entries[:7]
		must(t, audit.Verify(t.Context(), forged, k, head))
	}
	p.links[1].Sum[0] ^= 1
	p.entries[3].Event.Reason = "another"
	must(t, audit.Verify(t.Context(), p, k, heads[0]))
	broken(t, "the second batch", audit.Verify(t.Context(), p, k, heads[1]), p.entries[3].Seq, p)
}

func TestAnotherHeadIsNotHeld(t *testing.T) {
	k := newKey()
	p, heads := sealed(t, k, 3, 4, 3)
	_, others := sealed(t, newKey(), 3, 4, 3)
	for _, head := range append(others,
		audit.Head{Seq: heads[1].Seq, Sum: heads[0].Sum}, audit.Head{Seq: heads[1].Seq}, audit.Head{Sum: heads[1].Sum},
		audit.Head{Seq: heads[1].Seq - 1, Sum: heads[1].Sum}, audit.Head{Seq: heads[2].Seq + 1, Sum: heads[2].Sum}, audit.Head{Seq: 1 << 40, Sum: heads[2].Sum},
		audit.Head{Seq: heads[1].Seq, Sum: heads[1].Sum[:31]},
	) {
		broken(t, "verify "+head.String(), audit.Verify(t.Context(), p, k, head), 0, p)
		broken(t, "reach "+head.String(), audit.Reaches(t.Context(), p, head), head.Seq, p)
	}
	for _, err := range []error{audit.Verify(t.Context(), p, k, audit.Head{}), audit.Reaches(t.Context(), p, audit.Head{})} {
		if !errors.Is(err, audit.ErrNoHead) {
			t.Errorf("of no head it says %v", err)
		}
	}
}

func TestALogThatWasCutOffOrReplacedByAnOlderCopyReachesItsHeadNoMore(t *testing.T) {
	k := newKey()
	p, heads := sealed(t, k, 3, 4)
	old := p.copy()
	must(t, p.Record(t.Context(), anEvent(t, 8)))
	kept, err := audit.Seal(t.Context(), p, k, heads[1])
	must(t, err)
	for _, head := range append(heads, kept) {
		must(t, audit.Reaches(t.Context(), p, head))
	}
	broken(t, "an older copy", audit.Reaches(t.Context(), old, kept), 0, p)
	broken(t, "an empty one", audit.Reaches(t.Context(), &paper{}, kept), 0, p)

	// Nor can it be led to one that it reaches: the head that shows what is missing
	// is not replaced by one that hides it.
	must(t, old.Record(t.Context(), anEvent(t, 8), anEvent(t, 9)))
	head, err := audit.Seal(t.Context(), old, k, kept)
	broken(t, "sealing an older copy", err, 0, p)
	if !head.IsZero() || len(old.links) != 2 {
		t.Errorf("it was sealed up to %v", head)
	}
	head, err = audit.Seal(t.Context(), old, k, heads[1]) // which the operator says to go on from
	must(t, err)
	must(t, audit.Verify(t.Context(), old, k, head))
}

// A sum does not cover the place of its own link. Who moves it up, before a head
// that shows so is kept, gets the next entries into it; once more is sealed on top,
// they can't be taken away for all that.
func TestALinkThatWasMovedSwallowsNoEntries(t *testing.T) {
	k := newKey()
	p, heads := sealed(t, k, 3, 1)
	p.links[1].Seq += 4
	must(t, p.Record(t.Context(), anEvent(t, 5), anEvent(t, 6), anEvent(t, 7)))
	head, err := audit.Seal(t.Context(), p, k, heads[0])
	must(t, err)
	if head.Seq != p.entries[6].Seq {
		t.Fatalf("it is sealed up to %v", head)
	}
	broken(t, "moved", audit.Verify(t.Context(), p, k, head), p.links[1].Seq, p)
	p.entries = slices.Delete(p.entries, 4, 6)
	broken(t, "moved, and two entries deleted", audit.Verify(t.Context(), p, k, head), p.links[1].Seq, p)
}

// The chain alone tells of a fault for as long as the log is kept, whatever was
// sealed on top since.
func TestSealingOnDoesNotHideWhatIsBroken(t *testing.T) {
	k := newKey()
	p, heads := sealed(t, k, 3, 4)
	p.entries[1].Event.Caller = "somebody else"
	kept := heads[1]
	for range 3 {
		must(t, p.Record(t.Context(), anEvent(t, 9)))
		head, err := audit.Seal(t.Context(), p, k, kept)
		must(t, err)
		kept = head
		broken(t, "sealed over", audit.Verify(t.Context(), p, k, kept), p.entries[1].Seq, p)
	}
}
