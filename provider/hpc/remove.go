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
	if err := d.removeRun(ctx, root, dirName(o)); err != nil {
		return failed(op, err)
	}
	return nil
}
