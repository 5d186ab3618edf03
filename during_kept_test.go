package pipesecrets_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets"
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
