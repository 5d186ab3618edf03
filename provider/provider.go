// Package provider is the contract between the staging protocol and a platform
// that can hold a run's secrets: all that the author of a driver reads.
//
// A driver is small and dumb. It creates, looks for and removes objects that it
// is told of, and keeps no state of its own. When to call it, in which order,
// what to do after a fault, and what to remember is the business of
// provider/stage, written once for every platform:
//
//   - Plan names every object of a run before anything exists.
//   - The plan is committed to the ledger. Only then
//   - Create makes one object, asking its [Opener] for the values as late as it
//     can, and answers the id by which the platform knows it.
//   - Probe looks whether an object is there, Remove takes it away, both any
//     number of times, from any process, after any fault.
//
// A driver whose platform can list objects also implements [Lister]; one whose
// objects hold several secrets each implements [Withdrawer] if it can take one out
// of them, [Weigher] if they are limited in size, and [Neighbor] if one value can be
// in the way of another.
//
// # Errors
//
// A driver answers [Error] with a [Code], and never wraps or quotes what its
// platform said: such texts may hold a value. A driver does not retry, unless the
// platform asked it to wait; a code says whether the protocol should. It honours
// its context: a call that was cancelled may or may not have had its effect, and
// begins nothing more that makes anything.
package provider

import (
	"context"
	"iter"
	"time"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// Location is where objects are, as far as the platform can tell: objects of
// another location are not looked for and never removed.
type Location struct {
	Kind    string // such as "file" or "awssm"
	Account string // whose: an account, a host
	Place   string // a Region, a directory
}

// Capabilities are what the protocol must know of a platform.
type Capabilities struct {
	// Horizon is how long after Create was called the platform may still show the
	// object late or not at all. Zero: one look proves absence.
	Horizon time.Duration
	// CreateTimeout bounds one Create; 30 seconds if zero. Other calls are bounded
	// by 30 seconds.
	CreateTimeout time.Duration
	// Concurrency is how many calls may run at once; 1 if zero.
	Concurrency int
}

// Item is one secret to stage: its name, and the version that was chosen.
type Item struct {
	Name secrets.Name
	Pin  secrets.Pin

	// Weight is what a [Weigher] says of its value. It is for Plan, and not kept.
	Weight int
}

// Object is something to create on a platform, decided and committed before it
// exists. It holds no value.
type Object struct {
	Stage   string   // unique id of this object in the ledger; empty for what was found by its mark: any Stage will do
	Name    string   // its final name on the platform, never used before
	Token   string   // idempotency token: 32 characters, the same at every attempt
	Mark    [16]byte // the installation's, to be set on the object itself
	Run     secrets.RunID
	Epoch   uint64 // under which it was planned
	Expires time.Time
	Items   []Item
}

// Reference is how a task or a job definition names a staged secret. It holds
// no value.
type Reference struct {
	Name    secrets.Name
	Target  string // the host's name of the target; set by the protocol
	Kind    string // such as "file" or "arn"
	Locator string // a path, an ARN
}

// Presence is what a platform says of an object.
type Presence uint8

// The answers of Probe.
const (
	Unknown Presence = iota
	Present
	Absent
	Pending // being deleted by the platform, which may take days; its value can't be read any more
	Foreign // there is something of that name, and it is not ours
)

// Opener returns the values of an object's items, by name. It first checks that
// the caller still is the one to create the object and fails if it was deposed;
// a driver must then leave nothing behind and return that error. The values are
// destroyed when Create or Withdraw returns.
type Opener func(context.Context) (map[secrets.Name]secrets.Value, error)

// Provider is a driver for one platform at one location. Its methods are safe
// for concurrent use.
type Provider interface {
	// Location answers where the driver's objects are.
	Location() Location

	// Capabilities answers what the protocol must know.
	Capabilities() Capabilities

	// Carries returns nil if the platform can hold the value under this name,
	// or a *secrets.InvalidError that says which rule it breaks. Plain text of 64
	// bytes is the least that a platform must hold. It does no I/O.
	Carries(secrets.Name, secrets.Value) error

	// Plan decides which objects hold the items: each item in exactly one. It
	// does no I/O. A run that the platform can't take is refused with a
	// *secrets.InvalidError; run is zero where only that is asked. nonce returns 26
	// unguessable characters of [a-z2-7], others at each call; Name must contain one
	// unless the platform's contract rules it out, and then follows from the run and
	// the items alone. Stage, Token, Mark, Run, Epoch and Expires are set by the
	// caller.
	Plan(run secrets.RunID, items []Item, nonce func() string) ([]Object, error)

	// Create makes the object, holding its items and carrying its mark, and
	// returns the platform's id for it. It calls open at most once, as late as
	// possible: where creating has several steps, after the first one that a
	// later Remove would undo. If the object exists from an earlier attempt with
	// the same token, which may have died half-way, Create completes it or fails
	// with Taken. After an error the object may exist.
	Create(ctx context.Context, o Object, open Opener) (id string, err error)

	// Probe looks for what has the object's name, and answers its id if it is
	// Present. A failure to look is an error, not Absent.
	Probe(context.Context, Object) (p Presence, id string, err error)

	// Remove takes the object of that id away with all that anybody put into it,
	// if it is ours, and never another one of its name; without an id, what has the
	// object's name. What is gone already is no error; what the platform forbids to
	// remove is one. It needs no right to read values.
	Remove(ctx context.Context, o Object, id string) error

	// References returns how to refer to each item of the created object.
	References(o Object, id string) []Reference
}

// Lister is a driver whose platform can list objects: by it one finds what no
// ledger knows of.
type Lister interface {
	// List yields all that carries the mark, what a crash left half made too, or
	// ends with an error. An object may be incomplete: Name and Mark are set, which
	// is enough for Probe and, with the id that it answers, for Remove. Lists may be
	// late by the horizon.
	List(ctx context.Context, mark [16]byte) iter.Seq2[Object, error]
}

// Withdrawer is a driver whose objects hold several items.
type Withdrawer interface {
	// Withdraw makes the existing object hold exactly o.Items, which are fewer
	// than it was created with. It may be repeated. While it asks for the values
	// another process may remove the object, or cut it down further under a later
	// Epoch: it then brings back nothing of what was taken.
	Withdraw(ctx context.Context, o Object, id string, open Opener) error
}

// Weigher is a driver that puts several items into an object of limited size, so
// that its Plan must know how large they are.
type Weigher interface {
	// Weigh answers how much of an object the value takes under this name, in units
	// of the driver's own. It does no I/O.
	Weigh(secrets.Name, secrets.Value) int
}

// Neighbor is a driver on which what a value holds can be in the way of another
// secret of the same run.
type Neighbor interface {
	// CarriesBeside returns nil if a value that the driver carries can be staged beside
	// secrets of these names, or a *secrets.InvalidError that says which rule it
	// breaks. It does no I/O.
	CarriesBeside(secrets.Name, secrets.Value, []secrets.Name) error
}

// Code classifies a driver's failure.
type Code string

// The codes. Unavailable and Throttled are worth another attempt; the others
// need somebody to change something.
const (
	Unavailable Code = "unavailable" // did not answer, or the outcome is unknown
	Throttled   Code = "throttled"
	Refused     Code = "refused" // the platform rejects the request
	Forbidden   Code = "forbidden"

	// Who we say we are is not believed: credentials are expired, unknown or malformed.
	Unauthenticated Code = "unauthenticated"
	// The encryption key that the platform was told to use is disabled, gone, or denied.
	KeyUnusable Code = "key unusable"
	// What answers is at another location than the driver is configured for.
	Elsewhere Code = "elsewhere"

	Quota    Code = "quota"    // a limit or a full disk
	Taken    Code = "taken"    // the name belongs to something else
	NotOurs  Code = "not ours" // where the platform can tell; Forbidden where it can't
	Internal Code = "internal"
)

// Error is a driver's failure. It has no text from the platform and nothing to
// unwrap.
type Error struct {
	Op   string // such as "create"
	Code Code
}

func (e *Error) Error() string { return e.Op + ": " + string(e.Code) }
