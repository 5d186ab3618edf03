package pipesecrets

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/pipesecrets/pipesecrets/crypto"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

// Backend is one database that holds everything: a change, the ledger's lines
// and the events that tell of them commit together.
type Backend interface {
	secrets.Store
	stage.Ledger
	audit.Log
	crypto.KeysetStore
}

// Config configures a [Service]. Backend, Keyring and Home are required.
type Config struct {
	Backend Backend
	Keyring *crypto.Keyring

	// Home says where the database belongs, in the host's own words: a host name, a
	// cluster, a deployment; at most 128 bytes of visible ASCII. The first start
	// records it. A database that wakes up elsewhere, restored or cloned, launches
	// and removes nothing until an operator has called [Service.Adopt].
	Home string

	// Targets are the places to stage to, under durable names.
	Targets map[string]provider.Provider

	// Policy says which role may do what. The zero Policy denies everything;
	// rbac.Default is the usual choice.
	Policy rbac.Policy

	// Parent, if not nil, tells the organization of a workspace, or the zero
	// scope for none. An error, a panic, or no answer within VetoTimeout denies. It
	// is called on a goroutine of its own. If nil, workspaces have no organization.
	Parent func(ctx context.Context, workspace secrets.Scope) (organization secrets.Scope, err error)

	// Veto, if not nil, is asked after the policy has allowed something, and can
	// only deny: by an error, by a panic, or by not answering within VetoTimeout
	// (2 seconds if zero). It is called on a goroutine of its own. It is not asked
	// about what an operator does: background work must not hang on a hook.
	Veto        func(context.Context, rbac.Caller, rbac.Permission, secrets.Scope) error
	VetoTimeout time.Duration

	// Reserved lists names that are allowed although they change how a task runs
	// (secrets.Name.Reserved).
	Reserved []secrets.Name

	// Alive, if not nil, tells whether a run whose time is over is still under
	// way; an error, a panic, or no answer in 10 seconds keeps it until MaxNeed is
	// over, and after the latter a sweep asks no more. It is called on a goroutine
	// of its own.
	Alive func(context.Context, secrets.RunID) (bool, error)

	// Head, if not nil, tells the head of the audit chain that the host keeps where
	// who can write to the database can't: the last one that [Service.Seal]
	// answered, zero if there is none yet. [Service.Seal] extends no log that does
	// not reach it, and [Service.Sweep] removes what the ledger never heard of only
	// if the log does; if it does not, the database is an older copy, and sweeps end
	// no run whose time seems to be over unless Alive says so. Only what was committed
	// before the head is told apart from what an older copy has lost: seal, and keep
	// the head, as often as you sweep. An error, a panic, or no answer in 10 seconds
	// counts as not knowing. It is called on a goroutine of its own.
	Head func(context.Context) (audit.Head, error)

	Lease   time.Duration // of whoever stages or removes now; 2 minutes if zero
	Need    time.Duration // how long a run needs its secrets unless renewed; 24 hours if zero. Renew at least twice in it
	MaxNeed time.Duration // how long at most; 30 days if zero
	MaskFor time.Duration // how long after a run its logs can still be masked by Attach; 1 hour if zero
	Grace   time.Duration // for launchers to come back after an outage (no sweep for half of Need), unless Alive tells; 5 minutes if zero

	// Redaction is how the redactors of launches mask; the zero Options are the
	// usual ones. That a value is too short to be masked is told when it is written,
	// and at each launch, by the Reason of the event.
	Redaction redact.Options

	// Logger, if not nil, is told what no caller hears: a denial that could not be
	// recorded.
	Logger *slog.Logger
}

// Errors that callers tell apart with errors.Is, beside those of the packages
// secrets and provider/stage.
var (
	// ErrHome says that the database was last at home elsewhere.
	ErrHome = errors.New("pipesecrets: the database is not at home here: see Adopt")

	// ErrBusy says that another process is staging or removing for the run right
	// now.
	ErrBusy = errors.New("pipesecrets: another process is at work on this run")

	// ErrRunUsed says that the run's id was used before, by another request or by
	// a run that has ended.
	ErrRunUsed = errors.New("pipesecrets: run id was used before")

	// ErrRefused matches every [RequestError].
	ErrRefused = errors.New("pipesecrets: request can't be met")
)

// Service is the life of pipeline secrets, in calls. It is safe for concurrent
// use and keeps no plaintext; several processes may each have one on the same
// database. It starts goroutines only within a call: one for each hook of the
// host, and one for each object that a driver creates or removes at once.
//
// An error of a call matches, by errors.Is: secrets.ErrNotFound for what is
// absent and for what the caller may not know of; secrets.ErrDenied for what
// the caller may know of and not do; secrets.ErrInvalid for bad input. A
// malformed request is refused before anything is decided; every decision, and
// what came of it, is in the audit log before the caller hears it. If it can't be
// written, reads, changes and launches fail, and a denial stays a denial.
type Service struct {
	config  Config
	engine  *stage.Engine
	backend Backend
	keyring *crypto.Keyring
}

// New returns a Service, or a *secrets.InvalidError that names what is missing
// in c. It records c.Home if this is the database's first start. Being away from
// home is no error here, so that an operator can call Adopt.
func New(ctx context.Context, c Config) (*Service, error) {
	for _, required := range []struct {
		field   string
		present bool
	}{
		{"config.backend", c.Backend != nil},
		{"config.keyring", c.Keyring != nil},
		{"config.home", c.Home != ""},
	} {
		if !required.present {
			return nil, &secrets.InvalidError{Field: required.field, Rule: "is required"}
		}
	}
	if !visible(c.Home) || len(c.Home) > maxHome {
		return nil, &secrets.InvalidError{Field: "config.home", Rule: "must be at most 128 bytes of visible ASCII"}
	}
	for name := range c.Targets {
		if !visible(name) || len(name) > maxTarget {
			return nil, &secrets.InvalidError{Field: "config.targets", Rule: "a name must be at most 64 bytes of visible ASCII"}
		}
	}
	if c.VetoTimeout < 0 {
		return nil, &secrets.InvalidError{Field: "config.vetotimeout", Rule: "may not be negative"}
	}
	if c.VetoTimeout == 0 {
		c.VetoTimeout = 2 * time.Second
	}
	if _, err := redact.New(nil, c.Redaction); err != nil {
		return nil, err
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{config: c, backend: c.Backend, keyring: c.Keyring}
	engine, err := stage.New(stage.Config{
		Ledger: c.Backend, Targets: c.Targets, Open: s.open, Alive: c.Alive, Intact: s.intact,
		Lease: c.Lease, Need: c.Need, MaxNeed: c.MaxNeed, MaskFor: c.MaskFor, Grace: c.Grace,
	})
	if err != nil {
		return nil, err
	}
	s.engine = engine
	if _, err := s.backend.Installation(ctx, c.Home); err != nil {
		return nil, err
	}
	return s, nil
}

const maxHome = 128

// atHome answers the installation, or ErrHome if the database belongs elsewhere.
func (s *Service) atHome(ctx context.Context) (secrets.Installation, error) {
	installation, err := s.backend.Installation(ctx, s.config.Home)
	if err != nil {
		return secrets.Installation{}, err
	}
	if installation.Home != s.config.Home {
		return secrets.Installation{}, ErrHome
	}
	return installation, nil
}

// errAltered says that a run is not what was launched.
var errAltered = errors.New("pipesecrets: the run was altered in the database")

// open unseals the versions of a run's items, for the staging engine and for
// redactors. All or none: what was opened before a failure is destroyed.
//
// What a sealed record is bound to does not tell for which run it was chosen. That
// is bound by the run's own digest: whoever can write to the database, and launch
// in one workspace, can't have a run of theirs staged with the secrets of another.
func (s *Service) open(ctx context.Context, run stage.Run, items []provider.Item) (map[secrets.Pin]secrets.Value, error) {
	if s.keyring.MAC().VerifyMAC(run.Chosen, chosen(run)) != nil {
		return nil, errAltered
	}
	pins := make([]secrets.Pin, len(items))
	for i, item := range items {
		pins[i] = item.Pin
		if !slices.ContainsFunc(run.Items, func(of stage.Item) bool { return of.Item == item }) {
			return nil, errAltered
		}
	}
	records, err := s.backend.Pinned(ctx, pins)
	if err != nil {
		return nil, err
	}
	values := make(map[secrets.Pin]secrets.Value, len(records))
	for _, record := range records {
		value, err := s.keyring.Open(ctx, record)
		if err != nil {
			destroy(values)
			return nil, err
		}
		values[record.Pin] = value
	}
	return values, nil
}

// chosen is what the digest of a run covers.
func chosen(run stage.Run) []byte {
	b := appendTexts(nil, "pipesecrets/run/v1", run.ID.String(), run.Workspace.String(), run.Caller)
	for _, item := range run.Items {
		b = appendTexts(b, item.Name.String(), fmt.Sprintf("%d %d", item.Pin.ID, item.Pin.Version), item.Scope.String())
	}
	return b
}

// appendTexts appends texts so that they can be read in one way only.
func appendTexts(b []byte, texts ...string) []byte {
	for _, text := range texts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
		b = append(b, text...)
	}
	return b
}

func destroy[K comparable](values map[K]secrets.Value) {
	for _, v := range values {
		v.Destroy()
	}
}
