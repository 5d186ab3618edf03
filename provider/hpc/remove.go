//go:build unix

package hpc

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/pipesecrets/pipesecrets/provider"
)

// Probe looks for the run's directory.
func (d *Driver) Probe(ctx context.Context, o provider.Object) (provider.Presence, string, error) {
	if ctx.Err() != nil {
		return provider.Unknown, "", failed("probe", ctx.Err())
	}
	root, err := d.open()
	if err != nil {
		return provider.Unknown, "", failed("probe", err)
	}
	defer root.Close()
	presence, id, err := probe(root, dirName(o), "")
	if err != nil {
		return provider.Unknown, "", failed("probe", err)
	}
	return presence, id, nil
}

func probe(root *os.Root, name, id string) (provider.Presence, string, error) {
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return provider.Absent, "", nil
	case err != nil:
		return provider.Unknown, "", err
	case !info.IsDir() || id != "" && id != inode(info):
		return provider.Foreign, "", nil
	}
	return provider.Present, inode(info), nil
}

// find opens the staging root and looks for a run's directory in it, to change it:
// one that is not ours is an error.
func (d *Driver) find(ctx context.Context, op string, o provider.Object, id string) (*os.Root, provider.Presence, error) {
	if ctx.Err() != nil {
		return nil, provider.Unknown, failed(op, ctx.Err())
	}
	root, err := d.open()
	if err != nil {
		return nil, provider.Unknown, failed(op, err)
	}
	presence, _, err := probe(root, dirName(o), id)
	if err != nil {
		return nil, provider.Unknown, errors.Join(failed(op, err), root.Close())
	}
	if presence == provider.Foreign {
		return nil, presence, errors.Join(&provider.Error{Op: op, Code: provider.NotOurs}, root.Close())
	}
	return root, presence, nil
}

// Remove takes the run's directory away with everything in it.
func (d *Driver) Remove(ctx context.Context, o provider.Object, id string) error {
	const op = "remove"
	root, _, err := d.find(ctx, op, o, id)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := removeTree(root, dirName(o)); err != nil {
		return failed(op, err)
	}
	return nil
}

// removeRounds bounds how often removeTree starts again when something is put
// into the tree while it is taken away.
const removeRounds = 10

// removeTree removes name with everything in it and syncs the root, also when it
// was gone already: who removed it may have crashed before the sync. Directories
// that a task left without permissions are opened up for it.
func removeTree(root *os.Root, name string) error {
	var err error
	for range removeRounds {
		if err = root.RemoveAll(name); err == nil {
			return syncDir(root)
		}
		if errors.Is(err, fs.ErrPermission) {
			openUp(root, name)
		}
	}
	return err
}

// openUp gives the owner's permissions back to every directory under name that
// is ours. What it can't change makes the next removal fail, which tells why.
func openUp(parent *os.Root, name string) {
	info, err := parent.Lstat(name)
	if err != nil || !info.IsDir() {
		return
	}
	if info.Mode().Perm()&0o700 != 0o700 && parent.Chmod(name, 0o700) != nil {
		return
	}
	dir, err := parent.OpenRoot(name)
	if err != nil {
		return
	}
	defer dir.Close()
	names, err := namesIn(dir)
	if err != nil {
		return
	}
	for _, n := range names {
		openUp(dir, n)
	}
}

// prune removes what keep does not want from a directory.
func prune(dir *os.Root, keep func(name string) bool) error {
	names, err := namesIn(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !keep(name) {
			if err := removeTree(dir, name); err != nil {
				return err
			}
		}
	}
	return nil
}

func namesIn(r *os.Root) ([]string, error) {
	dir, err := r.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.Readdirnames(-1)
}
