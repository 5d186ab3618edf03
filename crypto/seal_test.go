package crypto_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/crypto"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestWhatIsSealedOpensUnderEveryAlgorithmAtEverySize(t *testing.T) {
	for label, a := range allAlgorithms {
		t.Run(label, func(t *testing.T) {
			k := newHouse(t).create(t, a)
			for _, n := range []int{1, 2, 15, 16, 17, 63, 64, 300, 4095, 4096, 4097, 65535, 65536} {
				plain := randomBytes(n)
				r := seal(t, k, token(t), plain)
				opens(t, k, r, plain)
				if n >= 15 && bytes.Contains(r.Sealed, plain) {
					t.Error("plaintext in the sealed bytes")
				}
				if r.KeyID != k.Primary() || len(r.Sealed) > n+64 {
					t.Errorf("size %d: key %d, %d sealed bytes", n, r.KeyID, len(r.Sealed))
				}
			}
		})
	}
}

func TestSealingTwiceNeverYieldsTheSameBytes(t *testing.T) {
	k, plain := newHouse(t).create(t, crypto.XChaCha20Poly1305), randomBytes(32)
	if bytes.Equal(seal(t, k, token(t), plain).Sealed, seal(t, k, token(t), plain).Sealed) {
		t.Error("same sealed bytes twice")
	}
}

func TestSealAnswersThePolicyInCanonicalForm(t *testing.T) {
	k, plain := newHouse(t).create(t, crypto.XChaCha20Poly1305), randomBytes(32)
	s := token(t)
	s.Policy.Pipelines = []string{"sarek", "rnaseq", "sarek"}
	s.Policy.Expires = s.Policy.Expires.Add(999 * time.Millisecond).In(time.FixedZone("", 3600))
	r := seal(t, k, s, plain)
	if want := token(t).Policy; !slices.Equal(r.Policy.Pipelines, want.Pipelines) || r.Policy.Expires != want.Expires {
		t.Errorf("got %+v, want %+v", r.Policy, want)
	}
	opens(t, k, r, plain)

	r.Policy.Expires = r.Policy.Expires.In(time.FixedZone("", -7200)) // as a database may answer it
	opens(t, k, r, plain)
}

func TestASealedValueOpensInNoOtherRow(t *testing.T) {
	h := newHouse(t)
	k := h.create(t, crypto.XChaCha20Poly1305)
	base := token(t)

	rows := map[string]func(*secrets.Secret){
		"id":                   func(s *secrets.Secret) { s.ID++ },
		"scope kind":           func(s *secrets.Secret) { s.Scope.Kind = secrets.Organization },
		"scope id":             func(s *secrets.Secret) { s.Scope.ID = "w-18" },
		"name":                 func(s *secrets.Secret) { s.Name = name(t, "API_TOKEN2") },
		"case of name":         func(s *secrets.Secret) { s.Name = name(t, "Api_Token") },
		"version":              func(s *secrets.Secret) { s.Version-- },
		"later expiry":         func(s *secrets.Secret) { s.Policy.Expires = s.Policy.Expires.Add(time.Second) },
		"no expiry":            func(s *secrets.Secret) { s.Policy.Expires = time.Time{} },
		"disabled":             func(s *secrets.Secret) { s.Policy.Disabled = true },
		"locked":               func(s *secrets.Secret) { s.Policy.Locked = false },
		"disabled, not locked": func(s *secrets.Secret) { s.Policy.Disabled, s.Policy.Locked = true, false },
		"one more pipeline":    func(s *secrets.Secret) { s.Policy.Pipelines = []string{"rnaseq", "sarek", "viralrecon"} },
		"one pipeline less":    func(s *secrets.Secret) { s.Policy.Pipelines = []string{"rnaseq"} },
		"no pipelines":         func(s *secrets.Secret) { s.Policy.Pipelines = nil },
		"pipelines joined":     func(s *secrets.Secret) { s.Policy.Pipelines = []string{"rnaseqsarek"} },
		"pipelines cut anew":   func(s *secrets.Secret) { s.Policy.Pipelines = []string{"rnaseqs", "arek"} },
	}
	for label, differ := range rows {
		t.Run(label, func(t *testing.T) {
			other := base
			differ(&other)
			plainA, plainB := randomBytes(32), randomBytes(32)
			a, b := seal(t, k, base, plainA), seal(t, k, other, plainB)
			opens(t, k, a, plainA) // the control: unswapped, both open
			opens(t, k, b, plainB)
			a.Sealed, b.Sealed = b.Sealed, a.Sealed
			refused(t, k, a, crypto.ErrSealBroken)
			refused(t, k, b, crypto.ErrSealBroken)
		})
	}

	t.Run("what is not bound", func(t *testing.T) { // that the table above can tell
		plain := randomBytes(32)
		r := seal(t, k, base, plain)
		r.Description, r.UpdatedBy, r.LastUsed = "other", "other", time.Now()
		opens(t, k, r, plain)
	})
}

func TestAKeyIDIsHeldToTheSealedBytes(t *testing.T) {
	h := newHouse(t)
	k := h.create(t, crypto.XChaCha20Poly1305)
	plain := randomBytes(32)
	r := seal(t, k, token(t), plain)
	other, err := k.AddKey(t.Context(), crypto.XChaCha20Poly1305)
	if err != nil {
		t.Fatal(err)
	}
	opens(t, k, r, plain)

	t.Run("key id only", func(t *testing.T) {
		r := r
		r.KeyID = other
		refused(t, k, r, crypto.ErrSealBroken)
	})
	t.Run("prefix only", func(t *testing.T) {
		r := r
		r.Sealed = bytes.Clone(r.Sealed)
		binary.BigEndian.PutUint32(r.Sealed[1:], other)
		refused(t, k, r, crypto.ErrSealBroken)
	})
	t.Run("both", func(t *testing.T) {
		r := r
		r.KeyID, r.Sealed = other, bytes.Clone(r.Sealed)
		binary.BigEndian.PutUint32(r.Sealed[1:], other)
		refused(t, k, r, crypto.ErrSealBroken)
	})
	t.Run("both, to a key that is none", func(t *testing.T) {
		r := r
		r.KeyID, r.Sealed = r.KeyID^other^1, bytes.Clone(r.Sealed)
		binary.BigEndian.PutUint32(r.Sealed[1:], r.KeyID)
		refused(t, k, r, crypto.ErrUnknownKey)
	})
	t.Run("no prefix of a Tink key", func(t *testing.T) {
		r := r
		r.KeyID, r.Sealed = r.KeyID^other^1, bytes.Clone(r.Sealed)
		binary.BigEndian.PutUint32(r.Sealed[1:], r.KeyID)
		r.Sealed[0] = 0 // Tink's LEGACY prefix
		refused(t, k, r, crypto.ErrSealBroken)
	})
	for _, n := range []int{0, 1, 4, 5, 6, 20, len(r.Sealed) - 1} {
		r := r
		r.Sealed = r.Sealed[:n]
		refused(t, k, r, crypto.ErrSealBroken)
	}
}

func TestEveryBitOfASealedRecordCounts(t *testing.T) {
	for label, a := range allAlgorithms {
		t.Run(label, func(t *testing.T) {
			k := newHouse(t).create(t, a)
			plain := randomBytes(24)
			r := seal(t, k, token(t), plain)
			for bit := range 8 * len(r.Sealed) {
				flipped := r
				flipped.Sealed = bytes.Clone(r.Sealed)
				flipped.Sealed[bit/8] ^= 1 << (bit % 8)
				refused(t, k, flipped, crypto.ErrSealBroken)
			}
			opens(t, k, r, plain)
		})
	}
}

// A clone of the keysets under another installation's id can't be made without
// the KEK; here the KEK is at hand, so that the binding alone is what refuses.
func TestARecordOfAnotherInstallationIsRefused(t *testing.T) {
	h := newHouse(t)
	plain := randomBytes(32)
	k := h.create(t, crypto.XChaCha20Poly1305)
	r := seal(t, k, token(t), plain)
	opens(t, k, r, plain)

	records, macs := clearKeysets(t, h)
	in := newInstallation()
	foreign := house{rewrap(t, h.kek, in, records, macs), h.kek, in}.load(t)
	if foreign.Primary() != k.Primary() {
		t.Fatal("not the same key")
	}
	refused(t, foreign, r, crypto.ErrSealBroken)
	opens(t, foreign, seal(t, foreign, token(t), plain), plain)
}

func TestSealRefusesWhatIsNoVersionOfASecret(t *testing.T) {
	k := newHouse(t).create(t, crypto.XChaCha20Poly1305)
	for label, c := range map[string]struct {
		field  string
		differ func(*secrets.Secret)
	}{
		"no name":       {"name", func(s *secrets.Secret) { s.Name = secrets.Name{} }},
		"no scope":      {"scope.kind", func(s *secrets.Secret) { s.Scope = secrets.Scope{} }},
		"no scope id":   {"scope.id", func(s *secrets.Secret) { s.Scope.ID = "" }},
		"no id":         {"id", func(s *secrets.Secret) { s.ID = 0 }},
		"negative id":   {"id", func(s *secrets.Secret) { s.ID = -1 }},
		"too large id":  {"id", func(s *secrets.Secret) { s.ID = secrets.MaxID + 1 }},
		"no version":    {"version", func(s *secrets.Secret) { s.Version = 0 }},
		"long pipeline": {"policy.pipelines", func(s *secrets.Secret) { s.Policy.Pipelines = []string{strings.Repeat("p", 513)} }},
	} {
		s := token(t)
		c.differ(&s)
		_, err := k.Seal(s, value(t, randomBytes(8)))
		var invalid *secrets.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != c.field {
			t.Errorf("%s: got %v, want an InvalidError for %q", label, err, c.field)
		}
	}
	gone := value(t, randomBytes(8))
	gone.Destroy()
	for _, v := range []secrets.Value{gone, {}} {
		if r, err := k.Seal(token(t), v); !errors.Is(err, secrets.ErrDestroyed) || r.Sealed != nil {
			t.Errorf("got %v, want ErrDestroyed", err)
		}
	}
}

func TestResealKeepsTheVersionAndItsValue(t *testing.T) {
	k, plain := newHouse(t).create(t, crypto.XChaCha20Poly1305), randomBytes(32)
	r := seal(t, k, token(t), plain)
	id, err := k.AddKey(t.Context(), crypto.AES256CTRHMAC)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Promote(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	again, err := k.Reseal(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if again.Pin != r.Pin || again.KeyID != id || bytes.Equal(again.Sealed, r.Sealed) {
		t.Errorf("got pin %v under key %d, want %v under %d", again.Pin, again.KeyID, r.Pin, id)
	}
	opens(t, k, again, plain)
	opens(t, k, r, plain)
}

func TestTheMACTellsChangesAndInstallationsApart(t *testing.T) {
	h := newHouse(t)
	m, other := h.create(t, crypto.XChaCha20Poly1305).MAC(), newHouse(t).create(t, crypto.XChaCha20Poly1305).MAC()
	data := randomBytes(100)
	tag, err := m.ComputeMAC(data)
	if err != nil || len(tag) != 5+32 {
		t.Fatalf("got a tag of %d bytes, error %v", len(tag), err)
	}
	if err := h.load(t).MAC().VerifyMAC(tag, data); err != nil {
		t.Errorf("another process does not verify: %v", err)
	}
	if other.VerifyMAC(tag, data) == nil {
		t.Error("another installation verifies")
	}
	for bit := range 8 * len(tag) {
		flipped := bytes.Clone(tag)
		flipped[bit/8] ^= 1 << (bit % 8)
		if m.VerifyMAC(flipped, data) == nil {
			t.Errorf("verifies with bit %d flipped", bit)
		}
	}
	data[50] ^= 1
	if m.VerifyMAC(tag, data) == nil {
		t.Error("verifies changed data")
	}
}
