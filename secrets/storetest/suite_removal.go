package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

var removalTests = []sentence{
	{"CloseEndsARunWhoeverItsActorWas", func(f *fixture) {
		for _, phase := range []stage.Phase{stage.Staging, stage.Active} {
			id := "r-" + phase.String()
			f.begin(id, int(stage.Released)) // a row for each state
			r, all := f.load(id)
			for i := range all {
				all[i].State, all[i].ID, all[i].Next, all[i].Attempts, all[i].Code = stage.State(i+1), "id", f.clock.Now(), 3, provider.Throttled
				all[i].Absent = f.clock.Now()
			}
			r, err := f.Advance(f.ctx, r, phase, lease, all)
			f.ok(err)
			f.clock.pass(time.Second)
			now := f.clock.Now()
			got, gotRows, err := f.End(f.ctx, r.ID, stage.Closing{Outcome: "failed: 1", MaskFor: time.Hour})
			f.ok(err)
			r.Phase, r.Epoch, r.Actor = stage.Ending, 2, now
			r.Ended, r.Masked, r.Outcome = now, now.Add(time.Hour), "failed: 1"
			f.same(got, r)
			for i := range all {
				if !all[i].State.Over() {
					all[i].State, all[i].Next, all[i].Attempts, all[i].Absent = stage.Deleting, time.Time{}, 0, time.Time{}
				}
			}
			f.same(gotRows, all)
			loaded, loadedRows := f.load(id)
			f.same(loaded, r)
			f.same(loadedRows, all)
		}
	}},
	{"ARunThatIsEndingOrClosedStaysAsItIs", func(f *fixture) {
		f.begin("r1", 2)
		again := func() {
			f.Helper()
			r, all := f.load("r1")
			f.clock.pass(time.Second)
			for _, overdue := range []bool{false, true} {
				got, gotRows, err := f.End(f.ctx, r.ID, stage.Closing{Outcome: "other", MaskFor: time.Hour, Overdue: overdue},
					secrets.Event{Action: secrets.ActionComplete, Caller: "again"})
				f.fails(err, stage.ErrEnded)
				f.same(got, r)
				f.same(gotRows, all)
			}
			loaded, loadedRows := f.load("r1")
			f.same(loaded, r)
			f.same(loadedRows, all)
		}
		f.close("r1")
		again()
		f.row("r1", stage.Stuck, f.clock.Now().Add(time.Hour))
		again()
		f.advance("r1", stage.Closed, stage.Gone)
		again()
		f.same(len(f.entries(0)), 0)
	}},
	{"AnUnknownRunLeavesATombstone", func(f *fixture) {
		id := parseRun("r1")
		for again := range 2 {
			r, all, err := f.End(f.ctx, id, stage.Closing{Outcome: "cancelled", MaskFor: time.Hour}, secrets.Event{Action: secrets.ActionComplete})
			if again == 0 {
				f.ok(err)
			} else {
				f.fails(err, stage.ErrEnded)
			}
			if r.ID != id || r.Phase != stage.Closed || r.Outcome != "cancelled" || r.Pinned || len(all) != 0 {
				f.Fatalf("tombstone is %+v with %d rows", r, len(all))
			}
			loaded, _ := f.load("r1")
			f.same(loaded, r)
			f.same(len(f.entries(0)), 1)
		}
		_, err := f.Begin(f.ctx, stage.Run{ID: id}, nil, stage.Terms{})
		f.fails(err, stage.ErrRunID)
	}},
	{"CloseOfARunThatIsNotOverdueIsHeld", func(f *fixture) {
		overdue := func(id string) error {
			_, _, err := f.End(f.ctx, parseRun(id), stage.Closing{Outcome: "swept", Overdue: true}, secrets.Event{Action: secrets.ActionSweep})
			return err
		}
		f.begin("staging", 1)
		f.begin("active", 1)
		f.advance("active", stage.Active, stage.Created)
		f.clock.pass(lease - time.Microsecond)
		for _, id := range []string{"staging", "active"} {
			before, _ := f.load(id)
			f.fails(overdue(id), stage.ErrHeld)
			after, _ := f.load(id)
			f.same(after, before)
		}
		f.fails(overdue("unknown"), stage.ErrHeld)
		_, _, err := f.Load(f.ctx, parseRun("unknown"))
		f.fails(err, stage.ErrNoRun)
		f.same(len(f.entries(0)), 0)
		f.clock.pass(time.Microsecond)
		f.ok(overdue("staging"))
		f.fails(overdue("active"), stage.ErrHeld)
		f.clock.pass(need - lease)
		f.ok(overdue("active"))
		r, _ := f.load("active")
		f.same(r.Phase, stage.Ending)
		f.same(r.Outcome, "swept")
	}},
	{"ReleaseDropsThePinsOfAClosedRunOnceItIsMaskedNoLonger", func(f *fixture) {
		a := f.create(1, workspace, "AA")
		f.begin("r1", 1, a)
		f.update(a)
		id := parseRun("r1")
		unmoved := func() {
			f.Helper()
			before, _ := f.load("r1")
			f.ok(f.Release(f.ctx, id))
			after, _ := f.load("r1")
			f.same(after, before)
			f.same(after.Pinned, true)
			f.ok(f.pinned(a.Pin))
		}
		unmoved()
		f.advance("r1", stage.Active, stage.Created)
		unmoved()
		f.clock.pass(2 * need)
		unmoved()
		f.close("r1")
		f.clock.pass(time.Hour)
		unmoved() // masked no longer, but still ending
		f.advance("r1", stage.Closed, stage.Gone)
		f.begin("r2", 1, f.find(1))
		f.close("r2")
		f.advance("r2", stage.Closed, stage.Gone)
		f.ok(f.Release(f.ctx, id))
		f.fails(f.pinned(a.Pin), secrets.ErrNotFound)
		r, _ := f.load("r1")
		f.same(r.Pinned, false)
		f.same(r.Items, items(a)) // the receipt stays
		f.ok(f.Release(f.ctx, id))

		id, a = parseRun("r2"), f.find(1)
		f.update(a)
		f.clock.pass(time.Minute - time.Microsecond)
		f.ok(f.Release(f.ctx, id))
		f.ok(f.pinned(a.Pin))
		f.clock.pass(time.Microsecond)
		f.ok(f.Release(f.ctx, id))
		f.fails(f.pinned(a.Pin), secrets.ErrNotFound)
	}},
	{"UsedByAnswersTheRunsThatAreStagingOrActive", func(f *fixture) {
		a, b := f.create(1, workspace, "AA"), f.create(2, workspace, "BB")
		f.begin("staging", 1, a, b)
		f.begin("active", 1, a)
		f.advance("active", stage.Active, stage.Created)
		f.begin("ending", 1, a)
		f.close("ending")
		f.begin("closed", 1, a)
		f.close("closed")
		f.advance("closed", stage.Closed, stage.Gone)
		f.begin("other", 1, b)
		a = f.update(a)
		f.begin("later", 1, a)
		f.ok(f.Delete(f.ctx, a.Pin))
		runs, err := f.UsedBy(f.ctx, 1)
		f.ok(err)
		got := make(map[string]bool)
		for _, r := range runs {
			got[r.ID.String()] = true
			loaded, _ := f.load(r.ID.String())
			f.same(r, loaded)
		}
		f.same(got, map[string]bool{"staging": true, "active": true, "later": true})
		runs, err = f.UsedBy(f.ctx, 3)
		f.ok(err)
		f.same(len(runs), 0)
	}},
	{"RevokeDeletesAndMarksTheRunsUnderWayInOneCommit", func(f *fixture) {
		a, b := f.create(1, workspace, "AA"), f.create(2, workspace, "BB")
		f.begin("staging", 1, a, b)
		f.begin("active", 1, a)
		f.advance("active", stage.Active, stage.Created)
		f.begin("ending", 1, a)
		f.close("ending")
		f.begin("other", 1, b)
		before := len(f.entries(0))
		for i := range 2 { // again, it changes and tells nothing
			runs, err := f.Revoke(f.ctx, 1, told("revoked"))
			f.ok(err)
			got := ids(runs)
			slices.Sort(got)
			f.same(got, []string{"active", "staging"})
			f.same(len(f.entries(0)), before+1)
			_, err = f.Find(f.ctx, 1)
			f.fails(err, secrets.ErrNotFound)
			for id, want := range map[string][]bool{"staging": {true, false}, "active": {true}, "ending": {false}, "other": {false}} {
				r, _ := f.load(id)
				for j, it := range r.Items {
					if it.Revoked != want[j] {
						f.Errorf("round %d: %s: item %d is revoked: %t", i, id, j, it.Revoked)
					}
				}
			}
		}
		f.ok(f.pinned(a.Pin)) // for the sake of logs
		_, err := f.Revoke(f.ctx, 3, told("absent"))
		f.fails(err, secrets.ErrNotFound)
		c := f.create(4, workspace, "CC")
		runs, err := f.Revoke(f.ctx, 4, told("unused"))
		f.ok(err)
		f.same(len(runs), 0)
		f.fails(f.pinned(c.Pin), secrets.ErrNotFound)
		_, err = f.Revoke(f.ctx, 4)
		f.fails(err, secrets.ErrNotFound)
		f.same(len(f.entries(0)), before+2)
	}},
	{"KnownAnswersTheStateOfEachObjectThatEverHadARowAnywhere", func(f *fixture) {
		f.begin("r1", int(stage.Released))
		r, all := f.load("r1")
		var names []string
		for i := range all {
			all[i].State = stage.State(i + 1)
			names = append(names, all[i].Object.Name)
		}
		_, err := f.Advance(f.ctx, r, stage.Active, lease, all)
		f.ok(err)
		elsewhere := rows("r2", 1)
		elsewhere[0].Location.Place = "/other"
		_, err = f.Begin(f.ctx, stage.Run{ID: parseRun("r2")}, elsewhere, stage.Terms{})
		f.ok(err)
		for i := range 2000 {
			names = append(names, fmt.Sprintf("unknown-%d", i))
		}
		names = append(names, elsewhere[0].Object.Name)
		got, err := f.Known(f.ctx, names)
		f.ok(err)
		for _, row := range all {
			f.same(got[row.Object.Name], row.State)
		}
		f.same(got[elsewhere[0].Object.Name], stage.Intent)
		f.same(len(got), len(all)+1)
		got, err = f.Known(f.ctx, nil)
		f.ok(err)
		f.same(len(got), 0)
	}},
	{"KnownAnswersTheForemostOfSeveralRowsOfAName", func(f *fixture) {
		same := func(run string, state stage.State) {
			all := rows(run, 1)
			all[0].Object.Name = "same"
			_, err := f.Begin(f.ctx, stage.Run{ID: parseRun(run)}, all, stage.Terms{})
			f.ok(err)
			r, all := f.load(run)
			all[0].State = state
			_, err = f.Advance(f.ctx, r, stage.Active, lease, all)
			f.ok(err)
		}
		known := func(want stage.State) {
			got, err := f.Known(f.ctx, []string{"same"})
			f.ok(err)
			f.same(got, map[string]stage.State{"same": want})
		}
		for _, step := range []struct {
			run         string
			state, want stage.State
		}{
			{"a", stage.Gone, stage.Gone}, {"b", stage.Released, stage.Released}, {"b2", stage.Gone, stage.Released}, {"c", stage.Quarantined, stage.Quarantined},
			{"d", stage.Gone, stage.Quarantined}, {"e", stage.Stuck, stage.Stuck}, {"f", stage.Intent, stage.Intent}, {"g", stage.Quarantined, stage.Intent},
		} {
			same(step.run, step.state)
			known(step.want)
		}
	}},
	{"FoundQuarantinesAnObjectAsARunOfItsOwn", func(f *fixture) {
		f.clock.pass(time.Second)
		row := rows("f1", 1)[0]
		row.ID, row.State, row.Attempts = "id", stage.Created, 7
		f.ok(f.Found(f.ctx, stage.Run{ID: parseRun("f1"), Outcome: "found", Workspace: workspace, Caller: "x", Pinned: true}, row, told("found")))
		now := f.clock.Now()
		r, all := f.load("f1")
		f.same(r, stage.Run{ID: parseRun("f1"), Outcome: "found", Phase: stage.Ending, Epoch: 1, Actor: now, Ended: now, Masked: now})
		row.State, row.Attempts, row.Intent, row.Object.Run = stage.Quarantined, 0, now, r.ID
		f.same(all, []stage.Row{row})
		f.same(f.stats(), stage.Stats{Now: now, OldestStaged: now, Staged: 1, Quarantined: 1, Empty: true})
		f.same(f.due(), []string{"f1"})
		f.same(len(f.entries(0)), 1)
	}},
	{"FoundChangesNothingForAnObjectThatIsKnownOrARunIDThatIsUsed", func(f *fixture) {
		f.begin("r1", 1)
		_, all := f.load("r1")
		row := rows("f1", 1)[0]
		row.Object.Name = all[0].Object.Name
		f.fails(f.Found(f.ctx, stage.Run{ID: parseRun("f1")}, row, told("no")), stage.ErrHeld)
		f.fails(f.Found(f.ctx, stage.Run{ID: parseRun("r1")}, rows("f2", 1)[0], told("no")), stage.ErrRunID)
		f.fails(f.Found(f.ctx, stage.Run{}, rows("f2", 1)[0], told("no")), secrets.ErrInvalid)
		_, _, err := f.Load(f.ctx, parseRun("f1"))
		f.fails(err, stage.ErrNoRun)
		f.advance("r1", stage.Active, stage.Gone)
		events := len(f.entries(0))
		f.ok(f.Found(f.ctx, stage.Run{ID: parseRun("f1")}, row, told("yes")))                                    // it came back
		f.fails(f.Found(f.ctx, stage.Run{ID: parseRun("f2")}, rows("f1", 1)[0], told("no")), secrets.ErrInvalid) // the stage is used
		f.same(len(f.entries(0)), events+1)
	}},
	{"StuckAnswersTheRunsThatNeedSomebodysHelp", func(f *fixture) {
		for i, state := range []stage.State{stage.Stuck, stage.Quarantined, stage.Deleting, stage.Stuck, stage.Gone} {
			id := fmt.Sprint("r", i)
			f.begin(id, 2)
			r, all := f.load(id)
			all[1].State = state
			_, err := f.Advance(f.ctx, r, stage.Active, lease, all)
			f.ok(err)
		}
		stuck := func(after string, n int) (ids []string) {
			var from secrets.RunID
			if after != "" {
				from = parseRun(after)
			}
			runs, err := f.Stuck(f.ctx, from, n)
			f.ok(err)
			return append(ids, words(runs)...)
		}
		f.begin("r5", 2)
		r, all := f.load("r5")
		all[0].State, all[0].Attempts = stage.Created, stage.StuckAfter-1
		all[1].State, all[1].Attempts = stage.Gone, stage.StuckAfter
		_, err := f.Advance(f.ctx, r, stage.Active, lease, all)
		f.ok(err)
		f.same(stuck("", 9), []string{"r0", "r1", "r3"})
		f.same(f.stats().Stuck, 2)
		all[0].Attempts++
		r, _ = f.load("r5")
		_, err = f.Advance(f.ctx, r, stage.Active, lease, all)
		f.ok(err)
		f.same(stuck("r3", 9), []string{"r5"})
		f.same(f.stats().Stuck, 3)
		all[0].Attempts = 0
		_, err = f.Advance(f.ctx, r, stage.Active, lease, all)
		f.ok(err)
		f.same(stuck("", 9), []string{"r0", "r1", "r3"})
		f.same(stuck("", 2), []string{"r0", "r1"})
		f.same(stuck("r1", 9), []string{"r3"})
		f.same(len(stuck("r3", 9))+len(stuck("", 0))+len(stuck("", -1)), 0)
	}},
	{"StatsCountWhatIsNotOver", func(f *fixture) {
		f.same(f.stats(), stage.Stats{Now: f.clock.Now(), Empty: true})
		first := f.clock.Now()
		f.begin("r1", 2)
		f.clock.pass(time.Second)
		second := f.clock.Now()
		f.begin("r2", int(stage.Released))
		r, all := f.load("r2")
		for i := range all {
			all[i].State = stage.State(i + 1)
		}
		_, err := f.Advance(f.ctx, r, stage.Active, lease, all)
		f.ok(err)
		f.same(f.stats(), stage.Stats{Now: second, OldestStaged: first, Staged: 2 + 7, Stuck: 1, Quarantined: 1})
		f.advance("r1", stage.Active, stage.Gone)
		f.same(f.stats(), stage.Stats{Now: second, OldestStaged: second, Staged: 7, Stuck: 1, Quarantined: 1})
		f.advance("r2", stage.Active, stage.Stuck)
		f.same(f.stats(), stage.Stats{Now: second, OldestStaged: second, Staged: 9, Stuck: 9})
		f.finish("r2")
		f.same(f.stats(), stage.Stats{Now: f.clock.Now()})
	}},
	{"SweepingHasBeenResumedIfNoSweepBeganForLongerThanTheGap", func(f *fixture) {
		sweeping := func(want time.Time) {
			st, err := f.Sweeping(f.ctx, time.Minute)
			f.ok(err)
			f.same(st.Resumed, want)
			f.same(f.stats(), st)
		}
		first := f.clock.Now()
		sweeping(first)
		for range 3 {
			f.clock.pass(time.Minute)
			sweeping(first)
		}
		f.ok(f.Swept(f.ctx)) // that one has ended is no matter
		f.clock.pass(time.Minute + time.Microsecond)
		again := f.clock.Now()
		f.same(f.stats().Resumed, first)
		sweeping(again)
		sweeping(again)
	}},
	{"SweptIsRemembered", func(f *fixture) {
		f.clock.pass(time.Second)
		f.ok(f.Swept(f.ctx, secrets.Event{Action: secrets.ActionSweep}))
		f.same(f.stats(), stage.Stats{Now: f.clock.Now(), LastSweep: f.clock.Now(), Empty: true})
		f.same(len(f.entries(0)), 1)
		f.clock.pass(time.Second)
		f.ok(f.Swept(f.ctx))
		f.same(f.stats(), stage.Stats{Now: f.clock.Now(), LastSweep: f.clock.Now(), Empty: true})
	}},
}
