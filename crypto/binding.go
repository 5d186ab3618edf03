package crypto

import (
	"encoding/binary"

	"github.com/pipesecrets/pipesecrets/secrets"
)

const recordFormat = "pipesecrets/record/v1"

// binding returns the associated data of a record, as the package doc lays it
// out. Each field has its length before it and the number of pipelines stands
// before them, so that no two secrets that differ in a bound field share one.
func binding(installation [16]byte, s secrets.Secret) []byte {
	p := s.Policy.Canonical()
	// Whether there is an expiry is asked of the policy as given: a time within
	// the second of the zero Time is an expiry, and its canonical form is none.
	var expires []byte
	if !s.Policy.Expires.IsZero() {
		expires = uint64Bytes(uint64(p.Expires.Unix()))
	}

	b := make([]byte, 0, 256)
	b = appendField(b, []byte(recordFormat))
	b = appendField(b, installation[:])
	b = appendField(b, uint64Bytes(uint64(s.ID)))
	b = appendField(b, []byte{byte(s.Scope.Kind)})
	b = appendField(b, []byte(s.Scope.ID))
	b = appendField(b, []byte(s.Name.String()))
	b = appendField(b, uint64Bytes(uint64(s.Version)))
	b = appendField(b, expires)
	b = appendField(b, boolByte(p.Disabled))
	b = appendField(b, boolByte(p.Locked))
	b = appendField(b, binary.BigEndian.AppendUint32(nil, uint32(len(p.Pipelines))))
	for _, pipeline := range p.Pipelines {
		b = appendField(b, []byte(pipeline))
	}
	return b
}

// appendField appends field to b, its length before it.
func appendField(b, field []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
	return append(b, field...)
}

func uint64Bytes(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func boolByte(set bool) []byte {
	if set {
		return []byte{1}
	}
	return []byte{0}
}
