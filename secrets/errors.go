package secrets

import "errors"

// Errors that callers tell apart with errors.Is.
var (
	// ErrInvalid matches every [InvalidError].
	ErrInvalid = errors.New("invalid")

	// ErrNotFound says that there is no such thing, or that the caller may not
	// know of it: the two answers are the same on purpose.
	ErrNotFound = errors.New("not found")

	// ErrDenied says that the caller, who may know of the thing, may not do this
	// to it.
	ErrDenied = errors.New("denied")

	// ErrExists says that the scope has a secret of that name.
	ErrExists = errors.New("name is taken in this scope")

	// ErrConflict says that the secret has moved on from the version that the
	// caller changed or deleted, or that a new secret's id was used before.
	ErrConflict = errors.New("version is no longer current")

	// ErrDestroyed says that a [Value] was destroyed, or never held anything.
	ErrDestroyed = errors.New("value is gone")

	// ErrDecode says that something tried to decode into a [Value].
	ErrDecode = errors.New("a value can't be decoded into")

	// ErrKeyRetired says that a record is sealed under a key that was retired
	// meanwhile; seal it again under the present one.
	ErrKeyRetired = errors.New("sealed under a retired key")

	// ErrKeyInUse says that a key can't be retired: records are sealed under it.
	ErrKeyInUse = errors.New("records are sealed under this key")
)

// InvalidError refuses bad input. It names the field and the rule, and never
// quotes what was given.
type InvalidError struct {
	Field string // such as "name", "value", "policy.pipelines"
	Rule  string // such as "must be 2 to 100 bytes"
}

func (e *InvalidError) Error() string { return e.Field + ": " + e.Rule }

// Is reports whether target is [ErrInvalid].
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }
