package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/provider/providertest"
)

// trial is what to do.
type trial struct {
	kills            int
	worker, platform string // roles
	limit            time.Duration
	settler          func(*pipesecrets.Config) // changes who sweeps in the end, if not nil
}

const (
	roundKills = 50
	settling   = 12  // rounds at once whose kills are over
	sharesFrom = 200 // kills, from which on each aim is to have its share
)

// summary adds rounds up.
type summary struct {
	calm    bool // of its platform
	tally   *tally
	began   time.Time
	all     []verdict
	stopped time.Duration
}

// crash kills in rounds: one kills while others settle.
func (of trial) crash(ctx context.Context, progress *bar) (*summary, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &summary{calm: of.platform == calmRole, tally: newTally(), began: time.Now()}
	var (
		mu    sync.Mutex
		errs  []error
		group sync.WaitGroup
		slots = make(chan struct{}, settling)
	)
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			errs = append(errs, err)
			cancel()
		}
	}
	defer progress.follow(s.tally)()
	for left := of.kills; left > 0 && ctx.Err() == nil; left -= roundKills {
		slots <- struct{}{}
		r, err := newRound(ctx, of, s.tally, min(left, roundKills))
		if err != nil {
			fail(err)
			break
		}
		fail(r.kill(ctx))
		group.Go(func() {
			defer func() { <-slots }()
			v, err := r.settle(ctx)
			fail(errors.Join(err, r.clear()))
			mu.Lock()
			defer mu.Unlock()
			s.all = append(s.all, v)
		})
	}
	group.Wait()
	s.stopped = time.Since(s.began)
	return s, errors.Join(errs...)
}

// sum returns all that the rounds say.
func (s *summary) sum() (total verdict) {
	total.odd, total.done = map[string]int{}, map[kind]int{}
	for _, v := range s.all {
		total.leftovers = append(total.leftovers, v.leftovers...)
		total.corrupt = append(total.corrupt, v.corrupt...)
		total.lost = append(total.lost, v.lost...)
		total.crashes = append(total.crashes, v.crashes...)
		total.clean = max(total.clean, v.clean)
		for k, n := range v.done {
			total.done[k] += n
		}
		total.refused += v.refused
		total.looks += v.looks
		add(&total.platform, v.platform)
		total.aws.add(v.aws)
		for what, n := range v.odd {
			total.odd[what] += n
		}
	}
	slices.Sort(total.crashes)
	return total
}

// acknowledged tells the operations by their kinds.
func (v verdict) acknowledged() string {
	var b strings.Builder
	for _, k := range operations {
		fmt.Fprintf(&b, " %d %s,", v.done[k], k)
	}
	return strings.TrimSuffix(b.String(), ",")
}

func add(to *providertest.Stats, s providertest.Stats) {
	to.Creates += s.Creates
	to.LateCreates += s.LateCreates
	to.DuplicateCreates += s.DuplicateCreates
	to.StaleProbes += s.StaleProbes
	to.StaleLists += s.StaleLists
	to.LateRemoves += s.LateRemoves
}

// String tells the shares, the times, what is wrong, and ends with the one line
// that counts.
func (s *summary) String() string {
	total := s.sum()
	var b strings.Builder
	fmt.Fprintf(&b, "%d kills in %v, %d workers at once, rounds of %d; of the kills, within\n%v",
		s.tally.kills, s.stopped.Round(time.Second), workers, roundKills, s.tally)
	p := total.platform
	fmt.Fprintf(&b, "the platform: %d creates, %d late, %d twice; %d late removals, %d stale looks, %d stale lists\n",
		p.Creates, p.LateCreates, p.DuplicateCreates, p.LateRemoves, p.StaleProbes, p.StaleLists)
	fmt.Fprintf(&b, "aws: %v\n", total.aws)
	fmt.Fprintf(&b, "the launchers: acknowledged%s; %d operations refused; %d looks at what was staged for runs under way\n",
		total.acknowledged(), total.refused, total.looks)
	if n := len(total.crashes); n > 0 {
		ms := func(i int) time.Duration { return total.crashes[i].Round(time.Millisecond) }
		fmt.Fprintf(&b, "from a death within a launch to the last object seen gone: median %v, 99 %% %v, worst of %d %v\n",
			ms(n/2), ms(n*99/100), n, ms(n-1))
	}
	fmt.Fprintf(&b, "from the last kill of a round to nothing left: worst %v; bound %v, on a busy machine %v, and up to %v more where a removal is tried again\n",
		total.clean.Round(time.Millisecond), bound, soon, retries)
	for _, list := range []struct {
		what  string
		lines []string
	}{{"left", total.leftovers}, {"corrupt", total.corrupt}, {"lost", total.lost}} {
		for _, text := range list.lines[:min(len(list.lines), 10)] {
			fmt.Fprintf(&b, "%s: %s\n", list.what, text)
		}
	}
	for what, n := range total.odd {
		fmt.Fprintf(&b, "unexplained, %d times: %s\n", n, what)
	}
	fmt.Fprintf(&b, "kills=%d leftovers=%d corrupt=%d lost_acknowledged=%d\n",
		s.tally.kills, len(total.leftovers), len(total.corrupt), len(total.lost))
	return b.String()
}

// judge returns what keeps the rounds from having passed.
func (s *summary) judge() error {
	total := s.sum()
	latest := soon
	if !s.calm { // where a removal is tried again; that of most crashes is not
		latest += retries
	}
	switch thin, n := s.tally.thin(), len(total.crashes); {
	case len(total.leftovers)+len(total.corrupt)+len(total.lost) > 0:
		return errors.New("a crash did harm")
	case len(total.odd) > 0:
		return errors.New("operations failed for no reason that is known")
	case total.clean > latest:
		return fmt.Errorf("it took %v until nothing was left, and may take %v", total.clean, latest)
	case n > 0 && total.crashes[n-1] > latest:
		return fmt.Errorf("it took %v until nothing was left of a launch, and may take %v", total.crashes[n-1], latest)
	case n > 0 && total.crashes[n/2] > soon:
		return fmt.Errorf("it took %v until nothing was left of half of the launches, and may take %v", total.crashes[n/2], soon)
	case s.tally.kills >= sharesFrom && len(thin) > 0:
		return fmt.Errorf("too few kills within %v", thin)
	case s.tally.kills >= sharesFrom && float64(min(total.platform.Creates, total.aws.Creates)) < minShare*float64(s.tally.kills):
		return errors.New("too little was created on a platform for anything to be left there")
	case len(s.unheard(total)) > 0:
		return fmt.Errorf("too few were acknowledged of %v, and nothing can be lost of what was not", s.unheard(total))
	}
	return nil
}

// unheard returns the operations of which too few were acknowledged: fewer than
// the least share of the kills. A run of a few kills need not have come to each.
func (s *summary) unheard(total verdict) (few []kind) {
	for _, k := range operations {
		least := minShare * float64(s.tally.kills)
		if s.tally.kills < sharesFrom && (k == launching || k == creating) {
			least = 1
		} else if s.tally.kills < sharesFrom {
			continue
		}
		if float64(total.done[k]) < least {
			few = append(few, k)
		}
	}
	return few
}

// bar shows how far the kills have come: as a bar on a terminal, else by a line
// every ten seconds.
type bar struct {
	to       io.Writer
	terminal bool
	kills    int
}

func newBar(to *os.File, kills int) *bar {
	info, err := to.Stat()
	return &bar{to, err == nil && info.Mode()&os.ModeCharDevice != 0, kills}
}

// follow shows the tally until the returned function is called.
func (b *bar) follow(t *tally) (stop func()) {
	every := 10 * time.Second
	if b.terminal {
		every = time.Second / 4
	}
	began, end := time.Now(), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				t.mu.Lock()
				n := t.kills
				t.mu.Unlock()
				b.show(n, time.Since(began))
			}
		}
	})
	return func() {
		close(end)
		group.Wait()
		if b.terminal {
			fmt.Fprintln(b.to)
		}
	}
}

func (b *bar) show(n int, since time.Duration) {
	left := (since * time.Duration(b.kills-n) / time.Duration(max(n, 1))).Round(time.Second)
	if !b.terminal {
		fmt.Fprintf(b.to, "%d of %d kills, %v to go\n", n, b.kills, left)
		return
	}
	const width = 40
	full := width * n / max(b.kills, 1)
	fmt.Fprintf(b.to, "\r[%s%s] %d/%d kills, %v to go ", strings.Repeat("#", full), strings.Repeat(".", width-full), n, b.kills, left)
}
