package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestATargetIsMissedWidelyBelowHalfOfIt(t *testing.T) {
	for _, c := range []struct {
		figure
		missed, widely bool
	}{
		{figure{name: "a", value: 8, least: 8}, false, false},
		{figure{name: "a", value: 7.9, least: 8}, true, false},
		{figure{name: "a", value: 4, least: 8}, true, false},
		{figure{name: "a", value: 3.9, least: 8}, true, true},
		{figure{name: "a", value: 0}, false, false}, // no target
		{figure{name: "a", value: 0, zero: true}, false, false},
		{figure{name: "a", value: 0.01, zero: true}, true, true},
	} {
		missed, widely := c.figure.missed()
		var out bytes.Buffer
		err := printFigures(&out, []figure{c.figure})
		if missed != c.missed || widely != c.widely || (err != nil) != c.widely || strings.Contains(out.String(), "missed:") != c.missed {
			t.Errorf("%v of %v: missed %v, widely %v, %v", c.value, c.least, missed, widely, err)
		}
	}
}

func TestFiguresAreRatiosOfSpeeds(t *testing.T) {
	speed := func(us, all, them float64) map[string]float64 {
		found := map[string]float64{ours.key: us, oursAllForms.key: all}
		for _, c := range contenders[2:] {
			found[c.key] = them
		}
		return found
	}
	races := []race{
		{needles: 10, table: 100, speed: speed(80, 70, 10)},
		{needles: 20, table: 100, speed: speed(80, 50, 10)},
		{needles: 600, table: 100, speed: speed(60, 50, 1)},
	}
	hostile := []outcome{
		{set: randomSet, plain: true, forms: 0.5, oneByte: 0.01, values: 0.6, theirs: 0.1},
		{set: randomSet, forms: 0.25, oneByte: 0.02, values: 0.1, theirs: 0.2},
		{set: "another", plain: true, forms: 0.125, oneByte: 0.001, values: 0.8, theirs: 0.2},
	}
	var out bytes.Buffer
	_ = printFigures(&out, figures(races, hostile, [2]cost{{2 * time.Second, 50}, {3 * time.Millisecond, 1}}, true))
	for _, want := range []string{
		"redact.ratio.buildkite.10=8.0", "redact.ratio.buildkite.600=60.0", "redact.ratio.stringsreplacer.10=8.0",
		"redact.ratio.gitlab.10=8.0", "redact.ratio.replaceall.600=60.0", "redact.bytetable.fraction.20xforms=0.500",
		"redact.hostile.fraction=0.2500", "redact.hostile.onebyte.fraction=0.0100", "redact.hostile.anyneedles.fraction=0.1250",
		"redact.hostile.buildkite=4.0", "redact.hostile.buildkite.worsttext=0.5", "redact.hostile.buildkite.otherforms=0.5", "redact.allocs=0",
		"redact.compile.1000.seconds=2.00", "redact.compile.1000.mib=50", "redact.compile.20.ms=3.0",
	} {
		if !strings.Contains("\n"+out.String(), "\n"+want+"\n") {
			t.Errorf("no line %s in\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "ratio.buildkite.20=") {
		t.Error("a ratio that nobody asked for")
	}
}
