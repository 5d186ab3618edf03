package precedence

import "github.com/pipesecrets/pipesecrets/secrets"

// Reason says why a name has no choice, a secret is shadowed, or a request is
// refused, in words that can stand in a message.
type Reason string

// The reasons of a [Problem].
const (
	Missing    Reason = "missing" // no scope has it, of those that the request looks at
	NotAllowed Reason = "not allowed for this pipeline"
	Disabled   Reason = "disabled"
	Expired    Reason = "expired"
)

// The reasons of a [Shadow].
const (
	Overridden Reason = "overridden" // the winner is narrower
	LockedOut  Reason = "locked out" // the winner is broader, and locked
	NotListed  Reason = "not listed" // the request does not look at its scope
)

// The reasons of a [Refusal].
const (
	Unread    Reason = "could not be read"
	Malformed Reason = "malformed"
)

// Resolution answers a [Request]. Every list is sorted by name and nil if it is
// empty. Each requested name is in exactly one of the first four lists, unless
// Refused has an entry: then all others are nil. The answer shares no memory with
// the question.
type Resolution struct {
	Choices []Choice       // what the run gets
	Absent  []secrets.Name // optional names that no scope has
	// Withheld are winners that [Request.All] alone asked for and whose policy
	// lists other pipelines. Their reason is always NotAllowed. They block
	// nothing: an allow-list addresses a secret to some pipelines, and must not
	// make every other pipeline's "all" fail.
	Withheld []Problem
	Problems []Problem // why the run must not start
	Refused  []Refusal // why nothing was resolved
}

// Choice is the secret that a run gets for its name.
type Choice struct {
	Winner   secrets.Secret
	Shadowed []Shadow // the others of that name, broadest scope first
}

// Shadow is a secret that another one of the same name keeps from being used.
type Shadow struct {
	Secret secrets.Secret
	Why    Reason // Overridden, LockedOut or NotListed
}

// Problem is a name that a run can't get.
type Problem struct {
	Name  secrets.Name
	Why   Reason
	Scope secrets.Scope // of the winner that was judged; zero if Missing
}

// Refusal is a reason not to answer at all.
type Refusal struct {
	// Scope is the layer concerned, zero if the request is at fault. It has no
	// ID if the ID is invalid, or if several layers are concerned.
	Scope secrets.Scope
	Name  secrets.Name // the name concerned, zero if there is none
	Why   Reason       // Unread or Malformed
	Rule  string       // which rule malformed input breaks, never quoting it; else empty
}
