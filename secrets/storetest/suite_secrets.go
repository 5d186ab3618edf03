package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

var installationTests = []sentence{
	{"ItIsMadeOnceAndKept", func(f *fixture) {
		a := f.installation("")
		b := f.installation("")
		f.same(b, a)
		if a.ID == [16]byte{} || a.Mark == [16]byte{} || a.ID == a.Mark || a.Home != "" {
			f.Fatal("id and mark are not random, or there is a home already")
		}
	}},
	{"TheFirstHomeIsRecordedAndLaterOnesAreNot", func(f *fixture) {
		f.same(f.installation("here").Home, "here")
		f.same(f.installation("there").Home, "here")
		f.same(f.installation("").Home, "here")
	}},
	{"AdoptRecordsTheHomeAndCountsUp", func(f *fixture) {
		f.begin("r1", 2, f.create(1, workspace, "AA"))
		run, rows := f.load("r1")
		before := f.installation("here")
		got := f.adopt("there", false)
		before.Home, before.Generation = "there", before.Generation+1
		f.same(got, before)
		f.same(f.installation("elsewhere"), before)
		again, rowsAgain := f.load("r1")
		f.same(again, run)
		f.same(rowsAgain, rows)
	}},
	{"AdoptingAgainChangesNothing", func(f *fixture) {
		f.installation("here")
		for _, cloned := range []bool{true, false} {
			if _, err := f.Adopt(f.ctx, "here", cloned); cloned {
				f.fails(err, secrets.ErrInvalid) // it is the original
			} else {
				f.ok(err)
			}
		}
		for home, cloned := range map[string]bool{"there": true, "elsewhere": false} {
			got := f.adopt(home, cloned)
			f.begin(home, 1)
			run, rows := f.load(home)
			f.same(f.adopt(home, cloned), got)
			_, err := f.Adopt(f.ctx, home, !cloned)
			f.fails(err, secrets.ErrInvalid)
			f.same(f.installation(home), got)
			again, rowsAgain := f.load(home)
			f.same(again, run)
			f.same(rowsAgain, rows)
		}
	}},
	{"AdoptingACloneLeavesEveryObjectToItsOwner", func(f *fixture) {
		a, b := f.create(1, workspace, "AA"), f.create(2, workspace, "BB")
		f.begin("staging", 2, a)
		f.begin("active", 1, b)
		f.advance("active", stage.Active, stage.Created)
		f.begin("ending", 2)
		ending := f.close("ending")
		f.begin("closed", 1)
		f.close("closed")
		closed := f.advance("closed", stage.Closed, stage.Gone)
		_, closedRows := f.load("closed")
		f.update(a)
		f.clock.pass(time.Second)

		before := f.installation("here")
		got := f.adopt("there", true)
		if got.Mark == before.Mark || got.Mark == [16]byte{} {
			f.Fatal("the clone kept its mark")
		}
		f.same(got.ID, before.ID)
		f.same(f.installation(""), got)
		for _, id := range []string{"staging", "active", "ending"} {
			r, rows := f.load(id)
			f.same(r.Phase, stage.Closed)
			f.same(r.Masked, f.clock.Now())
			f.same(r.Pinned, true)
			if id == "ending" {
				f.same(r.Ended, ending.Ended)
			} else {
				f.same(r.Ended, f.clock.Now())
			}
			for _, row := range rows {
				f.same(row.State, stage.Released)
				f.same(row.Gone, f.clock.Now())
			}
		}
		f.same(f.stats().Staged, 0)
		r, rows := f.load("closed")
		f.same(r, closed)
		f.same(rows, closedRows)

		f.same(f.due(), []string{"active", "ending", "staging"})
		for _, id := range f.due() {
			f.ok(f.Release(f.ctx, parseRun(id)))
		}
		f.fails(f.pinned(a.Pin), secrets.ErrNotFound)
		f.ok(f.pinned(b.Pin))
	}},
}

var secretTests = []sentence{
	{"CreateKeepsWhatIsGiven", func(f *fixture) {
		r := f.record(secrets.MaxID, workspace, "AA")
		zone := time.FixedZone("", 3600)
		r.CreatedAt = time.Date(2029, 5, 6, 7, 8, 9, 123_456_789, zone)
		r.UpdatedAt = r.CreatedAt.Add(time.Hour)
		r.LastUsed, r.LastRun = r.CreatedAt, parseRun("never")
		r.Policy = secrets.Policy{Expires: time.Date(2031, 5, 6, 7, 8, 9, 5, zone), Disabled: true, Locked: true, Pipelines: []string{"ü@2", "p\"1", "ü@2"}}
		r.KeyID, r.Description = 1<<32-1, "what it's for: 100 % \\ \"quoted\""
		f.ok(f.Put(f.ctx, r, 0))

		r.CreatedAt = time.Date(2029, 5, 6, 6, 8, 9, 123_456_000, time.UTC)
		r.UpdatedAt = r.CreatedAt.Add(time.Hour)
		r.LastUsed, r.LastRun = time.Time{}, secrets.RunID{} // Begin's alone
		r.Policy = secrets.Policy{Expires: time.Date(2031, 5, 6, 6, 8, 9, 0, time.UTC), Disabled: true, Locked: true, Pipelines: []string{"p\"1", "ü@2"}}
		f.same(f.find(r.ID), r)
		f.same(f.records(r.Pin), []secrets.Record{r})
		f.same(f.candidates(nil, workspace), []secrets.Record{r})
		f.same(f.list(secrets.Query{Scope: workspace, Limit: 1}), []secrets.Secret{r.Secret})
	}},
	{"CreateIsRefusedWhereTheNameIsTaken", func(f *fixture) {
		a := f.create(1, workspace, "AA")
		f.fails(f.Put(f.ctx, f.record(2, workspace, "AA"), 0), secrets.ErrExists)
		f.fails(f.Put(f.ctx, f.record(1, workspace, "AA"), 0), secrets.ErrExists)
		for i, s := range []secrets.Scope{organization, user, {Kind: secrets.Workspace, ID: "w2"}, {Kind: secrets.User, ID: "w1"}} {
			f.create(secrets.ID(10+i), s, "AA")
		}
		f.create(3, workspace, "aa")
		f.same(f.find(1), a)
	}},
	{"AnIDIsNeverUsedAgain", func(f *fixture) {
		a := f.create(1, workspace, "AA")
		f.fails(f.Put(f.ctx, f.record(1, workspace, "BB"), 0), secrets.ErrConflict)
		f.ok(f.Delete(f.ctx, a.Pin))
		f.fails(f.Put(f.ctx, f.record(1, workspace, "BB"), 0), secrets.ErrConflict)
		f.fails(f.Put(f.ctx, f.record(1, workspace, "AA"), 0), secrets.ErrConflict)
	}},
	{"BadInputIsRefused", func(f *fixture) {
		a := f.create(1, user, "AA")
		for name, r := range map[string]secrets.Record{
			"id too small": f.record(0, workspace, "BB"), "id too large": f.record(secrets.MaxID+1, workspace, "BB"),
			"scope": f.record(2, secrets.Scope{}, "BB"),
		} {
			if err := f.Put(f.ctx, r, 0); sentinel(err) != secrets.ErrInvalid {
				f.Errorf("%s: %v", name, err)
			}
		}
		later := next(a)
		f.fails(f.Put(f.ctx, later, 0), secrets.ErrInvalid)
		f.fails(f.Put(f.ctx, later, 2), secrets.ErrInvalid)
		later.Policy.Locked = true // which depends on the first version's scope
		later.Scope = workspace
		f.fails(f.Put(f.ctx, later, 1), secrets.ErrInvalid)
		f.same(f.find(1), a)
	}},
	{"ALaterVersionKeepsWhatNeverChanges", func(f *fixture) {
		a := f.create(1, workspace, "AA")
		b := next(a)
		b.Policy, b.UpdatedAt, b.KeyID = secrets.Policy{Disabled: true}, f.clock.Now().Add(time.Minute), 2
		other := b
		other.Name, other.Scope, other.CreatedAt, other.CreatedBy = secrets.Name{}, user, time.Time{}, "mallory"
		f.ok(f.Put(f.ctx, other, 1))
		f.same(f.find(1), b)
	}},
	{"UpdateIsRefusedUnlessTheVersionItReplacesIsCurrent", func(f *fixture) {
		a := f.create(1, workspace, "AA")
		b := f.update(a)
		f.fails(f.Put(f.ctx, next(a), 1), secrets.ErrConflict)
		f.fails(f.Put(f.ctx, next(next(b)), 3), secrets.ErrConflict)
		f.same(f.find(1), b)
		f.ok(f.Delete(f.ctx, b.Pin))
		f.fails(f.Put(f.ctx, next(b), 2), secrets.ErrNotFound)
		b.ID = 2
		f.fails(f.Put(f.ctx, next(b), 2), secrets.ErrNotFound)
	}},
	{"DeleteIsRefusedUnlessTheVersionIsCurrent", func(f *fixture) {
		a := f.create(1, workspace, "AA")
		b := f.update(a)
		f.fails(f.Delete(f.ctx, a.Pin), secrets.ErrConflict)
		f.fails(f.Delete(f.ctx, next(b).Pin), secrets.ErrConflict)
		f.fails(f.Delete(f.ctx, secrets.Pin{ID: 2, Version: 1}), secrets.ErrNotFound)
		f.ok(f.Delete(f.ctx, b.Pin))
		f.fails(f.Delete(f.ctx, b.Pin), secrets.ErrNotFound)
		f.fails(f.Delete(f.ctx, a.Pin), secrets.ErrNotFound)
	}},
	{"ADeletedSecretIsSeenNoMoreAndItsNameIsFree", func(f *fixture) {
		a := f.create(1, workspace, "AA")
		f.ok(f.Delete(f.ctx, a.Pin))
		_, err := f.Find(f.ctx, 1)
		f.fails(err, secrets.ErrNotFound)
		f.same(f.list(secrets.Query{Scope: workspace, Limit: 9}), []secrets.Secret{})
		f.same(f.candidates(nil, workspace), []secrets.Record{})
		b := f.create(2, workspace, "AA")
		f.same(f.candidates([]secrets.Name{a.Name}, workspace), []secrets.Record{b})
		f.ok(f.Delete(f.ctx, b.Pin))
		f.create(3, workspace, "AA")
	}},
	{"FindFailsForASecretThatNeverWas", func(f *fixture) {
		_, err := f.Find(f.ctx, 1)
		f.fails(err, secrets.ErrNotFound)
	}},
	{"AVersionThatNobodyPinsGoesAtOnce", func(f *fixture) {
		a := f.create(1, workspace, "AA")
		f.ok(f.pinned(a.Pin))
		b := f.update(a)
		f.fails(f.pinned(a.Pin), secrets.ErrNotFound)
		f.ok(f.pinned(b.Pin))
		f.ok(f.Delete(f.ctx, b.Pin))
		f.fails(f.pinned(b.Pin), secrets.ErrNotFound)
		f.same(f.countBehind(99), 0)
	}},
	{"AVersionGoesWithTheLastRunThatPinsIt", func(f *fixture) {
		a := f.create(1, workspace, "AA")
		f.begin("r1", 0, a)
		f.begin("r2", 0, a)
		b := f.update(a)
		f.begin("r3", 0, b)
		c := f.update(b)
		f.ok(f.Delete(f.ctx, c.Pin))
		f.ok(f.pinned(a.Pin, b.Pin))
		f.fails(f.pinned(c.Pin), secrets.ErrNotFound)
		got := f.records(b.Pin, a.Pin)
		a.LastUsed, a.LastRun = f.clock.Now(), parseRun("r3") // the secret's, not the version's
		b.LastUsed, b.LastRun = a.LastUsed, a.LastRun
		f.same(got, []secrets.Record{b, a})

		f.finish("r1")
		f.ok(f.pinned(a.Pin, b.Pin))
		f.finish("r2")
		f.fails(f.pinned(a.Pin), secrets.ErrNotFound)
		f.fails(f.pinned(b.Pin, a.Pin), secrets.ErrNotFound)
		f.ok(f.pinned(b.Pin))
		f.finish("r3")
		f.fails(f.pinned(b.Pin), secrets.ErrNotFound)
		f.same(f.countBehind(99), 0)
	}},
	{"ReleasingARunKeepsTheCurrentVersion", func(f *fixture) {
		a := f.create(1, workspace, "AA")
		f.begin("r1", 0, a)
		f.finish("r1")
		a.LastUsed, a.LastRun = f.clock.Now().Add(-time.Minute), parseRun("r1")
		f.same(f.find(1), a)
		f.update(a)
		f.fails(f.pinned(a.Pin), secrets.ErrNotFound)
	}},
	{"CandidatesAreTheCurrentRecordsOfTheScopes", func(f *fixture) {
		a, b := f.create(1, workspace, "AA"), f.create(2, workspace, "BB")
		c, d := f.create(3, organization, "AA"), f.create(4, user, "AA")
		f.create(5, secrets.Scope{Kind: secrets.Workspace, ID: "w2"}, "AA")
		a = f.update(a)
		aa := parseName("AA")
		f.same(f.candidates(nil, workspace, user), []secrets.Record{a, b, d})
		f.same(f.candidates(nil, workspace, workspace), []secrets.Record{a, b})
		f.same(f.candidates([]secrets.Name{aa, aa, parseName("ZZ")}, organization, workspace, user), []secrets.Record{a, c, d})
		f.same(f.candidates([]secrets.Name{}, organization, workspace, user), []secrets.Record{})
		f.same(f.candidates(nil), []secrets.Record{})
		f.same(f.candidates([]secrets.Name{parseName("BB")}, organization), []secrets.Record{})
	}},
	{"CandidatesTakesTenThousandNames", func(f *fixture) {
		var names []secrets.Name
		for i := range 10_000 {
			names = append(names, parseName(fmt.Sprintf("N%d", i)))
		}
		first, last := f.create(1, workspace, "N0"), f.create(2, workspace, "N9999")
		middle := f.create(3, organization, "N5000")
		f.create(4, workspace, "OTHER")
		got := f.candidates(names, workspace, organization)
		f.same(got, []secrets.Record{first, last, middle})
	}},
	{"ListAnswersNamesInOrderFromAPrefixAndAfterAName", func(f *fixture) {
		names := []string{"A1", "A10", "A1_B", "A2", "Aa", "B1", "_A", "a1"} // in the order of their bytes
		for i, n := range slices.Backward(names) {
			f.create(secrets.ID(i+1), workspace, n)
		}
		f.create(100, organization, "A1")
		for _, c := range []struct {
			prefix, after string
			limit         int
			want          []string
		}{
			{"", "", 100, names},
			{"", "", 3, names[:3]},
			{"", "A1_B", 2, []string{"A2", "Aa"}},
			{"A1", "", 100, []string{"A1", "A10", "A1_B"}},
			{"A1", "A1", 100, []string{"A10", "A1_B"}},
			{"A1", "A1_B", 100, nil},
			{"B", "A1", 100, []string{"B1"}},
			{"A", "B", 100, nil},
			{"A", "A11", 100, []string{"A1_B", "A2", "Aa"}},
			{"Z", "", 100, nil},
			{"A%", "", 100, nil},
			{"", "", 0, nil},
			{"", "", -1, nil},
		} {
			got := []string{}
			for _, s := range f.list(secrets.Query{Scope: workspace, Prefix: c.prefix, After: c.after, Limit: c.limit}) {
				got = append(got, s.Name.String())
			}
			f.same(got, c.want)
		}
	}},
	{"ReturnedAndGivenValuesAreTheCallersOwn", func(f *fixture) {
		r := f.record(1, workspace, "AA")
		r.Policy.Pipelines = []string{"p", "q"}
		f.ok(f.Put(f.ctx, r, 0))
		kept := f.find(1)
		spoil := func(r secrets.Record) {
			r.Sealed[0]++
			r.Policy.Pipelines[0] = "spoiled"
		}
		for _, give := range []func() secrets.Record{
			func() secrets.Record { return r },
			func() secrets.Record { return f.find(1) },
			func() secrets.Record {
				return f.candidates(nil, workspace)[0]
			},
			func() secrets.Record { return f.records(r.Pin)[0] },
			func() secrets.Record {
				return f.behind(99, secrets.Pin{}, 1)[0]
			},
		} {
			spoil(give())
			f.same(f.find(1), kept)
		}
		f.list(secrets.Query{Scope: workspace, Limit: 1})[0].Policy.Pipelines[0] = "spoiled"
		f.same(f.find(1), kept)
	}},
}
