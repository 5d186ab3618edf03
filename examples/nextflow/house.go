package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/crypto"
	"github.com/pipesecrets/pipesecrets/examples/internal/firststart"
	"github.com/pipesecrets/pipesecrets/examples/internal/locks"
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
//	DIR/stage/  what Nextflow and its tasks read, one directory per run
//	DIR/runs/   a lock file per run, held while its launcher lives
//	DIR/lock    held while a process opens the house
type house struct {
	dir     string
	backend *sqlstore.Store
	keyring *crypto.Keyring
	driver  *hpc.Driver
	service *pipesecrets.Service
}

func (h *house) stage() string { return filepath.Join(h.dir, "stage") }
func (h *house) runs() string  { return filepath.Join(h.dir, "runs") }

// open makes the house, or enters the one that is there, one process at a time. What
// it stages is in the form that staged says.
func open(ctx context.Context, dir string, staged hpc.Config) (*house, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, errors.New("the directory has no absolute path")
	}
	h := &house{dir: dir}
	// The driver checks the place, so it comes first: nothing is left in a bad one.
	made, err := firststart.MakeDir(h.stage())
	if err == nil {
		staged.Root = h.stage()
		h.driver, err = hpc.New(staged)
	}
	if err != nil {
		for _, d := range slices.Backward(made) {
			_ = os.Remove(d) // stays if another process has put something there
		}
		return nil, err
	}
	release, err := h.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	for _, d := range []string{"db", "kek", "runs"} {
		if _, err := firststart.MakeDir(filepath.Join(dir, d)); err != nil {
			return nil, err
		}
	}
	database := filepath.Join(dir, "db", "pipesecrets.db")
	if h.backend, err = sqlite.Open(ctx, database); err != nil {
		return nil, err
	}
	if h.keyring, err = firststart.Keyring(ctx, h.backend, database, filepath.Join(dir, "kek", "key")); err != nil {
		return nil, errors.Join(err, h.close())
	}
	config := pipesecrets.Config{
		Backend: h.backend, Keyring: h.keyring,
		Home:    "nextflow",
		Targets: map[string]provider.Provider{target: h.driver},
		Policy:  rbac.Default(),
		Parent: func(_ context.Context, s secrets.Scope) (secrets.Scope, error) {
			if s != workspace {
				return secrets.Scope{}, errors.New("no such workspace")
			}
			return lab, nil
		},
		Alive: h.alive,
		Need:  3 * time.Second, // short: the launcher renews while Nextflow runs
	}
	if h.service, err = pipesecrets.New(ctx, config); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

// lock takes the lock of the house and waits for it if need be, so that of several
// first starts one makes key and keyring, and the others find them.
func (h *house) lock(ctx context.Context) (release func(), err error) {
	return locks.Wait(ctx, filepath.Join(h.dir, "lock"))
}

// lockRun takes the lock that says that a run's launcher lives.
func (h *house) lockRun(id secrets.RunID) (release func(), err error) {
	return locks.Hold(filepath.Join(h.runs(), id.String()))
}

// alive tells whether a run's launcher still holds its lock.
func (h *house) alive(_ context.Context, id secrets.RunID) (bool, error) {
	return locks.Held(filepath.Join(h.runs(), id.String()))
}

func (h *house) close() error { return h.backend.Close() }
