package crypto_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/pipesecrets/pipesecrets/crypto"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// memory is a KeysetStore with as much of a record store as retiring needs.
type memory struct {
	mu         sync.Mutex
	wrapped    []byte
	generation uint64
	records    map[secrets.Pin]secrets.Record
	retired    map[uint32]bool

	loads, saves atomic.Int64
	loading      func(context.Context) error // called before each load
	saving       func() error                // called before each save
}

func (m *memory) LoadKeysets(ctx context.Context) ([]byte, uint64, error) {
	m.loads.Add(1)
	if m.loading != nil {
		if err := m.loading(ctx); err != nil {
			return nil, 0, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.wrapped), m.generation, ctx.Err()
}

func (m *memory) SaveKeysets(ctx context.Context, wrapped []byte, generation uint64, retire ...uint32) error {
	m.saves.Add(1)
	if m.saving != nil {
		if err := m.saving(); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if generation != m.generation+1 {
		return secrets.ErrConflict
	}
	for _, r := range m.records {
		if slices.Contains(retire, r.KeyID) {
			return secrets.ErrKeyInUse
		}
	}
	if m.retired == nil {
		m.retired = map[uint32]bool{}
	}
	for _, id := range retire {
		m.retired[id] = true
	}
	m.wrapped, m.generation = bytes.Clone(wrapped), generation
	return ctx.Err()
}

func (m *memory) put(r secrets.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.retired[r.KeyID] {
		return secrets.ErrKeyRetired
	}
	if m.records == nil {
		m.records = map[secrets.Pin]secrets.Record{}
	}
	m.records[r.Pin] = r
	return nil
}

// copyOf returns a store with the same keysets.
func (m *memory) copyOf() *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &memory{wrapped: bytes.Clone(m.wrapped), generation: m.generation}
}

// countingKEK counts the calls of a KEK and remembers the last plaintext.
type countingKEK struct {
	tink.AEAD
	encrypts, decrypts atomic.Int64
	mu                 sync.Mutex
	dataKey            []byte
}

func newKEK(t testing.TB) *countingKEK {
	t.Helper()
	a, err := subtle.NewXChaCha20Poly1305(randomBytes(32))
	if err != nil {
		t.Fatal(err)
	}
	return &countingKEK{AEAD: a}
}

func (k *countingKEK) EncryptWithContext(_ context.Context, plaintext, ad []byte) ([]byte, error) {
	k.encrypts.Add(1)
	k.mu.Lock()
	k.dataKey = bytes.Clone(plaintext)
	k.mu.Unlock()
	return k.Encrypt(plaintext, ad)
}

func (k *countingKEK) DecryptWithContext(_ context.Context, ciphertext, ad []byte) ([]byte, error) {
	k.decrypts.Add(1)
	return k.Decrypt(ciphertext, ad)
}

// kekFuncs is a KEK made of two functions.
type kekFuncs struct {
	encrypt, decrypt func(ctx context.Context, in, ad []byte) ([]byte, error)
}

func (k kekFuncs) EncryptWithContext(ctx context.Context, in, ad []byte) ([]byte, error) {
	return k.encrypt(ctx, in, ad)
}

func (k kekFuncs) DecryptWithContext(ctx context.Context, in, ad []byte) ([]byte, error) {
	return k.decrypt(ctx, in, ad)
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func canary() string { return "canary-" + hex.EncodeToString(randomBytes(16)) }

func newInstallation() secrets.Installation {
	return secrets.Installation{ID: [16]byte(randomBytes(16))}
}

var allAlgorithms = map[string]crypto.Algorithm{
	"XChaCha20-Poly1305": crypto.XChaCha20Poly1305,
	"AES-256-CTR-HMAC":   crypto.AES256CTRHMAC,
	"XAES-256-GCM":       crypto.XAES256GCM,
}

// house is one installation with its store and KEK.
type house struct {
	store *memory
	kek   *countingKEK
	in    secrets.Installation
}

func newHouse(t testing.TB) house {
	t.Helper()
	return house{&memory{}, newKEK(t), newInstallation()}
}

func (h house) create(t testing.TB, a crypto.Algorithm) *crypto.Keyring {
	t.Helper()
	k, err := crypto.Create(t.Context(), h.store, h.kek, h.in, a)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (h house) load(t testing.TB) *crypto.Keyring {
	t.Helper()
	k, err := crypto.Load(t.Context(), h.store, h.kek, h.in)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func name(t testing.TB, s string) secrets.Name {
	t.Helper()
	n, err := secrets.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func value(t testing.TB, plain []byte) secrets.Value {
	t.Helper()
	v, err := secrets.NewValue(plain)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// token is a secret with every bound field set.
func token(t testing.TB) secrets.Secret {
	t.Helper()
	return secrets.Secret{
		Pin:   secrets.Pin{ID: 4711, Version: 3},
		Name:  name(t, "API_TOKEN"),
		Scope: secrets.Scope{Kind: secrets.Workspace, ID: "w-17"},
		Policy: secrets.Policy{
			Expires:   time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC),
			Locked:    true,
			Pipelines: []string{"rnaseq", "sarek"},
		},
	}
}

func seal(t testing.TB, k *crypto.Keyring, s secrets.Secret, plain []byte) secrets.Record {
	t.Helper()
	r, err := k.Seal(s, value(t, plain))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// opens fails the test unless r opens to want.
func opens(t testing.TB, k *crypto.Keyring, r secrets.Record, want []byte) {
	t.Helper()
	v, err := k.Open(t.Context(), r)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer v.Destroy()
	err = v.Reveal(func(got []byte) error {
		if !bytes.Equal(got, want) {
			t.Errorf("opened %d bytes that are not the %d sealed", len(got), len(want))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// refused fails the test unless opening r fails with want and yields no value.
func refused(t testing.TB, k *crypto.Keyring, r secrets.Record, want error) {
	t.Helper()
	v, err := k.Open(t.Context(), r)
	if !errors.Is(err, want) {
		t.Errorf("Open: got error %v, want %v", err, want)
	}
	if !v.IsZero() {
		t.Error("Open: refused, and yet answered a value")
	}
	if r2, err := k.Reseal(t.Context(), r); !errors.Is(err, want) || r2.Sealed != nil {
		t.Errorf("Reseal: got error %v, want %v and no record", err, want)
	}
}
