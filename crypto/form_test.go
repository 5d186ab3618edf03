package crypto_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/aead/xchacha20poly1305"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac/hmac"
	"github.com/tink-crypto/tink-go/v2/secretdata"

	"github.com/pipesecrets/pipesecrets/crypto"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// fields writes fields as the package doc lays them out.
func fields(list ...[]byte) (out []byte) {
	for _, f := range list {
		out = binary.BigEndian.AppendUint32(out, uint32(len(f)))
		out = append(out, f...)
	}
	return out
}

func partAD(in secrets.Installation, purpose string, generation uint64, more ...[]byte) []byte {
	list := [][]byte{[]byte("pipesecrets/keysets/v1"), in.ID[:], []byte(purpose), binary.BigEndian.AppendUint64(nil, generation)}
	return fields(append(list, more...)...)
}

// parts cuts a blob by the package doc.
func parts(t testing.TB, blob []byte) (dataKey, records, macs []byte) {
	t.Helper()
	rest, ok := bytes.CutPrefix(blob, []byte("PSKEYS\x00\x01"))
	if !ok {
		t.Fatal("no magic")
	}
	next := func() (part []byte) {
		n := binary.BigEndian.Uint32(rest)
		part, rest = rest[4:4+n], rest[4+n:]
		return part
	}
	dataKey, records, macs = next(), next(), next()
	if len(rest) != 0 {
		t.Fatal("more than three parts")
	}
	return dataKey, records, macs
}

func gcm(t testing.TB, key []byte) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	g, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// clearKeysets opens what a house stores, by the package doc, the standard
// library and the KEK, without the package.
func clearKeysets(t testing.TB, h house) (records, macs *keyset.Handle) {
	t.Helper()
	wrapped, generation, err := h.store.LoadKeysets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sealedKey, recordPart, macPart := parts(t, wrapped)
	sum := sha256.Sum256(fields(recordPart, macPart))
	dataKey, err := h.kek.Decrypt(sealedKey, partAD(h.in, "data key", generation, sum[:]))
	if err != nil || len(dataKey) != 32 {
		t.Fatalf("data key of %d bytes, error %v", len(dataKey), err)
	}
	g := gcm(t, dataKey)
	open := func(part []byte, purpose string) *keyset.Handle {
		handle, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(part)), gcmAEAD{g}, partAD(h.in, purpose, generation))
		if err != nil {
			t.Fatalf("%s: %v", purpose, err)
		}
		return handle
	}
	return open(recordPart, "record keyset"), open(macPart, "mac keyset")
}

// gcmAEAD is the standard library's AES-GCM as Tink's interface, nonce first.
type gcmAEAD struct{ cipher.AEAD }

func (g gcmAEAD) Encrypt(plain, ad []byte) ([]byte, error) {
	nonce := randomBytes(12)
	return g.Seal(nonce, nonce, plain, ad), nil
}

func (g gcmAEAD) Decrypt(sealed, ad []byte) ([]byte, error) {
	return g.Open(nil, sealed[:12], sealed[12:], ad)
}

// rewrap returns a store that holds the keysets as generation 1 of in.
func rewrap(t testing.TB, kek *countingKEK, in secrets.Installation, records, macs *keyset.Handle) *memory {
	t.Helper()
	dataKey := randomBytes(32)
	write := func(handle *keyset.Handle, purpose string) []byte {
		var out bytes.Buffer
		err := handle.WriteWithAssociatedData(keyset.NewBinaryWriter(&out), gcmAEAD{gcm(t, dataKey)}, partAD(in, purpose, 1))
		if err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	recordPart, macPart := write(records, "record keyset"), write(macs, "mac keyset")
	sum := sha256.Sum256(fields(recordPart, macPart))
	sealedKey, err := kek.Encrypt(dataKey, partAD(in, "data key", 1, sum[:]))
	if err != nil {
		t.Fatal(err)
	}
	return &memory{wrapped: append([]byte("PSKEYS\x00\x01"), fields(sealedKey, recordPart, macPart)...), generation: 1}
}

func TestStoredFormsAreAsDocumented(t *testing.T) {
	h := newHouse(t)
	k := h.create(t, crypto.XChaCha20Poly1305)
	plain := randomBytes(100)
	r := seal(t, k, token(t), plain)

	records, _ := clearKeysets(t, h)
	x, err := subtle.NewXChaCha20Poly1305(keyBytes(t, records))
	if err != nil {
		t.Fatal(err)
	}
	u64 := func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
	ad := fields([]byte("pipesecrets/record/v1"), h.in.ID[:], u64(4711), []byte{2}, []byte("w-17"), []byte("API_TOKEN"), u64(3),
		u64(uint64(r.Policy.Expires.Unix())), []byte{0}, []byte{1}, []byte{0, 0, 0, 2}, []byte("rnaseq"), []byte("sarek"))
	if prefix := binary.BigEndian.AppendUint32([]byte{1}, r.KeyID); !bytes.HasPrefix(r.Sealed, prefix) {
		t.Errorf("sealed bytes begin with %x, want %x", r.Sealed[:5], prefix)
	}
	got, err := x.Decrypt(r.Sealed[5:], ad)
	if err != nil || !bytes.Equal(got, plain) {
		t.Errorf("does not open by the documented form: %v", err)
	}
}

// keyBytes returns the raw bytes of a keyset's first key.
func keyBytes(t testing.TB, h *keyset.Handle) []byte {
	t.Helper()
	entry, err := h.Entry(0)
	if err != nil {
		t.Fatal(err)
	}
	var raw secretdata.Bytes
	switch key := entry.Key().(type) {
	case *xchacha20poly1305.Key:
		raw = key.KeyBytes()
	case *hmac.Key:
		raw = key.KeyBytes()
	default:
		t.Fatalf("unexpected key type %T", key)
	}
	return raw.Data(insecuresecretdataaccess.Token{})
}
