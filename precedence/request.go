package precedence

import (
	"time"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// Layer is what one scope has: all its current secrets, or at least all those
// whose names matter to the request. There is at most one layer of each kind; a
// scope that plays no part has none, such as the user's where a service starts
// the run.
type Layer struct {
	Scope   secrets.Scope
	Secrets []secrets.Secret
	// Read says that Secrets is complete. If it is false, as in the zero Layer,
	// the whole resolution is refused: what was not read may have been a lock.
	Read bool
}

// Want asks for one name. Wants of the same name merge: the name is required if
// one of them requires it, and is looked for wherever one of them looks.
type Want struct {
	Name secrets.Name
	// From lists the kinds of scope to choose from; nil for all. An empty list
	// that is not nil, from which nothing can be chosen, is malformed. A list
	// never evades a lock.
	From []secrets.Kind
	// Optional makes the name's absence no problem. It excuses nothing else.
	Optional bool
}

// Request is what a run asks for.
type Request struct {
	Wants []Want
	// All lists kinds of scope: every name that a layer of these kinds has is
	// wanted, and chosen from all scopes, so that a user's own secret overrides a
	// workspace's. Nil and empty ask for nothing.
	All []secrets.Kind
	// Pipeline is what the run executes, in the notation of
	// secrets.Policy.Pipelines.
	Pipeline string
	// Now is when the request is judged. It must not be zero. What expires at
	// exactly this time has expired.
	Now time.Time
}
