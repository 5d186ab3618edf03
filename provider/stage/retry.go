package stage

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff doubles base with each attempt from the first (1), up to limit, and spreads
// the result by half either way so that those who failed together do not try
// again together.
func backoff(base time.Duration, attempt int, limit time.Duration) time.Duration {
	d := base
	for ; attempt > 1 && d < limit; attempt-- {
		d *= 2
	}
	d = min(d, limit)
	return d/2 + rand.N(d)
}

// wait waits for d or the end of ctx, whose error it returns.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
