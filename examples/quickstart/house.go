package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/crypto"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/sqlstore"
	"github.com/pipesecrets/pipesecrets/secrets/sqlstore/sqlite"
)

// The scopes of the example, and the one target.
var (
	workspace = secrets.Scope{Kind: secrets.Workspace, ID: "genomics"}
	lab       = secrets.Scope{Kind: secrets.Organization, ID: "lab"}
)

const target = "cluster"

// house is a launcher's state in one directory:
//
//	DIR/db/     the database, sealed values only
//	DIR/kek/    the key file, apart from the database
//	DIR/stage/  what jobs read, one directory per run
//	DIR/runs/   a lock file per run, held while its launcher lives
type house struct {
	dir     string
	backend *sqlstore.Store
	keyring *crypto.Keyring
	driver  *hpc.Driver
	service *pipesecrets.Service
}

func (h *house) stage() string { return filepath.Join(h.dir, "stage") }
func (h *house) runs() string  { return filepath.Join(h.dir, "runs") }

// open makes the house, or enters the one that is there. change may alter the
// configuration of its service.
func open(ctx context.Context, dir string, change func(*pipesecrets.Config)) (*house, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, errors.New("the directory has no absolute path")
	}
	for _, d := range []string{"", "db", "kek", "stage", "runs"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, errors.New("the directory can't be made")
		}
	}
	h := &house{dir: dir}
	database := filepath.Join(dir, "db", "pipesecrets.db")
	if h.backend, err = sqlite.Open(ctx, database); err != nil {
		return nil, err
	}
	if err := h.unlock(ctx, database, filepath.Join(dir, "kek", "key")); err != nil {
		return nil, errors.Join(err, h.close())
	}
	if h.driver, err = hpc.New(hpc.Config{Root: h.stage()}); err != nil {
		return nil, errors.Join(err, h.close())
	}
	config := pipesecrets.Config{
		Backend: h.backend, Keyring: h.keyring,
		Home:    "quickstart",
		Targets: map[string]provider.Provider{target: h.driver},
		Policy:  rbac.Default(),
		Parent: func(_ context.Context, s secrets.Scope) (secrets.Scope, error) {
			if s != workspace {
				return secrets.Scope{}, errors.New("no such workspace")
			}
			return lab, nil
		},
		Alive: h.alive,
		Need:  3 * time.Second, // short: the launcher renews while the command runs
	}
	if change != nil {
		change(&config)
	}
	if h.service, err = pipesecrets.New(ctx, config); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

// unlock loads the keyring, and makes key file and keyring if both are missing:
// the first start. A host would make them in its installation, not at a start.
func (h *house) unlock(ctx context.Context, database, key string) error {
	installation, err := h.backend.Installation(ctx, "")
	if err != nil {
		return err
	}
	_, generation, err := h.backend.LoadKeysets(ctx)
	if err != nil {
		return err
	}
	if generation == 0 {
		if err := crypto.CreateFileKEK(key, database); err != nil {
			return err
		}
	}
	kek, err := crypto.FileKEK(key, database)
	if err != nil {
		return err
	}
	if generation == 0 {
		h.keyring, err = crypto.Create(ctx, h.backend, kek, installation, crypto.XChaCha20Poly1305)
	} else {
		h.keyring, err = crypto.Load(ctx, h.backend, kek, installation)
	}
	return err
}

func (h *house) close() error { return h.backend.Close() }
