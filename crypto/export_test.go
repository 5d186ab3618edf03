package crypto

import "github.com/pipesecrets/pipesecrets/secrets"

// Binding is the associated data of a record.
func Binding(installation [16]byte, s secrets.Secret) []byte { return binding(installation, s) }

// RewriteBlob parses a blob and encodes what it found.
func RewriteBlob(in []byte) ([]byte, error) {
	b, err := parseBlob(in)
	if err != nil {
		return nil, err
	}
	return b.encode(), nil
}

// RewriteKeyFile parses the text of a key file and writes the key that it found.
func RewriteKeyFile(text []byte) ([]byte, error) {
	var key [keySize]byte
	if err := parseKeyFile(&key, text); err != nil {
		return nil, err
	}
	return formatKeyFile(&key), nil
}

// Attempts is how often a change is redone.
const Attempts = attempts
