// Package stopwatch measures how long something has taken, pauses included: a
// suspended machine stops the monotonic clock, and setting the time moves the other
// one. What counts is whichever says more.
package stopwatch

import "time"

// Watch is a running stopwatch. The zero Watch has run for ever.
type Watch struct{ wall, monotonic time.Time }

// At returns a watch that was started at t, a reading of time.Now.
func At(t time.Time) Watch { return Watch{wall: t.Round(0), monotonic: t} }

// Start returns a watch that starts now.
func Start() Watch { return At(time.Now()) }

// Elapsed answers how long the watch has run.
func (w Watch) Elapsed() time.Duration {
	now := time.Now()
	return max(now.Sub(w.monotonic), now.Round(0).Sub(w.wall))
}
