package crypto_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/pipesecrets/pipesecrets/crypto"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// A host seals a value, and another process of the same installation opens it.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var store memory // in life, the database; and the installation is what the store answers
	installation := secrets.Installation{ID: [16]byte{15: 1}}

	// Once in the life of an installation:
	keyFile := filepath.Join(dir, "kek")
	database := "" // the path of the database file, which here is none
	if err := crypto.CreateFileKEK(keyFile, database); err != nil {
		log.Fatal(err)
	}
	kek, err := crypto.FileKEK(keyFile, database)
	if err != nil {
		log.Fatal(err)
	}
	keyring, err := crypto.Create(ctx, &store, kek, installation, crypto.XChaCha20Poly1305)
	if err != nil {
		log.Fatal(err)
	}

	name, err := secrets.ParseName("API_TOKEN")
	if err != nil {
		log.Fatal(err)
	}
	value, err := secrets.NewValue([]byte("a value"))
	if err != nil {
		log.Fatal(err)
	}
	defer value.Destroy()
	record, err := keyring.Seal(secrets.Secret{
		Pin:   secrets.Pin{ID: 4711, Version: 1},
		Name:  name,
		Scope: secrets.Scope{Kind: secrets.Workspace, ID: "w-17"},
	}, value)
	if err != nil {
		log.Fatal(err)
	}

	// In every process, from then on:
	keyring, err = crypto.Load(ctx, &store, kek, installation)
	if err != nil {
		log.Fatal(err)
	}
	opened, err := keyring.Open(ctx, record)
	if err != nil {
		log.Fatal(err)
	}
	defer opened.Destroy()
	fmt.Println("printed:", opened)
	_ = opened.Reveal(func(plain []byte) error {
		fmt.Printf("revealed: %s\n", plain)
		return nil
	})

	record.Policy.Locked = true // not what was sealed
	_, err = keyring.Open(ctx, record)
	fmt.Println(err)
	// Output:
	// printed: [secret]
	// revealed: a value
	// crypto: seal is broken
}

// Keys are rotated while every process goes on.
func ExampleKeyring_AddKey() {
	rotate := func(ctx context.Context, keyring *crypto.Keyring, reloadAll, rewrap func() error) error {
		old := keyring.Keys()
		id, err := keyring.AddKey(ctx, crypto.XChaCha20Poly1305)
		if err != nil {
			return err
		}
		if err := reloadAll(); err != nil { // every process calls Keyring.Reload
			return err
		}
		if err := keyring.Promote(ctx, id); err != nil {
			return err
		}
		if err := rewrap(); err != nil { // Keyring.Reseal what Store.Behind answers
			return err
		}
		for _, key := range old {
			if err := keyring.Retire(ctx, key); err != nil {
				return err // secrets.ErrKeyInUse: something was sealed meanwhile; rewrap again
			}
		}
		return nil
	}
	_ = rotate
}
