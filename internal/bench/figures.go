package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// figure is one line of the result.
type figure struct {
	name   string
	value  float64
	digits int     // after the point
	least  float64 // the target; 0: there is none
	zero   bool    // the target is 0
}

func (f figure) String() string {
	return f.name + "=" + strconv.FormatFloat(f.value, 'f', f.digits, 64)
}

// missed reports whether the target was missed, and whether by so much that noise
// doesn't explain it.
func (f figure) missed() (missed, widely bool) {
	if f.zero {
		return f.value > 0, f.value > 0
	}
	return f.value < f.least, f.value < f.least/2
}

// targets of ratios to rivals, by key and number of needles.
var targets = map[string]float64{
	"buildkite.10": 8, "buildkite.100": 15, "buildkite.600": 30, "stringsreplacer.10": 8,
}

// The number of secrets that the figures with all forms are about.
const manyForms = 20

// figures are what the measurements come to. compile is the costs of 1,000 secrets
// and of 20; all says that no fight was left out.
func figures(races []race, hostile []outcome, compile [2]cost, all bool) []figure {
	var found []figure
	add := func(f figure) { found = append(found, f) }
	allocs := 0.0
	for _, c := range contenders[2:] {
		for _, r := range races {
			if r.needles != manyForms && r.needles >= 10 && r.needles <= 600 {
				key := fmt.Sprint(c.key, ".", r.needles)
				add(figure{name: "redact.ratio." + key, value: r.speed[ours.key] / r.speed[c.key], digits: 1, least: targets[key]})
			}
		}
	}
	for _, r := range races {
		allocs = max(allocs, r.allocs)
		if r.needles == manyForms {
			add(figure{name: "redact.bytetable.fraction.20xforms", value: r.speed[oursAllForms.key] / r.table, digits: 3, least: 0.3})
		}
	}
	inf := math.Inf(1)
	worst := outcome{forms: inf} // of the random values
	oneByte, anyNeedles, plain, others := inf, inf, inf, inf
	for _, o := range hostile {
		anyNeedles = min(anyNeedles, o.forms)
		if o.set == randomSet {
			oneByte = min(oneByte, o.oneByte)
			if o.forms < worst.forms {
				worst = o
			}
		}
		if o.plain {
			plain = min(plain, o.values/o.theirs)
		} else {
			others = min(others, o.values/o.theirs)
		}
		allocs = max(allocs, o.allocs)
	}
	add(figure{name: "redact.hostile.fraction", value: worst.forms, digits: 4, least: 0.04})
	add(figure{name: "redact.hostile.onebyte.fraction", value: oneByte, digits: 4})
	// Buildkite does not look beyond breaks, as ours does at a cost. So the target is
	// about texts of values as they are, which both look for; the others are told, too.
	add(figure{name: "redact.hostile.buildkite", value: plain, digits: 1, least: 3})
	add(figure{name: "redact.hostile.buildkite.worsttext", value: worst.values / worst.theirs, digits: 1})
	if all {
		add(figure{name: "redact.hostile.anyneedles.fraction", value: anyNeedles, digits: 4})
		add(figure{name: "redact.hostile.buildkite.otherforms", value: others, digits: 1})
	}
	add(figure{name: "redact.allocs", value: allocs, digits: 0, zero: true})
	add(figure{name: "redact.compile.1000.seconds", value: compile[0].took.Seconds(), digits: 2})
	add(figure{name: "redact.compile.1000.mib", value: compile[0].mib, digits: 0})
	add(figure{name: "redact.compile.20.ms", value: float64(compile[1].took.Microseconds()) / 1000, digits: 1})
	return found
}

// printFigures prints the figures, and then which targets were missed. It fails if
// one was missed widely.
func printFigures(to io.Writer, all []figure) error {
	for _, f := range all {
		fmt.Fprintln(to, f)
	}
	var wide []string
	for _, f := range all {
		missed, widely := f.missed()
		if missed {
			fmt.Fprintf(to, "missed: %v, the target is %v\n", f, f.least)
		}
		if widely {
			wide = append(wide, f.name)
		}
	}
	if len(wide) > 0 {
		return fmt.Errorf("far from the target: %s", strings.Join(wide, ", "))
	}
	return nil
}
