//go:build unix

package hpc

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	real, err := checkPath(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	if real == "/" {
		return nil, rootError("may not be the root of all")
	}
	info, err := os.Lstat(real)
	if err != nil || !info.IsDir() {
		return nil, rootError("must be an existing directory")
	}
	if info.Mode().Perm()&0o022 != 0 {
		return nil, rootError("may not be writable by group or others")
	}
	if inherited, err := inherits(real); err != nil || inherited {
		return nil, rootError("may have no default ACL that names users or groups")
	}
	root, err := os.OpenRoot(real)
	if err != nil {
		return nil, rootError("must be accessible to this user")
	}
	return root, nil
}

// maxLinks is how many symbolic links a path may go through, as in Linux.
const maxLinks = 40

// checkPath walks a path from the filesystem's root, through its symbolic links,
// and returns it without them. Whoever owns a directory or a link on the way, or
// may write in a directory, decides where the path leads.
func checkPath(path string) (string, error) {
	at, rest, links := "/", strings.Split(path, "/"), 0
	for {
		info, err := os.Lstat(at)
		if err != nil {
			return "", rootError("must be an existing directory")
		}
		if uid := owner(info); uid != 0 && uid != os.Geteuid() {
			return "", rootError("it, every parent and every link to it must belong to root or to this user")
		}
		switch {
		case info.Mode()&os.ModeSymlink != 0:
			to, err := os.Readlink(at)
			if links++; err != nil || links > maxLinks {
				return "", rootError("must be an existing directory")
			}
			rest = append(strings.Split(to, "/"), rest...)
			if at = filepath.Dir(at); filepath.IsAbs(to) {
				at = "/"
			}
		case info.IsDir() && len(rest) > 0 && info.Mode().Perm()&0o022 != 0 && info.Mode()&os.ModeSticky == 0:
			return "", rootError("may have no parent that is writable by group or others, unless it is sticky")
		}
		for len(rest) > 0 && rest[0] == "" {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			return at, nil
		}
		at, rest = filepath.Join(at, rest[0]), rest[1:]
	}
}

// markFile tells one staging root from another that is found under its path: the
// bare directory below an absent mount, or another host's. Without it an object
// would be taken for gone that is only out of sight.
const markFile = ".psec-root"

// markOf returns the root's mark.
func markOf(root *os.Root) (string, error) {
	f, err := root.Open(markFile)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 {
		return "", errMark
	}
	mark, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil || len(mark) != len(rand.Text()) {
		return "", errMark
	}
	return string(mark), nil
}

// neverUsed returns an error if an unmarked root has ever been one.
func neverUsed(root *os.Root) error {
	names, err := namesIn(root)
	if err != nil {
		return rootError("must be readable by this user")
	}
	if slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, prefix) }) {
		return rootError("has lost its mark " + markFile + " and still holds what was staged")
	}
	return nil
}

// markRoot marks a root that has no mark. It is linked under its name when it is
// whole, so that nobody reads a part of it; of two processes the first one wins.
func markRoot(root *os.Root) error {
	mark := strings.ToLower(rand.Text())
	temporary := markFile + "-" + mark
	err := createFile(root, temporary, 0, func(w io.Writer) error {
		_, err := io.WriteString(w, mark)
		return err
	})
	if err != nil {
		_ = root.Remove(temporary) // a part of it, or nothing
		return rootError("must be writable by this user")
	}
	linked := root.Link(temporary, markFile)
	if err := errors.Join(root.Remove(temporary), syncDir(root)); err != nil {
		return rootError("must be writable by this user")
	}
	if linked != nil && !errors.Is(linked, fs.ErrExist) {
		return rootError("must lie on a filesystem with hard links")
	}
	return nil
}

var errMark = errors.New("hpc: this is not the staging root it was")

// open opens the staging root and checks that it is the one it was.
func (d *Driver) open() (*os.Root, error) {
	root, err := openRoot(d.config.Root)
	if err != nil {
		// What was a root once and is not to be seen is away, which mends itself.
		if _, away := os.Stat(d.config.Root); away != nil && !errors.Is(away, fs.ErrPermission) {
			return nil, errMark
		}
		return nil, err
	}
	if mark, err := markOf(root); err != nil || mark != d.mark {
		_ = root.Close() // it was only looked at
		return nil, errMark
	}
	return root, nil
}

// readRoot returns the names in the staging root.
func (d *Driver) readRoot(ctx context.Context) ([]string, error) {
	if ctx.Err() != nil {
		return nil, failed("list", ctx.Err())
	}
	root, err := d.open()
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
	case errors.Is(err, errMark), errors.Is(err, errSwapped), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
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
