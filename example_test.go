package pipesecrets_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/crypto"
	"github.com/pipesecrets/pipesecrets/precedence"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/sqlstore/sqlite"
)

// A launcher embeds the service, runs one job with a secret, and ends the run.
func Example() {
	ctx, dir := context.Background(), install()
	defer os.RemoveAll(dir)
	workspace := secrets.Scope{Kind: secrets.Workspace, ID: "4711"}
	ada := rbac.Caller{User: "ada", Grants: []rbac.Grant{{Scope: workspace, Role: rbac.Admin}}}
	token, run, value := inputs()

	database := filepath.Join(dir, "db", "secrets.db")
	backend, err := sqlite.Open(ctx, database)
	check(err)
	installation, err := backend.Installation(ctx, "")
	check(err)
	kek, err := crypto.FileKEK(filepath.Join(dir, "kek", "key"), database) // or a cloud KMS
	check(err)
	keyring, err := crypto.Load(ctx, backend, kek, installation)
	check(err)
	cluster, err := hpc.New(hpc.Config{Root: filepath.Join(dir, "staged")})
	check(err)
	service, err := pipesecrets.New(ctx, pipesecrets.Config{
		Backend: backend, Keyring: keyring, Home: "launcher.example", Policy: rbac.Default(),
		Targets: map[string]provider.Provider{"cluster": cluster},
	})
	check(err)

	_, err = service.Create(ctx, ada, secrets.Secret{Name: token, Scope: workspace}, value)
	check(err)
	launch, err := service.Launch(ctx, ada, pipesecrets.LaunchRequest{
		Run: run, Workspace: workspace, Wants: []precedence.Want{{Name: token}},
	})
	check(err)
	job := exec.Command("sh", "-c", `. "$PIPESECRETS_ENV"; echo "using $TOKEN"`)
	job.Stdout = os.Stdout
	for name, path := range cluster.Environment(launch.References) {
		job.Env = append(job.Env, name+"="+path) // paths only
	}
	failed := launch.Redactor.Run(job) // all output of the run passes it
	receipt, err := service.Complete(ctx, ada, run, pipesecrets.Ending{Outcome: "succeeded"})
	check(errors.Join(failed, err))
	fmt.Println("gone:", receipt.Gone())
	// Output:
	// using [secret:TOKEN]
	// gone: true
}

// install does what an installation does once: it makes the directories, the key
// file and the keyring.
func install() (dir string) {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "pipesecrets-")
	check(err)
	for _, d := range []string{"db", "kek", "staged"} {
		check(os.Mkdir(filepath.Join(dir, d), 0o700))
	}
	database, key := filepath.Join(dir, "db", "secrets.db"), filepath.Join(dir, "kek", "key")
	check(crypto.CreateFileKEK(key, database))
	backend, err := sqlite.Open(ctx, database)
	check(err)
	installation, err := backend.Installation(ctx, "launcher.example")
	check(err)
	kek, err := crypto.FileKEK(key, database)
	check(err)
	_, err = crypto.Create(ctx, backend, kek, installation, crypto.XChaCha20Poly1305)
	check(errors.Join(err, backend.Close()))
	return dir
}

func inputs() (secrets.Name, secrets.RunID, secrets.Value) {
	name, err := secrets.ParseName("TOKEN")
	check(err)
	run, err := secrets.ParseRunID("run-1")
	check(err)
	value, err := secrets.NewValue([]byte(rand.Text()))
	check(err)
	return name, run, value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
