package main

import (
	"io"
	"runtime"
	"time"
)

// run is something that is measured: a pass over a text.
type run struct {
	pass func()
	size int     // of the text, in bytes
	best float64 // bytes per second, of the best turn
}

// runOf is a run of a contender over pieces. The stream goes on from pass to pass.
func runOf(c contender, needles []string, pieces [][]byte) (*run, error) {
	w, err := c.open(needles, io.Discard)
	if err != nil {
		return nil, err
	}
	r := &run{pass: func() {
		for _, p := range pieces {
			_, _ = w.Write(p) // to io.Discard, which does not fail
		}
	}}
	for _, p := range pieces {
		r.size += len(p)
	}
	return r, nil
}

// tableRun is a run of the loop that all are compared with: one look-up in a table
// for each byte.
func tableRun(text []byte) *run {
	var table [256]uint64
	for i := range table {
		table[i] = uint64(i * i)
	}
	return &run{size: len(text), pass: func() {
		sum := uint64(0)
		for _, b := range text {
			sum += table[b]
		}
		runtime.KeepAlive(sum) // or the compiler may leave out the loop
	}}
}

// effort is how long to measure.
type effort struct {
	rounds int
	turn   time.Duration
}

// measure lets the runs take turns, round by round, each as long as the others, so
// that what else the machine does hits all alike. Of each the best turn counts.
func (e effort) measure(p *progress, runs ...*run) {
	for _, r := range runs {
		r.pass() // has its memory from now on
	}
	for round := range e.rounds {
		for i := range runs {
			r := runs[(round+i)%len(runs)] // so that none always follows the same one
			r.best = max(r.best, r.turn(e.turn))
		}
		p.step()
	}
}

// turn runs for at least as long as least, of this thread's time, and returns the
// speed.
func (r *run) turn(least time.Duration) float64 {
	passes, more, took := 0, 1, time.Duration(0)
	for began := threadTime(); took < least; more *= 2 { // few looks at the clock: they take time, too
		for range more {
			r.pass()
		}
		passes += more
		took = threadTime() - began
	}
	return float64(r.size*passes) / took.Seconds()
}
