//go:build unix

package hpc

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func rootError(rule string) error { return &secrets.InvalidError{Field: "staging root", Rule: rule} }

// openRoot opens the staging root after checking, as OpenSSH's StrictModes does
// for a home directory, that nobody but root and we can put another directory in
// its place or anything into it.
func openRoot(path string) (*os.Root, error) {
	if !filepath.IsAbs(path) {
		return nil, rootError("must be an absolute path")
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, rootError("must be an existing directory")
	}
	for dir := real; ; dir = filepath.Dir(dir) {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() {
			return nil, rootError("must be an existing directory")
		}
		uid := info.Sys().(*syscall.Stat_t).Uid
		if uid != 0 && int(uid) != os.Geteuid() {
			return nil, rootError("it and every parent must belong to root or to this user")
		}
		others := info.Mode().Perm()&0o022 != 0
		if others && dir == real {
			return nil, rootError("may not be writable by group or others")
		}
		if others && info.Mode()&os.ModeSticky == 0 {
			return nil, rootError("may have no parent that is writable by group or others, unless it is sticky")
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	root, err := os.OpenRoot(real)
	if err != nil {
		return nil, rootError("must be accessible to this user")
	}
	return root, nil
}

// readRoot returns the names in the staging root.
func (d *Driver) readRoot(ctx context.Context) ([]string, error) {
	if ctx.Err() != nil {
		return nil, failed("list", ctx.Err())
	}
	root, err := openRoot(d.config.Root)
	if err != nil {
		return nil, failed("list", err)
	}
	defer root.Close()
	names, err := namesIn(root)
	if err != nil {
		return nil, failed("list", err)
	}
	return names, nil
}

// failed returns err as a driver's error: the operating system's texts stay
// behind.
func failed(op string, err error) error {
	var invalid *secrets.InvalidError
	code := provider.Internal
	switch {
	case errors.As(err, &invalid):
		code = provider.Refused
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, syscall.EIO), errors.Is(err, syscall.ESTALE), errors.Is(err, syscall.EINTR),
		errors.Is(err, syscall.EBUSY), errors.Is(err, syscall.ENOTEMPTY), errors.Is(err, syscall.EMFILE):
		code = provider.Unavailable
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		code = provider.Quota
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		code = provider.Forbidden
	case errors.Is(err, fs.ErrExist):
		code = provider.Taken
	}
	return &provider.Error{Op: op, Code: code}
}
