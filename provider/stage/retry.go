package stage

import (
	"context"
	"crypto/rand"
	"encoding/binary"
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
	return d/2 + within(d)
}

// within returns a random time below d. It asks the only source of randomness
// that tests can make repeat itself.
func within(d time.Duration) time.Duration {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return time.Duration(binary.NativeEndian.Uint64(b[:]) % uint64(max(d, 1)))
}

// wait waits for d or the end of ctx, whose error it returns.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}
