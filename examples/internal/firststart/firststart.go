// Package firststart makes what a launcher's state needs once. A host has it made by
// its installation; an example has nothing but its own first start.
package firststart

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/crypto"
)

// MakeDir makes a directory and what is missing above it, and returns what it
// made, the outermost first.
func MakeDir(path string) (made []string, err error) {
	err = os.Mkdir(path, 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		if made, err = MakeDir(filepath.Dir(path)); err != nil {
			return made, err
		}
		err = os.Mkdir(path, 0o700)
	}
	switch {
	case err == nil:
		made = append(made, path)
	case !errors.Is(err, fs.ErrExist): // what is there is looked at by whoever uses it
		return made, errors.New("the directory can't be made")
	}
	return made, nil
}

// Keyring loads the keyring of a backend whose database file and key file are at these
// paths. At the first start it makes it, as well as the key file unless one is there,
// as after a first start that was killed between the two. One process at a time may
// call it.
func Keyring(ctx context.Context, backend pipesecrets.Backend, database, key string) (*crypto.Keyring, error) {
	installation, err := backend.Installation(ctx, "")
	if err != nil {
		return nil, err
	}
	_, generation, err := backend.LoadKeysets(ctx)
	if err != nil {
		return nil, err
	}
	if generation == 0 {
		if err := crypto.CreateFileKEK(key, database); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	kek, err := crypto.FileKEK(key, database)
	if err != nil {
		return nil, err
	}
	if generation == 0 {
		return crypto.Create(ctx, backend, kek, installation, crypto.XChaCha20Poly1305)
	}
	return crypto.Load(ctx, backend, kek, installation)
}
