//go:build unix

package hpc

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"iter"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pipesecrets/pipesecrets/internal/shell"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/nextflow"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Config configures a [Driver].
type Config struct {
	// Root is the absolute path of an existing directory, visible under the same
	// path to the launcher and the jobs, and used by this driver only.
	Root string

	// NoEnv leaves out env.sh. A value with a NUL byte, which no environment can
	// carry, is refused otherwise.
	NoEnv bool

	// NoStore leaves out store.json. A value that is not valid UTF-8, which JSON
	// can't carry, is refused otherwise.
	NoStore bool

	// Store is how store.json is written. The zero Store writes values as they are,
	// and says nothing of what stock Nextflow then makes of them.
	Store nextflow.Store

	// JobUID is the user whose jobs read what is staged, where the launcher is root
	// and the jobs are not: a run's directory is handed to that user when it is
	// complete. The root must let the user through, by a mode such as 0711. Zero, the
	// only choice of a launcher that is not root, is for jobs that run as the
	// launcher does. Several users need a driver, and a root, for each.
	JobUID int
}

// Names of what a run's directory holds.
const (
	envFile   = "env.sh"
	storeFile = "store.json"
	filesDir  = "files"
	prefix    = "psec-"
)

// Kind is the Kind of this driver's locations and references.
const Kind = "file"

// Driver is the provider for one root. It holds no open file and needs no
// closing.
type Driver struct {
	config  Config
	horizon time.Duration
	mark    string // the root's
}

var (
	_ provider.Provider   = (*Driver)(nil)
	_ provider.Lister     = (*Driver)(nil)
	_ provider.Withdrawer = (*Driver)(nil)
	_ provider.Neighbor   = (*Driver)(nil)
)

// New returns a driver for the root, or a *secrets.InvalidError: for the field
// "staging root" if somebody else could swap it or write in it, for "job user" if
// JobUID is no user or we are not root. A root that is
// used for the first time is marked by a small hidden file, by which it is known
// again: a path under which another directory is found, such as the one below a
// mount that is missing, is unavailable rather than empty. Both are checked again
// at every use. A root that holds runs and has no mark any more, as after a purge
// of old files, is refused: put the mark back (it is the Account of the location of
// their objects, in receipts), or remove what is staged there.
func New(c Config) (*Driver, error) {
	if c.JobUID != 0 && (c.JobUID < 0 || int64(c.JobUID) >= math.MaxUint32 || os.Geteuid() != 0) {
		return nil, &secrets.InvalidError{Field: "job user", Rule: "must be a user, and is for root alone to choose"}
	}
	c.Root = filepath.Clean(c.Root)
	root, err := openRoot(c.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if c.JobUID != 0 {
		info, err := root.Stat(".")
		if err != nil || info.Mode().Perm()&0o011 == 0 {
			return nil, rootError("must let the user of the jobs pass, by a mode such as 0711")
		}
	}
	horizon, err := horizonOf(root)
	if err != nil {
		return nil, err
	}
	mark, err := markOf(root)
	if errors.Is(err, fs.ErrNotExist) {
		if err := neverUsed(root); err != nil {
			return nil, err
		}
		if err := markRoot(root); err != nil {
			return nil, err
		}
		mark, err = markOf(root)
	}
	if err != nil {
		return nil, rootError("has a mark that can't be read")
	}
	return &Driver{config: c, horizon: horizon, mark: mark}, nil
}

// Location answers the root's path and, as the account, its mark.
func (d *Driver) Location() provider.Location {
	return provider.Location{Kind: Kind, Account: d.mark, Place: d.config.Root}
}

// Capabilities answers a horizon of zero where the root lies on a filesystem
// known to be local, and ten minutes elsewhere, since a client of a network
// filesystem may see an old directory for as long as it caches it.
func (d *Driver) Capabilities() provider.Capabilities {
	return provider.Capabilities{Horizon: d.horizon, CreateTimeout: time.Minute, Concurrency: 4}
}

var errNUL = &secrets.InvalidError{Field: "value", Rule: "may hold no NUL byte to stand in an environment"}

// Carries refuses, unless NoEnv, a value with a NUL byte, and a name that a shell
// keeps for itself; and, unless NoStore, what Config.Store does not carry: at
// least a value that is not valid UTF-8.
func (d *Driver) Carries(name secrets.Name, v secrets.Value) error {
	if !d.config.NoEnv {
		if shell.Owns(name) {
			return errShell
		}
		err := v.Reveal(func(plain []byte) error {
			if bytes.IndexByte(plain, 0) >= 0 {
				return errNUL
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if !d.config.NoStore {
		return d.config.Store.Carries(name, v)
	}
	return nil
}

// CarriesBeside refuses what Config.Store does not carry beside the others: a value
// that holds NAME= of one of them, unless the form is AsIs.
func (d *Driver) CarriesBeside(name secrets.Name, v secrets.Value, others []secrets.Name) error {
	if d.config.NoStore {
		return nil
	}
	return d.config.Store.Carries(name, v, others...)
}

// Plan puts all items of a run into one directory.
func (d *Driver) Plan(_ secrets.RunID, items []provider.Item, nonce func() string) ([]provider.Object, error) {
	return []provider.Object{{Name: nonce(), Items: items}}, nil
}

// dirName is the name of an object's directory: the mark tells whose it is, the
// nonce can't be guessed by whoever would like to be there first.
func dirName(o provider.Object) string {
	return prefix + hex.EncodeToString(o.Mark[:]) + "-" + o.Name
}

// References returns the path of each secret's own file.
func (d *Driver) References(o provider.Object, _ string) []provider.Reference {
	refs := make([]provider.Reference, len(o.Items))
	for i, item := range o.Items {
		refs[i] = provider.Reference{
			Name: item.Name, Kind: Kind,
			Locator: filepath.Join(d.config.Root, dirName(o), filesDir, item.Name.String()),
		}
	}
	return refs
}

// Environment returns what a job needs to know to find what was staged for it:
// PIPESECRETS_DIR, the directory with one file per secret; PIPESECRETS_ENV, the
// file to source; NXF_SECRETS_FILE, the file that Nextflow reads. It holds paths
// only. References of other drivers are passed over; it is empty if none of this
// driver's is among them.
func (d *Driver) Environment(refs []provider.Reference) map[string]string {
	env := map[string]string{}
	for _, ref := range refs {
		dir, ok := strings.CutPrefix(filepath.Dir(filepath.Dir(ref.Locator)), d.config.Root+"/")
		if ref.Kind != Kind || !ok || !strings.HasPrefix(dir, prefix) {
			continue
		}
		dir = filepath.Join(d.config.Root, dir)
		env["PIPESECRETS_DIR"] = filepath.Join(dir, filesDir)
		if !d.config.NoEnv {
			env["PIPESECRETS_ENV"] = filepath.Join(dir, envFile)
		}
		if !d.config.NoStore {
			env["NXF_SECRETS_FILE"] = filepath.Join(dir, storeFile)
		}
		break // a run has one directory
	}
	return env
}

// List yields the directories that carry the mark.
func (d *Driver) List(ctx context.Context, mark [16]byte) iter.Seq2[provider.Object, error] {
	return func(yield func(provider.Object, error) bool) {
		names, err := d.readRoot(ctx)
		if err != nil {
			yield(provider.Object{}, err)
			return
		}
		ours := dirName(provider.Object{Mark: mark})
		for _, name := range names {
			if nonce, ok := strings.CutPrefix(name, ours); ok {
				if !yield(provider.Object{Name: nonce, Mark: mark}, nil) {
					return
				}
			}
		}
	}
}
