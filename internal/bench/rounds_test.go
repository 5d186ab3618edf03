package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestRunsTakeTurnsAndTheBestCounts(t *testing.T) {
	var order strings.Builder
	busy := func(name string, d time.Duration) *run {
		return &run{size: 1000, pass: func() {
			order.WriteString(name)
			for began := threadTime(); threadTime()-began < d; {
			}
		}}
	}
	a, b := busy("a", 4*time.Millisecond), busy("b", 20*time.Millisecond)
	p := &progress{to: new(bytes.Buffer), steps: 2}
	effort{2, time.Millisecond}.measure(p, a, b)
	if got := order.String(); got != "ab"+"ab"+"ba" {
		t.Errorf("the order was %s", got)
	}
	if a.best <= b.best || b.best <= 0 {
		t.Errorf("speeds %v and %v", a.best, b.best)
	}
	if p.done != 2 {
		t.Errorf("%d of 2 rounds are done", p.done)
	}
}

func TestProgressTellsHowFarItIs(t *testing.T) {
	for _, bar := range []bool{false, true} {
		var out bytes.Buffer
		p := &progress{to: &out, bar: bar, steps: 2}
		p.begin("first")
		p.step()
		p.begin("second")
		p.step()
		p.end()
		for _, want := range []string{"  0%", "first", " 50%", "second"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("bar %v: no %q in %q", bar, want, &out)
			}
		}
	}
}
