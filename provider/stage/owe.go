package stage

import (
	"context"
	"errors"
	"time"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// ErrUnrecorded says that events of a removal could not be written to the log.
// The removal went on. The engine writes them with its next removal or sweep; if
// its process ends before, they are lost, and this error is all that tells of
// them.
var ErrUnrecorded = errors.New("stage: what was removed could not be recorded in the log")

// maxOwed bounds the events that an engine keeps since they could not be written.
// Beyond it the latest are dropped.
const maxOwed = 10_000

// proceed makes a commit that removal waits for, with its events. If that fails,
// it makes it without them: a log that can't be written must not keep a secret
// where it is. That they could not be recorded is another error than that the
// commit failed.
//
// again says that a commit which was made before records nothing when it is made
// again.
func (e *Engine) proceed(ctx context.Context, ev []secrets.Event, again bool, commit func([]secrets.Event) error) (unrecorded, err error) {
	err = commit(ev)
	if err == nil || len(ev) == 0 || ctx.Err() != nil || answered(err) {
		return nil, err
	}
	// An error says nothing of whether the commit was made. Making it again is
	// harmless: what it had to say is said by then, or it is fenced. Where that
	// includes the events, they are tried once more.
	if again && commit(ev) == nil {
		return nil, nil
	}
	if commit(nil) != nil {
		return nil, err
	}
	e.owe(ev)
	return ErrUnrecorded, nil
}

// proceedOwing is proceed for a commit that is sure to record its events: it
// records what is owed, too.
func (e *Engine) proceedOwing(ctx context.Context, ev []secrets.Event, commit func([]secrets.Event) error) (unrecorded, err error) {
	e.mu.Lock()
	owed := e.owed
	e.owed = nil
	e.mu.Unlock()
	unrecorded, err = e.proceed(ctx, append(owed[:len(owed):len(owed)], ev...), false, commit)
	if err != nil {
		e.owe(owed)
	}
	return unrecorded, err
}

// owe keeps events to be written later, with the time at which they happened.
func (e *Engine) owe(ev []secrets.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range ev[:min(len(ev), maxOwed-len(e.owed))] {
		if event.At.IsZero() {
			event.At = time.Now().UTC()
		}
		e.owed = append(e.owed, event)
	}
}

// answered reports whether err is the ledger's own answer, which another attempt
// would not change.
func answered(err error) bool {
	for _, known := range []error{ErrNoRun, ErrRunID, ErrMoved, ErrFenced, ErrHeld, ErrEnded, secrets.ErrInvalid} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
