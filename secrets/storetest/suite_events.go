package storetest

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
)

// whole is an event with every field set.
func whole(at time.Time) secrets.Event {
	return secrets.Event{
		At: at, Caller: "ann \"x\"", Action: secrets.ActionUse, Outcome: secrets.Refused, Reason: "expired", Scope: user, Name: parseName("AA"),
		Pin: secrets.Pin{ID: secrets.MaxID, Version: 1<<64 - 1}, Run: parseRun("r1"), Target: "cluster",
	}
}

// told is an event that says only what it is about.
func told(about string) secrets.Event { return secrets.Event{Reason: about} }

var eventTests = []sentence{
	{"RecordKeepsEventsInOrderWithTimesToTheMicrosecond", func(f *fixture) {
		at := time.Date(2029, 5, 6, 7, 8, 9, 123_456_789, time.FixedZone("", 3600))
		f.ok(f.Record(f.ctx, whole(at), told("second")))
		f.ok(f.Record(f.ctx))
		f.clock.pass(time.Second)
		f.ok(f.Record(f.ctx, told("third")))
		log := f.entries(0)
		f.same(len(log), 3)
		f.same(log[0].Event, whole(time.Date(2029, 5, 6, 6, 8, 9, 123_456_000, time.UTC)))
		f.same(log[1].Event, secrets.Event{At: f.clock.Now().Add(-time.Second), Reason: "second"})
		f.same(log[2].Event, secrets.Event{At: f.clock.Now(), Reason: "third"}) // zero At: the commit's time
		if log[0].Seq < 1 || log[1].Seq <= log[0].Seq || log[2].Seq <= log[1].Seq {
			f.Fatalf("places are %d, %d, %d", log[0].Seq, log[1].Seq, log[2].Seq)
		}
	}},
	{"EntriesStartAtTheGivenPlaceAndStopWhenAskedTo", func(f *fixture) {
		const n = 1200 // several pages of any backend
		var all []secrets.Event
		for i := range n {
			all = append(all, told(fmt.Sprint(i)))
		}
		f.ok(f.Record(f.ctx, all...))
		log := f.entries(0)
		f.same(len(log), n)
		for i, e := range log {
			f.same(e.Event.Reason, fmt.Sprint(i))
		}
		f.same(f.entries(log[700].Seq), log[700:])
		f.same(len(f.entries(log[n-1].Seq+1)), 0)
		f.same(len(f.entries(math.MaxUint64)), 0)
		seen := 0
		for _, err := range f.Entries(f.ctx, 0) {
			f.ok(err)
			f.ok(f.Record(f.ctx, told("from within"))) // the log is not locked meanwhile
			if seen++; seen == 3 {
				break
			}
		}
		f.same(len(f.entries(0)), n+3)
	}},
	{"EventsCommitWithTheChangeThatTheyTell", func(f *fixture) {
		a := f.record(1, workspace, "AA")
		f.ok(f.Put(f.ctx, a, 0, told("create"), told("create too")))
		f.ok(f.Put(f.ctx, next(a), 1, told("update")))
		a = f.find(1)
		_, err := f.Begin(f.ctx, stage.Run{ID: parseRun("r1"), Items: items(a)}, nil, stage.Terms{Lease: lease, Need: need}, told("begin"))
		f.ok(err)
		r, _ := f.load("r1")
		r, err = f.Advance(f.ctx, r, stage.Active, lease, nil, told("advance"))
		f.ok(err)
		_, err = f.Need(f.ctx, r.ID, need, need, told("need"))
		f.ok(err)
		_, _, err = f.End(f.ctx, r.ID, stage.Closing{}, told("end"))
		f.ok(err)
		_, _, err = f.End(f.ctx, parseRun("r2"), stage.Closing{}, told("tombstone"))
		f.ok(err)
		f.ok(f.Delete(f.ctx, a.Pin, told("delete")))
		_, err = f.Sweeping(f.ctx, time.Hour)
		f.ok(err)
		f.ok(f.Swept(f.ctx, told("swept")))
		_, err = f.Adopt(f.ctx, "here", true, told("adopt"))
		f.ok(err)
		var got []string
		for _, e := range f.entries(0) {
			f.same(e.Event.At, f.clock.Now())
			got = append(got, e.Event.Reason)
		}
		f.same(got, []string{"create", "create too", "update", "begin", "advance", "need", "end", "tombstone", "delete", "swept", "adopt"})
	}},
	{"ARefusedChangeLeavesNoEvent", func(f *fixture) {
		a := f.create(1, workspace, "AA")
		b := f.update(a)
		f.fails(f.Put(f.ctx, f.record(2, workspace, "AA"), 0, told("x")), secrets.ErrExists)
		f.fails(f.Put(f.ctx, next(a), 1, told("x")), secrets.ErrConflict)
		f.fails(f.Delete(f.ctx, a.Pin, told("x")), secrets.ErrConflict)
		f.ok(f.SaveKeysets(f.ctx, ciphertext(), 1, 5))
		c := next(b)
		c.KeyID = 5
		f.fails(f.Put(f.ctx, c, 2, told("x")), secrets.ErrKeyRetired)
		_, err := f.Begin(f.ctx, stage.Run{ID: parseRun("r1"), Items: items(a)}, nil, stage.Terms{}, told("x"))
		f.fails(err, stage.ErrMoved)
		f.begin("r1", 0)
		f.close("r1")
		_, err = f.Need(f.ctx, parseRun("r1"), need, need, told("x"))
		f.fails(err, stage.ErrEnded)
		_, _, err = f.End(f.ctx, parseRun("r1"), stage.Closing{}, told("x"))
		f.fails(err, stage.ErrEnded)
		f.same(len(f.entries(0)), 0)
	}},
	{"ACancelledContextChangesNothing", func(f *fixture) {
		a, b := f.create(1, workspace, "AA"), f.create(2, workspace, "BB")
		run := f.begin("r1", 1, a)
		f.begin("r2", 1, b)
		f.close("r2")
		f.advance("r2", stage.Closed, stage.Gone)
		f.clock.pass(2 * need)
		before := f.picture()

		ctx, cancel := context.WithCancel(f.ctx)
		cancel()
		id, e := run.ID, told("cancelled")
		for name, call := range map[string]func() error{
			"Installation": func() error { _, err := f.Installation(ctx, "cancelled"); return err },
			"Adopt":        func() error { _, err := f.Adopt(ctx, "cancelled", true, e); return err },
			"Candidates":   func() error { _, err := f.Candidates(ctx, []secrets.Scope{workspace}, nil); return err },
			"Pinned":       func() error { _, err := f.Pinned(ctx, []secrets.Pin{a.Pin}); return err },
			"Find":         func() error { _, err := f.Find(ctx, 1); return err },
			"List":         func() error { _, err := f.List(ctx, secrets.Query{Scope: workspace, Limit: 1}); return err },
			"create":       func() error { return f.Put(ctx, f.record(3, workspace, "CC"), 0, e) },
			"update":       func() error { return f.Put(ctx, next(a), 1, e) },
			"Delete":       func() error { return f.Delete(ctx, b.Pin, e) },
			"Behind":       func() error { _, err := f.Behind(ctx, 9, secrets.Pin{}, 1); return err },
			"CountBehind":  func() error { _, err := f.CountBehind(ctx, 9); return err },
			"Reseal":       func() error { c := a; c.KeyID = 2; return f.Reseal(ctx, c, 1) },
			"LoadKeysets":  func() error { _, _, err := f.LoadKeysets(ctx); return err },
			"SaveKeysets":  func() error { return f.SaveKeysets(ctx, ciphertext(), 1, 9) },
			"Begin":        func() error { _, err := f.Begin(ctx, stage.Run{ID: parseRun("r3")}, nil, stage.Terms{}, e); return err },
			"Load":         func() error { _, _, err := f.Load(ctx, id); return err },
			"Take":         func() error { _, err := f.Take(ctx, id, lease); return err },
			"Advance":      func() error { _, err := f.Advance(ctx, run, stage.Active, lease, nil, e); return err },
			"Need":         func() error { _, err := f.Need(ctx, id, 9*need, 9*need, e); return err },
			"End":          func() error { _, _, err := f.End(ctx, id, stage.Closing{}, e); return err },
			"tombstone":    func() error { _, _, err := f.End(ctx, parseRun("r3"), stage.Closing{}, e); return err },
			"Due":          func() error { _, err := f.Due(ctx, f.clock.Now(), 1); return err },
			"Release":      func() error { return f.Release(ctx, parseRun("r2")) },
			"Revoke":       func() error { _, err := f.Revoke(ctx, 1, e); return err },
			"UsedBy":       func() error { _, err := f.UsedBy(ctx, 1); return err },
			"Sweeping":     func() error { _, err := f.Sweeping(ctx, 0); return err },
			"Swept":        func() error { return f.Swept(ctx, e) },
			"Known":        func() error { _, err := f.Known(ctx, []string{"x"}); return err },
			"Found":        func() error { return f.Found(ctx, stage.Run{ID: parseRun("f1")}, rows("f1", 1)[0]) },
			"Stuck":        func() error { _, err := f.Stuck(ctx, secrets.RunID{}, 1); return err },
			"Stats":        func() error { _, err := f.Stats(ctx); return err },
			"Record":       func() error { return f.Record(ctx, e) },
			"Entries": func() error {
				for _, err := range f.Entries(ctx, 0) {
					return err
				}
				return nil
			},
			"Head":  func() error { _, err := f.Head(ctx); return err },
			"Chain": func() error { return f.Chain(ctx, audit.Head{}, link(1)) },
			"Links": func() error {
				for _, err := range f.Links(ctx, 0) {
					return err
				}
				return nil
			},
		} {
			if err := call(); sentinel(err) != context.Canceled {
				f.Errorf("%s: error is %v, want context.Canceled", name, err)
			}
		}
		f.same(f.picture(), before)
	}},
}

// picture is all that a backend answers, but for what is random.
func (f *fixture) picture() map[string]any {
	f.Helper()
	p := make(map[string]any)
	in := f.installation("")
	p["home"], p["generation"] = in.Home, in.Generation
	p["candidates"] = f.candidates(nil, organization, workspace, user)
	p["behind"] = f.behind(99, secrets.Pin{}, 1000)
	p["stats"] = f.stats()
	p["due"] = f.due()
	for _, id := range []string{"r1", "r2", "r3"} {
		r, all, err := f.Load(f.ctx, parseRun(id))
		p[id], p[id+" rows"], p[id+" error"] = r, all, fmt.Sprint(sentinel(err))
	}
	wrapped, generation, err := f.LoadKeysets(f.ctx)
	f.ok(err)
	p["keysets"], p["keysets' generation"] = wrapped, generation
	p["log"] = f.entries(0)
	p["chain"] = f.links(0)
	return p
}
