package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// progress shows whoever waits how far it is: a bar where there is a terminal, else
// a line now and then.
type progress struct {
	to          io.Writer
	bar         bool
	done, steps int
	phase       string
	next        int // the percentage from which on there is another line
	began       time.Time
}

func newProgress(to *os.File, steps int) *progress {
	info, err := to.Stat()
	return &progress{to: to, bar: err == nil && info.Mode()&os.ModeCharDevice != 0, steps: steps, began: time.Now()}
}

// begin begins a phase.
func (p *progress) begin(format string, args ...any) {
	p.phase = fmt.Sprintf(format, args...)
	if p.bar {
		p.draw()
	} else if p.percent() >= p.next {
		fmt.Fprintf(p.to, "%3d%% %s\n", p.percent(), p.phase)
		p.next = p.percent() + 10
	}
}

// step says that one more step is done.
func (p *progress) step() {
	p.done++
	if p.bar {
		p.draw()
	}
}

// end removes the bar.
func (p *progress) end() {
	if p.bar {
		fmt.Fprint(p.to, "\r\033[K")
	}
}

func (p *progress) percent() int { return min(100, 100*p.done/max(1, p.steps)) }

func (p *progress) draw() {
	const width = 30
	full := width * p.percent() / 100
	fmt.Fprintf(p.to, "\r\033[K[%s%s] %3d%% %3.0fs %s", strings.Repeat("#", full), strings.Repeat(".", width-full),
		p.percent(), time.Since(p.began).Seconds(), p.phase)
}
