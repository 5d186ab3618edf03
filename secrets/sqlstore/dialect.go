package sqlstore

import (
	"errors"
	"strconv"
	"time"
)

// Dialect is what differs from one database to another. Each comes from a
// function; the zero Dialect is none.
type Dialect struct {
	// Now is the clock by which leases, needs and events count. SQLite has none
	// of its own, and all who share a file share a host: it is time.Now. Tests
	// set another.
	Now func() time.Time

	migrations []string               // the first makes schema 1, and so on
	code       func(err error) string // the database's code for an error, without its text
	busy       func(code string) bool
}

// SQLite is the dialect of SQLite 3.37 or later, which has strict tables.
// Connections must begin transactions that are not read-only with BEGIN
// IMMEDIATE, and enforce foreign keys; package sqlite sees to it.
func SQLite() Dialect {
	return Dialect{
		Now:        time.Now,
		migrations: sqliteMigrations[:],
		code: func(err error) string {
			var coded interface{ Code() int } // of the driver, which this package does not link
			if errors.As(err, &coded) {
				return strconv.Itoa(coded.Code())
			}
			return "unknown"
		},
		busy: func(code string) bool {
			const busy, locked = 5, 6
			n, err := strconv.Atoi(code)
			return err == nil && (n&0xff == busy || n&0xff == locked) // the higher bits detail
		},
	}
}
