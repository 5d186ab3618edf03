package crypto_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/crypto"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func FuzzParseBlob(f *testing.F) {
	h := newHouse(f)
	h.create(f, crypto.XChaCha20Poly1305)
	f.Add(h.store.wrapped)
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := crypto.RewriteBlob(in)
		if err != nil {
			if !errors.Is(err, crypto.ErrKeysetsBroken) {
				t.Errorf("got %v, want ErrKeysetsBroken", err)
			}
			return
		}
		if !bytes.Equal(in, out) {
			t.Error("parsed, and encodes to something else")
		}
	})
}

func FuzzParseKeyFile(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := crypto.RewriteKeyFile(in)
		if err != nil {
			if !errors.Is(err, secrets.ErrInvalid) || len(in) > 20 && strings.Contains(err.Error(), string(in)) {
				t.Errorf("got %v, want an InvalidError that quotes nothing", err)
			}
			return
		}
		if !bytes.Equal(in, out) {
			t.Error("parsed, and encodes to something else")
		}
	})
}

func FuzzOpen(f *testing.F) {
	k := newHouse(f).create(f, crypto.XChaCha20Poly1305)
	r := seal(f, k, token(f), randomBytes(16))
	f.Add(r.Sealed, r.KeyID)
	f.Add(r.Sealed[:5], r.KeyID)
	f.Add([]byte{}, uint32(0))
	f.Fuzz(func(t *testing.T, sealed []byte, keyID uint32) {
		in := r
		in.Sealed, in.KeyID = sealed, keyID
		_, err := k.Open(t.Context(), in)
		if same := bytes.Equal(sealed, r.Sealed) && keyID == r.KeyID; same != (err == nil) {
			t.Errorf("what was sealed: %v, error: %v", same, err)
		}
		if err != nil && !errors.Is(err, crypto.ErrSealBroken) && !errors.Is(err, crypto.ErrUnknownKey) {
			t.Errorf("unexpected error %v", err)
		}
	})
}
