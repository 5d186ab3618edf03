package awssmtest

import (
	"slices"
	"time"
)

// Call is a call that reached the fake.
type Call struct {
	At        time.Time      // by the fake's clock
	Signed    time.Time      // by the client's: X-Amz-Date
	Op        string         // "CreateSecret"
	AccessKey string         // "" if there was none
	Fields    map[string]any // of the request, but for SecretString and SecretBinary
	Code      string         // of the error that was answered; "" for success
	Lost      bool           // whatever was answered, the caller did not get it
}

// Field returns a field of the request that is a string, else "".
func (c Call) Field(name string) string {
	text, _ := c.Fields[name].(string)
	return text
}

// Calls returns the calls since the last [Fake.ForgetCalls], in their order.
func (f *Fake) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// ForgetCalls empties the log of calls.
func (f *Fake) ForgetCalls() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = nil
}

// LogCalls starts the log of calls, or stops it: a long simulation can do without.
// A new fake has it on.
func (f *Fake) LogCalls(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deaf = !on
}

// log keeps a call. The lock is held.
func (f *Fake) log(c Call) {
	if !f.deaf {
		f.calls = append(f.calls, c)
	}
}

// Fault is one way for a call to go wrong.
type Fault uint8

// The faults.
const (
	None        Fault = iota
	Throttled         // it answers ThrottlingException
	Failed            // it answers InternalServiceError, and has no effect
	FailedAfter       // it has its effect, and answers InternalServiceError
	ResetBefore       // its connection is reset, and it has no effect
	ResetAfter        // it has its effect, and its connection is reset
	HangBefore        // it has no effect, and is not answered before its context is done
	HangAfter         // it has its effect, and then is not answered
)

// Intercept lets a function decide how each call goes wrong; nil lets none. The
// function gets the call before anything is checked or happens, and may take its
// time: the fake is not locked, and what the caller waits for it is a slow call.
func (f *Fake) Intercept(decide func(Call) Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = decide
}

// Answer lets a function answer calls by an error of its own, without effect; an
// empty code is none, and nil answers none. It is for the errors that the fake has
// no cause for, and for messages that a program must not pass on.
func (f *Fake) Answer(by func(Call) (code, message string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = by
}
