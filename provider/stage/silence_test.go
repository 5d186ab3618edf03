package stage_test

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// unanswering is a platform that does not answer: its driver comes back when its context
// ends, or not even then.
type unanswering struct {
	*platform
	back  bool
	calls *atomic.Int32
}

func (unanswering) Location() provider.Location {
	return provider.Location{Kind: "fake", Account: "mute"}
}

func (m unanswering) Probe(ctx context.Context, _ provider.Object) (provider.Presence, string, error) {
	m.calls.Add(1)
	if !m.back {
		time.Sleep(1000 * time.Hour)
	}
	<-ctx.Done()
	return provider.Unknown, "", &provider.Error{Op: "probe", Code: provider.Unavailable}
}

func (m unanswering) Remove(ctx context.Context, o provider.Object, id string) error {
	_, _, err := m.Probe(ctx, o)
	return err
}

// lost begins a run at a target, whose launcher is lost at once.
func (f *fixture) lost(t *testing.T, id, target string, at provider.Location) {
	t.Helper()
	r := f.run
	var err error
	if r.ID, err = secrets.ParseRunID(id); err != nil {
		t.Fatal(err)
	}
	row := stage.Row{Target: target, Location: at, Object: provider.Object{Stage: id, Name: id}}
	if _, err := f.ledger.Begin(t.Context(), r, []stage.Row{row}, stage.Terms{Lease: time.Second, Need: time.Hour}); err != nil {
		t.Fatal(err)
	}
}

func TestATargetThatDoesNotAnswerKeepsNoSweepFromTheOthers(t *testing.T) {
	for name, c := range map[string]struct {
		runs  int
		back  bool
		calls int32 // at most, in two hours
	}{
		"a driver that does not come back":        {3, false, 2},
		"a driver that comes back, and many runs": {300, true, 250},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 1, &platform{})
				var calls atomic.Int32
				silent := unanswering{&platform{}, c.back, &calls}
				e := f.with(t, f.platform, func(c *stage.Config) { c.Targets["mute"] = silent })
				for i := range c.runs {
					f.lost(t, fmt.Sprint("a", i), "mute", silent.Location())
				}
				f.lost(t, "z", "cloud", f.platform.Location()) // the last one that comes due
				f.platform.made["z"] = time.Now()
				start, gone := time.Now(), time.Time{}
				f.platform.removed = func() { gone = time.Now() }
				for time.Since(start) < 2*time.Hour {
					time.Sleep(time.Minute)
					_, _ = e.Sweep(t.Context(), "operator:x", [16]byte{})
				}
				if took := gone.Sub(start); took < 0 || took > 10*time.Minute {
					t.Errorf("the other target's object went after %v", took)
				}
				if n := calls.Load(); n > c.calls {
					t.Errorf("%d calls of the silent target", n)
				}
				if objects, _ := f.stuck(t); objects != c.runs {
					t.Errorf("%d objects are stuck", objects)
				}
				time.Sleep(1000 * time.Hour) // so that the driver comes back
			})
		})
	}
}

func TestASweepEndsWhileRunsKeepComingDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1, &platform{})
		slow := slowly{&platform{made: map[string]time.Time{}}}
		e := f.with(t, slow)
		n := 0
		slow.removed = func() { // one more comes due with each that is removed
			if n++; n > 100 {
				return
			}
			f.lost(t, fmt.Sprint("r", n), "cloud", slow.Location())
			time.Sleep(removal)
		}
		slow.removed()
		time.Sleep(time.Minute)
		for i := range 5 {
			if _, err := e.Sweep(t.Context(), "operator:x", ours); err != nil {
				t.Fatal(err)
			}
			if n != i+2 {
				t.Fatalf("after %d sweeps %d runs have begun", i+1, n)
			}
			time.Sleep(time.Minute)
		}
	})
}

// endless is a platform whose list has no end.
type endless struct{ *listing }

func (e endless) List(context.Context, [16]byte) iter.Seq2[provider.Object, error] {
	return func(yield func(provider.Object, error) bool) {
		for yield(provider.Object{Name: "x", Mark: ours}, nil) {
			time.Sleep(time.Second)
		}
	}
}

// hanging is a platform whose list does not come back.
type hanging struct{ *listing }

func (hanging) List(context.Context, [16]byte) iter.Seq2[provider.Object, error] {
	return func(func(provider.Object, error) bool) { time.Sleep(1000 * time.Hour) }
}

func TestAListThatDoesNotEndFailsTheSweepInTime(t *testing.T) {
	for name, driver := range map[string]func(*listing) provider.Provider{
		"it goes on":             func(l *listing) provider.Provider { return endless{l} },
		"it does not even begin": func(l *listing) provider.Provider { return hanging{l} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := staged(t, 1)
				e := f.with(t, driver(&listing{platform: f.platform, mark: ours}))
				start := time.Now()
				if _, err := e.Sweep(t.Context(), "operator:x", ours); codeOf(err) != provider.Unavailable {
					t.Errorf("it says %v", err)
				}
				if took := time.Since(start); took > 6*time.Minute {
					t.Errorf("it took %v", took)
				}
				time.Sleep(1000 * time.Hour)
			})
		})
	}
}

func TestAHostThatDoesNotAnswerIsAskedOnceASweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1, &platform{})
		asked := 0
		e := f.with(t, f.platform, func(c *stage.Config) {
			c.Alive = func(ctx context.Context, _ secrets.RunID) (bool, error) {
				asked++
				<-ctx.Done()
				return false, ctx.Err()
			}
		})
		for i := range 100 {
			f.lost(t, fmt.Sprint("r", i), "cloud", f.platform.Location())
			run, rows, err := f.ledger.Load(t.Context(), mustRun(t, fmt.Sprint("r", i)))
			if err != nil {
				t.Fatal(err)
			}
			rows[0].State = stage.Created
			if _, err := f.ledger.Advance(t.Context(), run, stage.Active, 0, rows); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Hour)
		start := time.Now()
		report, err := e.Sweep(t.Context(), "operator:x", ours)
		if took := time.Since(start); err == nil || report.Kept != 100 || asked != 1 || took > time.Minute {
			t.Errorf("asked %d times in %v: %+v, %v", asked, took, report, err)
		}
	})
}

func TestAnIntactHookThatHangsKeepsWhatIsInQuarantineAndNoSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l, e := found(t, func(c *stage.Config) {
			c.Intact = func(context.Context) error {
				time.Sleep(1000 * time.Hour)
				return nil
			}
		})
		l.made["lost"] = time.Now()
		sweep(t, e)
		start := time.Now()
		if r := sweep(t, e); r.Quarantined != 1 || r.ReportOnly == "" || time.Since(start) > 2*time.Minute {
			t.Errorf("after %v: %+v", time.Since(start), r)
		}
		time.Sleep(1000 * time.Hour)
	})
}
