package awssm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets/secrets"
)

func runID(t testing.TB, s string) secrets.RunID {
	t.Helper()
	id, err := secrets.ParseRunID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// queue has n runs wait for so many turns each, all from now on, and answers when
// each run had its last one.
func queue(t *testing.T, l *line, turns ...int) []time.Duration {
	t.Helper()
	began := time.Now()
	ends := make([]time.Duration, len(turns))
	var mu sync.Mutex
	var group sync.WaitGroup
	for i, n := range turns {
		id := runID(t, fmt.Sprint("run", i))
		for range n {
			group.Go(func() {
				if err := l.wait(t.Context(), id, false); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				ends[i] = max(ends[i], time.Since(began))
			})
		}
	}
	group.Wait()
	return ends
}

func TestABudgetGivesOutWhatItWasMadeWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(50)
		if d := queue(t, l, 50)[0]; d != 0 {
			t.Errorf("what is given out at once takes %v", d)
		}
		if d := queue(t, l, 500)[0]; d < 9900*time.Millisecond || d > 10*time.Second+time.Millisecond {
			t.Errorf("500 more take %v", d)
		}
		time.Sleep(time.Hour)
		if d := queue(t, l, 100)[0]; d < 990*time.Millisecond || d > 1001*time.Millisecond {
			t.Errorf("100 after a pause take %v", d)
		}
	})
}

func TestABudgetServesRunsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(50)
		queue(t, l, 50) // from here on there is a queue
		var small time.Duration
		var group sync.WaitGroup
		group.Go(func() { queue(t, l, 500) })
		synctest.Wait()
		group.Go(func() { small = queue(t, l, 0, 1)[1] })
		group.Wait()
		if small > 50*time.Millisecond {
			t.Errorf("one behind 500 waits %v", small)
		}
		ends := queue(t, l, 10, 10, 10, 10, 40)
		if first, last := slices.Min(ends[:4]), slices.Max(ends[:4]); last-first > 100*time.Millisecond || ends[4] <= last {
			t.Errorf("they end after %v", ends)
		}
	})
}

func TestWhoeverStopsWaitingLosesNobodyATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(50)
		queue(t, l, 50)
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for i := range 200 {
			group.Go(func() {
				if err := l.wait(ctx, runID(t, fmt.Sprint("left", i%7)), i%2 == 0); !errors.Is(err, context.Canceled) {
					t.Errorf("it says %v", err)
				}
			})
		}
		synctest.Wait()
		cancel()
		group.Wait()
		if err := l.wait(ctx, runID(t, "r"), false); !errors.Is(err, context.Canceled) {
			t.Errorf("who has given up before is told %v", err)
		}
		if d := queue(t, l, 25, 25)[0]; d > 1001*time.Millisecond {
			t.Errorf("50 after 200 that gave up take %v", d)
		}
		l.mu.Lock() // a timer may be serving
		defer l.mu.Unlock()
		if len(l.turns) != 0 || len(l.queues) != 0 {
			t.Errorf("%d runs and %d queues are left", len(l.turns), len(l.queues))
		}
	})
}

func TestABudgetFollowsWhatAWSTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// AWS takes 20 a second; who is throttled comes again.
		const taken = 20.0
		l := newLine(50)
		tokens, at := taken, time.Now()
		passes, throttles := 0, 0
		call := func() bool {
			tokens = min(taken, tokens+taken*time.Since(at).Seconds())
			at = time.Now()
			if tokens < 1 {
				throttles++
				return false
			}
			tokens--
			passes++
			return true
		}
		began := time.Now()
		var mu sync.Mutex
		var group sync.WaitGroup
		for i := range 1000 {
			group.Go(func() {
				for again := false; ; again = true {
					if err := l.wait(t.Context(), runID(t, fmt.Sprint("r", i/10)), again); err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					passed := call()
					mu.Unlock()
					if passed {
						l.passed()
						return
					}
					l.throttled()
				}
			})
		}
		group.Wait()
		took := time.Since(began)
		if passes != 1000 || took > 65*time.Second || throttles > 300 {
			t.Errorf("%d passed in %v, after %d throttles", passes, took, throttles)
		}
		time.Sleep(time.Minute)
		for range 2000 {
			l.passed()
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.rate != 50 {
			t.Errorf("when all passes again it gives out %v a second", l.rate)
		}
		t.Logf("%v, %d throttles", took, throttles)
	})
}

func TestABudgetNeverStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(50)
		for range 100 {
			l.throttled()
			time.Sleep(time.Second)
		}
		if d := queue(t, l, 5)[0]; d > 6*time.Second {
			t.Errorf("five turns take %v", d)
		}
		for _, most := range []float64{0.5, 0.99, 1, 1.5} {
			l := newLine(most)
			l.throttled()
			time.Sleep(time.Minute)
			began := time.Now()
			if queue(t, l, 4); time.Since(began).Seconds() > 10 {
				t.Errorf("at %v a second four turns take %v", most, time.Since(began))
			}
		}
		if NewBudget(math.NaN()).creates.most != 50 {
			t.Error("what is no number is a rate")
		}
		if NewBudget(0).creates.most != 50 || NewBudget(7).deletes.most != 7 {
			t.Error("it is made with another rate")
		}
	})
}
