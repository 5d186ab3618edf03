package sim

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"
)

// scheduler lets one process at a time run from one point to the next. What lies
// between two points of a process touches nothing that others see, so that it does
// not matter which of several that a timer woke at once runs first.
type scheduler struct {
	rng     *rand.Rand
	onCrash func(*process)
	budget  int  // crashes that may still happen
	calm    bool // nothing fails but by a crash
	quiet   bool // nothing fails any more
	tracing bool

	mu      sync.Mutex
	waiting []*waiter
	active  int // processes that have not ended

	steps, crashes int
	expired        int    // calls whose time was over when their turn came
	hash           uint64 // of all that happened
	trace          []string
}

// process is one process of a launcher, a reaper or a sweeper.
type process struct {
	name string
	dead bool
}

// waiter is a goroutine of a process at a point.
type waiter struct {
	p     *process
	label string
	turn  chan verdict
	held  time.Time // it is paused until then
}

// verdict is what becomes of a call.
type verdict int

const (
	proceed verdict = iota
	failBefore
	loseReply
	hang
	pauseAfter
	dieBefore
	dieAfter
)

var verdicts = [...]string{"", " fails", " loses its reply", " hangs", " and pauses", " dies before", " dies after"}

// pauses are longer than a lease, and at times than a horizon.
var pauses = [...]time.Duration{3 * time.Minute, 12 * time.Minute}

var errFault = errors.New("a fault")

// point is where a goroutine of a process waits for its turn to make a call.
func (s *scheduler) point(ctx context.Context, p *process, label string, do func(context.Context) error) error {
	v := s.wait(&waiter{p: p, label: p.name + " " + label})
	if v == dieAfter {
		_ = do(ctx) // nobody hears of it
	}
	if p.dead {
		runtime.Goexit()
	}
	switch v {
	case failBefore:
		return errFault
	case loseReply:
		if err := do(ctx); err != nil {
			return err
		}
		return errFault
	case pauseAfter:
		err := do(ctx)
		s.wait(&waiter{p: p, label: p.name + " " + label + " goes on", held: time.Now().Add(pauses[len(label)%2])})
		if p.dead {
			runtime.Goexit()
		}
		return err
	case hang:
		if _, bounded := ctx.Deadline(); !bounded {
			return errFault
		}
		<-ctx.Done()
		return s.point(ctx, p, label+" timed out", func(ctx context.Context) error { return ctx.Err() }) // it goes on in its turn
	}
	if ctx.Err() != nil {
		s.expired++
	}
	return do(ctx)
}

// wait waits until it is the waiter's turn.
func (s *scheduler) wait(w *waiter) verdict {
	w.turn = make(chan verdict)
	s.mu.Lock()
	s.waiting = append(s.waiting, w)
	s.mu.Unlock()
	return <-w.turn
}

// spawn starts a process.
func (s *scheduler) spawn(run func()) {
	s.mu.Lock()
	s.active++
	s.mu.Unlock()
	go func() {
		defer func() {
			s.mu.Lock()
			s.active--
			s.mu.Unlock()
		}()
		run()
	}()
}

// rest waits until everybody is at a point, asleep or at an end: nobody runs while
// the world is looked at. It reports false when all processes have ended.
func (s *scheduler) rest() bool {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting) > 0 || s.active > 0
}

// step lets one waiter go on towards its next point, or some time pass, while
// everybody is at rest.
func (s *scheduler) step() {
	s.mu.Lock()
	ready := slices.Clone(s.waiting)
	s.mu.Unlock()
	s.steps++
	now := time.Now()
	ready = slices.DeleteFunc(ready, func(w *waiter) bool { return now.Before(w.held) && !w.p.dead })
	slices.SortFunc(ready, func(a, b *waiter) int { return strings.Compare(a.label, b.label) })
	dice := s.rng.IntN(1000)
	switch {
	case len(ready) == 0:
		s.pass([]time.Duration{time.Second, 10 * time.Second, 30 * time.Second}[dice%3])
	case dice < 60:
		s.pass([]time.Duration{10 * time.Millisecond, time.Second, 5 * time.Second, 20 * time.Second}[dice%4])
	default:
		s.release(ready[s.rng.IntN(len(ready))])
	}
}

// pass lets time pass, a nanosecond more than said: a timer that fires at the very
// moment at which the scheduler wakes may fire before or after it.
func (s *scheduler) pass(d time.Duration) {
	s.record(d.String())
	time.Sleep(d + 1)
}

// release lets a waiter go on, in one way or another, or pauses it.
func (s *scheduler) release(w *waiter) {
	v := proceed
	if !s.quiet && !w.p.dead {
		switch dice := s.rng.IntN(1000); {
		case dice < 8 && s.budget > 0:
			s.budget--
			s.crashes++
			v = dieBefore + verdict(dice%2)
			s.onCrash(w.p)
			w.p.dead = true
		case s.calm:
		case dice < 20:
			v = failBefore
		case dice < 32:
			v = loseReply
		case dice < 38:
			v = hang
		case dice < 46 && w.held.IsZero():
			w.held = time.Now().Add(pauses[dice%2])
			s.record(w.label + " pauses")
			return
		case dice < 54 && w.held.IsZero():
			v = pauseAfter
		}
	}
	s.record(w.label + verdicts[v])
	s.mu.Lock()
	s.waiting = slices.DeleteFunc(s.waiting, func(o *waiter) bool { return o == w })
	s.mu.Unlock()
	w.turn <- v
}

// kill lets every process die that is at a point.
func (s *scheduler) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.waiting {
		w.p.dead = true
	}
}

// record makes what happened part of the history.
func (s *scheduler) record(what string) {
	for i := range len(what) { // FNV-1a
		s.hash = (s.hash ^ uint64(what[i])) * 1099511628211
	}
	s.hash = (s.hash ^ '\n') * 1099511628211
	if s.tracing {
		s.trace = append(s.trace, what)
	}
}
