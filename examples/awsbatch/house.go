package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/crypto"
	"github.com/pipesecrets/pipesecrets/examples/internal/firststart"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/sqlstore"
	"github.com/pipesecrets/pipesecrets/secrets/sqlstore/sqlite"
)

// target is the durable name of the place that secrets are staged to.
const target = "batch"

// The people of the story, and their workspace.
var (
	workspace = secrets.Scope{Kind: secrets.Workspace, ID: "genomics"}
	ada       = rbac.Caller{User: "ada", Grants: []rbac.Grant{{Scope: workspace, Role: rbac.Admin}}}
	lin       = rbac.Caller{User: "lin", Grants: []rbac.Grant{{Scope: workspace, Role: rbac.Launch}}}
	linsOwn   = secrets.Scope{Kind: secrets.User, ID: lin.User}
	operator  = rbac.Operator("awsbatch")
)

// house is the launcher's state in one directory, for one process at a time: the
// database in db, the key file in kek, and a lock.
type house struct {
	locked  *os.File
	backend *sqlstore.Store
	keyring *crypto.Keyring
	service *pipesecrets.Service
}

// open makes the house, or enters the one that is there, if its secrets are at the
// same place.
func open(ctx context.Context, dir, place string, driver provider.Provider) (_ *house, err error) {
	for _, d := range []string{"db", "kek"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, errors.New("the state's directory can't be made")
		}
	}
	h := &house{}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()
	if h.locked, err = os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, errors.New("the state's lock file can't be made")
	}
	if syscall.Flock(int(h.locked.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return nil, errors.New("another awsbatch uses this directory")
	}
	database := filepath.Join(dir, "db", "pipesecrets.db")
	if err = placed(filepath.Join(dir, "place"), place, database); err != nil {
		return nil, err
	}
	if h.backend, err = sqlite.Open(ctx, database); err != nil {
		return nil, err
	}
	if h.keyring, err = firststart.Keyring(ctx, h.backend, database, filepath.Join(dir, "kek", "key")); err != nil {
		return nil, err
	}
	h.service, err = pipesecrets.New(ctx, pipesecrets.Config{
		Backend: h.backend, Keyring: h.keyring, Home: "awsbatch", Policy: rbac.Default(),
		Targets: map[string]provider.Provider{target: driver},
		// While the house is locked, a run whose time is over is one that a killed
		// process left: the next one to enter ends it. A launcher of several
		// processes renews its runs instead.
		Alive: func(context.Context, secrets.RunID) (bool, error) { return false, nil },
		Need:  time.Second,
	})
	return h, err
}

// placed notes where the house's secrets are before there is a database, and refuses
// another place from then on: a sweep would look for them where they never were, find
// nothing, and take that for the proof that they are gone.
func placed(file, place, database string) error {
	if _, err := os.Stat(database); errors.Is(err, fs.ErrNotExist) {
		f, err := os.OpenFile(file, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.WriteString(place)
			err = errors.Join(err, f.Sync(), f.Close())
		}
		if err != nil {
			return errors.New("the state's place can't be noted")
		}
		return nil
	}
	if noted, err := os.ReadFile(file); err != nil || string(noted) != place {
		return &wrongInput{"-dir: the directory's secrets are at another endpoint, account or Region than is configured now: give this one a directory of its own"}
	}
	return nil
}

// others answers the states of what is not over in the ledger, but for one run.
func (h *house) others(ctx context.Context, run secrets.RunID) (left []stage.Row, err error) {
	ids, err := h.backend.Due(ctx, time.Now().AddDate(100, 0, 0), 1000)
	for _, id := range ids {
		if id == run {
			continue
		}
		receipt, failed := h.service.Receipt(ctx, operator, id)
		left, err = append(left, receipt.Left()...), errors.Join(err, failed)
	}
	return left, err
}

func (h *house) close() error {
	var err error
	if h.backend != nil {
		err = h.backend.Close()
	}
	if h.locked != nil {
		_ = h.locked.Close() // and with it the lock is gone
	}
	return err
}
