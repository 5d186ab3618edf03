package pipesecrets_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// kept is a run that failed and keeps what it has staged for two hours.
type kept struct {
	*house
	launch *pipesecrets.Launch
	secret secrets.Secret
	value  []byte
	ended  time.Time
}

func newKept(t *testing.T) *kept {
	t.Helper()
	k := &kept{house: newHouse(t)}
	k.secret, k.value = k.put(ada, genomics, "TOKEN")
	k.launch = k.house.launch(lin, "r1", genomics, "TOKEN")
	time.Sleep(time.Hour)
	k.ended = time.Now()
	receipt := k.complete(2 * time.Hour)
	if !receipt.Ended || receipt.Gone() || !receipt.Run.Kept.Equal(k.ended.Add(2*time.Hour)) {
		t.Errorf("the receipt says %+v", receipt.Run)
	}
	return k
}

func (k *kept) complete(replay time.Duration) stage.Receipt {
	k.t.Helper()
	receipt, err := k.Complete(k.t.Context(), lin, runOf(k.t, "r1"), pipesecrets.Ending{Outcome: "failed", ReplayFor: replay})
	k.must(err)
	return receipt
}

// stays sees that another process finds all that a replay needs.
func (k *kept) stays() {
	k.t.Helper()
	_, err := k.Sweep(k.t.Context(), operator)
	k.must(err)
	attached, err := k.again().Attach(k.t.Context(), lin, runOf(k.t, "r1"))
	k.must(err)
	k.reads(attached, "TOKEN", k.value)
	if got := attached.Redactor.String(string(k.value)); got != "[secret:TOKEN]" {
		k.t.Error("the replay's output is not masked")
	}
}

// gone sees that nothing is staged, and that the run's logs are masked for MaskFor
// and no longer from a time on.
func (k *kept) gone(from time.Time) {
	k.t.Helper()
	k.nothingStaged()
	time.Sleep(time.Until(from.Add(time.Hour - time.Second)))
	attached, err := k.Attach(k.t.Context(), lin, runOf(k.t, "r1"))
	k.must(err)
	if len(attached.References) > 0 || attached.Redactor.String(string(k.value)) != "[secret:TOKEN]" {
		k.t.Error("it refers to what is gone, or its log is masked no more")
	}
	time.Sleep(2 * time.Second)
	if _, err := k.Attach(k.t.Context(), lin, runOf(k.t, "r1")); !errors.Is(err, stage.ErrEnded) {
		k.t.Errorf("attaching an hour later: %v", err)
	}
}

func TestAnEndedRunKeepsWhatItHasStagedForReplayAndNotLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKept(t)
		time.Sleep(2*time.Hour - time.Second)
		k.stays()
		if receipt := k.complete(24 * time.Hour); receipt.Ended || !receipt.Run.Kept.Equal(k.ended.Add(2*time.Hour)) {
			t.Errorf("completed again it says %+v", receipt.Run)
		}
		time.Sleep(time.Second)
		attached, err := k.Attach(t.Context(), lin, runOf(t, "r1"))
		k.must(err)
		if len(attached.References) > 0 {
			t.Error("it refers to what the next sweep removes")
		}
		_, err = k.Sweep(t.Context(), operator)
		k.must(err)
		receipt, err := k.Receipt(t.Context(), lin, runOf(t, "r1"))
		k.must(err)
		if !receipt.Gone() || receipt.Run.Outcome != "failed" || !receipt.Run.Ended.Equal(k.ended) {
			t.Errorf("the receipt says %+v", receipt.Run)
		}
		k.gone(k.ended.Add(2 * time.Hour))
	})
}

func TestARunThatIsKeptHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKept(t)
		if _, err := k.Renew(t.Context(), lin, runOf(t, "r1")); !errors.Is(err, stage.ErrEnded) {
			t.Errorf("renewing: %v", err)
		}
		if _, err := k.Launch(t.Context(), lin, k.request("r1", genomics, "TOKEN")); !errors.Is(err, pipesecrets.ErrRunUsed) {
			t.Errorf("launching it again: %v", err)
		}
		time.Sleep(25 * time.Hour) // no sweep in between
		_, err := k.Sweep(t.Context(), operator)
		k.must(err)
		k.nothingStaged()
	})
}

func TestACompletionWithoutReplayEndsTheOneWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKept(t)
		time.Sleep(time.Minute)
		k.stays()
		receipt := k.complete(0)
		if !receipt.Gone() || !receipt.Run.Kept.IsZero() {
			t.Errorf("the receipt says %+v", receipt.Run)
		}
		k.gone(time.Now())
	})
}

func TestARevocationEndsWhatIsKeptForReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKept(t)
		runs, err := k.Revoke(t.Context(), ada, k.secret.ID)
		k.must(err)
		if !slices.Equal(runs, []secrets.RunID{runOf(t, "r1")}) {
			t.Errorf("it says %v", runs)
		}
		k.nothingStaged()
		k.told(1, secrets.ActionRemove, secrets.Done, ada)
	})
	t.Run("before the end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t)
			s, _ := h.put(ada, genomics, "TOKEN")
			h.put(ada, genomics, "OTHER")
			h.launch(lin, "r1", genomics, "TOKEN", "OTHER")
			_, err := h.Revoke(t.Context(), ada, s.ID)
			h.must(err)
			receipt, err := h.Complete(t.Context(), lin, runOf(t, "r1"), pipesecrets.Ending{ReplayFor: time.Hour})
			h.must(err)
			if !receipt.Gone() {
				t.Errorf("the receipt says %+v", receipt.Run)
			}
			h.nothingStaged()
		})
	})
}

func TestReplayIsBoundedByTheLongestNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.put(ada, genomics, "TOKEN")
		start := time.Now()
		h.launch(lin, "r1", genomics, "TOKEN")
		time.Sleep(time.Hour)
		receipt, err := h.Complete(t.Context(), lin, runOf(t, "r1"), pipesecrets.Ending{ReplayFor: 365 * 24 * time.Hour})
		h.must(err)
		if want := start.Add(30 * 24 * time.Hour); !receipt.Run.Kept.Equal(want) {
			t.Errorf("it is kept until %v, want %v", receipt.Run.Kept, want)
		}
		_, err = h.Complete(t.Context(), lin, runOf(t, "r1"), pipesecrets.Ending{ReplayFor: -1})
		var invalid *secrets.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != "replayfor" {
			t.Errorf("a negative time: %v", err)
		}
	})
}

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
		if len(runs) != 1 {
			t.Errorf("it says %v", runs)
		}
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

// The target is no longer configured when the time is over.
func TestWhatWasKeptAndCanNotBeReachedIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKept(t)
		moved := k.again(func(c *pipesecrets.Config) { c.Targets = map[string]provider.Provider{"elsewhere": k.driver} })
		time.Sleep(2 * time.Hour)
		report, err := moved.Sweep(t.Context(), operator)
		if err == nil || report.Stuck != 1 {
			t.Errorf("the sweep says %+v, %v", report, err)
		}
		stuck, err := moved.Stuck(t.Context(), operator, secrets.RunID{}, 1)
		k.must(err)
		if len(stuck) != 1 || stuck[0].Rows[0].State != stage.Stuck {
			t.Errorf("of what is stuck it says %+v", stuck)
		}
	})
}
