package storetest

import (
	"slices"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// keep ends a run that keeps what it has staged for an hour, and its pins for a
// minute more.
func (f *fixture) keep(id string) (stage.Run, []stage.Row, error) {
	return f.End(f.ctx, parseRun(id), stage.Closing{Outcome: "failed", MaskFor: time.Minute, Keep: time.Hour, Limit: 24 * time.Hour})
}

var keptTests = []sentence{
	{"AnActiveRunThatIsKeptLosesNothingUntilThen", func(f *fixture) {
		a := f.create(1, workspace, "AA")
		f.begin("r1", int(stage.Released), a)
		r, all := f.load("r1")
		for i := range all { // a row for each state
			all[i].State, all[i].ID, all[i].Attempts, all[i].Absent = stage.State(i+1), "id", 3, f.clock.Now()
		}
		r, err := f.Advance(f.ctx, r, stage.Active, lease, all)
		f.ok(err)
		now := f.clock.Now()
		got, gotRows, err := f.keep("r1")
		f.ok(err)
		until := now.Add(time.Hour)
		r.Phase, r.Epoch, r.Actor, r.Outcome = stage.Ending, 2, now, "failed"
		r.Ended, r.Kept, r.Masked = now, until, until.Add(time.Minute)
		f.same(got, r)
		for i := range all {
			switch {
			case all[i].State == stage.Created:
				all[i].Next, all[i].Attempts = until, 0
			case !all[i].State.Over():
				all[i].State, all[i].Next, all[i].Attempts, all[i].Absent = stage.Deleting, time.Time{}, 0, time.Time{}
			}
		}
		f.same(gotRows, all)
		loaded, loadedRows := f.load("r1")
		f.same(loaded, r)
		f.same(loadedRows, all)
		f.same(f.due(), []string{"r1"}) // there are others than those that are kept
		for i := range all {
			if all[i].State == stage.Deleting {
				all[i].State = stage.Gone
			}
		}
		r, err = f.Advance(f.ctx, r, stage.Ending, 0, all)
		f.ok(err)
		f.clock.pass(time.Hour - time.Microsecond)
		f.same(f.due(), []string(nil))
		used, err := f.UsedBy(f.ctx, a.ID)
		f.ok(err)
		f.same(used, []stage.Run{r})
		f.clock.pass(time.Microsecond)
		f.same(f.due(), []string{"r1"})
		used, err = f.UsedBy(f.ctx, a.ID) // no sweep has been there yet
		f.ok(err)
		f.same(used, []stage.Run{r})
	}},
	{"ARunThatIsKeptHasEndedAndEndsAgainOnlyToBeKeptNoLonger", func(f *fixture) {
		f.begin("r1", 2)
		f.advance("r1", stage.Active, stage.Created)
		r, _, err := f.keep("r1")
		f.ok(err)
		f.clock.pass(time.Minute)
		_, all := f.load("r1")
		for _, c := range []stage.Closing{{Keep: time.Minute, Limit: need}, {Keep: 2 * time.Hour, Limit: need}, {Overdue: true}, {Staging: r.Epoch}} {
			got, gotRows, err := f.End(f.ctx, r.ID, c, secrets.Event{Action: secrets.ActionComplete})
			f.fails(err, stage.ErrEnded)
			f.same(got, r)
			f.same(gotRows, all)
		}
		_, err = f.Need(f.ctx, r.ID, need, need)
		f.fails(err, stage.ErrEnded)
		f.same(len(f.entries(0)), 0)

		got, gotRows, err := f.End(f.ctx, r.ID, stage.Closing{Outcome: "other", MaskFor: time.Minute}, secrets.Event{Action: secrets.ActionComplete})
		f.ok(err)
		r.Epoch, r.Actor, r.Kept, r.Masked = r.Epoch+1, f.clock.Now(), time.Time{}, f.clock.Now().Add(time.Minute)
		f.same(got, r)
		for i := range all {
			all[i].State, all[i].Next = stage.Deleting, time.Time{}
		}
		f.same(gotRows, all)
		f.same(len(f.entries(0)), 1)
		f.same(f.due(), []string{"r1"})
		_, _, err = f.End(f.ctx, r.ID, stage.Closing{})
		f.fails(err, stage.ErrEnded)
	}},
	{"ARunIsKeptNoLongerThanItsLimitAndOnlyIfItIsActive", func(f *fixture) {
		f.begin("short", 1)
		f.advance("short", stage.Active, stage.Created)
		f.begin("late", 1)
		f.advance("late", stage.Active, stage.Created)
		f.begin("staging", 1)
		started := f.clock.Now()
		f.clock.pass(time.Second)
		for _, c := range []struct {
			id    string
			limit time.Duration
			until time.Time
		}{
			{"short", time.Minute, started.Add(time.Minute)},
			{"late", time.Second, time.Time{}},
			{"staging", time.Minute, time.Time{}},
			{"unknown", time.Minute, time.Time{}},
		} {
			r, all, err := f.End(f.ctx, parseRun(c.id), stage.Closing{Keep: time.Hour, Limit: c.limit})
			f.ok(err)
			f.same(r.Kept, c.until)
			for _, row := range all {
				f.same(row.State == stage.Created, !c.until.IsZero())
			}
		}
	}},
	{"ARevokedSecretEndsAllThatIsKeptWithIt", func(f *fixture) {
		a, b := f.create(1, workspace, "AA"), f.create(2, workspace, "BB")
		f.begin("before", 1, a)
		f.begin("after", 1, a, b)
		f.begin("other", 1, b)
		for _, id := range []string{"before", "after", "other"} {
			f.advance(id, stage.Active, stage.Created)
		}
		_, _, err := f.keep("after")
		f.ok(err)
		_, _, err = f.keep("other")
		f.ok(err)
		revoked, err := f.Revoke(f.ctx, a.ID)
		f.ok(err)
		f.same(len(revoked), 2)
		r, all := f.load("after")
		f.same(slices.ContainsFunc(revoked, func(of stage.Run) bool { return of.ID == r.ID && of.Kept.IsZero() && of.Items[0].Revoked }), true)
		f.same(r.Kept.IsZero(), true)
		f.same(r.Masked, f.clock.Now().Add(time.Minute)) // as if it had been kept until now
		f.same(all[0].State, stage.Deleting)
		r, _, err = f.keep("before")
		f.ok(err)
		f.same(r.Kept.IsZero(), true)
		r, all = f.load("other")
		f.same(r.Kept.IsZero(), false)
		f.same(all[0].State, stage.Created)
		f.same(f.due(), []string{"after", "before"})
	}},
}
