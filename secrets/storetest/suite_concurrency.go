package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// race lets n callers try the same at once and ends the test unless exactly one
// wins and all others fail with lost.
func (f *fixture) race(lost error, try func(i int) error) {
	f.Helper()
	const n = 8
	var start, done sync.WaitGroup
	start.Add(1)
	errs := make([]error, n)
	for i := range n {
		done.Go(func() {
			start.Wait()
			errs[i] = try(i)
		})
	}
	start.Done()
	done.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, lost) {
			f.Errorf("a loser's error is %v, want %v", err, lost)
		}
	}
	if won != 1 {
		f.Errorf("%d of %d won", won, n)
	}
}

var concurrencyTests = []sentence{
	{"OneOfManyWins", func(f *fixture) {
		a := f.create(1, workspace, "AA")
		for name, c := range map[string]struct {
			lost error
			try  func(i int) error
		}{
			"create, one name": {secrets.ErrExists, func(i int) error { return f.Put(f.ctx, f.record(secrets.ID(100+i), workspace, "BB"), 0) }},
			"create, one id": {secrets.ErrConflict, func(i int) error {
				return f.Put(f.ctx, f.record(2, workspace, fmt.Sprintf("C%d", i)), 0)
			}},
			"update":       {secrets.ErrConflict, func(int) error { return f.Put(f.ctx, next(a), 1) }},
			"save keysets": {secrets.ErrConflict, func(int) error { return f.SaveKeysets(f.ctx, ciphertext(), 1) }},
			"begin": {stage.ErrRunID, func(i int) error {
				_, err := f.Begin(f.ctx, stage.Run{ID: parseRun("r1")}, rows(fmt.Sprint(i), 2), stage.Terms{})
				return err
			}},
		} {
			f.race(c.lost, c.try)
			if f.Failed() {
				f.Fatalf("in %q", name)
			}
		}
		f.race(secrets.ErrNotFound, func(int) error { return f.Delete(f.ctx, secrets.Pin{ID: 1, Version: 2}) })
		f.race(stage.ErrHeld, func(int) error {
			_, err := f.Take(f.ctx, parseRun("r1"), lease)
			return err
		})
		r, all := f.load("r1")
		f.same(r.Epoch, uint64(2))
		f.same(len(all), 2) // of the one who began it
		f.race(stage.ErrFenced, func(int) error {
			_, err := f.Advance(f.ctx, r, stage.Active, lease, nil)
			return err
		})
	}},
	{"ABeginAndATombstoneExcludeEachOther", func(f *fixture) {
		for i := range 5 {
			id := parseRun(fmt.Sprintf("r%d", i))
			var begun, closed error
			var ended stage.Run
			var both sync.WaitGroup
			both.Go(func() { _, begun = f.Begin(f.ctx, stage.Run{ID: id}, nil, stage.Terms{Lease: lease, Need: need}) })
			both.Go(func() { ended, _, closed = f.End(f.ctx, id, stage.Closing{}) })
			both.Wait()
			f.ok(closed)
			if begun == nil {
				f.same(ended.Phase, stage.Ending)
			} else {
				f.fails(begun, stage.ErrRunID)
				f.same(ended.Phase, stage.Closed)
			}
		}
	}},
	{"NoUpdateIsLost", func(f *fixture) {
		f.create(1, workspace, "AA")
		const writers, each = 4, 10
		var failure atomic.Value
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				for done := 0; done < each; {
					r, err := f.Find(f.ctx, 1)
					if err == nil {
						err = f.Put(f.ctx, next(r), r.Version, told(fmt.Sprint(w)))
					}
					if err == nil {
						done++
					} else if !errors.Is(err, secrets.ErrConflict) {
						failure.Store(err)
						return
					}
				}
			})
		}
		all.Wait()
		if err := failure.Load(); err != nil {
			f.Fatal(err)
		}
		f.same(f.find(1).Version, secrets.Version(1+writers*each))
		log := f.entries(0)
		f.same(len(log), writers*each)
		for i := range log[1:] {
			if log[i+1].Seq <= log[i].Seq {
				f.Fatal("places do not grow")
			}
		}
	}},
	{"CandidatesAreOneSnapshot", func(f *fixture) {
		// BB is always updated right after AA: whoever sees BB ahead, or AA more
		// than one ahead, has seen two moments.
		a, b := f.create(1, workspace, "AA"), f.create(2, organization, "BB")
		names := []secrets.Name{a.Name, b.Name}
		for i := range 5000 { // to give the writer time between the parts of the answer
			names = append(names, parseName(fmt.Sprintf("N%d", i)))
		}
		stop := make(chan struct{})
		var failure error
		var writer sync.WaitGroup
		writer.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, r := range []*secrets.Record{&a, &b} {
					n := next(*r)
					if failure = f.Put(f.ctx, n, r.Version); failure != nil {
						return
					}
					*r = n
				}
			}
		})
		defer func() {
			close(stop)
			writer.Wait()
			f.ok(failure)
		}()
		for i := range 10 {
			scopes := []secrets.Scope{organization, workspace}
			if i%2 == 1 {
				scopes[0], scopes[1] = scopes[1], scopes[0]
			}
			got := f.candidates(names, scopes...)
			if ahead := int(got[0].Version) - int(got[1].Version); ahead != 0 && ahead != 1 {
				f.Errorf("AA is at %d, BB at %d", got[0].Version, got[1].Version)
				break
			}
		}
	}},
}
