package stage_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// stuck returns how many objects the ledger counts as stuck, and how many runs it
// names.
func (f *fixture) stuck(t *testing.T) (objects, runs int) {
	t.Helper()
	st, err := f.ledger.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	named, err := f.ledger.Stuck(t.Context(), secrets.RunID{}, 9)
	if err != nil {
		t.Fatal(err)
	}
	return st.Stuck, len(named)
}

// sweeps sweeps every minute for a while; failures are to be seen elsewhere.
func sweeps(t *testing.T, e *stage.Engine, d time.Duration) {
	t.Helper()
	for range d / time.Minute {
		time.Sleep(time.Minute)
		_, _ = e.Sweep(t.Context(), "operator:x", [16]byte{})
	}
}

// yesman is a platform that says that it has removed what it has not.
type yesman struct{ *platform }

func (y yesman) Remove(context.Context, provider.Object, string) error {
	y.removes = append(y.removes, "")
	return nil
}

func TestWhatIsStillThereAfterItWasRemovedGetsStuckAndIsTriedEverMoreSeldom(t *testing.T) {
	for _, horizon := range []time.Duration{0, 10 * time.Minute} {
		t.Run(horizon.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := staged(t, 1)
				f.platform.caps.Horizon = horizon
				e := f.with(t, yesman{f.platform})
				_, err := e.Unstage(t.Context(), f.run.ID, "user:x", "done")
				if stale := horizon > 0; (err == nil) != stale { // a first look may be
					t.Errorf("it says %v", err)
				}
				sweeps(t, e, 30*time.Minute)
				if objects, runs := f.stuck(t); objects != 1 || runs != 1 {
					t.Errorf("%d objects of %d runs are stuck", objects, runs)
				}
				before := len(f.platform.removes)
				sweeps(t, e, 24*time.Hour)
				if more := len(f.platform.removes) - before; more < 12 || more > 48 {
					t.Errorf("%d attempts in a day", more)
				}
				if _, err := e.Unstage(t.Context(), f.run.ID, "user:x", "done"); err == nil {
					t.Error("an operator hears nothing of it")
				}
			})
		})
	}
}

// nameless is a platform that knows objects by their names alone.
type nameless struct{ *platform }

func (n nameless) Create(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
	_, err := n.platform.Create(ctx, o, open)
	return "", err
}

func (n nameless) Probe(ctx context.Context, o provider.Object) (provider.Presence, string, error) {
	p, _, err := n.platform.Probe(ctx, o)
	return p, "", err
}

func (n nameless) Remove(ctx context.Context, o provider.Object, _ string) error {
	return n.platform.Remove(ctx, o, "id:"+o.Name)
}

func TestADriverThatAnswersNoIDStagesNothingAndLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1, &platform{caps: provider.Capabilities{Horizon: 10 * time.Minute}})
		e := f.with(t, nameless{f.platform})
		if _, err := e.Stage(t.Context(), f.run, f.rows, nil, nil); codeOf(err) != provider.Internal {
			t.Errorf("it says %v", err)
		}
		sweeps(t, e, time.Hour)
		if !f.receipt(t).Gone() || len(f.platform.made) != 0 {
			t.Errorf("%d are left: %+v", len(f.platform.made), f.receipt(t))
		}
	})
}

func TestARevokedSecretAtATargetThatIsMissingIsStuckAndCanBeGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := staged(t, 2)
		e := f.with(t, f.platform, func(c *stage.Config) { c.Targets = nil })
		if _, err := f.ledger.Revoke(t.Context(), f.run.Items[0].Pin.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Withdraw(t.Context(), f.run.ID, "user:x"); codeOf(err) != stage.NoTarget {
			t.Errorf("it says %v", err)
		}
		if objects, runs := f.stuck(t); objects != 1 || runs != 1 {
			t.Errorf("%d objects of %d runs are stuck", objects, runs)
		}
		sweeps(t, e, 20*time.Hour)
		if r := f.receipt(t); r.Run.Phase != stage.Active || r.Rows[0].State != stage.Created {
			t.Errorf("%+v", r)
		}
		r, err := e.Disown(t.Context(), f.run.ID, "cloud", "operator:x")
		if err != nil || r.Rows[0].State != stage.Released || r.Rows[1].State != stage.Created {
			t.Errorf("%v, %+v", err, r)
		}
	})
}

func TestAnOutageDuringARevocationTakesNoOtherSecret(t *testing.T) {
	for name, out := range map[string]struct {
		unreachable bool
		change      func(*stage.Config) // of the engine that is at work meanwhile
	}{
		"the platform is away":  {true, func(*stage.Config) {}},
		"the target is missing": {false, func(c *stage.Config) { c.Targets = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, p, e := joint(t, 3)
				f.revoke(t, 0)
				p.Unreachable(out.unreachable)
				meanwhile := f.with(t, p.Driver(), out.change)
				_, _ = meanwhile.Withdraw(t.Context(), f.run.ID, "user:x")
				sweeps(t, meanwhile, time.Hour)
				if objects, runs := f.stuck(t); objects != 1 || runs != 1 {
					t.Errorf("%d objects of %d runs are stuck", objects, runs)
				}
				p.Unreachable(false)
				sweeps(t, e, 2*time.Hour)
				there := p.Objects()
				if objects, _ := f.stuck(t); objects != 0 || len(there) != 1 || len(there[0].Items) != 2 {
					t.Errorf("%d are stuck, and there is %+v", objects, there)
				}
			})
		})
	}
}

func TestAfterAClockThatWasAheadAnOperatorGetsARunClean(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1, &platform{caps: provider.Capabilities{Horizon: 10 * time.Minute}})
		var ahead time.Duration
		f.ledger.Now = func() time.Time { return time.Now().Add(ahead) }
		if _, err := f.Stage(t.Context(), f.run, f.rows, nil, nil); err != nil {
			t.Fatal(err)
		}
		ahead = 365 * 24 * time.Hour
		if _, err := f.Unstage(t.Context(), f.run.ID, "user:x", "done"); err != nil {
			t.Fatal(err)
		}
		ahead = 0
		f.platform.made[f.rows[0].Object.Name] = time.Now() // a late delivery
		if _, err := f.Unstage(t.Context(), f.run.ID, "operator:x", "by hand"); err != nil {
			t.Error(err)
		}
		sweeps(t, f.Engine, time.Hour)
		if !f.receipt(t).Gone() || len(f.platform.made) != 0 {
			t.Errorf("%d are left: %+v", len(f.platform.made), f.receipt(t))
		}
	})
}
