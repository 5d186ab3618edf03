package sqlstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// ErrNewerSchema matches every [SchemaError].
var ErrNewerSchema = errors.New("database has a newer schema")

// SchemaError refuses a database whose schema a later release wrote: an older
// one would not keep what that one relies on.
type SchemaError struct {
	Stored int // the database's
	Known  int // the latest that this release knows
}

func (e *SchemaError) Error() string {
	return fmt.Sprintf("sqlstore: database has schema %d, this release knows up to %d", e.Stored, e.Known)
}

// Is reports whether target is [ErrNewerSchema].
func (e *SchemaError) Is(target error) bool { return target == ErrNewerSchema }

// migrate brings the schema up to date in one transaction, and makes the
// installation if there is none.
func (s *Store) migrate(ctx context.Context) error {
	return s.write(ctx, "migrate", func(t *tx) error {
		// A table rather than a pragma of SQLite: every database has tables.
		if _, err := t.exec(`CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)`); err != nil {
			return err
		}
		var stored int
		if _, err := t.one([]any{&stored}, `SELECT coalesce(max(version), 0) FROM schema_version`); err != nil {
			return err
		}
		known := len(s.d.migrations)
		if stored > known {
			return &SchemaError{Stored: stored, Known: known}
		}
		if stored == known {
			return nil
		}
		for _, ddl := range s.d.migrations[stored:] {
			if _, err := t.exec(ddl); err != nil {
				return err
			}
		}
		if _, err := t.exec(`DELETE FROM schema_version`); err != nil {
			return err
		}
		if _, err := t.exec(`INSERT INTO schema_version (version) VALUES (?)`, known); err != nil {
			return err
		}
		var id, mark [16]byte
		_, _ = rand.Read(id[:]) // never fails
		_, _ = rand.Read(mark[:])
		_, err := t.exec(`INSERT INTO installation (only, id, mark, home, generation, swept) VALUES (1, ?, ?, '', 1, 0)
			ON CONFLICT (only) DO NOTHING`, id[:], mark[:])
		return err
	})
}

// The numbers of kinds, phases and states lie in the database, and some in the
// text of its indexes: the compiler holds them.
func _() {
	var zero [1]struct{}
	_ = zero[secrets.Organization-1]
	_ = zero[secrets.Workspace-2]
	_ = zero[secrets.User-3]
	_ = zero[stage.Staging-1]
	_ = zero[stage.Active-2]
	_ = zero[stage.Ending-3]
	_ = zero[stage.Closed-4]
	_ = zero[stage.Intent-1]
	_ = zero[stage.Created-2]
	_ = zero[stage.Deleting-3]
	_ = zero[stage.AbsentOnce-4]
	_ = zero[stage.Gone-5]
	_ = zero[stage.Pending-6]
	_ = zero[stage.Quarantined-7]
	_ = zero[stage.Stuck-8]
	_ = zero[stage.Released-9]
}

// notOver selects the objects for which something is left to do. It is the text
// of two partial indexes, and SQLite uses these only for a query of the same
// text.
const notOver = `state NOT IN (5, 9)`

// sqliteMigrations are the steps from each schema to the next. A released step
// is never changed: what must change is a further step.
var sqliteMigrations = [...]string{`
-- Who this store is: one row, made with the schema. swept is when the last
-- sweep ended.
CREATE TABLE installation (
	only       INTEGER PRIMARY KEY CHECK (only = 1),
	id         BLOB    NOT NULL CHECK (length(id) = 16),
	mark       BLOB    NOT NULL CHECK (length(mark) = 16),
	home       TEXT    NOT NULL,
	generation INTEGER NOT NULL,
	swept      INTEGER NOT NULL
) STRICT;

-- Every secret that ever was. A deleted one stays as a tombstone, without its
-- versions: its id is never used again, and receipts and the audit log go on
-- naming it. version is the current one.
CREATE TABLE secret (
	id         INTEGER PRIMARY KEY,
	kind       INTEGER NOT NULL,
	scope      TEXT    NOT NULL,
	name       TEXT    NOT NULL,
	version    INTEGER NOT NULL,
	deleted    INTEGER NOT NULL,
	created_at INTEGER NOT NULL,
	created_by TEXT    NOT NULL,
	last_used  INTEGER NOT NULL,
	last_run   TEXT    NOT NULL
) STRICT;

-- A name is taken by the living only. Candidates and List search here.
CREATE UNIQUE INDEX secret_name ON secret (kind, scope, name) WHERE deleted = 0;

-- What can still be opened: the current version of each living secret, and
-- older or deleted ones as long as a run pins them.
CREATE TABLE version (
	id          INTEGER NOT NULL REFERENCES secret (id),
	version     INTEGER NOT NULL,
	expires     INTEGER NOT NULL,
	disabled    INTEGER NOT NULL,
	locked      INTEGER NOT NULL,
	pipelines   TEXT    NOT NULL,
	description TEXT    NOT NULL,
	updated_at  INTEGER NOT NULL,
	updated_by  TEXT    NOT NULL,
	key_id      INTEGER NOT NULL,
	sealed      BLOB    NOT NULL,
	PRIMARY KEY (id, version)
) STRICT;

-- Rotation asks which keys are in use, and for what each one sealed, in order.
CREATE INDEX version_key ON version (key_id, id, version);

-- One line per run, tombstones included, for ever: a run id is never used
-- again. due is computed from the run and its objects in every commit that
-- changes either: the moment from which Due answers the run, NULL for never.
CREATE TABLE run (
	id      TEXT    PRIMARY KEY,
	kind    INTEGER NOT NULL,
	scope   TEXT    NOT NULL,
	caller  TEXT    NOT NULL,
	request BLOB    NOT NULL,
	items   TEXT    NOT NULL,
	phase   INTEGER NOT NULL,
	outcome TEXT    NOT NULL,
	epoch   INTEGER NOT NULL,
	actor   INTEGER NOT NULL,
	started INTEGER NOT NULL,
	needed  INTEGER NOT NULL,
	ended   INTEGER NOT NULL,
	masked  INTEGER NOT NULL,
	pinned  INTEGER NOT NULL,
	due     INTEGER
) STRICT;

-- Due reads from the front of this one; what needs nothing is not in it.
CREATE INDEX run_due ON run (due, id) WHERE due IS NOT NULL;

-- Which run holds which version. The foreign key keeps a pinned version from
-- going, whatever else is wrong. A run's lines go when it is released.
CREATE TABLE pin (
	run     TEXT    NOT NULL REFERENCES run (id),
	secret  INTEGER NOT NULL,
	version INTEGER NOT NULL,
	PRIMARY KEY (run, secret, version),
	FOREIGN KEY (secret, version) REFERENCES version (id, version)
) STRICT, WITHOUT ROWID;

-- Who uses a secret, and whether anybody still pins a version.
CREATE INDEX pin_version ON pin (secret, version);

-- The ledger's rows: every object that was ever planned, place its order in
-- the run. Kind, account and at are the location's.
CREATE TABLE object (
	stage    TEXT    PRIMARY KEY,
	run      TEXT    NOT NULL REFERENCES run (id),
	place    INTEGER NOT NULL,
	target   TEXT    NOT NULL,
	kind     TEXT    NOT NULL,
	account  TEXT    NOT NULL,
	at       TEXT    NOT NULL,
	name     TEXT    NOT NULL,
	token    TEXT    NOT NULL,
	mark     BLOB    NOT NULL CHECK (length(mark) = 16),
	epoch    INTEGER NOT NULL,
	expires  INTEGER NOT NULL,
	items    TEXT    NOT NULL,
	id       TEXT    NOT NULL,
	state    INTEGER NOT NULL,
	intent   INTEGER NOT NULL,
	absent   INTEGER NOT NULL,
	gone     INTEGER NOT NULL,
	next     INTEGER NOT NULL,
	attempts INTEGER NOT NULL,
	code     TEXT    NOT NULL
) STRICT;

CREATE UNIQUE INDEX object_run ON object (run, place);

-- Stats, and what a sweep finds on a platform: only what is not over, so that
-- neither grows with history.
CREATE INDEX object_staged ON object (state, intent) WHERE ` + notOver + `;
CREATE INDEX object_name ON object (kind, account, at, name) WHERE ` + notOver + `;

-- The audit log. AUTOINCREMENT: a place is not used again. Places follow the
-- order of commits because one transaction writes at a time.
CREATE TABLE event (
	seq     INTEGER PRIMARY KEY AUTOINCREMENT,
	at      INTEGER NOT NULL,
	caller  TEXT    NOT NULL,
	action  TEXT    NOT NULL,
	outcome TEXT    NOT NULL,
	reason  TEXT    NOT NULL,
	kind    INTEGER NOT NULL,
	scope   TEXT    NOT NULL,
	name    TEXT    NOT NULL,
	secret  INTEGER NOT NULL,
	version INTEGER NOT NULL,
	run     TEXT    NOT NULL,
	target  TEXT    NOT NULL
) STRICT;

-- The wrapped keysets: one row, or none before the first were saved.
CREATE TABLE keysets (
	only       INTEGER PRIMARY KEY CHECK (only = 1),
	wrapped    BLOB    NOT NULL,
	generation INTEGER NOT NULL
) STRICT;

-- Keys that seal nothing and never will again: a process that has not heard of
-- a rotation yet is stopped here.
CREATE TABLE retired_key (
	key_id INTEGER PRIMARY KEY
) STRICT;
`, `
-- A sweep asks whether the ledger ever knew of an object, over or not.
DROP INDEX object_name;
CREATE INDEX object_name ON object (kind, account, at, name);

-- Whether any run ever began here.
ALTER TABLE installation ADD COLUMN begun INTEGER NOT NULL DEFAULT 0;
UPDATE installation SET begun = EXISTS (SELECT 1 FROM run WHERE started > 0);

-- The audit chain: sum is a keyed MAC over the events up to seq, from behind the
-- link before.
CREATE TABLE link (
	seq INTEGER PRIMARY KEY,
	sum BLOB    NOT NULL
) STRICT;
`, `
-- A place may be reached by another path than before: what is found there is
-- asked for by its name alone.
DROP INDEX object_name;
CREATE INDEX object_name ON object (name);

-- When a sweep last began, and since when there are sweeps again after a gap;
-- whether the database was adopted as a clone.
ALTER TABLE installation ADD COLUMN sweeping INTEGER NOT NULL DEFAULT 0;
ALTER TABLE installation ADD COLUMN resumed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE installation ADD COLUMN cloned INTEGER NOT NULL DEFAULT 0;

-- The keyed digest of what was chosen for a run.
ALTER TABLE run ADD COLUMN chosen BLOB NOT NULL DEFAULT x'';
`, `
-- Until when what a run has staged stays after its end.
ALTER TABLE run ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;
`}
