package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// progress is a bar on a terminal; elsewhere it shows nothing.
type progress struct {
	on    *os.File
	total time.Duration
	start time.Time
}

func newProgress(on *os.File, total time.Duration) *progress {
	if info, err := on.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		on = nil
	}
	return &progress{on, total, time.Now()}
}

func (p *progress) show() {
	if p.on != nil {
		fmt.Fprint(p.on, "\r"+bar(time.Since(p.start), p.total))
	}
}

// done wipes the bar away.
func (p *progress) done() {
	if p.on != nil {
		fmt.Fprint(p.on, "\r\x1b[K")
	}
}

func bar(elapsed, total time.Duration) string {
	const width = 30
	full := int(min(width, width*elapsed/total))
	return fmt.Sprintf("   [%s%s] %v of %v ", strings.Repeat("#", full), strings.Repeat(".", width-full), elapsed.Round(time.Second), total)
}
