package sim

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets/secrets/storetest"
)

var (
	first   = flag.Uint64("seed", 1, "first seed")
	seeds   = flag.Uint64("seeds", 0, "how many seeds; 20,000 if everything is required, else 1,000")
	tracing = flag.Bool("history", false, "print what happens")
)

// totals are what is counted over all histories.
type totals struct {
	seeds, steps, calls, crashes, takeovers, late, stale int
	worst                                                time.Duration

	stuck, lost, worstLost int
	broken                 map[string]int // histories, by the promise that each broke first
	sent                   requests
}

// history plays one seed and answers its world.
func history(t *testing.T, seed uint64, open func(*testing.T) storetest.Backend, place func(*world) map[string]platform) (w *world) {
	t.Helper()
	root, _, _ := strings.Cut(t.Name(), "/")
	cryptotest.SetGlobalRandom(t, seed)
	synctest.Test(t, func(t *testing.T) {
		w = newWorld(t.Context(), seed, open(t), place)
		w.tracing = *tracing
		if promise := w.play(); promise != "" {
			t.Errorf("seed %d breaks a promise: %s", seed, promise)
			t.Logf("again: go test ./internal/sim -run '^%s$' -seed %d -seeds 1 -history", root, seed)
		}
		if w.tracing {
			t.Log("\n" + strings.Join(w.trace, "\n"))
		}
	})
	return w
}

func memory(*testing.T) storetest.Backend { return storetest.NewMemory() }

func (sum *totals) add(w *world) {
	sum.seeds++
	sum.steps += w.steps
	sum.calls += w.calls
	sum.crashes += w.crashes
	sum.takeovers += w.takeovers
	sum.stuck += w.stuck
	sum.lost += len(w.lost)
	sum.worstLost = max(sum.worstLost, w.worstLost)
	if promise, _, broken := strings.Cut(w.broken, ":"); broken {
		if sum.broken == nil {
			sum.broken = map[string]int{}
		}
		sum.broken[promise]++
	}
	for _, platform := range w.platforms {
		platform.count(sum)
	}
	if w.calm {
		sum.worst = max(sum.worst, w.worst())
	}
}

func (sum totals) String() string {
	orphans := sum.broken["intent"] + sum.broken["gone for ever"] + sum.broken["left behind"] + sum.broken["lost ledger"]
	return fmt.Sprintf("refused_and_stuck=%d lost=%d worst_lost_to_clean=%d_sweeps\n"+
		"seeds=%d steps=%d driver_calls=%d crashes=%d takeovers=%d late_creates=%d stale_lists=%d "+
		"unknown_orphans=%d foreign_deletes=%d early_deletes=%d worst_crash_to_clean=%v",
		sum.stuck, sum.lost, sum.worstLost,
		sum.seeds, sum.steps, sum.calls, sum.crashes, sum.takeovers, sum.late, sum.stale,
		orphans, sum.broken["foreign delete"], sum.broken["early delete"]+sum.broken["early end"], sum.worst.Round(time.Second))
}

// A history's goroutines run one at a time, as its scheduler says: several processors
// only hand them to each other, and take 1.5 times as long.
func TestMain(m *testing.M) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	os.Exit(m.Run())
}

// wanted is how many seeds to play.
func wanted() uint64 {
	if *seeds > 0 {
		return *seeds
	}
	if slices.Contains(strings.Split(os.Getenv("PIPESECRETS_REQUIRE"), ","), "all") {
		return 20_000
	}
	return 1_000
}

// histories plays n seeds, and prints what they come to.
func histories(t *testing.T, n uint64, place func(*world) map[string]platform) (sum totals) {
	for from := uint64(0); from < n && !t.Failed(); from += 100 {
		t.Run(fmt.Sprint("from ", *first+from), func(t *testing.T) { // so that what each seed leaves is cleaned up
			for seed := *first + from; seed < *first+min(from+100, n) && !t.Failed(); seed++ {
				sum.add(history(t, seed, memory, place))
			}
		})
	}
	fmt.Println(sum)
	return sum
}

func TestSimulation(t *testing.T) {
	n := wanted()
	sum := histories(t, n, models)
	if n >= 20_000 && (sum.calls < 100*sum.seeds || min(sum.crashes, sum.takeovers, sum.late, sum.stale, sum.stuck, sum.lost) < 1000) {
		t.Error("too little of what is rare has happened")
	}
}
