package crypto

import (
	"context"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// Algorithm is how a key seals records. A keyring may hold keys of several.
type Algorithm uint8

const (
	// XChaCha20Poly1305 is the default: nonces of 192 bits may be drawn at
	// random for ever.
	XChaCha20Poly1305 Algorithm = iota
	// AES256CTRHMAC is for where key commitment matters: its tag is a full
	// HMAC-SHA256, so that nobody finds a ciphertext that opens under two keys
	// made here. Whoever chooses keys can still make two that share their HMAC
	// half.
	AES256CTRHMAC
	// XAES256GCM is for where AES is mandated; it too has nonces of 192 bits.
	XAES256GCM
)

func (a Algorithm) template() (*tinkpb.KeyTemplate, error) {
	switch a {
	case XChaCha20Poly1305:
		return aead.XChaCha20Poly1305KeyTemplate(), nil
	case AES256CTRHMAC:
		return aead.AES256CTRHMACSHA256KeyTemplate(), nil
	case XAES256GCM:
		return aead.XAES256GCM192BitNonceKeyTemplate(), nil
	}
	return nil, &secrets.InvalidError{Field: "algorithm", Rule: "must be one of the package's constants"}
}

// AddKey adds a new key for records, which opens and does not seal until it is
// promoted, and returns its id. It fails with secrets.ErrConflict if other
// processes changed the keysets at every one of its attempts. After another
// error the key may have been added, which does no harm; [Keyring.Keys] has it
// after a [Keyring.Reload].
func (k *Keyring) AddKey(ctx context.Context, a Algorithm) (uint32, error) {
	template, err := a.template()
	if err != nil {
		return 0, err
	}
	var id uint32
	err = k.change(ctx, func(_ *state, m *keyset.Manager) (c change, err error) {
		if id, err = m.Add(template); err != nil {
			return change{}, errTink
		}
		return change{save: true}, nil
	})
	if err != nil {
		return 0, err
	}
	return id, nil
}

// Promote makes a key the primary one, under which records are sealed from now
// on; do so when every process has reloaded since the key was added. Promoting
// the primary key changes nothing. It fails with [ErrUnknownKey] if there is no
// such key, and with secrets.ErrConflict as [Keyring.AddKey] does.
func (k *Keyring) Promote(ctx context.Context, id uint32) error {
	return k.change(ctx, func(s *state, m *keyset.Manager) (change, error) {
		if !s.has(id) {
			return change{}, ErrUnknownKey
		}
		if s.primary == id {
			return change{}, nil
		}
		if m.SetPrimary(id) != nil {
			return change{}, ErrUnknownKey
		}
		return change{save: true}, nil
	})
}

// Retire drops a key for good. It fails with [ErrPrimaryKey] for the primary key,
// secrets.ErrKeyInUse if a record is sealed under the key, [ErrUnknownKey] if
// there is no such key, as when it is retired already, and secrets.ErrConflict as
// [Keyring.AddKey] does.
func (k *Keyring) Retire(ctx context.Context, id uint32) error {
	return k.change(ctx, func(s *state, m *keyset.Manager) (change, error) {
		if !s.has(id) {
			return change{}, ErrUnknownKey
		}
		if s.primary == id {
			return change{}, ErrPrimaryKey
		}
		if m.Delete(id) != nil {
			return change{}, ErrUnknownKey
		}
		return change{save: true, retire: []uint32{id}}, nil
	})
}

// Rekey wraps the keysets by another KEK, which is tried both ways before
// anything is saved. No record changes. Other processes go on with what they
// have loaded, and fail with [ErrWrongKEK] when they next need to reload, unless
// their KEK opens both: give every process such a one before, or start them
// again after. Keep the old KEK as long as backups from before the change.
//
// It fails with [ErrKEKFailed] or [ErrWrongKEK] if the new KEK does not work, and
// with secrets.ErrConflict as [Keyring.AddKey] does. After another error the
// keysets are wrapped by either; [Load] with each tells.
func (k *Keyring) Rekey(ctx context.Context, kek tink.AEADWithContext) error {
	if kek == nil {
		return errNoKEK
	}
	return k.change(ctx, func(*state, *keyset.Manager) (change, error) {
		return change{save: true, kek: kek}, nil
	})
}

// change is what an edit asks for. The zero change leaves things as they are.
type change struct {
	save   bool
	retire []uint32
	kek    tink.AEADWithContext // nil: the present one
}

// attempts bounds how often a change is redone after a lost race. Each loss means
// that another process had success.
const attempts = 10

// change applies edit to a copy of the newest keysets and saves the result,
// again from the start if another process saved first.
func (k *Keyring) change(ctx context.Context, edit func(*state, *keyset.Manager) (change, error)) error {
	if err := k.lock(ctx); err != nil {
		return err
	}
	defer k.unlock()
	var lost error
	for range attempts {
		if err := k.refresh(ctx, k.now.Load().kek); err != nil {
			return err
		}
		present := k.now.Load()
		m := keyset.NewManagerFromHandle(present.records)
		c, err := edit(present, m)
		if err != nil || !c.save {
			return err
		}
		kek, use := present.kek, laterUse
		if c.kek != nil {
			kek, use = c.kek, firstUse
		}
		records, err := m.Handle()
		if err != nil {
			return ErrKeysetsBroken
		}
		next, err := newState(present.generation+1, kek, records, present.mac)
		if err != nil {
			return err
		}
		if lost = k.save(ctx, next, use, c.retire...); !isConflict(lost) {
			return lost
		}
	}
	return lost
}

// Whether a KEK was used for these keysets before.
const (
	firstUse = true
	laterUse = false
)

// save stores s and makes it the present state. A KEK at its first use must open
// what it wrapped: one that can't would lose every secret.
func (k *Keyring) save(ctx context.Context, s *state, first bool, retire ...uint32) error {
	if err := s.wrap(ctx, k.installation); err != nil {
		return err
	}
	if first {
		if _, err := unwrap(ctx, k.installation, s.kek, s.wrapped, s.generation); err != nil {
			return err
		}
	}
	if err := k.store.SaveKeysets(ctx, s.wrapped, s.generation, retire...); err != nil {
		return fmt.Errorf("crypto: save keysets: %w", err)
	}
	k.now.Store(s)
	return nil
}

func isConflict(err error) bool { return errors.Is(err, secrets.ErrConflict) }
