// Bench measures secrets/redact side by side with others that mask logs, on the
// same text with the same values, and against the cheapest loop that reads each
// byte:
//
//	go run . -svg ../../docs/redaction.svg
//
// The contenders are Buildkite's and GitLab's maskers as published, and what the
// standard library offers. They take turns of equal length, round by round, and of
// each the best turn counts: trust the ratios, not the speeds. Time is that of the
// thread, where the system tells it, so that a busy machine disturbs little. Before
// it is measured, each has to mask exactly what it should.
//
// With -check it fails if a target is missed by half or more; less may be noise.
//
// It is a module of its own, so that no user of the library links the contenders;
// those whose maskers are internal are lent by the modules below it.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"
)

var (
	quick = flag.Bool("quick", false, "fewer rounds, and little of what no target is about")
	check = flag.Bool("check", false, "fail if a target is missed by half or more")
	svg   = flag.String("svg", "", "file to write the chart to")
	seed  = flag.Uint64("seed", 1, "of the texts and values")
)

func main() {
	flag.Parse()
	if err := bench(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench() error {
	runtime.LockOSThread() // whose time is measured
	counts := []int{1, 3, 10, manyForms, 100, 300, 600, 1000}
	log, hostile, compiles := effort{15, 30 * time.Millisecond}, effort{7, 10 * time.Millisecond}, 5
	if *quick {
		counts = []int{10, manyForms, 100, 600}
		log, hostile, compiles = effort{7, 20 * time.Millisecond}, effort{3, 5 * time.Millisecond}, 2
	}
	fights := fightsOf(*seed, *quick)
	steps := len(counts)*log.rounds + len(fights)*hostile.rounds + 6*compiles
	p := newProgress(os.Stderr, steps)
	defer p.end()

	var races []race
	for _, n := range counts {
		r, err := raceOf(p, *seed, n, log)
		if err != nil {
			return err
		}
		races = append(races, r)
	}
	outcomes, err := hostilities(p, fights, *seed, hostile)
	if err != nil {
		return err
	}
	var compile [2]cost
	if compile[0], err = compileCost(p, *seed, 1000, 32, compiles); err != nil {
		return err
	}
	if compile[1], err = compileCost(p, *seed, manyForms, 32, 5*compiles); err != nil {
		return err
	}
	p.end()

	printRaces(os.Stdout, races)
	printHostile(os.Stdout, outcomes)
	missed := printFigures(os.Stdout, figures(races, outcomes, compile, !*quick))
	if *svg != "" {
		if err := os.WriteFile(*svg, chart(races, log.rounds), 0o644); err != nil {
			return err
		}
	}
	if *check {
		return missed
	}
	return nil
}
