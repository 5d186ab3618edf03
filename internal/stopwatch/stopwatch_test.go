package stopwatch

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestAWatchTellsHowLongItHasRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := Start()
		time.Sleep(time.Minute)
		if d := w.Elapsed(); d != time.Minute {
			t.Errorf("it says %v", d)
		}
	})
}

func TestAWatchBelievesTheClockThatSaysMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		suspended := Watch{wall: now.Round(0).Add(-time.Hour), monotonic: now}
		setBack := Watch{wall: now.Round(0).Add(time.Hour), monotonic: now}
		time.Sleep(time.Minute)
		if d := suspended.Elapsed(); d != time.Hour+time.Minute {
			t.Errorf("after a suspension it says %v", d)
		}
		if d := setBack.Elapsed(); d != time.Minute {
			t.Errorf("after the time was set back it says %v", d)
		}
	})
}

func TestTheZeroWatchHasRunForEver(t *testing.T) {
	if d := (Watch{}).Elapsed(); d < 100*365*24*time.Hour {
		t.Errorf("it says %v", d)
	}
}
