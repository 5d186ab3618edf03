package crypto

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// Keyring seals and opens the values of one installation. It is made by [Create]
// and [Load], and safe for concurrent use. It starts no goroutine and holds
// nothing that must be closed.
type Keyring struct {
	installation [16]byte
	store        KeysetStore
	// The keys are behind this pointer only: whatever prints by reflection ends
	// at an atomic pointer, and shows an address.
	now  atomic.Pointer[state]
	turn chan struct{} // held by the one who reloads or changes the keysets
}

// Create makes the keysets of an installation, with one key of the given
// algorithm for records, and saves them as generation 1. It fails with
// [ErrKeysetsExist] if there are keysets, whoever made them, also when two
// processes create at the same time; with [ErrKEKFailed] or [ErrWrongKEK] if the
// KEK does not encrypt or does not decrypt what it encrypted, which is tried
// before anything is saved. After another error the keysets may exist.
//
// Of the installation only the ID counts.
func Create(ctx context.Context, store KeysetStore, kek tink.AEADWithContext, in secrets.Installation, a Algorithm) (*Keyring, error) {
	k, err := newKeyring(ctx, store, kek, in)
	if err != nil {
		return nil, err
	}
	template, err := a.template()
	if err != nil {
		return nil, err
	}
	wrapped, generation, err := store.LoadKeysets(ctx)
	if err != nil {
		return nil, fmt.Errorf("crypto: load keysets: %w", err)
	}
	if len(wrapped) != 0 || generation != 0 {
		return nil, ErrKeysetsExist
	}
	records, err := keyset.NewHandle(template)
	if err != nil {
		return nil, errTink
	}
	macs, err := keyset.NewHandle(mac.HMACSHA256Tag256KeyTemplate())
	if err != nil {
		return nil, errTink
	}
	s, err := newState(1, kek, records, macs)
	if err != nil {
		return nil, err
	}
	if err := k.save(ctx, s, firstUse); err != nil {
		if isConflict(err) {
			return nil, ErrKeysetsExist
		}
		return nil, err
	}
	return k, nil
}

// Load opens the keysets of an installation with one call of the KEK. It fails
// with [ErrNoKeysets] if there are none, [ErrWrongKEK] if the KEK does not open
// them, and [ErrKeysetsBroken] if they are not keysets at all.
//
// Of the installation only the ID counts.
func Load(ctx context.Context, store KeysetStore, kek tink.AEADWithContext, in secrets.Installation) (*Keyring, error) {
	k, err := newKeyring(ctx, store, kek, in)
	if err != nil {
		return nil, err
	}
	if err := k.refresh(ctx, kek); err != nil {
		return nil, err
	}
	return k, nil
}

func newKeyring(ctx context.Context, store KeysetStore, kek tink.AEADWithContext, in secrets.Installation) (*Keyring, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	if kek == nil {
		return nil, errNoKEK
	}
	if store == nil {
		return nil, &secrets.InvalidError{Field: "keyset store", Rule: "must be given"}
	}
	if in.ID == [16]byte{} {
		return nil, &secrets.InvalidError{Field: "installation", Rule: "must have an id"}
	}
	return &Keyring{installation: in.ID, store: store, turn: make(chan struct{}, 1)}, nil
}

var errNoKEK = &secrets.InvalidError{Field: "kek", Rule: "must be given"}

// Primary returns the id of the key that [Keyring.Seal] uses, as loaded.
func (k *Keyring) Primary() uint32 { return k.now.Load().primary }

// Keys returns the ids of all keys for records, as loaded, in ascending order.
func (k *Keyring) Keys() []uint32 { return slices.Clone(k.now.Load().keys) }

// Reload takes over what other processes changed: one read of the store, and one
// KEK call if that holds a later generation than the one loaded. Its errors are
// those of [Load], and [ErrRolledBack]; after an error the keyring goes on with
// the keysets that it has.
func (k *Keyring) Reload(ctx context.Context) error {
	if err := k.lock(ctx); err != nil {
		return err
	}
	defer k.unlock()
	return k.refresh(ctx, k.now.Load().kek)
}

// Seal returns the record of a new version: s with its policy in canonical form,
// and v sealed under the primary key and bound to s. It does no I/O. It fails
// with a *secrets.InvalidError if s is not valid or has no id or version, and
// with secrets.ErrDestroyed if v is gone.
//
// If the store refuses the record with secrets.ErrKeyRetired, another process has
// rotated keys: [Keyring.Reload], and seal again.
func (k *Keyring) Seal(s secrets.Secret, v secrets.Value) (secrets.Record, error) {
	s.Policy = s.Policy.Canonical()
	if err := s.Check(); err != nil {
		return secrets.Record{}, err
	}
	if s.ID < 1 || s.ID > secrets.MaxID {
		return secrets.Record{}, &secrets.InvalidError{Field: "id", Rule: "must be 1 to 2^53-1"}
	}
	if s.Version < 1 {
		return secrets.Record{}, &secrets.InvalidError{Field: "version", Rule: "must be 1 or more"}
	}
	var record secrets.Record
	err := v.Reveal(func(plain []byte) (err error) {
		record, err = k.seal(s, plain)
		return err
	})
	return record, err
}

// Open returns the value of a record, which the caller destroys after use. It
// fails with [ErrSealBroken] if the record is not as it was sealed, and with
// [ErrUnknownKey] if its key is not among the stored ones.
//
// A key id that is not known yet costs one reload, as [Keyring.Reload] does it
// and with its errors: no KEK call unless the store holds a later generation.
// Otherwise Open does no I/O.
func (k *Keyring) Open(ctx context.Context, rec secrets.Record) (secrets.Value, error) {
	plain, err := k.open(ctx, rec)
	if err != nil {
		return secrets.Value{}, err
	}
	defer clear(plain)
	v, err := secrets.NewValue(plain)
	if err != nil {
		return secrets.Value{}, ErrSealBroken // Seal takes no such value
	}
	return v, nil
}

// Reseal opens a record and seals it again under the primary key; all else about
// it stays as it is. Its errors are those of [Keyring.Open].
func (k *Keyring) Reseal(ctx context.Context, rec secrets.Record) (secrets.Record, error) {
	plain, err := k.open(ctx, rec)
	if err != nil {
		return secrets.Record{}, err
	}
	defer clear(plain)
	return k.seal(rec.Secret, plain)
}

// MAC returns the installation's MAC, HMAC-SHA256 with a tag of 256 bits behind
// Tink's 5-byte prefix. It follows every reload of the keyring.
func (k *Keyring) MAC() tink.MAC { return liveMAC{k} }

type liveMAC struct{ k *Keyring }

func (m liveMAC) ComputeMAC(data []byte) ([]byte, error) {
	tag, err := m.k.now.Load().tagger.ComputeMAC(data)
	if err != nil {
		return nil, errTink
	}
	return tag, nil
}

func (m liveMAC) VerifyMAC(tag, data []byte) error {
	if m.k.now.Load().tagger.VerifyMAC(tag, data) != nil {
		return errMAC
	}
	return nil
}

func (k *Keyring) seal(s secrets.Secret, plain []byte) (secrets.Record, error) {
	st := k.now.Load()
	sealed, err := st.sealer.Encrypt(plain, binding(k.installation, s))
	if err != nil {
		return secrets.Record{}, errTink
	}
	return secrets.Record{Secret: s, KeyID: st.primary, Sealed: sealed}, nil
}

func (k *Keyring) open(ctx context.Context, rec secrets.Record) ([]byte, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	// The key id is no part of the associated data: it is checked against the
	// prefix by which Tink chooses the key.
	if len(rec.Sealed) < prefixSize || rec.Sealed[0] != prefixTink ||
		binary.BigEndian.Uint32(rec.Sealed[1:]) != rec.KeyID {
		return nil, ErrSealBroken
	}
	st, err := k.find(ctx, rec.KeyID)
	if err != nil {
		return nil, err
	}
	plain, err := st.sealer.Decrypt(rec.Sealed, binding(k.installation, rec.Secret))
	if err != nil {
		return nil, ErrSealBroken
	}
	return plain, nil
}

// The output prefix of a Tink key: one byte and the key's id.
const (
	prefixSize = 5
	prefixTink = 0x01
)

// find returns a state that has the key, reloading at most once.
func (k *Keyring) find(ctx context.Context, key uint32) (*state, error) {
	if s := k.now.Load(); s.has(key) {
		return s, nil
	}
	if err := k.lock(ctx); err != nil {
		return nil, err
	}
	defer k.unlock()
	if s := k.now.Load(); s.has(key) { // somebody reloaded while we waited
		return s, nil
	}
	if err := k.refresh(ctx, k.now.Load().kek); err != nil {
		return nil, err
	}
	if s := k.now.Load(); s.has(key) {
		return s, nil
	}
	return nil, ErrUnknownKey
}

func (k *Keyring) lock(ctx context.Context) error {
	if err := alive(ctx); err != nil { // select would choose at random
		return err
	}
	select {
	case k.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return alive(ctx)
	}
}

func (k *Keyring) unlock() { <-k.turn }

// refresh makes the stored generation the present one. Unless the keyring is not
// shared yet, its caller holds the lock.
func (k *Keyring) refresh(ctx context.Context, kek tink.AEADWithContext) error {
	wrapped, generation, err := k.store.LoadKeysets(ctx)
	if err != nil {
		return fmt.Errorf("crypto: load keysets: %w", err)
	}
	if len(wrapped) == 0 && generation == 0 {
		return ErrNoKeysets
	}
	if present := k.now.Load(); present != nil {
		if generation == present.generation && bytes.Equal(wrapped, present.wrapped) {
			return nil
		}
		if generation <= present.generation {
			return ErrRolledBack
		}
	}
	s, err := unwrap(ctx, k.installation, kek, wrapped, generation)
	if err != nil {
		return err
	}
	k.now.Store(s)
	return nil
}
