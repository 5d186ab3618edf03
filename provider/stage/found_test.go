package stage_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

var ours = [16]byte{1}

// listing is a platform that lists what is made, all of it under one mark.
type listing struct {
	*platform
	mark  [16]byte
	fails error
	stale []string // listed although gone
}

func (l *listing) List(_ context.Context, mark [16]byte) iter.Seq2[provider.Object, error] {
	return func(yield func(provider.Object, error) bool) {
		if l.fails != nil {
			yield(provider.Object{}, l.fails)
			return
		}
		l.mu.Lock()
		names := append([]string(nil), l.stale...)
		for name := range l.made {
			names = append(names, name)
		}
		l.mu.Unlock()
		for _, name := range names {
			if !yield(provider.Object{Name: name, Mark: l.mark}, nil) {
				return
			}
		}
	}
}

// found is a fixture with a listing platform, on which one run is under way.
func found(t *testing.T, change ...func(*stage.Config)) (*fixture, *listing, *stage.Engine) {
	t.Helper()
	f := staged(t, 2)
	l := &listing{platform: f.platform, mark: ours}
	return f, l, f.with(t, l, change...)
}

func sweep(t *testing.T, e *stage.Engine) stage.Report {
	t.Helper()
	time.Sleep(time.Minute)
	report, err := e.Sweep(t.Context(), "operator:x", ours)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func intact(c *stage.Config) { c.Intact = func(context.Context) error { return nil } }

func TestWhatIsBackAfterItWasGoneIsQuarantinedAndRemovedByTheNextSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, l, e := found(t)
		if _, err := e.Unstage(t.Context(), f.run.ID, "user:x", "done"); err != nil {
			t.Fatal(err)
		}
		l.made[f.rows[1].Object.Name] = time.Now()
		if r := sweep(t, e); r.Found != 1 || r.Removed != 0 || len(l.made) != 1 {
			t.Errorf("the first sweep: %+v, %d objects", r, len(l.made))
		}
		if st, err := f.ledger.Stats(t.Context()); err != nil || st.Quarantined != 1 {
			t.Errorf("%+v, %v", st, err)
		}
		if r := sweep(t, e); r.Found != 0 || r.Removed != 1 || len(l.made) != 0 {
			t.Errorf("the second sweep: %+v, %d objects", r, len(l.made))
		}
		if r := sweep(t, e); r != (stage.Report{}) {
			t.Errorf("the third sweep: %+v", r)
		}
	})
}

func TestWhatTheLedgerNeverHeardOfIsRemovedOnlyIfTheLedgerIsIntact(t *testing.T) {
	for name, c := range map[string]struct {
		intact func(context.Context) error
		goes   bool
	}{
		"nobody can say": {nil, false},
		"it is":          {func(context.Context) error { return nil }, true},
		"it is not":      {func(context.Context) error { return errors.New("older") }, false},
		"panic":          {func(context.Context) error { panic("older") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, l, e := found(t, func(config *stage.Config) { config.Intact = c.intact })
				l.made["lost"] = time.Now()
				if r := sweep(t, e); r.Found != 1 {
					t.Errorf("the first sweep: %+v", r)
				}
				for range 3 {
					r := sweep(t, e)
					if _, there := l.made["lost"]; there == c.goes || r.Found != 0 || (r.ReportOnly == "") != c.goes {
						t.Fatalf("%+v, still there: %t", r, there)
					}
					if c.goes {
						break
					}
					if r.Quarantined != 1 {
						t.Errorf("%+v", r)
					}
				}
				if len(l.removes) > 1 || !c.goes && len(l.removes) != 0 {
					t.Errorf("removes of %v", l.removes)
				}
			})
		})
	}
}

func TestAnEmptyLedgerRemovesNothingThatItFinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1, &platform{})
		l := &listing{platform: f.platform, mark: ours}
		e := f.with(t, l, intact)
		l.made["lost"] = time.Now()
		sweep(t, e)
		for range 3 {
			if r := sweep(t, e); r.Quarantined != 1 || r.ReportOnly != "the ledger is empty" || len(l.removes) != 0 {
				t.Errorf("%+v, removes of %v", r, l.removes)
			}
		}
	})
}

func TestAnotherMarkIsNeverTouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, l, e := found(t, intact)
		if _, err := e.Unstage(t.Context(), f.run.ID, "user:x", "done"); err != nil {
			t.Fatal(err)
		}
		l.mark = [16]byte{2} // a driver that lists them all the same
		l.made[f.rows[0].Object.Name], l.made["theirs"] = time.Now(), time.Now()
		removes := len(l.removes)
		for range 3 {
			if r := sweep(t, e); r.Found != 0 || len(l.removes) != removes {
				t.Errorf("%+v, removes of %v", r, l.removes)
			}
		}
		if r, err := e.Sweep(t.Context(), "operator:x", [16]byte{}); err != nil || r.Found != 0 {
			t.Errorf("no mark: %+v, %v", r, err)
		}
	})
}

func TestWhatIsOnlyListedIsNotQuarantined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l, e := found(t, intact)
		l.stale = []string{"gone by now"}
		if r := sweep(t, e); r != (stage.Report{}) {
			t.Errorf("%+v", r)
		}
	})
}

func TestTooMuchThatIsFoundIsLeftToAnOperator(t *testing.T) {
	for name, c := range map[string]struct{ lost, removed int }{
		"few":              {10, 10}, // though they are most of what is there
		"most":             {11, 0},
		"more than a half": {50, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, l, e := found(t, intact)
				for i := range c.lost {
					l.made[fmt.Sprint("lost", i)] = time.Now()
				}
				sweep(t, e)
				if r := sweep(t, e); r.Removed != c.removed || r.Quarantined != c.lost-c.removed || len(l.made) != 2+c.lost-c.removed {
					t.Errorf("%+v, %d objects", r, len(l.made))
				}
			})
		})
	}
}

func TestOneSweepTakesOnABoundedNumberOfWhatItFinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, l, e := found(t)
		if _, err := e.Unstage(t.Context(), f.run.ID, "user:x", "done"); err != nil {
			t.Fatal(err)
		}
		const n = 250
		for i := range n { // gone ones that come back
			id, err := secrets.ParseRunID(fmt.Sprint("gone-", i))
			if err != nil {
				t.Fatal(err)
			}
			r, rows := f.run, []stage.Row{{Target: "cloud", Location: l.Location(), Object: provider.Object{Stage: id.String(), Name: id.String(), Mark: ours}}}
			r.ID = id
			if _, err := f.ledger.Begin(t.Context(), r, rows, stage.Terms{}); err != nil {
				t.Fatal(err)
			}
			if _, err := e.Unstage(t.Context(), id, "user:x", "done"); err != nil {
				t.Fatal(err)
			}
			l.made[id.String()] = time.Now()
		}
		var got []stage.Report
		for len(l.made) > 0 && len(got) < 9 {
			got = append(got, sweep(t, e))
		}
		if len(got) != 4 || got[0].Found != 100 || got[1].Found != 100 || got[1].Removed != 100 || got[2].Found != 50 || got[3].Removed != 50 {
			t.Errorf("%+v", got)
		}
	})
}

func TestAnOperatorRemovesWhatIsInQuarantineAtOnceOrGivesItUp(t *testing.T) {
	for _, disown := range []bool{false, true} {
		t.Run(fmt.Sprint("disown ", disown), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, l, e := found(t)
				l.made["lost"] = time.Now()
				sweep(t, e)
				runs, err := f.ledger.Stuck(t.Context(), secrets.RunID{}, 9)
				if err != nil || len(runs) != 1 {
					t.Fatalf("%+v, %v", runs, err)
				}
				var r stage.Receipt
				if disown {
					r, err = e.Disown(t.Context(), runs[0], "cloud", "operator:x")
				} else {
					r, err = e.Unstage(t.Context(), runs[0], "operator:x", "looked")
				}
				if again, err := e.Disown(t.Context(), runs[0], "cloud", "operator:x"); disown && (err != nil || !again.Gone()) {
					t.Errorf("again: %v, %+v", err, again)
				}
				if _, there := l.made["lost"]; err != nil || there != disown || !r.Gone() {
					t.Errorf("%v, still there: %t, %+v", err, there, r)
				}
				if r := sweep(t, e); r != (stage.Report{}) {
					t.Errorf("the next sweep: %+v", r) // what was disowned is not found again
				}
			})
		})
	}
}

func TestWhatIsBackAfterItWasGoneAndIsDisownedStaysDisowned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, l, e := found(t)
		if _, err := e.Unstage(t.Context(), f.run.ID, "user:x", "done"); err != nil {
			t.Fatal(err)
		}
		l.made[f.rows[0].Object.Name] = time.Now()
		sweep(t, e)
		runs, err := f.ledger.Stuck(t.Context(), secrets.RunID{}, 9)
		if err != nil || len(runs) != 1 {
			t.Fatalf("%+v, %v", runs, err)
		}
		if _, err := e.Disown(t.Context(), runs[0], "cloud", "operator:x"); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if r := sweep(t, e); r != (stage.Report{}) {
				t.Errorf("a later sweep: %+v", r)
			}
		}
	})
}

func TestDisownLeavesWhatIsNotStuckOrNotAtTheTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _, e := found(t)
		for _, target := range []string{"cloud", "elsewhere"} {
			r, err := e.Disown(t.Context(), f.run.ID, target, "operator:x")
			if err != nil || r.Run.Phase != stage.Active || r.Rows[0].State != stage.Created || r.Rows[1].State != stage.Created {
				t.Errorf("%v, %+v", err, r)
			}
		}
		if _, err := e.Unstage(t.Context(), f.run.ID, "user:x", "done"); err != nil {
			t.Error(err)
		}
	})
}

func TestASweepThatCanNotListIsNoSweepThatEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, l, e := found(t)
		sweep(t, e)
		before, err := f.ledger.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		l.fails = errors.New("no credentials")
		_, err = e.Sweep(t.Context(), "operator:x", ours)
		var failure *provider.Error
		if !errors.As(err, &failure) || failure.Op != "list" {
			t.Errorf("it says %v", err)
		}
		if after, err := f.ledger.Stats(t.Context()); err != nil || after.LastSweep != before.LastSweep {
			t.Errorf("%+v, %v", after, err)
		}
	})
}

func TestSomebodyElsesRowKeepsWhatIsInQuarantine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, l, e := found(t, intact)
		l.made["late"] = time.Now()
		sweep(t, e)
		r := f.run
		r.ID, _ = secrets.ParseRunID("r2")
		rows := []stage.Row{{Target: "cloud", Location: l.Location(), Object: provider.Object{Stage: "s", Name: "late", Mark: ours}}}
		if _, err := f.ledger.Begin(t.Context(), r, rows, stage.Terms{Lease: time.Hour, Need: time.Hour}); err != nil {
			t.Fatal(err)
		}
		sweep(t, e)
		if st, err := f.ledger.Stats(t.Context()); err != nil || st.Quarantined != 0 || len(l.removes) != 0 {
			t.Errorf("%+v, %v, removes of %v", st, err, l.removes)
		}
	})
}

// mute is a ledger that can't write events while it is on.
type mute struct {
	stage.Ledger
	on bool
}

var errMute = errors.New("the log is full")

func (m *mute) End(ctx context.Context, id secrets.RunID, c stage.Closing, ev ...secrets.Event) (stage.Run, []stage.Row, error) {
	if m.on && len(ev) > 0 {
		return stage.Run{}, nil, errMute
	}
	return m.Ledger.End(ctx, id, c, ev...)
}

func (m *mute) Advance(ctx context.Context, r stage.Run, to stage.Phase, lease time.Duration, rows []stage.Row, ev ...secrets.Event) (stage.Run, error) {
	if m.on && len(ev) > 0 {
		return stage.Run{}, errMute
	}
	return m.Ledger.Advance(ctx, r, to, lease, rows, ev...)
}

func (m *mute) Swept(ctx context.Context, ev ...secrets.Event) error {
	if m.on && len(ev) > 0 {
		return errMute
	}
	return m.Ledger.Swept(ctx, ev...)
}

func TestRemovalProceedsThoughTheLogCanNotBeWrittenAndIsRecordedLater(t *testing.T) {
	for _, later := range []string{"sweep", "removal"} {
		t.Run(later, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := staged(t, 2)
				m := &mute{Ledger: f.ledger, on: true}
				e := f.with(t, slowly{f.platform}, func(c *stage.Config) { c.Ledger, c.Lease = m, 10*time.Second })
				ended := time.Now()
				r, err := e.Unstage(t.Context(), f.run.ID, "user:x", "done", secrets.Event{Action: secrets.ActionComplete})
				if !errors.Is(err, stage.ErrUnrecorded) || !r.Gone() || len(f.platform.made) != 0 {
					t.Fatalf("%v, gone: %t", err, r.Gone())
				}
				if report, err := e.Sweep(t.Context(), "operator:x", ours, secrets.Event{Action: secrets.ActionSweep}); !errors.Is(err, stage.ErrUnrecorded) {
					t.Errorf("%+v, %v", report, err)
				}
				time.Sleep(time.Hour)
				m.on = false
				if later == "sweep" {
					if _, err := e.Sweep(t.Context(), "operator:x", ours); err != nil {
						t.Error(err)
					}
				} else {
					again := f.run
					again.ID, _ = secrets.ParseRunID("r2")
					if _, err := e.Stage(t.Context(), again, f.plan(t, again.ID), nil, nil); err != nil {
						t.Fatal(err)
					}
					if _, err := e.Unstage(t.Context(), again.ID, "user:x", "done"); err != nil {
						t.Error(err)
					}
				}
				if _, err := e.Sweep(t.Context(), "operator:x", ours); err != nil {
					t.Error(err)
				}
				removals := 0
				if later == "removal" {
					removals = 1
				}
				seen := map[secrets.Action]int{}
				for entry, err := range f.ledger.Entries(t.Context(), 0) {
					if err != nil {
						t.Fatal(err)
					}
					seen[entry.Event.Action]++
					if late := entry.Event.At.Sub(ended); entry.Event.Run == f.run.ID && late > time.Minute {
						t.Errorf("%s is told %v late", entry.Event.Action, late)
					}
				}
				if seen[secrets.ActionComplete] != 1 || seen[secrets.ActionRemove] != 2+2*removals || seen[secrets.ActionSweep] != 1 {
					t.Errorf("the log has %v", seen)
				}
			})
		})
	}
}
