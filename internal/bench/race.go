package main

import "testing"

// race is what was measured on the log text with one number of needles.
type race struct {
	needles int
	table   float64            // bytes per second of the loop
	speed   map[string]float64 // bytes per second, by a contender's key
	allocs  float64            // of one Write of ours
}

// raceOf measures all contenders with n needles.
func raceOf(p *progress, seed uint64, n int, e effort) (race, error) {
	needles := needlesOf(seed, n, needleSize)
	l := logOf(seed, textSize, needles)
	all := pieces(l.text, pieceSize)
	p.begin("%d values, 1 MiB of log text with %d hits", n, l.hits)
	loop := tableRun(l.text)
	runs, of := []*run{loop}, map[string]*run{}
	for _, c := range contenders {
		if err := c.masks(needles, all, l.masked); err != nil {
			return race{}, err
		}
		r, err := runOf(c, needles, all)
		if err != nil {
			return race{}, err
		}
		runs, of[c.key] = append(runs, r), r
	}
	e.measure(p, runs...)
	found := race{needles: n, table: loop.best, speed: map[string]float64{}}
	for key, r := range of {
		found.speed[key] = r.best
	}
	for _, c := range []contender{ours, oursAllForms} {
		found.allocs = max(found.allocs, testing.AllocsPerRun(3, of[c.key].pass)/float64(len(all)))
	}
	return found, nil
}
