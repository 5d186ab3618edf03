package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// aims are what kills are aimed at, each of which is to have its share.
var aims = []kind{launching, between, renewing, completing, sweeping, rewrapping}

// others are what is hit as well.
var others = []kind{creating, updating, revoking, rotating, retiring, starting, idle}

// minShare is the least share of each aim.
const minShare = 0.05

// tally counts what the kills hit, and learns how long operations take, so that
// the next kills hit them too.
type tally struct {
	mu    sync.Mutex
	kills int
	hit   map[kind]int
	took  map[kind]time.Duration // a running mean
}

func newTally() *tally { return &tally{hit: map[kind]int{}, took: map[kind]time.Duration{}} }

// aim is a moment at which to kill: a random time after the nth line that matches,
// or after the start of the process.
type aim struct {
	kind   kind // idle: any line
	step   step
	nth    int
	within time.Duration
}

// next chooses a moment: most often of the kind that was hit least, else any
// moment at all, while the process starts included.
func (t *tally) next() aim {
	t.mu.Lock()
	defer t.mu.Unlock()
	const usual = 10 * time.Millisecond // until we know
	switch n := rand.N(20); {
	case n < 5:
		return aim{kind: idle, nth: 1 + rand.N(30), within: usual}
	case n < 6:
		return aim{kind: starting, within: max(t.took[starting], usual/2)}
	}
	least := aims[0]
	for _, i := range rand.Perm(len(aims)) {
		if t.count(aims[i]) < t.count(least) {
			least = aims[i]
		}
	}
	a := aim{kind: least, step: begun, nth: 1 + rand.N(2), within: t.took[least]}
	if least == between {
		a.kind, a.step = launching, intent
	}
	if a.within == 0 {
		a.within = usual
	}
	return a
}

// count returns how many kills hit a kind. Those between intent and record hit a
// launch.
func (t *tally) count(k kind) int {
	if k == launching {
		return t.hit[launching] + t.hit[between]
	}
	return t.hit[k]
}

// matches reports whether a line is one of those that the aim waits for.
func (a aim) matches(l line) bool {
	return a.kind == idle || l.Kind == a.kind && l.Step == a.step
}

// struck counts a kill by the last line of who was killed.
func (t *tally) struck(last line) kind {
	k := idle
	switch {
	case last.Kind == "":
		k = starting
	case last.Kind == launching && last.Step == intent:
		k = between
	case last.Step == begun || last.Step == intent || last.Step == recording || last.Step == ending:
		k = last.Kind
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kills++
	t.hit[k]++
	return k
}

// lasted takes in how long something took.
func (t *tally) lasted(k kind, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.took[k] == 0 {
		t.took[k] = d
	}
	t.took[k] += (d - t.took[k]) / 16
}

func (t *tally) share(k kind) float64 { return float64(t.count(k)) / float64(max(t.kills, 1)) }

// thin returns the aims that had less than their share.
func (t *tally) thin() (thin []kind) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range aims {
		if t.share(k) < minShare {
			thin = append(thin, k)
		}
	}
	return thin
}

func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	for _, list := range [][]kind{aims, others} {
		for _, k := range list {
			fmt.Fprintf(&b, "  %-15s %6d  %4.1f %%\n", k, t.count(k), 100*t.share(k))
		}
	}
	return b.String()
}
