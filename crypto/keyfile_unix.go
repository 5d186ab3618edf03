//go:build unix

package crypto

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/pipesecrets/pipesecrets/secrets"
)

var (
	errKeyFilePath    = &secrets.InvalidError{Field: "key file", Rule: "must be the path of a file"}
	errKeyFilePlace   = &secrets.InvalidError{Field: "key file", Rule: "may not be in the database's directory nor below it"}
	errKeyFileRegular = &secrets.InvalidError{Field: "key file", Rule: "must be a regular file and no link"}
	errKeyFileMode    = &secrets.InvalidError{Field: "key file", Rule: "may give no permission to group and others (mode 0600)"}
	errKeyFileOwner   = &secrets.InvalidError{Field: "key file", Rule: "must be owned by this process's user or by root"}
	errDatabasePlace  = &secrets.InvalidError{Field: "database", Rule: "must be a path whose directory exists"}
)

// placeKeyFile returns path with the links in its directory resolved, and refuses
// a place in or below the database's directory. Directories are compared by what
// they are, not by what they are called.
func placeKeyFile(path, database string) (string, error) {
	if path == "" {
		return "", errKeyFilePath
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", keyFileError(err)
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return "", keyFileError(err)
	}
	placed := filepath.Join(dir, filepath.Base(abs))
	if database == "" {
		return placed, nil
	}
	forbidden, err := databaseDirectory(database)
	if err != nil {
		return "", err
	}
	for {
		info, err := os.Stat(dir)
		if err != nil {
			return "", keyFileError(err)
		}
		if os.SameFile(info, forbidden) {
			return "", errKeyFilePlace
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return placed, nil
		}
		dir = parent
	}
}

// databaseDirectory returns the directory that holds the database file, or will
// hold it; or the given directory itself.
func databaseDirectory(database string) (fs.FileInfo, error) {
	resolved, err := filepath.EvalSymlinks(database)
	if errors.Is(err, fs.ErrNotExist) {
		// A dangling link would be followed when the database is created.
		if _, err := os.Lstat(database); !errors.Is(err, fs.ErrNotExist) {
			return nil, errDatabasePlace
		}
		resolved, err = filepath.Dir(database), nil
	}
	if err != nil {
		return nil, errDatabasePlace
	}
	info, err := os.Stat(resolved)
	if err == nil && !info.IsDir() {
		info, err = os.Stat(filepath.Dir(resolved))
	}
	if err != nil || !info.IsDir() {
		return nil, errDatabasePlace
	}
	return info, nil
}

// openKeyFile opens the file and checks the descriptor, not the name, which could
// lead elsewhere a moment later.
func openKeyFile(path string) (*os.File, error) {
	// O_NONBLOCK: a named pipe must not hold up the open.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		// What O_NOFOLLOW answers differs: ELOOP, on some systems EMLINK.
		if info, lerr := os.Lstat(path); lerr == nil && !info.Mode().IsRegular() {
			return nil, errKeyFileRegular
		}
		return nil, keyFileError(err)
	}
	if err := checkKeyFile(f); err != nil {
		_ = f.Close() // opened for reading: nothing is lost
		return nil, err
	}
	return f, nil
}

func checkKeyFile(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return keyFileError(err)
	}
	if !info.Mode().IsRegular() {
		return errKeyFileRegular
	}
	if info.Mode().Perm()&0o077 != 0 {
		return errKeyFileMode
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return errKeyFileOwner
	}
	return nil
}

// syncDirectory makes the entry of a new file durable.
func syncDirectory(file string) error {
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
