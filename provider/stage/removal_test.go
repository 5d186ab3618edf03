package stage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/providertest"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// said is what a look says from a time on.
type said struct {
	from time.Duration
	what provider.Presence
}

// scripted is a platform whose looks take a while and say what was written down,
// for the time at which they began.
type scripted struct {
	*platform
	start time.Time
	takes time.Duration
	says  []said
}

func (s scripted) Probe(_ context.Context, o provider.Object) (p provider.Presence, id string, err error) {
	for _, at := range s.says {
		if time.Since(s.start) >= at.from {
			p = at.what
		}
	}
	time.Sleep(s.takes)
	return p, "id:" + o.Name, nil
}

func TestOnlyAbsenceWithoutABreakThatLastsAHorizonIsTakenForGone(t *testing.T) {
	const minute, never = time.Minute, -1
	for name, c := range map[string]struct {
		horizon time.Duration
		takes   time.Duration
		says    []said
		gone    time.Duration // when the removal that says so began
	}{
		"absent":                       {10 * minute, 0, []said{{0, provider.Absent}}, 10 * minute},
		"somebody else's":              {10 * minute, 0, []said{{0, provider.Foreign}}, 10 * minute},
		"being deleted in between":     {10 * minute, 0, []said{{0, provider.Absent}, {4 * minute, provider.Pending}, {12 * minute, provider.Absent}}, 22 * minute},
		"there in between":             {10 * minute, 0, []said{{0, provider.Absent}, {4 * minute, provider.Present}, {12 * minute, provider.Absent}}, 22 * minute},
		"unknown in between":           {10 * minute, 0, []said{{0, provider.Absent}, {4 * minute, provider.Unknown}, {12 * minute, provider.Absent}}, 22 * minute},
		"being deleted":                {10 * minute, 0, []said{{0, provider.Pending}}, never},
		"unknown":                      {10 * minute, 0, []said{{0, provider.Unknown}}, never},
		"no answer of the contract":    {10 * minute, 0, []said{{0, 99}}, never},
		"being deleted, no horizon":    {0, 0, []said{{0, provider.Pending}}, never},
		"unknown, no horizon":          {0, 0, []said{{0, provider.Unknown}}, never},
		"no such answer, no horizon":   {0, 0, []said{{0, 99}}, never},
		"absent, at once, no horizon":  {0, 0, []said{{0, provider.Absent}}, 0},
		"a look that takes 20 seconds": {10 * minute, 20 * time.Second, []said{{0, provider.Absent}}, 10*minute + 50*time.Second}, // 10 minutes are over in the look of 10:00
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := staged(t, 1)
				f.platform.caps.Horizon = c.horizon
				start := time.Now()
				e := f.with(t, scripted{f.platform, start, c.takes, c.says})
				gone := time.Duration(never)
				for gone == never && time.Since(start) < time.Hour {
					began := time.Since(start)
					_, _ = e.Unstage(t.Context(), f.run.ID, "user:x", "done") // a look each, due or not
					if f.receipt(t).Gone() {
						gone = began
					}
					time.Sleep(30 * time.Second)
				}
				if gone != c.gone {
					t.Errorf("it is said to be gone at %v, want %v", gone, c.gone)
				}
			})
		})
	}
}

// mixed is a platform with a fate for each object, which counts the attempts.
type mixed struct {
	*platform
	fates    map[string]provider.Presence // by the object's name; what is Present may not be removed
	attempts map[string]int
}

func (m mixed) Probe(_ context.Context, o provider.Object) (provider.Presence, string, error) {
	m.attempts[o.Name]++
	return m.fates[o.Name], "id:" + o.Name, nil
}

func (m mixed) Remove(_ context.Context, o provider.Object, _ string) error {
	if m.fates[o.Name] == provider.Present {
		m.attempts[o.Name]++
		return &provider.Error{Op: "remove", Code: provider.Forbidden}
	}
	return nil
}

func TestASweepLeavesEachObjectAloneUntilItsNextAttemptIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := staged(t, 3)
		f.platform.caps.Horizon = time.Hour
		m := mixed{f.platform, map[string]provider.Presence{}, map[string]int{}}
		fates := []provider.Presence{provider.Present, provider.Pending, provider.Absent}
		for i, fate := range fates {
			m.fates[f.rows[i].Object.Name] = fate
		}
		e := f.with(t, m)
		_, _ = e.Unstage(t.Context(), f.run.ID, "user:x", "done") // that one is forbidden is no news
		for range 30 * 60 {
			time.Sleep(time.Second)
			before := map[string]int{}
			rows := f.receipt(t).Rows
			for _, row := range rows {
				before[row.Object.Name] = m.attempts[row.Object.Name]
			}
			_, _ = e.Sweep(t.Context(), "operator:x", [16]byte{})
			for _, row := range rows {
				if tried := m.attempts[row.Object.Name] > before[row.Object.Name]; tried == row.Next.After(time.Now()) {
					t.Fatalf("%s is tried: %t, though the next attempt is due in %v", row.Object.Name, tried, time.Until(row.Next))
				}
			}
		}
		for i, most := range []int{10, 30, 4} { // in half an hour
			if n := m.attempts[f.rows[i].Object.Name]; n > most || n < most/3 {
				t.Errorf("%d attempts at what is %d", n, fates[i])
			}
		}
	})
}

// doubling is a platform that delivers a create once more after each of the first
// removes, so that there is another object under the same name.
type doubling struct {
	provider.Provider
	p     *providertest.Platform
	times int
}

func (d doubling) Remove(ctx context.Context, o provider.Object, id string) error {
	err := d.Provider.Remove(ctx, o, id)
	if d.p.Stats().Removes <= d.times {
		d.p.Plant(providertest.Object{Object: o})
	}
	return err
}

func TestOtherObjectsUnderTheSameNameAreRemovedAtOnce(t *testing.T) {
	for times, attempts := range map[int]int{1: 1, 2: 1, 3: 2} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, 1, &platform{})
			p := providertest.New(providertest.Config{})
			e := f.with(t, doubling{p.Driver(), p, times})
			if _, err := e.Stage(t.Context(), f.run, f.rows, nil, nil); err != nil {
				t.Fatal(err)
			}
			for attempt := range attempts {
				r, err := e.Unstage(t.Context(), f.run.ID, "user:x", "done")
				last := attempt == attempts-1
				if (err == nil) != last || r.Gone() != last || (len(p.Objects()) == 0) != last {
					t.Errorf("made %d times more, attempt %d: %v, gone: %t, and there is %+v", times, attempt+1, err, r.Gone(), p.Objects())
				}
			}
		})
	}
}

// joint stages a run of n secrets in one object of a platform that can cut it down.
func joint(t *testing.T, n int) (*fixture, *providertest.Platform, *stage.Engine) {
	t.Helper()
	f := newFixture(t, n, &platform{})
	p := providertest.New(providertest.Config{Joint: true})
	e := f.with(t, p.Driver())
	if _, err := e.Stage(t.Context(), f.run, f.together(), nil, nil); err != nil {
		t.Fatal(err)
	}
	return f, p, e
}

func (f *fixture) revoke(t *testing.T, i int) {
	t.Helper()
	if _, err := f.ledger.Revoke(t.Context(), f.run.Items[i].Pin.ID); err != nil {
		t.Fatal(err)
	}
}

func TestWhatAnObjectStillHoldsIsRecordedAndItIsNotCutDownAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p, e := joint(t, 3)
		f.revoke(t, 0)
		r, err := e.Withdraw(t.Context(), f.run.ID, "user:x")
		if err != nil || len(r.Rows[0].Object.Items) != 2 || len(f.receipt(t).Rows[0].Object.Items) != 2 {
			t.Errorf("%v, %+v", err, r)
		}
		sweeps(t, e, time.Hour)
		if n := p.Stats().Withdraws; n != 1 {
			t.Errorf("it was cut down %d times", n)
		}
	})
}

// cut is a platform whose objects are found to hold just the rest already, as
// after a lost reply: it asks for no values.
type cut struct{ provider.Provider }

func (cut) Withdraw(context.Context, provider.Object, string, provider.Opener) error { return nil }

func TestADriverThatCutsDownWithoutAskingForValuesIsBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p, e := joint(t, 3)
		f.revoke(t, 0)
		withdrawn, err := f.with(t, cut{p.Driver()}).Withdraw(t.Context(), f.run.ID, "user:x")
		if err != nil || len(withdrawn.Rows[0].Object.Items) != 2 {
			t.Errorf("%v, %+v", err, withdrawn.Rows)
		}
		sweeps(t, e, time.Hour)
		if len(p.Objects()) != 1 {
			t.Error("what the run is to keep was removed")
		}
	})
}

func TestTheLogTellsOfEachRemovalThatFailsAndOfEachItemThatIsPulled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p, e := joint(t, 3)
		f.revoke(t, 1)
		if _, err := e.Withdraw(t.Context(), f.run.ID, "user:x"); err != nil {
			t.Fatal(err)
		}
		p.Refuse(func(string) bool { return true })
		if _, err := e.Unstage(t.Context(), f.run.ID, "user:x", "done"); codeOf(err) != provider.Forbidden {
			t.Errorf("it says %v", err)
		}
		p.Refuse(nil)
		if _, err := e.Unstage(t.Context(), f.run.ID, "user:x", "done"); err != nil {
			t.Error(err)
		}
		var told []string
		for entry, err := range f.ledger.Entries(t.Context(), 0) {
			if ev := entry.Event; err == nil && ev.Action == secrets.ActionRemove {
				told = append(told, fmt.Sprint(ev.Outcome, " ", ev.Reason, " ", ev.Name, " ", ev.Pin.ID, " ", ev.Run, " ", ev.Target))
			}
		}
		want := []string{"done revoked N1 2 r1 cloud", "failed forbidden  0 r1 cloud", "done   0 r1 cloud"}
		if !slices.Equal(told, want) {
			t.Errorf("the log tells of %q", told)
		}
	})
}

func TestWhatFailsSixTimesInARowIsStuckUntilItIsSeenAbsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1, &platform{})
		p := providertest.New(providertest.Config{Horizon: time.Hour})
		e := f.with(t, p.Driver())
		if _, err := e.Stage(t.Context(), f.run, f.rows, nil, nil); err != nil {
			t.Fatal(err)
		}
		p.Unreachable(true)
		for i := range 6 {
			if objects, _ := f.stuck(t); objects != 0 {
				t.Errorf("it is stuck after %d failures", i)
			}
			_, _ = e.Unstage(t.Context(), f.run.ID, "user:x", "done")
			time.Sleep(2 * time.Minute) // so that its target is not silent
		}
		if objects, _ := f.stuck(t); objects != 1 {
			t.Errorf("%d objects are stuck", objects)
		}
		p.Unreachable(false)
		r, err := e.Unstage(t.Context(), f.run.ID, "operator:x", "mended")
		if objects, runs := f.stuck(t); err != nil || r.Rows[0].State != stage.AbsentOnce || objects != 0 || runs != 0 {
			t.Errorf("%v, %+v, %d objects of %d runs are stuck", err, r.Rows[0], objects, runs)
		}
	})
}

// hooked is a ledger that calls back before it answers a Load.
type hooked struct {
	stage.Ledger
	loaded func()
}

func (h hooked) Load(ctx context.Context, id secrets.RunID) (stage.Run, []stage.Row, error) {
	run, rows, err := h.Ledger.Load(ctx, id)
	h.loaded()
	return run, rows, err
}

func TestARemovalThatIsCancelledBeforeItsFirstObjectSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := staged(t, 2)
		ctx, cancel := context.WithCancel(t.Context())
		e := f.with(t, f.platform, func(c *stage.Config) { c.Ledger = hooked{f.ledger, cancel} })
		r, err := e.Unstage(ctx, f.run.ID, "user:x", "done")
		if !errors.Is(err, context.Canceled) || len(r.Left()) != 2 || len(f.platform.removes) != 0 {
			t.Errorf("it says %v, with %d objects left and %d removals", err, len(r.Left()), len(f.platform.removes))
		}
	})
}
