package storetest

import (
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
)

// from ends the test unless Due first answers the runs at the moment d from
// now, and not a microsecond before.
func (f *fixture) from(d time.Duration, want ...string) {
	f.Helper()
	f.clock.pass(d - time.Microsecond)
	f.same(f.due(), []string{})
	f.clock.pass(time.Microsecond)
	f.same(f.due(), want)
}

// row changes the first row of a run, and keeps the lease and the phase.
func (f *fixture) row(id string, s stage.State, next time.Time) {
	f.Helper()
	r, all := f.load(id)
	all[0].State, all[0].Next = s, next
	_, err := f.Advance(f.ctx, r, r.Phase, r.Actor.Sub(f.clock.Now()), all[:1])
	f.ok(err)
}

var dueTests = []sentence{
	{"StagingIsDueWhenTheLeaseIsOver", func(f *fixture) {
		f.begin("r1", 2)
		f.from(lease, "r1")
		_, err := f.Take(f.ctx, parseRun("r1"), 2*lease)
		f.ok(err)
		f.from(2*lease, "r1")
	}},
	{"StagingIsNotDueForBeingNeededNoLonger", func(f *fixture) {
		_, err := f.Begin(f.ctx, stage.Run{ID: parseRun("r1")}, rows("r1", 1), stage.Terms{Lease: lease, Need: -time.Hour})
		f.ok(err)
		f.from(lease, "r1")
	}},
	{"ALeaseOfZeroIsOverAtOnce", func(f *fixture) {
		_, err := f.Begin(f.ctx, stage.Run{ID: parseRun("r1")}, nil, stage.Terms{Need: need})
		f.ok(err)
		f.same(f.due(), []string{"r1"})
		_, err = f.Take(f.ctx, parseRun("r1"), 0)
		f.ok(err)
		_, err = f.Take(f.ctx, parseRun("r1"), -time.Hour)
		f.ok(err)
	}},
	{"ActiveIsDueWhenItIsNeededNoLonger", func(f *fixture) {
		f.begin("r1", 2)
		f.advance("r1", stage.Active, stage.Created)
		f.from(need, "r1")
		_, err := f.Need(f.ctx, parseRun("r1"), need, 10*need)
		f.ok(err)
		f.from(need, "r1")
		_, err = f.Take(f.ctx, parseRun("r1"), lease) // somebody at work does not make it needed
		f.ok(err)
		f.same(f.due(), []string{"r1"})
	}},
	{"ActiveIsDueForAnObjectOnItsWayOutOnceTheLeaseIsOverAndItsTimeHasCome", func(f *fixture) {
		for _, s := range []stage.State{stage.Deleting, stage.AbsentOnce, stage.Pending, stage.Quarantined, stage.Stuck} {
			id := "r" + s.String()
			f.begin(id, 2)
			f.advance(id, stage.Active, stage.Created)
			f.row(id, s, time.Time{}) // at once, but for the lease
			f.from(lease, id)
			f.row(id, s, f.clock.Now().Add(time.Second))
			f.from(time.Second, id)
			_, err := f.Take(f.ctx, parseRun(id), time.Second)
			f.ok(err)
			f.from(time.Second, id)
			f.row(id, stage.Gone, time.Time{})
			f.same(f.due(), []string{})
			f.finish(id)
		}
	}},
	{"ActiveIsNotDueForOtherObjects", func(f *fixture) {
		f.begin("r1", 2)
		f.advance("r1", stage.Active, stage.Created)
		f.clock.pass(lease)
		for s := stage.Intent; s <= stage.Released; s++ {
			switch s {
			case stage.Intent, stage.Created, stage.Gone, stage.Released:
				f.row("r1", s, time.Time{})
				f.same(f.due(), []string{})
			}
		}
	}},
	{"ActiveIsDueForAnObjectThatHoldsWhatWasRevoked", func(f *fixture) {
		a, b := f.create(1, workspace, "AA"), f.create(2, workspace, "BB")
		for _, id := range []string{"r1", "r2"} {
			all := rows(id, 2)
			all[0].Object.Items = []provider.Item{{Name: a.Name, Pin: a.Pin}, {Name: b.Name, Pin: b.Pin}}
			all[1].Object.Items = []provider.Item{{Name: b.Name, Pin: b.Pin}}
			_, err := f.Begin(f.ctx, stage.Run{ID: parseRun(id), Items: items(a, b)}, all, stage.Terms{Lease: lease, Need: need})
			f.ok(err)
		}
		f.advance("r1", stage.Active, stage.Created)
		f.clock.pass(lease)
		f.same(f.due(), []string{"r2"}) // which nobody has published
		f.advance("r2", stage.Active, stage.Created)
		runs, err := f.Revoke(f.ctx, 1)
		f.ok(err)
		f.same(len(runs), 2)
		f.same(f.due(), []string{"r1"}) // at once; the other's actor has its lease
		r, all := f.load("r1")
		f.same([]bool{r.Items[0].Revoked, r.Items[1].Revoked}, []bool{true, false})
		all[0].Next = f.clock.Now().Add(time.Second) // a failed attempt
		_, err = f.Advance(f.ctx, r, stage.Active, 0, all)
		f.ok(err)
		f.from(time.Second, "r1")
		all[0].Object.Items = all[0].Object.Items[1:] // pulled
		_, err = f.Advance(f.ctx, r, stage.Active, 0, all)
		f.ok(err)
		f.same(f.due(), []string{})
		f.clock.pass(lease)
		f.same(f.due(), []string{"r2"})
	}},
	{"EndingIsDueOnceTheLeaseIsOverAndAnObjectsTimeHasCome", func(f *fixture) {
		f.begin("r1", 2)
		f.advance("r1", stage.Active, stage.Created)
		f.close("r1")
		f.same(f.due(), []string{"r1"})
		_, err := f.Take(f.ctx, parseRun("r1"), lease)
		f.ok(err)
		f.from(lease, "r1")
		r, all := f.load("r1")
		all[0].Next, all[1].Next = f.clock.Now().Add(time.Minute), f.clock.Now().Add(time.Second)
		_, err = f.Advance(f.ctx, r, stage.Ending, 0, all)
		f.ok(err)
		f.from(time.Second, "r1")
		all[1].State = stage.Gone // whose time does not count any more
		_, err = f.Advance(f.ctx, r, stage.Ending, 0, all)
		f.ok(err)
		f.from(time.Minute-time.Second, "r1")
		_, err = f.Take(f.ctx, r.ID, lease)
		f.ok(err)
		f.from(lease, "r1")
	}},
	{"EndingIsDueForAnyObjectThatIsNotOver", func(f *fixture) {
		f.begin("r1", 2)
		f.close("r1")
		f.clock.pass(lease)
		for s := stage.Intent; s <= stage.Released; s++ {
			if !s.Over() {
				r, all := f.load("r1")
				all[0].State, all[1].State, all[0].Next = s, stage.Released, f.clock.Now().Add(time.Second)
				_, err := f.Advance(f.ctx, r, stage.Ending, 0, all)
				f.ok(err)
				f.from(time.Second, "r1")
			}
		}
	}},
	{"EndingIsDueWhenNoObjectIsLeft", func(f *fixture) {
		f.begin("r1", 0)
		f.close("r1")
		f.same(f.due(), []string{"r1"})
		_, err := f.Take(f.ctx, parseRun("r1"), lease)
		f.ok(err)
		f.from(lease, "r1")
		f.begin("r2", 1)
		f.close("r2")
		f.row("r2", stage.Gone, f.clock.Now().Add(time.Hour))
		f.clock.pass(lease)
		f.same(f.due(), []string{"r1", "r2"})
	}},
	{"ClosedIsDueWhenItsPinsAreToBeDropped", func(f *fixture) {
		f.begin("r1", 1, f.create(1, workspace, "AA"))
		r, _, err := f.End(f.ctx, parseRun("r1"), stage.Closing{MaskFor: time.Hour})
		f.ok(err)
		f.advance("r1", stage.Closed, stage.Gone)
		f.same(r.Masked, f.clock.Now().Add(time.Hour))
		f.from(time.Hour, "r1")
		f.ok(f.Release(f.ctx, r.ID))
		f.same(f.due(), []string{})
	}},
	{"ATombstoneIsNeverDue", func(f *fixture) {
		f.close("r1")
		f.clock.pass(1000 * time.Hour)
		f.same(f.due(), []string{})
	}},
	{"TheLongestDueComesFirst", func(f *fixture) {
		for i, id := range []string{"r3", "r1", "r2"} {
			_, err := f.Begin(f.ctx, stage.Run{ID: parseRun(id)}, nil, stage.Terms{Lease: time.Duration(i) * time.Second, Need: need})
			f.ok(err)
		}
		f.begin("later", 1)
		f.begin("pulled", 1)
		f.advance("pulled", stage.Active, stage.Created)
		f.row("pulled", stage.Deleting, f.clock.Now().Add(30*time.Second))
		f.clock.pass(lease + time.Second)
		f.same(f.due(), []string{"r3", "r1", "r2", "later", "pulled"})
		for n, want := range []int{0, 1, 2, 3} {
			some, err := f.Due(f.ctx, f.clock.Now(), n)
			f.ok(err)
			f.same(len(some), want)
		}
		some, err := f.Due(f.ctx, f.clock.Now(), 2)
		f.ok(err)
		f.same(words(some), []string{"r3", "r1"})
		none, err := f.Due(f.ctx, f.clock.Now(), -1)
		f.ok(err)
		f.same(len(none), 0)
	}},
	{"DueAnswersWhatWasDueAtTheMomentThatIsAsked", func(f *fixture) {
		start := f.clock.Now()
		for i, id := range []string{"r1", "r2", "r3"} {
			_, err := f.Begin(f.ctx, stage.Run{ID: parseRun(id)}, nil, stage.Terms{Lease: time.Duration(i+1) * time.Minute, Need: need})
			f.ok(err)
		}
		f.clock.pass(lease + time.Hour)
		for minutes, want := range [][]string{{}, {"r1"}, {"r1", "r2"}, {"r1", "r2", "r3"}} {
			due, err := f.Due(f.ctx, start.Add(time.Duration(minutes)*time.Minute), 100)
			f.ok(err)
			f.same(words(due), want)
		}
	}},
	{"ALeaseThatWasGrantedUnderAClockThatWasAheadIsOver", func(f *fixture) {
		f.begin("r1", 1)
		_, err := f.Take(f.ctx, parseRun("r1"), lease)
		f.fails(err, stage.ErrHeld)
		f.clock.pass(1000 * time.Hour)
		_, err = f.Take(f.ctx, parseRun("r1"), lease)
		f.ok(err)
		f.clock.pass(-1000 * time.Hour)
		r, err := f.Take(f.ctx, parseRun("r1"), stage.MaxLease)
		f.ok(err)
		f.same(r.Actor, f.clock.Now().Add(stage.MaxLease))
		_, err = f.Take(f.ctx, parseRun("r1"), lease)
		f.fails(err, stage.ErrHeld)
	}},
}
