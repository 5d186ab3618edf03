package crypto

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// KeysetStore keeps the wrapped keysets of one installation, in the database of
// its records. Nothing in them is secret without the KEK.
type KeysetStore interface {
	// LoadKeysets returns what was saved last, in a slice of the caller's own, and
	// its generation; nil, 0 and no error if nothing ever was.
	LoadKeysets(ctx context.Context) (wrapped []byte, generation uint64, err error)

	// SaveKeysets replaces the keysets, durably before it returns. It fails with
	// secrets.ErrConflict unless generation is the stored one plus 1. The keys in
	// retire must seal no record, pinned versions included, else it fails with
	// secrets.ErrKeyInUse; from then on the store refuses records that are sealed
	// under them with secrets.ErrKeyRetired. The check, the refusal and the
	// replacement are one commit.
	SaveKeysets(ctx context.Context, wrapped []byte, generation uint64, retire ...uint32) error
}

// state is one generation of the keysets, opened. It never changes once built.
type state struct {
	generation   uint64
	wrapped      []byte // as stored
	kek          tink.AEADWithContext
	records, mac *keyset.Handle

	primary uint32
	keys    []uint32 // sorted
	sealer  tink.AEAD
	tagger  tink.MAC
}

func newState(generation uint64, kek tink.AEADWithContext, records, macs *keyset.Handle) (*state, error) {
	s := &state{generation: generation, kek: kek, records: records, mac: macs}
	info := records.KeysetInfo()
	s.primary = info.GetPrimaryKeyId()
	for _, k := range info.GetKeyInfo() {
		// A key without Tink's prefix would be tried on every record, whatever
		// key id that names.
		if k.GetOutputPrefixType() != tinkpb.OutputPrefixType_TINK || k.GetStatus() != tinkpb.KeyStatusType_ENABLED {
			return nil, ErrKeysetsBroken
		}
		s.keys = append(s.keys, k.GetKeyId())
	}
	slices.Sort(s.keys)
	var err error
	if s.sealer, err = aead.New(records); err != nil {
		return nil, ErrKeysetsBroken
	}
	if s.tagger, err = mac.New(macs); err != nil {
		return nil, ErrKeysetsBroken
	}
	return s, nil
}

func (s *state) has(key uint32) bool {
	_, found := slices.BinarySearch(s.keys, key)
	return found
}

const (
	keysetsFormat = "pipesecrets/keysets/v1"

	purposeDataKey = "data key"
	purposeRecords = "record keyset"
	purposeMAC     = "mac keyset"
)

// keysetBinding returns the associated data of one part of the blob.
func keysetBinding(installation [16]byte, purpose string, generation uint64) []byte {
	b := appendField(nil, []byte(keysetsFormat))
	b = appendField(b, installation[:])
	b = appendField(b, []byte(purpose))
	return appendField(b, uint64Bytes(generation))
}

// dataKeyBinding returns the associated data of the data key, which covers the
// parts that are encrypted under it.
func dataKeyBinding(installation [16]byte, generation uint64, b blob) []byte {
	sum := sha256.Sum256(appendField(appendField(nil, b.records), b.mac))
	return appendField(keysetBinding(installation, purposeDataKey, generation), sum[:])
}

// wrap makes the blob of s, which nobody else has yet. It calls the KEK once.
func (s *state) wrap(ctx context.Context, installation [16]byte) error {
	var dataKey [32]byte
	defer clear(dataKey[:])
	_, _ = rand.Read(dataKey[:]) // never fails: crypto/rand

	cipher, err := subtle.NewAESGCM(dataKey[:])
	if err != nil {
		return errTink
	}
	write := func(h *keyset.Handle, purpose string) ([]byte, error) {
		var out bytes.Buffer
		err := h.WriteWithAssociatedData(keyset.NewBinaryWriter(&out), cipher, keysetBinding(installation, purpose, s.generation))
		if err != nil {
			return nil, errTink
		}
		return out.Bytes(), nil
	}
	var b blob
	if b.records, err = write(s.records, purposeRecords); err != nil {
		return err
	}
	if b.mac, err = write(s.mac, purposeMAC); err != nil {
		return err
	}
	b.dataKey, err = s.kek.EncryptWithContext(ctx, dataKey[:], dataKeyBinding(installation, s.generation, b))
	if err != nil || len(b.dataKey) == 0 || len(b.dataKey) > maxDataKey {
		return kekError(ctx, ErrKEKFailed)
	}
	s.wrapped = b.encode()
	if _, err := parseBlob(s.wrapped); err != nil { // what can't be read again must not be saved
		return &secrets.InvalidError{Field: "keysets", Rule: "are too large: retire some keys"}
	}
	return nil
}

// unwrap opens a blob of the given generation. It calls the KEK once.
func unwrap(ctx context.Context, installation [16]byte, kek tink.AEADWithContext, wrapped []byte, generation uint64) (*state, error) {
	b, err := parseBlob(wrapped)
	if err != nil {
		return nil, err
	}
	dataKey, err := kek.DecryptWithContext(ctx, b.dataKey, dataKeyBinding(installation, generation, b))
	defer clear(dataKey)
	if err != nil {
		return nil, kekError(ctx, ErrWrongKEK)
	}
	if len(dataKey) != 32 {
		return nil, ErrWrongKEK
	}
	cipher, err := subtle.NewAESGCM(dataKey)
	if err != nil {
		return nil, ErrWrongKEK
	}
	read := func(part []byte, purpose string) (*keyset.Handle, error) {
		h, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(part)), cipher,
			keysetBinding(installation, purpose, generation))
		if err != nil {
			return nil, ErrKeysetsBroken
		}
		return h, nil
	}
	records, err := read(b.records, purposeRecords)
	if err != nil {
		return nil, err
	}
	macs, err := read(b.mac, purposeMAC)
	if err != nil {
		return nil, err
	}
	s, err := newState(generation, kek, records, macs)
	if err != nil {
		return nil, err
	}
	s.wrapped = wrapped
	return s, nil
}

// blob is the stored form of the keysets; the package doc lays it out.
type blob struct{ dataKey, records, mac []byte }

const (
	blobMagic  = "PSKEYS\x00\x01"
	maxDataKey = 64 << 10
	maxKeyset  = 1 << 20
)

func (b blob) encode() []byte {
	out := []byte(blobMagic)
	for _, part := range [][]byte{b.dataKey, b.records, b.mac} {
		out = appendField(out, part)
	}
	return out
}

// parseBlob is the inverse of encode: it accepts nothing that encode would not
// have written. The parts share the memory of in.
func parseBlob(in []byte) (blob, error) {
	rest, ok := bytes.CutPrefix(in, []byte(blobMagic))
	if !ok {
		return blob{}, ErrKeysetsBroken
	}
	var b blob
	for _, part := range []struct {
		to  *[]byte
		max uint32
	}{{&b.dataKey, maxDataKey}, {&b.records, maxKeyset}, {&b.mac, maxKeyset}} {
		if len(rest) < 4 {
			return blob{}, ErrKeysetsBroken
		}
		n := binary.BigEndian.Uint32(rest)
		rest = rest[4:]
		if n == 0 || n > part.max || uint64(n) > uint64(len(rest)) {
			return blob{}, ErrKeysetsBroken
		}
		*part.to, rest = rest[:n:n], rest[n:]
	}
	if len(rest) != 0 {
		return blob{}, ErrKeysetsBroken
	}
	return b, nil
}
