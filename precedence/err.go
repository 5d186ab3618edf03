package precedence

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrUnresolved matches every [UnresolvedError].
var ErrUnresolved = errors.New("precedence: unresolved")

// UnresolvedError is all that keeps a run from starting, at once, so that it can
// be mended at once. Its text has names, reasons and kinds of scope, but no ids.
type UnresolvedError struct {
	Problems []Problem
	Refused  []Refusal
}

// Err returns nil if the run may start with [Resolution.Choices], or an
// [*UnresolvedError] with every problem and refusal. What is absent or withheld
// is no error.
func (r Resolution) Err() error {
	if len(r.Problems) == 0 && len(r.Refused) == 0 {
		return nil
	}
	return &UnresolvedError{slices.Clone(r.Problems), slices.Clone(r.Refused)}
}

func (e *UnresolvedError) Error() string {
	var parts []string
	for _, r := range e.Refused {
		parts = append(parts, r.String())
	}
	for _, p := range e.Problems {
		parts = append(parts, p.String())
	}
	return ErrUnresolved.Error() + ": " + strings.Join(parts, "; ")
}

// Is reports whether target is [ErrUnresolved].
func (e *UnresolvedError) Is(target error) bool { return target == ErrUnresolved }

// String returns a form for people, such as "TOKEN: expired (user)".
func (p Problem) String() string {
	if p.Scope.IsZero() {
		return fmt.Sprintf("%s: %s", p.Name, p.Why)
	}
	return fmt.Sprintf("%s: %s (%s)", p.Name, p.Why, p.Scope.Kind)
}

// String returns a form for people, such as "workspace: could not be read" or
// "request: TOKEN: malformed: From lists no kind".
func (r Refusal) String() string {
	parts := []string{"request"}
	if !r.Scope.IsZero() {
		parts[0] = r.Scope.Kind.String()
	}
	if !r.Name.IsZero() {
		parts = append(parts, r.Name.String())
	}
	parts = append(parts, string(r.Why))
	if r.Rule != "" {
		parts = append(parts, r.Rule)
	}
	return strings.Join(parts, ": ")
}
