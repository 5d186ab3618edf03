package pipesecrets_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// The host completes an overdue run, to be replayed, while a sweep asks whether it
// is alive.
func TestASweepThatSawARunOverdueLeavesWhatIsKeptSince(t *testing.T) {
	for name, alive := range map[string]bool{"ended, says the host": false, "alive, says the host": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var h *house
				h = newHouse(t, func(c *pipesecrets.Config) {
					c.Alive = func(ctx context.Context, id secrets.RunID) (bool, error) {
						receipt, err := h.Complete(ctx, lin, id, pipesecrets.Ending{Outcome: "failed", ReplayFor: 2 * time.Hour})
						if err != nil || receipt.Run.Kept.IsZero() {
							t.Errorf("not kept: %v, %+v", err, receipt.Run)
						}
						return alive, nil
					}
				})
				_, value := h.put(ada, genomics, "TOKEN")
				h.launch(lin, "r1", genomics, "TOKEN")
				time.Sleep(24*time.Hour + time.Second)
				_, err := h.Sweep(t.Context(), operator)
				h.must(err)
				attached, err := h.Attach(t.Context(), lin, runOf(t, "r1"))
				h.must(err)
				h.reads(attached, "TOKEN", value)
				time.Sleep(2 * time.Hour)
				_, err = h.Sweep(t.Context(), operator)
				h.must(err)
				h.nothingStaged()
			})
		})
	}
}

// What a revocation ends is no longer pinned than what a completion ends.
func TestARevocationOfWhatIsKeptForgetsItAfterMaskFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKept(t)
		_, err := k.Revoke(t.Context(), ada, k.secret.ID)
		k.must(err)
		k.gone(time.Now())
		_, err = k.Sweep(t.Context(), operator)
		k.must(err)
		if _, err := k.backend.Pinned(t.Context(), []secrets.Pin{k.secret.Pin}); err == nil {
			t.Error("the sealed value of a revoked secret is still there an hour after the run kept it no longer")
		}
	})
}

// Kept is over, no sweep has come by yet, and the secret is revoked.
func TestARevocationPullsWhatWasKeptAndWaitsForASweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKept(t)
		time.Sleep(2*time.Hour + time.Minute) // no sweep since
		runs, err := k.Revoke(t.Context(), ada, k.secret.ID)
		k.must(err)
		t.Log(runs)
		k.nothingStaged()
	})
}

// dark is the backend of a launcher that hears of nothing that it commits to make a
// run Active, and can't look.
type dark struct {
	pipesecrets.Backend
	meanwhile func()
	blind     bool
}

func (d *dark) Advance(ctx context.Context, r stage.Run, to stage.Phase, lease time.Duration, rows []stage.Row, ev ...secrets.Event) (stage.Run, error) {
	after, err := d.Backend.Advance(ctx, r, to, lease, rows, ev...)
	if err == nil && r.Phase == stage.Staging && to == stage.Active {
		d.blind = true
		d.meanwhile()
		return stage.Run{}, errors.New("lost")
	}
	return after, err
}

func (d *dark) Load(ctx context.Context, id secrets.RunID) (stage.Run, []stage.Row, error) {
	if d.blind {
		d.blind = false
		return stage.Run{}, nil, errors.New("lost")
	}
	return d.Backend.Load(ctx, id)
}

func TestALauncherThatThinksItFailedLeavesWhatIsKeptSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		_, value := h.put(ada, genomics, "TOKEN")
		other := h.again()
		first := h.again(func(c *pipesecrets.Config) {
			c.Backend = &dark{Backend: c.Backend, meanwhile: func() {
				other.launch(lin, "r1", genomics, "TOKEN") // it is asked again, by another process
				receipt, err := other.Complete(t.Context(), lin, runOf(t, "r1"), pipesecrets.Ending{ReplayFor: time.Hour})
				other.must(err)
				if receipt.Run.Kept.IsZero() {
					t.Errorf("not kept: %+v", receipt.Run)
				}
			}}
		})
		if _, err := first.Launch(t.Context(), lin, first.request("r1", genomics, "TOKEN")); err == nil {
			t.Error("a launch whose last commit is lost said nothing")
		}
		attached, err := other.Attach(t.Context(), lin, runOf(t, "r1"))
		h.must(err)
		h.reads(attached, "TOKEN", value)
	})
}
