package secrets

import (
	"fmt"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"
)

// ID identifies a secret: random in [1, 2^53), so that it survives JSON
// numbers, and never used again. A name that is deleted and created again is
// another secret with another ID.
type ID int64

// MaxID is the largest [ID].
const MaxID ID = 1<<53 - 1

// Version numbers the versions of one secret from 1.
type Version uint64

// Pin names one immutable version of one secret.
type Pin struct {
	ID      ID
	Version Version
}

// Policy says when and for what a version may be used. It is sealed into the
// version: a change of policy is a new version. The zero Policy allows every
// use.
type Policy struct {
	// Expires is when the version stops being used; zero for never. It counts
	// in whole seconds.
	Expires time.Time
	// Disabled stops use until a later version enables it.
	Disabled bool
	// Locked keeps narrower scopes from overriding the secret. A user's secret
	// has nothing narrower and can't be locked.
	Locked bool
	// Pipelines, when not empty, lists the pipelines that may use the secret, in
	// the host's own notation and compared byte by byte; a notation that names
	// the code, such as a repository at a commit digest, binds more than a name.
	Pipelines []string
}

// Limits of a policy and of a description.
const (
	MaxPipelines   = 64
	MaxPipeline    = 512 // bytes
	MaxDescription = 500 // bytes
)

// Canonical returns p as it is sealed and stored: Expires in UTC and rounded
// down to a second, Pipelines sorted and each named once, nil if there are none.
func (p Policy) Canonical() Policy {
	if p.Expires.IsZero() {
		p.Expires = time.Time{}
	} else {
		p.Expires = time.Unix(p.Expires.Unix(), 0).UTC()
	}
	p.Pipelines = slices.Compact(slices.Sorted(slices.Values(p.Pipelines)))
	if len(p.Pipelines) == 0 {
		p.Pipelines = nil
	}
	return p
}

// Expired reports whether the policy's time is over at now.
func (p Policy) Expired(now time.Time) bool {
	return !p.Expires.IsZero() && !now.Before(p.Expires)
}

// Allows reports whether the policy lets the pipeline use the version.
func (p Policy) Allows(pipeline string) bool {
	return len(p.Pipelines) == 0 || slices.Contains(p.Pipelines, pipeline)
}

// Secret is what is told about a secret; there is no value in it.
type Secret struct {
	Pin                // the id, and the current version
	Name        Name   // never changes
	Scope       Scope  // never changes
	Policy      Policy // of this version
	Description string // at most 500 bytes of printable text; not sealed
	CreatedAt   time.Time
	UpdatedAt   time.Time
	LastUsed    time.Time // when a run was last launched with it; zero for never
	CreatedBy   string
	UpdatedBy   string
	LastRun     RunID
}

// Check returns nil, or an [InvalidError] for what a caller chooses: the name,
// the scope, the policy and the description.
func (s Secret) Check() error {
	if s.Name.IsZero() {
		return errNameLength
	}
	if err := s.Scope.Check(); err != nil {
		return err
	}
	if s.Policy.Locked && s.Scope.Kind == User {
		return &InvalidError{"policy.locked", "a user's secret has no narrower scope to lock out"}
	}
	if !s.Policy.Expires.IsZero() && (s.Policy.Expires.Unix() <= 0 || s.Policy.Expires.UTC().Year() > 9999) {
		return &InvalidError{"policy.expires", "must lie between the years 1970 and 9999"}
	}
	if len(s.Policy.Pipelines) > MaxPipelines {
		return &InvalidError{"policy.pipelines", fmt.Sprintf("may list at most %d", MaxPipelines)}
	}
	for _, p := range s.Policy.Pipelines {
		if len(p) == 0 || len(p) > MaxPipeline || !printable(p) {
			return &InvalidError{"policy.pipelines", fmt.Sprintf("each must be 1 to %d bytes of printable text", MaxPipeline)}
		}
	}
	if len(s.Description) > MaxDescription || !printable(s.Description) {
		return &InvalidError{"description", fmt.Sprintf("must be at most %d bytes of printable text", MaxDescription)}
	}
	return nil
}

// printable reports whether s is valid UTF-8 of printable characters: no line
// breaks, controls or direction marks that would forge a line of a log.
func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// Record is one version as it is stored: its metadata, and its value sealed
// under the key that KeyID names and bound to that metadata.
type Record struct {
	Secret
	KeyID  uint32
	Sealed []byte // ciphertext
}
