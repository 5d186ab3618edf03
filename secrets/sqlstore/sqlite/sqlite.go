// Package sqlite opens a [sqlstore.Store] in a file: the embedded default. It
// links modernc.org/sqlite, which needs no C compiler.
//
// Any number of processes on one host may share the file. It must lie on a
// local filesystem: write-ahead logging shares memory between processes, which
// no network filesystem offers (https://sqlite.org/wal.html).
//
// While a process has a store open it must not open and close the file by other
// means, not even to read it: that ends SQLite's locks on it
// (https://sqlite.org/howtocorrupt.html, 2.2).
//
// Back it up with SQLite's own means, such as VACUUM INTO: a copy of the file
// alone lacks what is still in the log beside it.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite"

	"github.com/pipesecrets/pipesecrets/secrets/sqlstore"
)

// pragmas are set on every connection.
var pragmas = [...]string{
	"busy_timeout(5000)", // milliseconds that a writer waits for writers of other processes
	"journal_mode(WAL)",  // readers and the writer do not wait for each other
	"synchronous(FULL)",  // a commit survives loss of power, not just of the process
	"foreign_keys(1)",    // off by default; they keep pinned versions
	"secure_delete(1)",   // sealed bytes that go are overwritten: they must not outlive their secret in free pages, to be opened with the key some day
}

// maxConns bounds the connections of one process, each of which holds a cache
// of up to 2 MB. One of them writes at a time.
const maxConns = 8

// Open opens the store in the file at path, and makes the file if there is
// none, with mode 0600, as are the two that SQLite keeps beside it (path-wal
// and path-shm). The directory must exist, and must be writable. Opening
// changes no existing file's mode.
//
// Open fails with [sqlstore.ErrNewerSchema] if a later release wrote the file,
// and with [sqlstore.ErrBusy] if other processes held it for 5 seconds.
func Open(ctx context.Context, path string) (*sqlstore.Store, error) {
	return open(ctx, path, sqlstore.SQLite())
}

func open(ctx context.Context, path string, d sqlstore.Dialect) (*sqlstore.Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open: %w", err)
	}
	if err := create(path); err != nil {
		return nil, fmt.Errorf("sqlite: open: %w", err)
	}
	db, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		return nil, errors.New("sqlite: open: driver refuses its settings")
	}
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxConns)

	// The change of a new file to write-ahead logging does not wait for others
	// that do the same, busy_timeout or not.
	for deadline := time.Now().Add(5 * time.Second); ; {
		s, err := sqlstore.New(ctx, db, d)
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, sqlstore.ErrBusy) || time.Now().After(deadline) {
			_ = db.Close() // the error that matters is the other one
			return nil, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// create makes an empty file of mode 0600 at path unless there is something;
// SQLite would make it 0644 less the umask. It never opens what others may have
// open, which would end their locks when it is closed. So the file is made under
// another name, closed, and then linked.
func create(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // at worst an empty file stays
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil // another process was first
}

// dsn writes the path so that no character of it is taken for a setting.
func dsn(path string) string {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": pragmas[:]}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}
