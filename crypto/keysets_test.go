package crypto_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/pipesecrets/pipesecrets/crypto"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestTheKEKIsCalledOnceForALoadOnceForASaveAndNeverForASecret(t *testing.T) {
	h := newHouse(t)
	calls := func(label string, encrypts, decrypts int64, do func()) {
		t.Helper()
		e, d := h.kek.encrypts.Load(), h.kek.decrypts.Load()
		do()
		if e, d = h.kek.encrypts.Load()-e, h.kek.decrypts.Load()-d; e != encrypts || d != decrypts {
			t.Errorf("%s: %d encryptions and %d decryptions, want %d and %d", label, e, d, encrypts, decrypts)
		}
	}
	var k *crypto.Keyring
	// One decryption more when a KEK is first used: what it wrapped is opened.
	calls("create", 1, 1, func() { k = h.create(t, crypto.XChaCha20Poly1305) })
	calls("load", 0, 1, func() { h.load(t) })
	calls("reload with nothing new", 0, 0, func() { noError(t, k.Reload(t.Context())) })
	calls("100 secrets", 0, 0, func() {
		for range 100 {
			plain := randomBytes(16)
			opens(t, k, seal(t, k, token(t), plain), plain)
		}
	})
	var id uint32
	calls("add a key", 1, 0, func() { id = addKey(t, k) })
	calls("promote it", 1, 0, func() { noError(t, k.Promote(t.Context(), id)) })
	calls("promote it again", 0, 0, func() { noError(t, k.Promote(t.Context(), id)) })
	calls("retire the old one", 1, 0, func() {
		for _, old := range k.Keys() {
			if old != id {
				noError(t, k.Retire(t.Context(), old))
			}
		}
	})
	if n := h.store.saves.Load(); n != 4 {
		t.Errorf("%d saves, want 4", n)
	}
	for range 60 { // the KEK sees 32 bytes, whatever the keysets hold
		addKey(t, k)
	}
	if len(h.store.wrapped) < 4096 || len(h.kek.dataKey) != 32 {
		t.Errorf("blob of %d bytes, KEK saw %d", len(h.store.wrapped), len(h.kek.dataKey))
	}
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func addKey(t testing.TB, k *crypto.Keyring) uint32 {
	t.Helper()
	id, err := k.AddKey(t.Context(), crypto.XChaCha20Poly1305)
	noError(t, err)
	return id
}

func TestLoadNeverCreatesAndCreateNeverReplaces(t *testing.T) {
	h := newHouse(t)
	if k, err := crypto.Load(t.Context(), h.store, h.kek, h.in); !errors.Is(err, crypto.ErrNoKeysets) || k != nil {
		t.Errorf("got %v, want ErrNoKeysets", err)
	}
	if h.store.saves.Load() != 0 {
		t.Error("Load saved something")
	}
	k := h.create(t, crypto.XChaCha20Poly1305)
	before := h.store.copyOf()
	if k, err := crypto.Create(t.Context(), h.store, h.kek, h.in, crypto.XChaCha20Poly1305); !errors.Is(err, crypto.ErrKeysetsExist) || k != nil {
		t.Errorf("got %v, want ErrKeysetsExist", err)
	}
	if !bytes.Equal(before.wrapped, h.store.wrapped) || h.load(t).Primary() != k.Primary() {
		t.Error("keysets were replaced")
	}
}

func TestOfTwoCreatesAtOnceOneWins(t *testing.T) {
	h := newHouse(t)
	var winner *crypto.Keyring
	h.store.saving = func() error { // the other one saves between our look and our save
		h.store.saving = nil
		winner = h.create(t, crypto.XChaCha20Poly1305)
		return nil
	}
	_, err := crypto.Create(t.Context(), h.store, h.kek, h.in, crypto.XChaCha20Poly1305)
	if !errors.Is(err, crypto.ErrKeysetsExist) {
		t.Errorf("got %v, want ErrKeysetsExist", err)
	}
	if h.load(t).Primary() != winner.Primary() {
		t.Error("the winner's keysets are gone")
	}
}

func TestKeysetsOpenOnlyWhereTheyBelong(t *testing.T) {
	h, other := newHouse(t), newHouse(t)
	other.kek = h.kek // so that the binding alone tells them apart
	k := h.create(t, crypto.XChaCha20Poly1305)
	other.create(t, crypto.XChaCha20Poly1305)
	old := h.store.copyOf()
	addKey(t, k)
	dataKey, records, macs := parts(t, h.store.wrapped)
	oldDataKey, oldRecords, _ := parts(t, old.wrapped)
	_, otherRecords, otherMACs := parts(t, other.store.wrapped)
	join := func(list ...[]byte) []byte { return append([]byte("PSKEYS\x00\x01"), fields(list...)...) }

	for label, c := range map[string]struct {
		wrapped    []byte
		generation uint64
		kek        *countingKEK
		in         secrets.Installation
		want       error
	}{
		"as saved":                           {h.store.wrapped, 2, h.kek, h.in, nil},
		"as saved before":                    {old.wrapped, 1, h.kek, h.in, nil}, // a restored backup opens
		"cut and joined again":               {join(dataKey, records, macs), 2, h.kek, h.in, nil},
		"another KEK":                        {h.store.wrapped, 2, newKEK(t), h.in, crypto.ErrWrongKEK},
		"another installation":               {h.store.wrapped, 2, h.kek, other.in, crypto.ErrWrongKEK},
		"another installation's blob":        {other.store.wrapped, 1, h.kek, h.in, crypto.ErrWrongKEK},
		"old blob as a new generation":       {old.wrapped, 2, h.kek, h.in, crypto.ErrWrongKEK},
		"new blob as an old generation":      {h.store.wrapped, 1, h.kek, h.in, crypto.ErrWrongKEK},
		"old data key, new keysets":          {join(oldDataKey, records, macs), 2, h.kek, h.in, crypto.ErrWrongKEK},
		"old record keyset":                  {join(dataKey, oldRecords, macs), 2, h.kek, h.in, crypto.ErrWrongKEK},
		"another installation's records":     {join(dataKey, otherRecords, macs), 2, h.kek, h.in, crypto.ErrWrongKEK},
		"another installation's MAC":         {join(dataKey, records, otherMACs), 2, h.kek, h.in, crypto.ErrWrongKEK},
		"the two keysets swapped":            {join(dataKey, macs, records), 2, h.kek, h.in, crypto.ErrWrongKEK},
		"nothing under a generation":         {nil, 2, h.kek, h.in, crypto.ErrKeysetsBroken},
		"a blob under no generation":         {h.store.wrapped, 0, h.kek, h.in, crypto.ErrWrongKEK},
		"one byte more":                      {append(bytes.Clone(h.store.wrapped), 0), 2, h.kek, h.in, crypto.ErrKeysetsBroken},
		"one byte less":                      {h.store.wrapped[:len(h.store.wrapped)-1], 2, h.kek, h.in, crypto.ErrKeysetsBroken},
		"a fourth part":                      {join(dataKey, records, macs, macs), 2, h.kek, h.in, crypto.ErrKeysetsBroken},
		"two parts":                          {join(dataKey, records), 2, h.kek, h.in, crypto.ErrKeysetsBroken},
		"a part too large":                   {join(make([]byte, 64<<10+1), records, macs), 2, h.kek, h.in, crypto.ErrKeysetsBroken},
		"an empty part":                      {join(dataKey, nil, macs), 2, h.kek, h.in, crypto.ErrKeysetsBroken},
		"something that is no blob of ours":  {[]byte("PSKEYS"), 2, h.kek, h.in, crypto.ErrKeysetsBroken},
		"a later version of the blob's form": {append([]byte("PSKEYS\x00\x02"), h.store.wrapped[8:]...), 2, h.kek, h.in, crypto.ErrKeysetsBroken},
	} {
		t.Run(label, func(t *testing.T) {
			_, err := crypto.Load(t.Context(), &memory{wrapped: c.wrapped, generation: c.generation}, c.kek, c.in)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestEveryBitOfTheStoredKeysetsCounts(t *testing.T) {
	h := newHouse(t)
	h.create(t, crypto.XChaCha20Poly1305)
	for bit := range 8 * len(h.store.wrapped) {
		changed := h.store.copyOf()
		changed.wrapped[bit/8] ^= 1 << (bit % 8)
		_, err := crypto.Load(t.Context(), changed, h.kek, h.in)
		if !errors.Is(err, crypto.ErrWrongKEK) && !errors.Is(err, crypto.ErrKeysetsBroken) {
			t.Fatalf("bit %d: got %v", bit, err)
		}
	}
}

// Tink tries a key without prefix on every ciphertext, and a disabled one on
// none: neither is a key that a record's key id could name.
func TestKeysetsWithKeysThatNoKeyIDNamesAreRefused(t *testing.T) {
	h := newHouse(t)
	h.create(t, crypto.XChaCha20Poly1305)
	records, macs := clearKeysets(t, h)
	for label, spoil := range map[string]func(*keyset.Manager) error{
		"as it was": func(*keyset.Manager) error { return nil },
		"no prefix": func(m *keyset.Manager) error {
			_, err := m.Add(aead.XAES256GCM192BitNonceNoPrefixKeyTemplate())
			return err
		},
		"disabled": func(m *keyset.Manager) error {
			id, err := m.Add(aead.XChaCha20Poly1305KeyTemplate())
			return errors.Join(err, m.Disable(id))
		},
	} {
		m := keyset.NewManagerFromHandle(records)
		noError(t, spoil(m))
		spoilt, err := m.Handle()
		noError(t, err)
		_, err = crypto.Load(t.Context(), rewrap(t, h.kek, h.in, spoilt, macs), h.kek, h.in)
		if want := map[bool]error{true: nil, false: crypto.ErrKeysetsBroken}[label == "as it was"]; !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", label, err, want)
		}
	}
	if _, err := crypto.Load(t.Context(), rewrap(t, h.kek, h.in, macs, records), h.kek, h.in); !errors.Is(err, crypto.ErrKeysetsBroken) {
		t.Errorf("keysets of the wrong kinds: got %v", err)
	}
}

func TestWhatAKEKSaysNeverComesThrough(t *testing.T) {
	h := newHouse(t)
	k := h.create(t, crypto.XChaCha20Poly1305)
	said := canary()
	fail := func(context.Context, []byte, []byte) ([]byte, error) {
		return nil, fmt.Errorf("kms: %s: %w", said, errors.New(said))
	}
	deaf := kekFuncs{encrypt: fail, decrypt: fail}
	oneWay := kekFuncs{encrypt: h.kek.EncryptWithContext, decrypt: fail}
	empty := kekFuncs{encrypt: func(context.Context, []byte, []byte) ([]byte, error) { return nil, nil }, decrypt: fail}
	huge := kekFuncs{encrypt: func(context.Context, []byte, []byte) ([]byte, error) { return make([]byte, 64<<10+1), nil }, decrypt: fail}
	short := kekFuncs{encrypt: h.kek.EncryptWithContext, decrypt: func(context.Context, []byte, []byte) ([]byte, error) { return []byte(said[:16]), nil }}
	load := func(kek kekFuncs) error {
		_, err := crypto.Load(t.Context(), h.store, kek, h.in)
		return err
	}
	create := func(kek kekFuncs) error {
		store := &memory{}
		_, err := crypto.Create(t.Context(), store, kek, h.in, crypto.XChaCha20Poly1305)
		if store.saves.Load() != 0 {
			t.Error("saved what no KEK opens")
		}
		return err
	}
	for label, c := range map[string]struct {
		err  error
		want error
	}{
		"load":                              {load(deaf), crypto.ErrWrongKEK},
		"load, KEK answers nonsense":        {load(short), crypto.ErrWrongKEK},
		"create":                            {create(deaf), crypto.ErrKEKFailed},
		"create, KEK answers nothing":       {create(empty), crypto.ErrKEKFailed},
		"create, KEK answers far too much":  {create(huge), crypto.ErrKEKFailed},
		"create, KEK only encrypts":         {create(oneWay), crypto.ErrWrongKEK},
		"rekey":                             {k.Rekey(t.Context(), deaf), crypto.ErrKEKFailed},
		"rekey, KEK only encrypts":          {k.Rekey(t.Context(), oneWay), crypto.ErrWrongKEK},
		"rekey, what it opens is not right": {k.Rekey(t.Context(), short), crypto.ErrWrongKEK},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: got %v, want %v", label, c.err, c.want)
		}
		for err := c.err; err != nil; err = errors.Unwrap(err) {
			if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), said) {
				t.Errorf("%s: the error quotes the KEK", label)
			}
		}
	}
	if h.store.generation != 1 {
		t.Error("a KEK that does not work was saved")
	}
	opens(t, h.load(t), seal(t, k, token(t), []byte(said)), []byte(said))
}

func TestWhatIsMissingIsRefused(t *testing.T) {
	h := newHouse(t)
	for field, do := range map[string]func() error{
		"kek": func() error {
			_, err := crypto.Create(t.Context(), h.store, nil, h.in, crypto.XChaCha20Poly1305)
			return err
		},
		"keyset store": func() error {
			_, err := crypto.Load(t.Context(), nil, h.kek, h.in)
			return err
		},
		"installation": func() error {
			_, err := crypto.Create(t.Context(), h.store, h.kek, secrets.Installation{}, crypto.XChaCha20Poly1305)
			return err
		},
		"algorithm": func() error {
			_, err := crypto.Create(t.Context(), h.store, h.kek, h.in, crypto.XAES256GCM+1)
			return err
		},
	} {
		var invalid *secrets.InvalidError
		if err := do(); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("got %v, want an InvalidError for %q", err, field)
		}
	}
	k := h.create(t, crypto.XChaCha20Poly1305)
	if _, err := k.AddKey(t.Context(), 99); !errors.Is(err, secrets.ErrInvalid) {
		t.Errorf("unknown algorithm: got %v", err)
	}
	if err := k.Rekey(t.Context(), nil); !errors.Is(err, secrets.ErrInvalid) {
		t.Errorf("no KEK: got %v", err)
	}
}

func TestTheDataKeyIsWipedAfterUse(t *testing.T) {
	h := newHouse(t)
	var lent [][]byte
	kek := kekFuncs{
		encrypt: func(ctx context.Context, in, ad []byte) ([]byte, error) {
			lent = append(lent, in)
			return h.kek.EncryptWithContext(ctx, in, ad)
		},
		decrypt: func(ctx context.Context, in, ad []byte) ([]byte, error) {
			out, err := h.kek.DecryptWithContext(ctx, in, ad)
			lent = append(lent, out)
			return out, err
		},
	}
	_, err := crypto.Create(t.Context(), h.store, kek, h.in, crypto.XChaCha20Poly1305)
	noError(t, err)
	_, err = crypto.Load(t.Context(), h.store, kek, h.in)
	noError(t, err)
	if len(lent) != 3 {
		t.Fatalf("%d KEK calls, want 3", len(lent))
	}
	for i, b := range lent {
		if !bytes.Equal(b, make([]byte, 32)) {
			t.Errorf("the data key of KEK call %d is still there", i+1)
		}
	}
}
