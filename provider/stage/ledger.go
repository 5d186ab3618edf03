package stage

import (
	"context"
	"errors"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Phase is where a run's staging stands.
type Phase uint8

// The phases, in order.
const (
	Staging Phase = iota + 1 // objects are being created
	Active                   // all are there, references were handed out
	Ending                   // all are to go, at once or when [Run.Kept] is over
	Closed                   // all are gone, or the run was ended before it began
)

var phaseNames = [...]string{"invalid", "staging", "active", "ending", "closed"}

// String returns the phase in a word.
func (p Phase) String() string {
	if int(p) >= len(phaseNames) {
		p = 0
	}
	return phaseNames[p]
}

// State is where one object stands.
type State uint8

// The states. An object is nowhere in Gone and Released, and may be somewhere
// in all others.
const (
	Intent      State = iota + 1 // to be created, or created and not yet recorded
	Created                      // its id is recorded
	Deleting                     // to be removed, or removed and not yet verified
	AbsentOnce                   // seen absent; to be seen so again after the horizon
	Gone                         // proven absent
	Pending                      // the platform deletes it by itself at a known time
	Quarantined                  // found by its mark, unknown to the ledger
	Stuck                        // can't be removed without somebody's help; retried all the same
	Released                     // left to the installation that this database was cloned from
)

var stateNames = [...]string{"invalid", "intent", "created", "deleting", "absent-once", "gone", "pending",
	"quarantined", "stuck", "released"}

// String returns the state in a word.
func (s State) String() string {
	if int(s) >= len(stateNames) {
		s = 0
	}
	return stateNames[s]
}

// Over reports whether nothing is left to do for an object in this state.
func (s State) Over() bool { return s == Gone || s == Released }

// Foremost returns the one of two states of the same object, in two rows, that
// says more of whether it is somebody's: one that is not over before one that is,
// Quarantined only before what is over, Released before Gone, since it was given
// up whatever became of it, else the one that comes first in the order of states.
func Foremost(a, b State) State {
	rank := func(s State) int {
		switch s {
		case Gone:
			return 3
		case Released:
			return 2
		case Quarantined:
			return 1
		}
		return 0
	}
	if d := rank(a) - rank(b); d < 0 || d == 0 && a < b {
		return a
	}
	return b
}

// Item is a secret that a run uses.
type Item struct {
	provider.Item
	Scope   secrets.Scope // where the version came from
	Revoked bool          // set by the ledger: to be pulled from the run's objects
}

// Run is one run's line in the ledger. It holds no value.
type Run struct {
	ID        secrets.RunID
	Workspace secrets.Scope
	Caller    string // who launched it, as events name callers
	Request   []byte // keyed digest of the launch request, to tell a retry from another request
	Chosen    []byte // keyed digest of what was chosen for it, to tell a run that was altered in the database
	Items     []Item
	Phase     Phase
	Outcome   string // as the host told when it ended the run

	Epoch   uint64    // grows with every change of actor
	Actor   time.Time // until when the present actor stages or removes
	Started time.Time
	Needed  time.Time // until when the run needs its secrets
	Ended   time.Time // when it began to end; zero before
	Kept    time.Time // until when what it has staged stays after that, so that tasks can be replayed; zero if it does not: see IsKept
	Masked  time.Time // until when its versions stay pinned, so that its logs can be masked; zero before it ends
	Pinned  bool      // whether it still pins its versions
}

// Row is one object's line in the ledger.
type Row struct {
	Target   string // the host's durable name of the target
	Location provider.Location
	Object   provider.Object // Object.Stage is the row's key
	ID       string          // the platform's id; "" until recorded
	State    State
	Intent   time.Time // when Begin committed it
	Absent   time.Time // when it was first seen absent in a row; zero otherwise
	Gone     time.Time // when its state was over
	Next     time.Time // when to try again; zero for at once
	Attempts int       // failed ones in a row
	Code     provider.Code
}

// StuckAfter is how many failed attempts in a row make an object count as stuck,
// though trying again may help.
const StuckAfter = 6

// NeedsHelp reports whether an operator is to look: the object is Stuck or
// Quarantined, or what is to be done about it has failed StuckAfter times in a
// row.
func (r Row) NeedsHelp() bool {
	return !r.State.Over() && (r.State == Stuck || r.State == Quarantined || r.Attempts >= StuckAfter)
}

// Terms are the times granted to a new run, counted from the commit.
type Terms struct {
	Lease time.Duration // for the actor
	Need  time.Duration // for the run
}

// Closing says how a run ends.
type Closing struct {
	Outcome string
	MaskFor time.Duration // how long the versions stay pinned, once nothing is kept

	// Keep leaves what an Active run has staged where it is for that long, but not
	// past Limit after the run's start. A run with an item that was revoked is not
	// kept.
	Keep, Limit time.Duration

	// Overdue ends the run only if its time is over at the commit: Staging and
	// the actor's lease has passed, or Active and Needed has passed. ErrHeld
	// otherwise. So no renewal is lost to a sweep that looked a moment earlier.
	Overdue bool

	// Staging, if not zero, is an epoch: it ends the run only if it is Staging under
	// that epoch at the commit. ErrFenced otherwise, for an unknown run, too.
	Staging uint64
}

// MaxLease bounds leases. One that seems to last longer was granted while the
// clock was wrong, and counts as over.
const MaxLease = time.Hour

// Held reports whether an actor's lease runs at this time of the ledger's.
func (r Run) Held(now time.Time) bool {
	return now.Before(r.Actor) && !r.Actor.After(now.Add(MaxLease))
}

// IsKept reports whether at this time of the ledger's the run has ended and what it
// has staged is kept all the same.
func (r Run) IsKept(now time.Time) bool { return r.Phase == Ending && now.Before(r.Kept) }

// Stats is what a ledger tells of itself.
type Stats struct {
	Now          time.Time // by the ledger's clock
	LastSweep    time.Time // when a sweep last ended; zero if none did
	Resumed      time.Time // since when there are sweeps again after none had begun for a while; zero before the first
	OldestStaged time.Time // the earliest Intent of an object that is not over; zero if there is none
	Staged       int       // objects that are not over
	Stuck        int       // of these, those that need help, but for those in quarantine
	Quarantined  int       // of these, those in state Quarantined
	Empty        bool      // no run ever began
}

// Errors that callers tell apart with errors.Is.
var (
	ErrNoRun  = errors.New("stage: no such run")
	ErrRunID  = errors.New("stage: run id was used before")
	ErrMoved  = errors.New("stage: a chosen version is no longer current")
	ErrFenced = errors.New("stage: another actor took over")
	ErrHeld   = errors.New("stage: another actor is at work")
	ErrEnded  = errors.New("stage: run has ended")

	// ErrRevoked says that a secret was revoked while a run was staged with it.
	ErrRevoked = errors.New("stage: a chosen secret was revoked")
)

// Ledger remembers runs and their objects. It shares its database with the
// store of secrets: what a method changes, the pins it takes and drops, and the
// events that tell of it are one commit, durable before the call returns. Its
// clock is the database's, or the host's where the database has none. Events
// with a zero At get the commit's time.
//
// A commit whose outcome is unknown is read again with Load before anything
// else is done. Implementations are safe for concurrent use by several
// goroutines and processes.
type Ledger interface {
	// Begin opens a run in phase Staging with epoch 1 and its rows in state
	// Intent, pins the version of every item, and marks each secret as used now
	// by this run. Run.ID, Workspace, Caller, Request, Chosen and Items are the
	// caller's, as are Target, Location and Object of each row; the ledger sets
	// the rest and answers the run. ErrRunID if the id was ever seen, a
	// tombstone's included; ErrMoved if an item's version is not its secret's
	// current one or the secret is deleted. On an error nothing has changed.
	Begin(ctx context.Context, r Run, rows []Row, t Terms, ev ...secrets.Event) (Run, error)

	// Load returns a run and its rows, in the order of Begin. ErrNoRun if there
	// is none.
	Load(ctx context.Context, id secrets.RunID) (Run, []Row, error)

	// Take makes the caller the actor of a run for the lease: the epoch grows by
	// one. ErrHeld while the lease of another runs ([Run.Held]), ErrNoRun if there
	// is no such run.
	Take(ctx context.Context, id secrets.RunID, lease time.Duration) (Run, error)

	// Advance moves a run from r.Phase to the phase to, renews the actor's lease,
	// and stores the given rows whole, by Object.Stage; other rows stay. ErrFenced,
	// and no change, if the stored epoch or phase is not r's. When to is Closed the
	// run's times stay as they are. Items are never changed by it. It answers the run as stored.
	Advance(ctx context.Context, r Run, to Phase, lease time.Duration, rows []Row, ev ...secrets.Event) (Run, error)

	// Need moves the time until which the run needs its secrets to d from now,
	// never back, and never past limit after its start. It answers the time.
	// ErrEnded if the run is neither Staging nor Active, ErrNoRun if there is none.
	Need(ctx context.Context, id secrets.RunID, d, limit time.Duration, ev ...secrets.Event) (time.Time, error)

	// End begins the end of a run. From Staging and Active it moves to Ending
	// under the next epoch, whoever the actor was, with no actor: Actor is now.
	// Rows that are not over become Deleting with Next and Attempts zero and Absent
	// forgotten; Ended, Masked and Outcome are set. An unknown run leaves a
	// tombstone: a Closed run with no rows, that bars a later Begin. It answers the
	// run and its rows. A run that is Ending or Closed stays as it is, and no event is
	// recorded: ErrEnded then, with the run and its rows all the same.
	//
	// If the run is kept (Closing.Keep), Kept is set, its rows that are Created stay
	// so, with Kept for Next, and Masked counts from Kept. As long as it is, an End
	// that is none of Overdue and Staging and keeps nothing ends that: the run stays
	// Ending under the next epoch with its Outcome and Ended, Kept is zero, and the rest is as
	// at the first end.
	End(ctx context.Context, id secrets.RunID, c Closing, ev ...secrets.Event) (Run, []Row, error)

	// Due returns the ids of up to n runs, the longest due first, for which
	// something was to be done at a moment, such as that at which a sweep began:
	//   - Staging whose actor's lease is over;
	//   - Active that are needed no longer; or whose actor's lease is over and that
	//     have a row with Next in the past that is neither Intent, nor Created, nor
	//     over, or that is Created and holds an item that is revoked;
	//   - Ending whose actor's lease is over and that have a row that is not over
	//     with Next in the past, or no row that is not over;
	//   - Closed that still pin their versions and whose Masked is in the past.
	// Its cost grows with what is due, not with what the ledger has seen.
	Due(ctx context.Context, at time.Time, n int) ([]secrets.RunID, error)

	// Release drops the pins of a Closed run whose Masked is in the past, and
	// the versions that nobody pins any more and that are not current. For
	// another run it does nothing.
	Release(ctx context.Context, id secrets.RunID) error

	// Revoke deletes a secret, if it is not deleted yet, and marks its items as
	// Revoked in the runs of phase Staging and Active and in those that are Ending with
	// Kept set, also where its time is over and they wait for a sweep. These are kept no
	// longer: Kept is zero, Masked counts from now if it was to count from later, and rows
	// that are not over become Deleting with Next zero. All that is one commit. It
	// answers these runs as stored, those that were marked before included. Events
	// are recorded if anything changed. ErrNotFound if the secret is deleted, or
	// never was, and no such run has an item of it.
	Revoke(ctx context.Context, id secrets.ID, ev ...secrets.Event) ([]Run, error)

	// UsedBy returns the runs with an item of the secret that are in phase Staging or
	// Active, or Ending with Kept set.
	UsedBy(ctx context.Context, id secrets.ID) ([]Run, error)

	// Sweeping records that a sweep begins now, and answers what the ledger holds.
	// If none had begun for longer than gap, or ever, sweeping has been resumed now:
	// Stats.Resumed tells that time to all sweeps until the next such gap.
	Sweeping(ctx context.Context, gap time.Duration) (Stats, error)

	// Swept records that a sweep ended now.
	Swept(ctx context.Context, ev ...secrets.Event) error

	// Known answers the state of each object, named by its name on the platform,
	// that ever had a row; of several rows the [Foremost]. The location is not
	// asked: a place that is reached by another path is the same place.
	Known(ctx context.Context, names []string) (map[string]State, error)

	// Found records an object that nobody answers for: under r, a run of its own
	// in phase Ending with epoch 1 that has no items, and the row in state
	// Quarantined. Run.ID and Outcome are the caller's, as are Target, Location,
	// Object and ID of the row; the ledger sets the rest, Actor, Ended and Masked
	// to now. ErrHeld, and no change, if an object of this name has a row that is
	// not over; ErrRunID if the run's id was ever seen.
	Found(ctx context.Context, r Run, row Row, ev ...secrets.Event) error

	// Stuck returns the ids of up to n runs that come after the given one and have
	// an object that needs help ([Row.NeedsHelp]), in their order.
	Stuck(ctx context.Context, after secrets.RunID, n int) ([]secrets.RunID, error)

	// Stats answers what the ledger holds.
	Stats(ctx context.Context) (Stats, error)
}
