// Sweepcost measures what a sweep costs in a ledger of many closed runs against
// one of few, where as many are due in each, and fails if the ratio of the times
// is beyond the limit:
//
//	go run ./internal/sweepcost
//
// The two ledgers take turns, and of each the fastest sweep counts, so that what
// else the machine does is in neither.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

var (
	many   = flag.Int("many", 1_000_000, "closed runs in the one ledger")
	few    = flag.Int("few", 1_000, "closed runs in the other")
	due    = flag.Int("due", 10, "runs that are due at each sweep")
	rounds = flag.Int("rounds", 25, "sweeps of each")
	limit  = flag.Float64("limit", 1.5, "largest ratio of the times")
)

func main() {
	flag.Parse()
	if err := measure(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "sweepcost:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "sweepcost-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var ledgers [2]*ledger
	for i, n := range []int{*many, *few} {
		if ledgers[i], err = open(ctx, filepath.Join(dir, fmt.Sprint(i, ".db")), n); err != nil {
			return err
		}
		defer ledgers[i].store.Close()
	}
	best := [2]time.Duration{time.Hour, time.Hour}
	for round := range *rounds {
		for i, l := range ledgers {
			took, err := l.sweep(ctx, round)
			if err != nil {
				return err
			}
			best[i] = min(best[i], took)
		}
	}
	ratio := float64(best[0]) / float64(best[1])
	fmt.Printf("a sweep of %d due runs takes %v among %d closed ones, %v among %d: ratio %.2f, limit %.2f\n",
		*due, best[0].Round(time.Microsecond), *many, best[1].Round(time.Microsecond), *few, ratio, *limit)
	if ratio > *limit {
		return fmt.Errorf("the ratio is beyond the limit")
	}
	return nil
}
