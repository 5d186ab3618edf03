package stage

import (
	"context"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
)

// A platform that does not answer must not keep a sweep from all others: each
// call costs its timeout, and a driver of a filesystem that hangs does not even
// come back then.

// silence is how a target has not answered.
type silence struct {
	timeouts int                     // calls in a row that their deadline ended
	last     time.Time               // when the last of them did
	out      map[*time.Time]struct{} // deadlines of the calls that are under way
}

const (
	maxTimeouts = 3           // in a row, after which a target counts as silent
	silenceFor  = time.Minute // and for so long; then one more call is tried
	overdueBy   = 5 * time.Second
)

// errSilent stands for a call that was not made since its target is silent.
var errSilent = &provider.Error{Op: "remove", Code: provider.Unavailable}

// calling notes that a call of a target begins, whose end the answer is to tell.
func (e *Engine) calling(ctx context.Context, target string) (heard func()) {
	deadline, _ := ctx.Deadline()
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.silent[target]
	if s.out == nil {
		s.out = map[*time.Time]struct{}{}
	}
	s.out[&deadline] = struct{}{}
	e.silent[target] = s
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		s := e.silent[target]
		delete(s.out, &deadline)
		if s.timeouts++; ctx.Err() != context.DeadlineExceeded {
			s.timeouts = 0
		}
		s.last = time.Now()
		e.silent[target] = s
	}
}

// isSilent reports whether a target is better not called now: its last calls have
// all timed out, or one is still out although its deadline is over.
func (e *Engine) isSilent(target string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.silent[target]
	for deadline := range s.out {
		if time.Since(*deadline) > overdueBy {
			return true
		}
	}
	return s.timeouts >= maxTimeouts && time.Since(s.last) < silenceFor
}
