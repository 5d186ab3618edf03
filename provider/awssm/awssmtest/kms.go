package awssmtest

// KeyState is what becomes of a value that a customer's KMS key seals.
type KeyState uint8

// The states of a key.
const (
	KeyEnabled  KeyState = iota // it seals and opens
	KeyDisabled                 // EncryptionFailure on a write, DecryptionFailure on a read
	KeyDenied                   // AccessDeniedException: the caller may not use it
)

// KMS sets the state of a key, by its name in CreateSecret. A key that was never
// set is enabled.
func (f *Fake) KMS(keyID string, state KeyState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys[keyID] = state
}

// seal refuses to write with a key that can't, and open to read.
func (f *Fake) seal(keyID string) *refusal {
	return f.useKey(keyID, refuse("EncryptionFailure", "Secrets Manager can't encrypt the protected secret text using the provided KMS key."))
}

func (f *Fake) open(keyID string) *refusal {
	return f.useKey(keyID, refuse("DecryptionFailure", "Secrets Manager can't decrypt the secret value using the specified KMS key."))
}

func (f *Fake) useKey(keyID string, failure *refusal) *refusal {
	switch f.keys[keyID] {
	case KeyDisabled:
		return failure
	case KeyDenied:
		return refuse("AccessDeniedException", "Access to KMS is not allowed")
	default:
		return nil
	}
}
