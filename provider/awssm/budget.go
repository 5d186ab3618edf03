package awssm

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"sync"
	"time"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// Budget shares out the calls that an account may make in a Region among the runs
// of a process. Give the same one to all drivers of that account and Region.
//
// It counts calls that create and calls that delete, which have a quota each. A run
// that waits for a call gets it before another run gets a second one. When AWS
// throttles, since others call too or the quota is lower than thought, the budget
// gives out less, and after that slowly more, up to what it was made with.
type Budget struct{ creates, deletes *line }

// NewBudget returns a budget of so many creates and so many deletes a second, after
// a pause as many at once; AWS's 50 if zero
// (docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html). A
// host whose services share an account may give each a part.
func NewBudget(perSecond float64) *Budget {
	if !(perSecond > 0) { // no number, too
		perSecond = 50
	}
	return &Budget{creates: newLine(perSecond), deletes: newLine(perSecond)}
}

// How the rate follows what AWS answers: down by a part at most five times a
// second, so that calls which were throttled together count once, and up by a
// twentieth of the full rate each second in which all calls pass.
const (
	cut       = 0.7
	cutEvery  = 200 * time.Millisecond
	recovery  = 1.0 / 20
	slowest   = 1.0 // a second
	shortRest = 100 * time.Millisecond
)

// line is where the runs wait for one kind of call.
type line struct {
	mu     sync.Mutex
	most   float64 // calls a second
	rate   float64 // that are given out now
	ready  float64 // calls that may be made at once: a second's worth at most, and one at least
	at     time.Time
	cut    time.Time
	armed  bool                         // somebody will come back to serve
	turns  []secrets.RunID              // whose turn is next: each run that has a queue, once
	queues map[secrets.RunID][]*waiting // what each of them waits for; empty if it gave up
}

type waiting struct {
	run  secrets.RunID
	turn chan struct{}
}

func newLine(most float64) *line {
	return &line{most: most, rate: most, ready: max(most, 1), queues: map[secrets.RunID][]*waiting{}}
}

// wait waits for the run's turn, or for the end of ctx, whose error it returns. What
// was throttled comes before the run's other calls.
func (l *line) wait(ctx context.Context, run secrets.RunID, throttled bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &waiting{run, make(chan struct{})}
	l.mu.Lock()
	l.join(w, throttled)
	l.serve()
	l.mu.Unlock()
	select {
	case <-w.turn:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.leave(w) { // its turn came just now
		l.ready++
		l.serve()
	}
	return ctx.Err()
}

func (l *line) join(w *waiting, first bool) {
	queue, has := l.queues[w.run]
	if !has {
		l.turns = append(l.turns, w.run)
	}
	if first {
		queue = append([]*waiting{w}, queue...)
	} else {
		queue = append(queue, w)
	}
	l.queues[w.run] = queue
}

// leave reports whether w was still waiting.
func (l *line) leave(w *waiting) bool {
	for i, other := range l.queues[w.run] {
		if other == w {
			l.queues[w.run] = append(l.queues[w.run][:i], l.queues[w.run][i+1:]...)
			return true
		}
	}
	return false
}

// serve gives out what there is, in turns, and comes back when there is more.
func (l *line) serve() {
	now := time.Now()
	if d := now.Sub(l.at); d > 0 {
		l.ready = min(max(l.rate, 1), l.ready+l.rate*min(d, time.Hour).Seconds())
		l.at = now
	}
	for len(l.turns) > 0 {
		run := l.turns[0]
		queue := l.queues[run]
		if len(queue) > 0 && l.ready < 1-1e-9 { // what rounding takes
			break
		}
		l.turns = l.turns[1:]
		if len(queue) == 0 {
			delete(l.queues, run)
			continue
		}
		l.ready--
		close(queue[0].turn)
		if l.queues[run] = queue[1:]; len(queue) > 1 {
			l.turns = append(l.turns, run)
		} else {
			delete(l.queues, run)
		}
	}
	if len(l.turns) == 0 || l.armed {
		return
	}
	l.armed = true
	rest := max(l.at.Sub(now), 0) + time.Duration((1-l.ready)/l.rate*float64(time.Second)) + 1
	time.AfterFunc(rest, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.armed = false
		l.serve()
	})
}

// back takes a turn back that was not used.
func (l *line) back() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready++
	l.serve()
}

// passed notes that AWS took a call.
func (l *line) passed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rate = min(l.most, l.rate+l.most*recovery/l.rate)
}

// throttled notes that AWS did not: nothing more is given out for a moment, which
// differs so that several processes do not come back together.
func (l *line) throttled() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serve()
	now := time.Now()
	if now.Sub(l.cut) < cutEvery {
		return
	}
	l.rate, l.cut = max(l.rate*cut, min(slowest, l.most)), now
	l.ready, l.at = 0, now.Add(within(shortRest))
}

// within returns a random time below d, of a source that tests can make repeat
// itself.
func within(d time.Duration) time.Duration {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return time.Duration(binary.NativeEndian.Uint64(b[:]) % uint64(d))
}
