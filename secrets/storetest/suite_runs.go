package storetest

import (
	"slices"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

var runTests = []sentence{
	{"BeginKeepsWhatTheCallerSetsAndSetsTheRest", func(f *fixture) {
		a, b := f.create(1, workspace, "AA"), f.create(2, user, "BB")
		f.clock.pass(time.Second)
		given := stage.Run{
			ID: parseRun("r1"), Workspace: workspace, Caller: "ann \"x\"", Request: []byte{0, 255}, Chosen: []byte{255, 0}, Items: items(a, b),
			Phase: stage.Closed, Outcome: "forged", Epoch: 77, Actor: time.Unix(1, 0), Started: time.Unix(1, 0), Needed: time.Unix(1, 0),
			Ended: time.Unix(1, 0), Masked: time.Unix(1, 0),
		}
		planned := rows("r1", 3)
		forged := slices.Clone(planned)
		for i := range forged {
			forged[i].ID, forged[i].State, forged[i].Attempts, forged[i].Code = "forged", stage.Gone, 5, provider.Taken
			forged[i].Intent, forged[i].Absent, forged[i].Gone, forged[i].Next = time.Unix(1, 0), time.Unix(1, 0), time.Unix(1, 0), time.Unix(1, 0)
		}
		got, err := f.Begin(f.ctx, given, forged, stage.Terms{Lease: lease, Need: need})
		f.ok(err)
		now := f.clock.Now()
		run := stage.Run{
			ID: given.ID, Workspace: workspace, Caller: given.Caller, Request: given.Request, Chosen: given.Chosen, Items: given.Items,
			Phase: stage.Staging, Epoch: 1, Actor: now.Add(lease), Started: now, Needed: now.Add(need), Pinned: true,
		}
		f.same(got, run)
		for i := range planned {
			planned[i].State, planned[i].Intent = stage.Intent, now
		}
		loaded, loadedRows := f.load("r1")
		f.same(loaded, run)
		f.same(loadedRows, planned)
		for _, r := range []secrets.Record{f.find(1), f.find(2)} {
			f.same(r.LastUsed, now)
			f.same(r.LastRun, given.ID)
		}
	}},
	{"ARunIDIsNeverUsedAgain", func(f *fixture) {
		f.begin("r1", 1)
		again := func(id string) error {
			_, err := f.Begin(f.ctx, stage.Run{ID: parseRun(id)}, rows("other", 1), stage.Terms{})
			return err
		}
		f.fails(again("r1"), stage.ErrRunID)
		f.finish("r1")
		f.fails(again("r1"), stage.ErrRunID)
		f.close("never-begun")
		f.fails(again("never-begun"), stage.ErrRunID)
		f.ok(again("r2"))
	}},
	{"BeginIsAllOrNothing", func(f *fixture) {
		a, b, c := f.create(1, workspace, "AA"), f.create(2, workspace, "BB"), f.create(3, workspace, "CC")
		f.update(b)
		f.ok(f.Delete(f.ctx, c.Pin))
		f.begin("used", 1)
		future := next(a)
		absent := f.record(9, workspace, "DD")
		for name, begin := range map[string]struct {
			run  string
			of   []secrets.Record
			rows []stage.Row
			want error
		}{
			"replaced":          {"r1", []secrets.Record{a, b}, rows("r1", 1), stage.ErrMoved},
			"deleted":           {"r1", []secrets.Record{a, c}, rows("r1", 1), stage.ErrMoved},
			"not yet there":     {"r1", []secrets.Record{a, future}, rows("r1", 1), stage.ErrMoved},
			"never there":       {"r1", []secrets.Record{a, absent}, rows("r1", 1), stage.ErrMoved},
			"run id used":       {"used", []secrets.Record{a}, rows("r1", 1), stage.ErrRunID},
			"stage used":        {"r1", []secrets.Record{a}, rows("used", 1), secrets.ErrInvalid},
			"stage named twice": {"r1", []secrets.Record{a}, append(rows("r1", 1), rows("r1", 1)...), secrets.ErrInvalid},
		} {
			_, err := f.Begin(f.ctx, stage.Run{ID: parseRun(begin.run), Items: items(begin.of...)}, begin.rows, stage.Terms{Need: need},
				secrets.Event{Action: secrets.ActionLaunch})
			if sentinel(err) != begin.want {
				f.Errorf("%s: error is %v, want %v", name, err, begin.want)
			}
		}
		_, _, err := f.Load(f.ctx, parseRun("r1"))
		f.fails(err, stage.ErrNoRun)
		f.same(f.find(1), a) // not used
		f.same(len(f.entries(0)), 0)
		f.update(a) // nor pinned
		f.fails(f.pinned(a.Pin), secrets.ErrNotFound)
		f.same(f.stats().Staged, 1)
	}},
	{"BadInputIsRefused", func(f *fixture) {
		_, err := f.Begin(f.ctx, stage.Run{}, nil, stage.Terms{})
		f.fails(err, secrets.ErrInvalid)
		a := f.create(1, workspace, "AA")
		a.Scope.ID = "\xff"
		_, err = f.Begin(f.ctx, stage.Run{ID: parseRun("r1"), Items: items(a)}, nil, stage.Terms{})
		f.fails(err, secrets.ErrInvalid)
		_, _, err = f.End(f.ctx, secrets.RunID{}, stage.Closing{})
		f.fails(err, secrets.ErrInvalid)
	}},
	{"AnUnknownRunIsErrNoRun", func(f *fixture) {
		id := parseRun("r1")
		_, _, err := f.Load(f.ctx, id)
		f.fails(err, stage.ErrNoRun)
		_, err = f.Take(f.ctx, id, lease)
		f.fails(err, stage.ErrNoRun)
		_, err = f.Advance(f.ctx, stage.Run{ID: id, Phase: stage.Staging, Epoch: 1}, stage.Active, lease, nil)
		f.fails(err, stage.ErrNoRun)
		_, err = f.Need(f.ctx, id, need, need)
		f.fails(err, stage.ErrNoRun)
		f.ok(f.Release(f.ctx, id))
	}},
	{"TakeIsHeldUntilTheLeaseIsOverAndRaisesTheEpoch", func(f *fixture) {
		r := f.begin("r1", 1)
		_, err := f.Take(f.ctx, r.ID, lease)
		f.fails(err, stage.ErrHeld)
		f.clock.pass(lease - time.Microsecond)
		_, err = f.Take(f.ctx, r.ID, lease)
		f.fails(err, stage.ErrHeld)
		f.clock.pass(time.Microsecond)
		got, err := f.Take(f.ctx, r.ID, 2*lease)
		f.ok(err)
		r.Epoch, r.Actor = 2, f.clock.Now().Add(2*lease)
		f.same(got, r)
		loaded, _ := f.load("r1")
		f.same(loaded, r)
		_, err = f.Take(f.ctx, r.ID, lease) // of the very same actor too
		f.fails(err, stage.ErrHeld)
	}},
	{"AdvanceStoresTheGivenRowsWholeAndRenewsTheLease", func(f *fixture) {
		r := f.begin("r1", 3, f.create(1, workspace, "AA"))
		_, before := f.load("r1")
		f.clock.pass(time.Second)
		row := before[1]
		row.Target, row.Location, row.ID, row.State = "moved", provider.Location{Kind: "k", Account: "a", Place: "p"}, "arn:1", stage.Stuck
		row.Intent, row.Absent, row.Gone, row.Next = f.clock.Now(), f.clock.Now().Add(1), f.clock.Now().Add(2000), f.clock.Now().Add(3000)
		row.Attempts, row.Code = 4, provider.Quota
		row.Object.Name, row.Object.Token, row.Object.Mark, row.Object.Epoch = "n", "t", [16]byte{9}, 1<<64-1
		row.Object.Items, row.Object.Expires = nil, time.Time{}
		got, err := f.Advance(f.ctx, r, stage.Active, 2*lease, []stage.Row{row})
		f.ok(err)
		r.Phase, r.Actor = stage.Active, f.clock.Now().Add(2*lease)
		f.same(got, r)
		loaded, after := f.load("r1")
		f.same(loaded, r)
		row.Absent = f.clock.Now() // kept to the microsecond
		f.same(after, []stage.Row{before[0], row, before[2]})
	}},
	{"AdvanceAddsARowOfANewStage", func(f *fixture) {
		r := f.begin("r1", 1)
		_, before := f.load("r1")
		found := rows("found", 1)[0]
		found.State, found.Object.Run = stage.Quarantined, r.ID
		_, err := f.Advance(f.ctx, r, stage.Staging, lease, []stage.Row{found})
		f.ok(err)
		_, after := f.load("r1")
		f.same(after, append(before, found))
	}},
	{"AdvanceIsFencedByEpochAndPhaseAndChangesNothing", func(f *fixture) {
		r := f.begin("r1", 1)
		f.clock.pass(lease)
		taken, err := f.Take(f.ctx, r.ID, lease)
		f.ok(err)
		_, all := f.load("r1")
		all[0].State = stage.Created
		try := func(r stage.Run, to stage.Phase) error {
			_, err := f.Advance(f.ctx, r, to, time.Hour, all, secrets.Event{Action: secrets.ActionStage})
			return err
		}
		f.fails(try(r, stage.Active), stage.ErrFenced) // deposed
		future := taken
		future.Epoch++
		f.fails(try(future, stage.Active), stage.ErrFenced)
		elsewhere := taken
		elsewhere.Phase = stage.Active
		f.fails(try(elsewhere, stage.Ending), stage.ErrFenced)
		f.close("r1")
		f.fails(try(taken, stage.Active), stage.ErrFenced) // ended: nothing can be published any more
		ended, endedRows := f.load("r1")
		stale := taken
		stale.Epoch = ended.Epoch
		f.fails(try(stale, stage.Active), stage.ErrFenced)
		got, gotRows := f.load("r1")
		f.same(got, ended)
		f.same(gotRows, endedRows)
		f.same(gotRows[0].State, stage.Deleting)
		f.same(len(f.entries(0)), 0)
	}},
	{"AdvanceNeverMovesBackNorClosesBeforeAllIsOver", func(f *fixture) {
		f.begin("r1", 2)
		r := f.advance("r1", stage.Active, stage.Created)
		_, all := f.load("r1")
		for _, to := range []stage.Phase{0, stage.Staging, stage.Closed + 1} {
			_, err := f.Advance(f.ctx, r, to, lease, nil)
			f.fails(err, secrets.ErrInvalid)
		}
		all[0].State = stage.Gone
		_, err := f.Advance(f.ctx, r, stage.Closed, lease, all)
		f.fails(err, secrets.ErrInvalid)
		got, gotRows := f.load("r1")
		f.same(got, r)
		f.same(gotRows[0].State, stage.Created)
		all[1].State = stage.Released
		f.clock.pass(time.Second)
		got, err = f.Advance(f.ctx, r, stage.Closed, lease, all)
		f.ok(err)
		r.Phase = stage.Closed // and its times stay as they are
		f.same(got, r)
	}},
	{"ARowBelongsToOneRun", func(f *fixture) {
		f.begin("r1", 1)
		r := f.begin("r2", 1)
		_, before := f.load("r1")
		stolen := rows("r1", 1)
		stolen[0].State = stage.Gone
		_, err := f.Advance(f.ctx, r, stage.Active, lease, append(rows("r2", 1), stolen...))
		f.fails(err, secrets.ErrInvalid)
		_, after := f.load("r1")
		f.same(after, before)
		got, _ := f.load("r2")
		f.same(got, r)
	}},
	{"NeedNeverMovesBackAndNeverPastTheLimit", func(f *fixture) {
		r := f.begin("r1", 1) // needed for an hour
		start := r.Started
		f.clock.pass(10 * time.Minute)
		for _, c := range []struct{ d, limit, want time.Duration }{
			{30 * time.Minute, 10 * time.Hour, time.Hour}, // back
			{55 * time.Minute, 10 * time.Hour, 65 * time.Minute},
			{-time.Hour, 10 * time.Hour, 65 * time.Minute},
			{10 * time.Hour, 2 * time.Hour, 2 * time.Hour},                   // capped, from the start
			{10 * time.Hour, time.Hour, 2 * time.Hour},                       // a lower cap moves nothing back
			{110*time.Minute + 1, 10 * time.Hour, 2 * time.Hour},             // less than a microsecond on
			{110*time.Minute + 1000, 10 * time.Hour, 2*time.Hour + 1000},     // a microsecond on
			{3 * time.Hour, 3*time.Hour + 10*time.Minute, 190 * time.Minute}, // exactly the cap
		} {
			got, err := f.Need(f.ctx, r.ID, c.d, c.limit)
			f.ok(err)
			f.same(got.Sub(start), c.want)
			r.Needed = got
			loaded, _ := f.load("r1")
			f.same(loaded, r)
		}
		f.advance("r1", stage.Active, stage.Created)
		_, err := f.Need(f.ctx, r.ID, 5*time.Hour, 10*time.Hour)
		f.ok(err)
	}},
	{"NeedOfAnEndedRunIsRefused", func(f *fixture) {
		f.begin("r1", 1)
		f.close("r1")
		_, err := f.Need(f.ctx, parseRun("r1"), need, need, secrets.Event{Action: secrets.ActionRenew})
		f.fails(err, stage.ErrEnded)
		f.advance("r1", stage.Closed, stage.Gone)
		_, err = f.Need(f.ctx, parseRun("r1"), need, need, secrets.Event{Action: secrets.ActionRenew})
		f.fails(err, stage.ErrEnded)
		f.close("tombstone")
		_, err = f.Need(f.ctx, parseRun("tombstone"), need, need)
		f.fails(err, stage.ErrEnded)
		f.same(len(f.entries(0)), 0)
	}},
	{"ReturnedAndGivenValuesAreTheCallersOwn", func(f *fixture) {
		a := f.create(1, workspace, "AA")
		given := stage.Run{ID: parseRun("r1"), Request: []byte{1}, Chosen: []byte{2}, Items: items(a)}
		planned := rows("r1", 1)
		begun, err := f.Begin(f.ctx, given, planned, stage.Terms{Lease: -1, Need: -1})
		f.ok(err)
		kept, keptRows := f.load("r1")
		kept.Request, kept.Chosen, kept.Items = slices.Clone(kept.Request), slices.Clone(kept.Chosen), slices.Clone(kept.Items)
		keptItems := slices.Clone(keptRows[0].Object.Items)
		spoil := func(r stage.Run, rows []stage.Row) {
			r.Request[0]++
			r.Chosen[0]++
			r.Items[0].Pin.Version++
			for i := range rows {
				rows[i].Object.Items[0].Pin.Version++
			}
		}
		loaded, loadedRows := f.load("r1")
		using, err := f.UsedBy(f.ctx, 1)
		f.ok(err)
		taken, err := f.Take(f.ctx, given.ID, -1)
		f.ok(err)
		kept.Epoch, kept.Actor = taken.Epoch, taken.Actor
		advanced, err := f.Advance(f.ctx, taken, stage.Staging, -1, planned)
		f.ok(err)
		kept.Actor = advanced.Actor
		spoil(given, planned)
		spoil(begun, nil)
		spoil(loaded, loadedRows)
		spoil(using[0], nil)
		spoil(taken, nil)
		spoil(advanced, nil)
		got, gotRows := f.load("r1")
		f.same(got, kept)
		f.same(gotRows[0].Object.Items, keptItems)
		closed, closedRows, err := f.End(f.ctx, given.ID, stage.Closing{})
		f.ok(err)
		spoil(closed, closedRows)
		got, gotRows = f.load("r1")
		f.same(got.Items, kept.Items)
		f.same(gotRows[0].Object.Items, keptItems)
	}},
}
