package providertest

import (
	"context"
	"strings"

	"github.com/pipesecrets/pipesecrets/provider"
)

// Fault is one way for a call of a driver to go wrong.
type Fault uint8

// The faults. None makes the call as it is.
const (
	None      Fault = iota
	Before          // it fails and has no effect
	Lost            // it has its effect, and its reply is lost
	Hang            // it has no effect, and hangs until its context is done
	HangAfter       // it has its effect, and then hangs
	Stale           // Probe and List answer that nothing is there; others are made as they are
	Panic           // it has its effect, and panics
)

var faultNames = [...]string{"none", "before", "lost", "hang", "hang after", "stale", "panic"}

// String returns the fault in a word or two.
func (f Fault) String() string {
	if int(f) >= len(faultNames) {
		return "invalid"
	}
	return faultNames[f]
}

// Faults returns every fault but None.
func Faults() []Fault { return []Fault{Before, Lost, Hang, HangAfter, Stale, Panic} }

// Hook returns a hook by which every call goes wrong in this way. What fails does
// so as Unavailable.
func (f Fault) Hook() Hook {
	return func(ctx context.Context, c Call, do func(context.Context) error) error {
		unavailable := &provider.Error{Op: strings.ToLower(c.Method), Code: provider.Unavailable}
		switch f {
		case Before:
			return unavailable
		case Hang:
			<-ctx.Done()
			return unavailable
		case Stale:
			if c.Method == "Probe" || c.Method == "List" {
				return nil
			}
			return do(ctx)
		}
		if err := do(ctx); err != nil || f == None {
			return err
		}
		switch f {
		case HangAfter:
			<-ctx.Done()
		case Panic:
			panic("providertest: the panic that was asked for")
		}
		return unavailable
	}
}
