package crypto

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	tinksubtle "github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// A key file is one line of text: the prefix, which names the version of the
// format, the 32 bytes of the key in padded standard base64, and a line feed. The
// key is one of XChaCha20-Poly1305.
const (
	keyFilePrefix = "pipesecrets-kek-v1:"
	keySize       = 32
	keyFileSize   = len(keyFilePrefix) + (keySize+2)/3*4 + len("\n")
)

// FileKEK returns the KEK that the key file holds; the file is read once. It is
// for the embedded default, where no KMS is at hand: whoever reads the file and
// the database has every secret. Therefore the two may not be backed up or copied
// together by chance: the key file may not stand in the directory that holds the
// database nor anywhere below it, whatever links lead there. database is the path
// of the database file, which need not exist yet, or of its directory; "" if the
// host sees to it.
//
// The file must be a regular one and no link, owned by this process's user or by
// root, without any permission for group and others, and hold what
// [CreateFileKEK] wrote. What breaks a rule is refused with a
// *secrets.InvalidError for the field "key file", or "database" if that can't be
// found; a file that can't be read, with an error that matches those of io/fs. On
// systems other than Unix every key file is refused, since these rules can't be
// checked there.
//
// The KEK can't be printed. Tink's copy of the key stays in memory as long as the
// KEK is in use; the buffers of this function are wiped.
func FileKEK(path, database string) (tink.AEADWithContext, error) {
	path, err := placeKeyFile(path, database)
	if err != nil {
		return nil, err
	}
	f, err := openKeyFile(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened for reading: nothing is lost
	var text [keyFileSize + 1]byte
	defer clear(text[:])
	n, err := io.ReadFull(f, text[:])
	if err == nil {
		return nil, errKeyFileForm // longer than it may be
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, keyFileError(err)
	}
	var key [keySize]byte
	defer clear(key[:])
	if err := parseKeyFile(&key, text[:n]); err != nil {
		return nil, err
	}
	cipher, err := tinksubtle.NewXChaCha20Poly1305(key[:])
	if err != nil {
		return nil, errTink
	}
	return fileKEK{func() tink.AEAD { return cipher }}, nil
}

// CreateFileKEK makes a new key file with a random key, readable and writable by
// this process's user only, whatever the umask, and durable before it returns. It
// never overwrites: a path that exists is refused with an error that matches
// fs.ErrExist. The directory must exist; where it may be is said at [FileKEK].
//
// If it fails otherwise it leaves no file behind. A process killed in the middle
// may leave an incomplete one, which [FileKEK] refuses; remove it by hand.
func CreateFileKEK(path, database string) error {
	path, err := placeKeyFile(path, database)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // O_EXCL follows no link
	if err != nil {
		return keyFileError(err)
	}
	if err := writeKeyFile(f); err != nil {
		return errors.Join(keyFileError(err), keyFileError(os.Remove(path)))
	}
	return nil
}

func writeKeyFile(f *os.File) error {
	var key [keySize]byte
	defer clear(key[:])
	_, _ = rand.Read(key[:]) // never fails: crypto/rand
	text := formatKeyFile(&key)
	defer clear(text)

	err := f.Chmod(0o600) // the umask may have taken more
	if err == nil {
		_, err = f.Write(text)
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return syncDirectory(f.Name())
}

func formatKeyFile(key *[keySize]byte) []byte {
	text := make([]byte, 0, keyFileSize) // never grows: no copy is left behind
	text = append(text, keyFilePrefix...)
	text = base64.StdEncoding.AppendEncode(text, key[:])
	return append(text, '\n')
}

var errKeyFileForm = &secrets.InvalidError{Field: "key file", Rule: "must hold one line as CreateFileKEK writes it"}

// parseKeyFile accepts exactly what formatKeyFile writes.
func parseKeyFile(key *[keySize]byte, text []byte) error {
	if len(text) != keyFileSize || !bytes.HasPrefix(text, []byte(keyFilePrefix)) {
		return errKeyFileForm
	}
	var decoded [keyFileSize]byte // as Decode wants it: room for what malformed text decodes to
	defer clear(decoded[:])
	n, err := base64.StdEncoding.Strict().Decode(decoded[:], text[len(keyFilePrefix):keyFileSize-1])
	if err != nil || n != keySize {
		return errKeyFileForm
	}
	copy(key[:], decoded[:n])
	again := formatKeyFile(key) // Decode skips line breaks
	defer clear(again)
	if subtle.ConstantTimeCompare(again, text) != 1 {
		clear(key[:])
		return errKeyFileForm
	}
	return nil
}

// keyFileError leaves the path out: a caller may have given the key in its place.
func keyFileError(err error) error {
	if err == nil {
		return nil
	}
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return fmt.Errorf("crypto: key file: %w", err)
}

// fileKEK is a KEK in this process's memory. It is held by a function, which has
// no fields that a printer could reach by reflection.
type fileKEK struct{ cipher func() tink.AEAD }

func (k fileKEK) EncryptWithContext(ctx context.Context, plaintext, associatedData []byte) ([]byte, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	out, err := k.cipher().Encrypt(plaintext, associatedData)
	if err != nil {
		return nil, ErrKEKFailed
	}
	return out, nil
}

func (k fileKEK) DecryptWithContext(ctx context.Context, ciphertext, associatedData []byte) ([]byte, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	out, err := k.cipher().Decrypt(ciphertext, associatedData)
	if err != nil {
		return nil, ErrWrongKEK
	}
	return out, nil
}
