package secrets

// Kind is what a scope is the scope of. Kinds are ordered from the broadest to
// the narrowest; the zero Kind is invalid.
type Kind uint8

// The kinds, broadest first.
const (
	Organization Kind = iota + 1
	Workspace
	User
)

var kindNames = [...]string{"invalid", "organization", "workspace", "user"}

// String returns "organization", "workspace", "user", or "invalid".
func (k Kind) String() string {
	if int(k) >= len(kindNames) {
		k = 0
	}
	return kindNames[k]
}

// Valid reports whether k is one of the three kinds.
func (k Kind) Valid() bool { return k >= Organization && k <= User }

// Scope is where a secret belongs. ID is the host's immutable id of the
// organization, workspace or user, never a display name: whoever gets an id
// that was used before gets its secrets too.
type Scope struct {
	Kind Kind
	ID   string
}

// MaxScopeID is the largest length of a scope's id in bytes.
const MaxScopeID = 128

var (
	errScopeKind = &InvalidError{"scope.kind", "must be organization, workspace or user"}
	errScopeID   = &InvalidError{"scope.id", "must be 1 to 128 bytes of visible ASCII"}
)

// Check returns nil, or an [InvalidError] for "scope.kind" or "scope.id". An id
// is 1 to 128 bytes of visible ASCII: what can't be seen, folded or reordered
// can't make two ids look like one.
func (s Scope) Check() error {
	if !s.Kind.Valid() {
		return errScopeKind
	}
	if len(s.ID) == 0 || len(s.ID) > MaxScopeID {
		return errScopeID
	}
	for i := range len(s.ID) {
		if s.ID[i] <= ' ' || s.ID[i] > '~' {
			return errScopeID
		}
	}
	return nil
}

// IsZero reports whether s is the zero Scope, which stands for "none".
func (s Scope) IsZero() bool { return s == Scope{} }

// String returns a form for people, such as "workspace:4711".
func (s Scope) String() string { return s.Kind.String() + ":" + s.ID }

// RunID is the host's id of one run of a pipeline. An id is used for one run,
// ever: a resumed or repeated run is another run.
type RunID struct{ s string }

// MaxRunID is the largest length of a [RunID] in bytes.
const MaxRunID = 64

var errRunID = &InvalidError{"run", "must be 1 to 64 letters, digits, hyphens and underscores, and begin with a letter or digit"}

// ParseRunID returns s as a RunID, or an [InvalidError] for the field "run". An
// id is 1 to 64 ASCII letters, digits, hyphens and underscores and begins with
// a letter or digit, so that it can stand in a path, a label and a command line.
func ParseRunID(s string) (RunID, error) {
	if len(s) == 0 || len(s) > MaxRunID || s[0] == '-' || s[0] == '_' {
		return RunID{}, errRunID
	}
	for i := range len(s) {
		if c := s[i]; !letter(c) && (c < '0' || c > '9') && c != '-' && c != '_' {
			return RunID{}, errRunID
		}
	}
	return RunID{s}, nil
}

// String returns the id as text, "" for the zero RunID.
func (r RunID) String() string { return r.s }

// IsZero reports whether r is the zero RunID, which stands for "none".
func (r RunID) IsZero() bool { return r.s == "" }

// MarshalText returns the id as text.
func (r RunID) MarshalText() ([]byte, error) { return []byte(r.s), nil }

// UnmarshalText parses text as [ParseRunID] does.
func (r *RunID) UnmarshalText(text []byte) error {
	if len(text) > MaxRunID {
		return errRunID
	}
	parsed, err := ParseRunID(string(text))
	if err == nil {
		*r = parsed
	}
	return err
}
