package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
)

// Store is a database that holds secrets, ledger, audit log and keysets. It is
// safe for concurrent use by several goroutines; several processes may each
// have their own Store on one database.
type Store struct {
	db     *sql.DB
	d      Dialect
	writer chan struct{} // holds a token while a transaction writes
}

var (
	_ secrets.Store = (*Store)(nil)
	_ stage.Ledger  = (*Store)(nil)
	_ audit.Log     = (*Store)(nil)
	_ keysetStore   = (*Store)(nil)
)

// New brings the database's schema up to date and returns the Store, which owns
// db from then on. It fails with [ErrNewerSchema] if a later release wrote the
// schema, and changes nothing then. Several processes may do this at once.
func New(ctx context.Context, db *sql.DB, d Dialect) (*Store, error) {
	s := &Store{db: db, d: d, writer: make(chan struct{}, 1)}
	if err := s.migrate(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Close closes the database. What a call was told is kept before it returns;
// there is nothing to flush.
func (s *Store) Close() error {
	return s.fail(context.Background(), "close database", s.db.Close())
}

// ErrBusy says that other processes held the database for longer than a call
// waits. Nothing was changed; try again.
var ErrBusy = errors.New("database is busy")

// Error is a failure of the database.
type Error struct {
	Op   string // such as "put"
	Code string // the database's own: for SQLite a number of sqlite.org/rescode.html; "unreadable" for a row that makes no sense, "ignored" for one that it did not add and did not refuse
}

func (e *Error) Error() string { return "sqlstore: " + e.Op + ": database error " + e.Code }

// errUnreadable says that a row holds what this package never writes.
var errUnreadable = errors.New("unreadable")

// errIgnored says that the database did not add a row, and called it done.
var errIgnored = errors.New("ignored")

// fail makes an error of the database fit to leave the package.
func (s *Store) fail(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil { // whatever the driver made of it
		return fmt.Errorf("sqlstore: %s: %w", op, ctx.Err())
	}
	if errors.Is(err, errUnreadable) {
		return &Error{op, "unreadable"}
	}
	if errors.Is(err, errIgnored) {
		return &Error{op, "ignored"}
	}
	code := s.d.code(err)
	if s.d.busy(code) {
		return fmt.Errorf("sqlstore: %s: %w", op, ErrBusy)
	}
	return &Error{op, code}
}

// write runs do in a transaction that sees all earlier writes and commits if do
// returns nil.
func (s *Store) write(ctx context.Context, op string, do func(*tx) error) error {
	// The database lets one transaction write at a time. Waiting here rather
	// than there is fair, and leaves connections to those who read.
	select {
	case s.writer <- struct{}{}:
		defer func() { <-s.writer }()
	case <-ctx.Done():
		return s.fail(ctx, op, ctx.Err())
	}
	return s.transact(ctx, op, nil, do)
}

// read runs do in a transaction that sees one snapshot.
func (s *Store) read(ctx context.Context, op string, do func(*tx) error) error {
	return s.transact(ctx, op, &sql.TxOptions{ReadOnly: true}, do)
}

func (s *Store) transact(ctx context.Context, op string, opts *sql.TxOptions, do func(*tx) error) error {
	sqlTx, err := s.db.BeginTx(ctx, opts)
	if err != nil {
		return s.fail(ctx, op, err)
	}
	defer func() { _ = sqlTx.Rollback() }() // after a commit it does nothing
	t := &tx{ctx: ctx, sql: sqlTx, now: toMicro(s.d.Now())}
	t.fail = func(err error) error { return s.fail(ctx, op, err) }
	if err := do(t); err != nil {
		return err
	}
	err = sqlTx.Commit()
	if errors.Is(err, sql.ErrTxDone) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return s.fail(ctx, op, err) // rolled back because the context was done
	}
	// Else the outcome may be unknown, which a context that is done since must
	// not hide.
	return s.fail(context.WithoutCancel(ctx), op, err)
}

// tx is one transaction. Its methods return errors that are fit to leave the
// package.
type tx struct {
	ctx  context.Context
	sql  *sql.Tx
	now  time.Time // the commit's; read when the transaction may write, so that times follow the order of commits
	fail func(error) error
}

// exec runs a statement and answers how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	res, err := t.sql.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, t.fail(err)
	}
	n, err := res.RowsAffected()
	return n, t.fail(err)
}

// insert adds one row, for which a trigger of somebody else's may not stand in the
// way unheard.
func (t *tx) insert(query string, args ...any) error {
	n, err := t.exec(query, args...)
	if err == nil && n != 1 {
		return t.fail(errIgnored)
	}
	return err
}

// scanner is a row to be read.
type scanner interface{ Scan(dest ...any) error }

// each calls scan for every row of the answer.
func (t *tx) each(scan func(scanner) error, query string, args ...any) error {
	rows, err := t.sql.QueryContext(t.ctx, query, args...)
	if err != nil {
		return t.fail(err)
	}
	defer func() { _ = rows.Close() }() // rows.Err below tells what went wrong
	for rows.Next() {
		if err := scan(rows); err != nil {
			return t.fail(err)
		}
	}
	return t.fail(rows.Err())
}

// one reads the first row of the answer into dest and reports whether there is
// one.
func (t *tx) one(dest []any, query string, args ...any) (bool, error) {
	err := t.sql.QueryRowContext(t.ctx, query, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, t.fail(err)
}

// exists reports whether the answer has a row.
func (t *tx) exists(query string, args ...any) (bool, error) {
	var x int
	return t.one([]any{&x}, query, args...)
}
