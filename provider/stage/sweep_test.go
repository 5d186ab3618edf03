package stage_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestARunThatIsRenewedWhileASweepDecidesAboutItGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := staged(t, 1)
		e := f.with(t, f.platform, func(c *stage.Config) {
			c.Alive = func(ctx context.Context, id secrets.RunID) (bool, error) {
				_, err := f.Renew(ctx, id) // and the host has not heard of it yet
				return false, err
			}
		})
		time.Sleep(25 * time.Hour)
		report, err := e.Sweep(t.Context(), "operator:x", ours)
		if err != nil || report.Runs != 1 || report.Ended != 0 || len(f.platform.removes) != 0 || f.receipt(t).Run.Phase != stage.Active {
			t.Errorf("%+v, %v, the run is %s", report, err, f.receipt(t).Run.Phase)
		}
	})
}

func TestWhatWasRevokedIsTakenFromARunThatIsOverdueAndKept(t *testing.T) {
	for name, unsure := range map[string]error{"the host says that it is alive": nil, "the host can't say": errAway} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := staged(t, 2)
				e := f.with(t, f.platform, func(c *stage.Config) {
					c.Alive = func(context.Context, secrets.RunID) (bool, error) { return true, unsure }
				})
				f.revoke(t, 0)
				time.Sleep(25 * time.Hour)
				report, err := e.Sweep(t.Context(), "operator:x", ours)
				if (err != nil) != (unsure != nil) || report.Kept != 1 || report.Removed != 1 {
					t.Errorf("%+v, %v", report, err)
				}
				if r := f.receipt(t); r.Run.Phase != stage.Active || r.Rows[0].State != stage.Gone || r.Rows[1].State != stage.Created {
					t.Errorf("%+v", r)
				}
			})
		})
	}
}

func TestASweepThatIsCancelledStopsAfterTheRunAtHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1, &platform{})
		runs := []string{"r1", "r2", "r3"}
		for _, id := range runs {
			f.lost(t, id, "cloud", f.platform.Location())
			f.platform.made[id] = time.Now()
		}
		time.Sleep(time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		f.platform.removed = cancel
		report, err := f.Sweep(ctx, "operator:x", ours)
		if !errors.Is(err, context.Canceled) || report.Runs != 1 {
			t.Errorf("%+v, %v", report, err)
		}
		for i, id := range runs {
			run, _, err := f.ledger.Load(t.Context(), mustRun(t, id))
			_, there := f.platform.made[id]
			if untouched := i > 0; err != nil || (run.Phase == stage.Staging) != untouched || there != untouched {
				t.Errorf("%s is %s, its object there: %t, %v", id, run.Phase, there, err)
			}
		}
	})
}

func TestWhatWasFoundByManySweepsIsNotLetGoByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 250
		f := staged(t, n+1) // so that what is found is not most of what is there
		var restored error = stage.ErrOlder
		l := &listing{platform: f.platform, mark: ours}
		e := f.with(t, l, func(c *stage.Config) { c.Intact = func(context.Context) error { return restored } })
		for i := range n {
			l.made[fmt.Sprint("lost", i)] = time.Now()
		}
		for _, found := range []int{100, 100, 50, 0} {
			if r := sweep(t, e); r.Found != found || r.Removed != 0 {
				t.Errorf("of an older copy: %+v", r)
			}
		}
		restored = nil
		for _, removed := range []int{100, 100, 50, 0} {
			if r := sweep(t, e); r.Removed != removed {
				t.Errorf("once it is whole: %+v, want %d removed", r, removed)
			}
		}
	})
}
