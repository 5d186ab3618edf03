package crypto

import (
	"context"
	"errors"
	"fmt"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrKeysetsExist says that [Create] was called where there are keysets.
	ErrKeysetsExist = errors.New("crypto: keysets exist already")

	// ErrNoKeysets says that the store has none, or has them no longer.
	ErrNoKeysets = errors.New("crypto: there are no keysets")

	// ErrWrongKEK says that the KEK did not open the stored keysets: it is
	// another KEK, or they are of another installation or generation, or were
	// changed. A KMS that did not answer looks the same from here; the host's own
	// client knows the difference.
	ErrWrongKEK = errors.New("crypto: the KEK does not open the keysets")

	// ErrKEKFailed says that the KEK did not encrypt the data key of the
	// keysets. Nothing was saved.
	ErrKEKFailed = errors.New("crypto: the KEK does not wrap the keysets")

	// ErrKeysetsBroken says that what the store holds is not in the form of
	// keysets, before the KEK was asked, or not usable after it was opened.
	ErrKeysetsBroken = errors.New("crypto: stored keysets are malformed")

	// ErrRolledBack says that the stored keysets are neither the loaded ones nor
	// later, as in a database that was restored under a running process. Nothing
	// is saved over them: start the process again.
	ErrRolledBack = errors.New("crypto: stored keysets are not those that were loaded nor later")

	// ErrSealBroken says that a record is not what was sealed: its value, its
	// metadata or its key id was changed, or it is of another installation.
	// Which of these is not told.
	ErrSealBroken = errors.New("crypto: seal is broken")

	// ErrUnknownKey says that no such key is among the stored ones: it never
	// was, or is retired.
	ErrUnknownKey = errors.New("crypto: unknown key")

	// ErrPrimaryKey says that the primary key can't be retired.
	ErrPrimaryKey = errors.New("crypto: key is the primary one")
)

var (
	errTink = errors.New("crypto: cryptographic operation failed")
	errMAC  = errors.New("crypto: MAC does not match")
)

// kekError replaces what a KEK said, which may quote anything, by sentinel. That
// the caller gave up is told as such.
func kekError(ctx context.Context, sentinel error) error {
	if err := alive(ctx); err != nil {
		return err
	}
	return sentinel
}

// alive returns nil, or why the caller gave up.
func alive(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("crypto: %w", err)
	}
	return nil
}
