package pipesecrets_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets"
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
