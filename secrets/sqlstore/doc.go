// Package sqlstore keeps everything that an installation of pipesecrets
// remembers in one SQL database: the sealed secrets ([secrets.Store]), the
// ledger of runs ([stage.Ledger]), the audit log ([audit.Log]) and the wrapped
// keysets. One database makes one commit of a change, the pins that it takes
// and the events that tell of it.
//
// For SQLite, open a file with package sqlite beneath this one, which links a
// driver; this package links none. What differs between databases is a
// [Dialect].
//
// # What is stored
//
// Only what is given: values are sealed before they come here. Names, scopes,
// policies, descriptions, callers and run ids lie in the clear.
//
// # Where the contracts leave room
//
// Where several errors apply, the one whose rule comes first in the method's
// doc is returned, input that breaks a rule of its own first of all:
// [secrets.InvalidError] for a record that [secrets.Secret.Check] refuses, an
// ID outside [1, 2^53), a version that does not follow the one it replaces, an
// invalid run id or scope of an item, an Object.Stage that another row has
// used, and a phase that lies before the present one, or is Closed while an
// object is not over.
//
// Description, UpdatedAt and UpdatedBy belong to a version, as its policy does;
// LastUsed and LastRun to the secret, and only Begin sets them. A row's
// Object.Run is its run. Advance adds a row whose Object.Stage is new. A moment
// is past from itself on, so that a lease of zero is over at once. Of the times,
// the instant 1970-01-01T00:00:00Z can't be told from the zero time.
//
// # Errors
//
// A failure of the database is an [Error] with the database's own code and none
// of its text, or [ErrBusy]; when the context is done, its error. After an
// [Error] a change may have been made: read again before anything else is done.
// After ErrBusy or a context's error it has not.
package sqlstore
