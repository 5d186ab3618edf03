package crypto_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/pipesecrets/pipesecrets/crypto"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestARotationLosesNoRecordAndRetiresOnlyWhatNothingNeeds(t *testing.T) {
	h := newHouse(t)
	a := h.create(t, crypto.XChaCha20Poly1305)
	b := h.load(t)
	plain := randomBytes(32)
	old := a.Primary()
	first := seal(t, a, token(t), plain)
	noError(t, h.store.put(first))

	id := addKey(t, a)
	if a.Primary() != old || !slices.Contains(a.Keys(), id) || slices.Contains(b.Keys(), id) {
		t.Errorf("primary %d, keys %v and %v; want %d, and %d in the first only", a.Primary(), a.Keys(), b.Keys(), old, id)
	}
	if r := seal(t, a, token(t), plain); r.KeyID != old {
		t.Error("sealed under a key that is not promoted")
	}
	noError(t, b.Reload(t.Context()))
	noError(t, a.Promote(t.Context(), id))

	second := seal(t, a, secrets.Secret{Pin: secrets.Pin{ID: 1, Version: 1}, Name: name(t, "B_"), Scope: token(t).Scope}, plain)
	noError(t, h.store.put(second))
	if second.KeyID != id || b.Primary() != old {
		t.Errorf("sealed under %d, want %d; the replica's primary is %d, want %d", second.KeyID, id, b.Primary(), old)
	}
	loads := h.store.loads.Load()
	for _, k := range []*crypto.Keyring{a, b} {
		opens(t, k, first, plain)
		opens(t, k, second, plain)
	}
	if n := h.store.loads.Load() - loads; n != 0 {
		t.Errorf("%d loads, though every replica had reloaded before the promotion", n)
	}

	// Promoted, but not resealed: the old key stays.
	if err := a.Retire(t.Context(), old); !errors.Is(err, secrets.ErrKeyInUse) {
		t.Errorf("got %v, want ErrKeyInUse", err)
	}
	if !slices.Contains(a.Keys(), old) || !slices.Contains(h.load(t).Keys(), old) {
		t.Error("a key in use is gone")
	}
	opens(t, a, first, plain)
	resealed, err := a.Reseal(t.Context(), first)
	noError(t, err)
	noError(t, h.store.put(resealed))
	noError(t, a.Retire(t.Context(), old))
	if got := a.Keys(); !slices.Equal(got, []uint32{id}) {
		t.Errorf("keys %v, want only %d", got, id)
	}
	opens(t, a, resealed, plain)
	refused(t, a, first, crypto.ErrUnknownKey)

	// The replica still seals under the old key: the store refuses, it reloads.
	stale := seal(t, b, token(t), plain)
	if err := h.store.put(stale); !errors.Is(err, secrets.ErrKeyRetired) {
		t.Errorf("got %v, want ErrKeyRetired", err)
	}
	noError(t, b.Reload(t.Context()))
	noError(t, h.store.put(seal(t, b, token(t), plain)))
}

func TestOnlyAKeyThatIsThereAndNotPrimaryRetires(t *testing.T) {
	h := newHouse(t)
	k := h.create(t, crypto.XChaCha20Poly1305)
	saves := h.store.saves.Load()
	if err := k.Retire(t.Context(), k.Primary()); !errors.Is(err, crypto.ErrPrimaryKey) {
		t.Errorf("primary: got %v", err)
	}
	if err := k.Retire(t.Context(), k.Primary()+1); !errors.Is(err, crypto.ErrUnknownKey) {
		t.Errorf("unknown: got %v", err)
	}
	if err := k.Promote(t.Context(), k.Primary()+1); !errors.Is(err, crypto.ErrUnknownKey) {
		t.Errorf("promote unknown: got %v", err)
	}
	if n := h.store.saves.Load() - saves; n != 0 {
		t.Errorf("%d saves", n)
	}

	// What is primary is asked of the store, not of what this process has loaded.
	other := h.load(t)
	id := addKey(t, other)
	noError(t, other.Promote(t.Context(), id))
	if err := k.Retire(t.Context(), id); !errors.Is(err, crypto.ErrPrimaryKey) {
		t.Errorf("promoted elsewhere: got %v", err)
	}
}

func TestAStaleReplicaReloadsOnceForAnUnknownKey(t *testing.T) {
	h := newHouse(t)
	a := h.create(t, crypto.XChaCha20Poly1305)
	b := h.load(t)
	noError(t, a.Promote(t.Context(), addKey(t, a)))
	plain := randomBytes(32)
	r := seal(t, a, token(t), plain)

	loads, decrypts := h.store.loads.Load(), h.kek.decrypts.Load()
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			v, err := b.Open(t.Context(), r)
			if err != nil {
				t.Error(err)
			}
			v.Destroy()
		})
	}
	all.Wait()
	opens(t, b, r, plain)
	if loads, decrypts = h.store.loads.Load()-loads, h.kek.decrypts.Load()-decrypts; loads != 1 || decrypts != 1 {
		t.Errorf("%d loads and %d KEK calls, want 1 and 1", loads, decrypts)
	}
	if b.Primary() != a.Primary() {
		t.Error("the reload did not bring the new primary")
	}
}

func TestAHostileKeyIDCausesNoKEKCall(t *testing.T) {
	h := newHouse(t)
	k := h.create(t, crypto.XChaCha20Poly1305)
	r := seal(t, k, token(t), randomBytes(8))
	r.KeyID++
	r.Sealed = append([]byte{1, byte(r.KeyID >> 24), byte(r.KeyID >> 16), byte(r.KeyID >> 8), byte(r.KeyID)}, r.Sealed[5:]...)
	loads, decrypts := h.store.loads.Load(), h.kek.decrypts.Load()
	for range 10 {
		if _, err := k.Open(t.Context(), r); !errors.Is(err, crypto.ErrUnknownKey) {
			t.Fatalf("got %v, want ErrUnknownKey", err)
		}
	}
	if loads, decrypts = h.store.loads.Load()-loads, h.kek.decrypts.Load()-decrypts; loads != 10 || decrypts != 0 {
		t.Errorf("%d loads and %d KEK calls, want 10 and 0", loads, decrypts)
	}
}

func TestALostRaceIsRunAgain(t *testing.T) {
	h := newHouse(t)
	a := h.create(t, crypto.XChaCha20Poly1305)
	b := h.load(t)
	var fromB uint32
	h.store.saving = func() error { // b saves between a's look and a's save
		h.store.saving = nil
		fromB = addKey(t, b)
		return nil
	}
	fromA := addKey(t, a)
	want := []uint32{a.Primary(), fromA, fromB}
	slices.Sort(want)
	if got := h.load(t).Keys(); !slices.Equal(got, want) {
		t.Errorf("stored keys %v, want %v", got, want)
	}
	if got := a.Keys(); !slices.Equal(got, want) {
		t.Errorf("loaded keys %v, want %v", got, want)
	}
}

func TestKeysAddedByManyProcessesAtOnceAllSurvive(t *testing.T) {
	h := newHouse(t)
	h.create(t, crypto.XChaCha20Poly1305)
	const processes, each = 4, 3
	var mu sync.Mutex
	var added []uint32
	var all sync.WaitGroup
	for range processes {
		k := h.load(t)
		all.Go(func() {
			for range each {
				id, err := k.AddKey(t.Context(), crypto.XAES256GCM)
				for errors.Is(err, secrets.ErrConflict) {
					id, err = k.AddKey(t.Context(), crypto.XAES256GCM)
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				added = append(added, id)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	stored := h.load(t).Keys()
	if len(added) != processes*each || len(stored) != len(added)+1 {
		t.Errorf("%d keys added, %d stored", len(added), len(stored))
	}
	for _, id := range added {
		if !slices.Contains(stored, id) {
			t.Errorf("key %d is lost", id)
		}
	}
}

func TestARaceLostEveryTimeIsAConflict(t *testing.T) {
	h := newHouse(t)
	k := h.create(t, crypto.XChaCha20Poly1305)
	before := h.store.saves.Load()
	h.store.saving = func() error { return secrets.ErrConflict }
	if _, err := k.AddKey(t.Context(), crypto.XChaCha20Poly1305); !errors.Is(err, secrets.ErrConflict) {
		t.Errorf("got %v, want ErrConflict", err)
	}
	if n := h.store.saves.Load() - before; n != crypto.Attempts {
		t.Errorf("%d attempts, want %d", n, crypto.Attempts)
	}
	if len(k.Keys()) != 1 {
		t.Error("a key that was not saved is in use")
	}
}

func TestAStoreThatFailsIsToldAsSuchAndChangesNothingHere(t *testing.T) {
	h := newHouse(t)
	k := h.create(t, crypto.XChaCha20Poly1305)
	disk := errors.New("disk")
	h.store.saving = func() error { return disk }
	id, err := k.AddKey(t.Context(), crypto.XChaCha20Poly1305)
	if !errors.Is(err, disk) || id != 0 || len(k.Keys()) != 1 {
		t.Errorf("got id %d, error %v, %d keys", id, err, len(k.Keys()))
	}
	h.store.saving = nil
	addKey(t, k)

	h.store.loading = func(context.Context) error { return disk }
	_, noCreate := crypto.Create(t.Context(), &memory{loading: h.store.loading}, h.kek, h.in, crypto.XChaCha20Poly1305)
	_, noLoad := crypto.Load(t.Context(), h.store, h.kek, h.in)
	for _, err := range []error{noCreate, noLoad, k.Reload(t.Context()), k.Promote(t.Context(), 1)} {
		if !errors.Is(err, disk) {
			t.Errorf("got %v, want the store's error", err)
		}
	}
}

func TestRekeyMovesTheKeysetsToAnotherKEKAndNoRecord(t *testing.T) {
	h := newHouse(t)
	k := h.create(t, crypto.XChaCha20Poly1305)
	replica := h.load(t)
	plain := randomBytes(32)
	r := seal(t, k, token(t), plain)
	tag, err := k.MAC().ComputeMAC(plain)
	noError(t, err)
	oldDataKey := slices.Clone(h.kek.dataKey)

	next := newKEK(t)
	noError(t, k.Rekey(t.Context(), next))
	if slices.Equal(oldDataKey, next.dataKey) {
		t.Error("the data key is the old one")
	}
	if _, err := crypto.Load(t.Context(), h.store, h.kek, h.in); !errors.Is(err, crypto.ErrWrongKEK) {
		t.Errorf("old KEK: got %v, want ErrWrongKEK", err)
	}
	under := house{h.store, next, h.in}
	opens(t, under.load(t), r, plain)
	noError(t, under.load(t).MAC().VerifyMAC(tag, plain))

	// A process with the old KEK goes on, and says so when it must reload.
	opens(t, replica, r, plain)
	if err := replica.Reload(t.Context()); !errors.Is(err, crypto.ErrWrongKEK) {
		t.Errorf("replica: got %v, want ErrWrongKEK", err)
	}
	opens(t, replica, r, plain)

	// The one that rekeyed goes on by the new KEK.
	old := h.kek.decrypts.Load() + h.kek.encrypts.Load()
	noError(t, k.Promote(t.Context(), addKey(t, k)))
	if h.kek.decrypts.Load()+h.kek.encrypts.Load() != old {
		t.Error("the old KEK is still used")
	}
}

// A database that is restored under running processes must not be built upon with
// what these have loaded: keys would be lost, or come to life again.
func TestKeysetsThatWentBackAreNeitherTakenNorReplaced(t *testing.T) {
	h := newHouse(t)
	k := h.create(t, crypto.XChaCha20Poly1305)
	backup := h.store.copyOf()
	id := addKey(t, k)

	h.store.wrapped, h.store.generation = backup.wrapped, backup.generation
	check := func(label string) {
		t.Helper()
		if err := k.Reload(t.Context()); !errors.Is(err, crypto.ErrRolledBack) {
			t.Errorf("%s: reload: got %v", label, err)
		}
		if err := k.Promote(t.Context(), id); !errors.Is(err, crypto.ErrRolledBack) {
			t.Errorf("%s: promote: got %v", label, err)
		}
		if !slices.Contains(k.Keys(), id) {
			t.Errorf("%s: the loaded keys changed", label)
		}
	}
	check("older generation")
	addKey(t, h.load(t))
	check("same generation, other keys")

	h.store.wrapped, h.store.generation = nil, 0
	if err := k.Reload(t.Context()); !errors.Is(err, crypto.ErrNoKeysets) {
		t.Errorf("keysets gone: got %v", err)
	}
}

func TestSealAndOpenGoOnWhileKeysRotate(t *testing.T) {
	h := newHouse(t)
	a := h.create(t, crypto.XChaCha20Poly1305)
	b := h.load(t)
	m := a.MAC()
	done := make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				plain := randomBytes(64)
				r, err := a.Seal(token(t), value(t, plain))
				if err != nil {
					t.Error(err)
					return
				}
				v, err := b.Open(t.Context(), r)
				if err != nil {
					t.Error(err)
					return
				}
				v.Destroy()
				if tag, err := m.ComputeMAC(plain); err != nil || b.MAC().VerifyMAC(tag, plain) != nil {
					t.Error("MAC")
				}
			}
		})
	}
	for range 10 {
		if err := a.Promote(t.Context(), addKey(t, a)); err != nil {
			t.Error(err)
		}
	}
	close(done)
	all.Wait()
}
