package main

import (
	"context"
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

// Times, short so that a crash is clean soon.
const (
	lease   = 250 * time.Millisecond
	need    = time.Second
	maxNeed = 3 * time.Second
	maskFor = 50 * time.Millisecond
	grace   = 50 * time.Millisecond
	horizon = 200 * time.Millisecond // of the platform
)

// The targets: a directory, and two platforms in a process of their own.
const (
	cluster  = "cluster"
	cloud    = "cloud"
	awsCloud = "aws"
)

var (
	workspace = secrets.Scope{Kind: secrets.Workspace, ID: "w"}
	person    = rbac.Caller{User: "p", Grants: []rbac.Grant{{Scope: workspace, Role: rbac.Admin}}}
	operator  = rbac.Operator("crashtest")
)

// house is what one process has open of the state in a directory, which the
// processes share:
//
//	DIR/db/p.db       the database
//	DIR/kek/key       the key file
//	DIR/stage/        the staging root of the target cluster
//	DIR/platform      the socket of the target cloud
//	DIR/aws           the socket of the target aws
type house struct {
	backend *sqlstore.Store
	keyring *crypto.Keyring
	service *pipesecrets.Service
}

func database(dir string) string  { return filepath.Join(dir, "db", "p.db") }
func keyFile(dir string) string   { return filepath.Join(dir, "kek", "key") }
func root(dir string) string      { return filepath.Join(dir, "stage") }
func socket(dir string) string    { return filepath.Join(dir, "platform") }
func awsSocket(dir string) string { return filepath.Join(dir, "aws") }

// build makes the state in an empty directory.
func build(ctx context.Context, dir string) error {
	for _, path := range []string{database(dir), keyFile(dir)} {
		if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
			return err
		}
	}
	if err := os.Mkdir(root(dir), 0o700); err != nil {
		return err
	}
	if _, err := hpc.New(hpc.Config{Root: root(dir)}); err != nil { // marks the root
		return err
	}
	if err := crypto.CreateFileKEK(keyFile(dir), database(dir)); err != nil {
		return err
	}
	kek, err := crypto.FileKEK(keyFile(dir), database(dir))
	if err != nil {
		return err
	}
	backend, err := sqlite.Open(ctx, database(dir))
	if err != nil {
		return err
	}
	installation, err := backend.Installation(ctx, "")
	if err == nil {
		_, err = crypto.Create(ctx, backend, kek, installation, crypto.XChaCha20Poly1305)
	}
	if err != nil {
		_ = backend.Close() // the error that matters is the other one
		return err
	}
	return backend.Close()
}

// enter opens the state as one launcher process does. change alters the
// configuration of its service.
func enter(ctx context.Context, dir string, change func(*pipesecrets.Config)) (*house, error) {
	backend, err := sqlite.Open(ctx, database(dir))
	if err != nil {
		return nil, err
	}
	h := &house{backend: backend}
	if err := h.serve(ctx, dir, change); err != nil {
		_ = backend.Close() // the error that matters is the other one
		return nil, err
	}
	return h, nil
}

func (h *house) serve(ctx context.Context, dir string, change func(*pipesecrets.Config)) error {
	installation, err := h.backend.Installation(ctx, "")
	if err != nil {
		return err
	}
	kek, err := crypto.FileKEK(keyFile(dir), database(dir))
	if err != nil {
		return err
	}
	if h.keyring, err = crypto.Load(ctx, h.backend, kek, installation); err != nil {
		return err
	}
	files, err := hpc.New(hpc.Config{Root: root(dir)})
	if err != nil {
		return err
	}
	onAWS, err := newAWS(dir)
	if err != nil {
		return err
	}
	config := pipesecrets.Config{
		Backend: h.backend, Keyring: h.keyring, Home: "crashtest", Policy: rbac.Default(),
		Targets: map[string]provider.Provider{cluster: files, cloud: newRemote(socket(dir)), awsCloud: onAWS},
		Lease:   lease, Need: need, MaxNeed: maxNeed, MaskFor: maskFor, Grace: grace,
	}
	change(&config)
	h.service, err = pipesecrets.New(ctx, config)
	return err
}

// living returns the secrets that there are.
func (h *house) living(ctx context.Context) ([]secrets.Secret, error) {
	return h.backend.List(ctx, secrets.Query{Scope: workspace, Limit: 1000})
}
