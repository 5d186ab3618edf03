package secrets

import "context"

// Installation is one deployment of a launcher with its own database.
type Installation struct {
	ID         [16]byte // random; part of what every record is bound to
	Mark       [16]byte // random; set on every object that is staged anywhere
	Home       string   // where the database belongs, in the host's words; "" before the first start
	Generation uint64   // grows with every Adopt
}

// Query selects secrets of one scope by name.
type Query struct {
	Scope  Scope
	Prefix string // of the name; "" for all
	After  string // names after this one, to page on; "" from the first
	Limit  int    // at most this many
}

// Store keeps secrets. A change and the events that tell of it commit together
// or not at all, durably before the call returns, and the cost of a change does
// not grow with the number of secrets. Implementations are safe for concurrent
// use by several goroutines and, where their database allows it, several
// processes. The suite in secrets/storetest holds an implementation to this.
//
// Returned records and secrets are the caller's own: changing them changes
// nothing in the store. Times are kept to the microsecond and answered in UTC;
// policies are kept in their canonical form.
type Store interface {
	// Installation answers who this store is. It is made on the store's first
	// use. If no home is recorded yet and home is not empty, home is recorded.
	Installation(ctx context.Context, home string) (Installation, error)

	// Adopt records home and counts the generation up. If cloned, the database
	// is a copy of one that lives on elsewhere: the installation takes a new
	// Mark, and every staged object that the copied ledger knows of is left to
	// its owner (its row is Released, its run closed), so that nothing of the
	// original's is removed. At home already, it changes nothing: to repeat it is
	// harmless; ErrInvalid if cloned is not what it was then.
	Adopt(ctx context.Context, home string, cloned bool, ev ...Event) (Installation, error)

	// Candidates returns the current records of the scopes, in one snapshot:
	// those with the given names, or all for nil names. Deleted ones are not
	// among them. An empty, non-nil names selects none.
	Candidates(ctx context.Context, scopes []Scope, names []Name) ([]Record, error)

	// Pinned returns the records of exactly these versions, replaced and
	// deleted ones too as long as a run pins them. It fails with ErrNotFound if
	// one of them is gone.
	Pinned(ctx context.Context, pins []Pin) ([]Record, error)

	// Find returns the current record of a secret, or ErrNotFound if there is
	// none or it is deleted.
	Find(ctx context.Context, id ID) (Record, error)

	// List returns up to q.Limit secrets in the order of their names.
	List(ctx context.Context, q Query) ([]Secret, error)

	// Put stores a new version. With prev 0 it creates the secret: r.Version
	// must be 1; ErrExists if its scope has one of that name, ErrConflict if its
	// ID was ever used. Otherwise r.Version must be prev+1, and prev current:
	// ErrConflict if it is not, ErrNotFound if the secret is absent or deleted.
	// Name, Scope, CreatedAt and CreatedBy of a later version are those of the
	// first. The replaced version stays while a run pins it. ErrKeyRetired if
	// r.KeyID is retired.
	Put(ctx context.Context, r Record, prev Version, ev ...Event) error

	// Delete ends a secret whose current version is p.Version: ErrConflict if
	// it is another, ErrNotFound if the secret is absent or deleted. Its name is
	// free at once; its ID never again. Each version goes with the last run that
	// pins it, at once if there is none.
	Delete(ctx context.Context, p Pin, ev ...Event) error

	// Behind returns up to n records, pinned ones included, that are sealed
	// under another key than primary, in the order of their pins and after the
	// given one.
	Behind(ctx context.Context, primary uint32, after Pin, n int) ([]Record, error)

	// CountBehind returns how many records are sealed under another key than
	// primary.
	CountBehind(ctx context.Context, primary uint32) (int, error)

	// Reseal replaces KeyID and Sealed of the version r.Pin if it is still
	// sealed under oldKey; otherwise, or if the version is gone, it does nothing.
	// ErrKeyRetired if r.KeyID is retired.
	Reseal(ctx context.Context, r Record, oldKey uint32) error
}
