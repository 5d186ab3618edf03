package sqlstore

import (
	"context"
	"slices"
	"strings"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// secretColumns are those that scanSecret reads, of secret s and version v.
const secretColumns = `s.id, v.version, s.kind, s.scope, s.name,
	v.expires, v.disabled, v.locked, v.pipelines, v.description,
	s.created_at, s.created_by, v.updated_at, v.updated_by, s.last_used, s.last_run`

const recordColumns = secretColumns + `, v.key_id, v.sealed`

// current joins each living secret with its current version.
const current = ` FROM secret s JOIN version v ON v.id = s.id AND v.version = s.version WHERE s.deleted = 0 `

func scanSecret(row scanner, more ...any) (secrets.Secret, error) {
	var x secrets.Secret
	dest := []any{&x.ID, numberIn[secrets.Version]{&x.Version}, &x.Scope.Kind, &x.Scope.ID, textIn{&x.Name},
		stampIn{&x.Policy.Expires}, &x.Policy.Disabled, &x.Policy.Locked, listIn[string]{&x.Policy.Pipelines}, &x.Description,
		stampIn{&x.CreatedAt}, &x.CreatedBy, stampIn{&x.UpdatedAt}, &x.UpdatedBy, stampIn{&x.LastUsed}, textIn{&x.LastRun}}
	err := row.Scan(append(dest, more...)...)
	return x, err
}

func scanRecord(row scanner) (secrets.Record, error) {
	var r secrets.Record
	var err error
	r.Secret, err = scanSecret(row, &r.KeyID, bytesIn{&r.Sealed})
	return r, err
}

// records returns the records of a query.
func (t *tx) records(query string, args ...any) ([]secrets.Record, error) {
	var all []secrets.Record
	err := t.each(func(row scanner) error {
		r, err := scanRecord(row)
		all = append(all, r)
		return err
	}, query, args...)
	return all, err
}

// inChunk is how many values one IN list gets: databases bound their number.
const inChunk = 500

// placeholders returns the inside of an IN list of n values.
func placeholders(n int) string { return strings.Repeat("?, ", n-1) + "?" }

// Candidates implements [secrets.Store].
func (s *Store) Candidates(ctx context.Context, scopes []secrets.Scope, names []secrets.Name) ([]secrets.Record, error) {
	var all []secrets.Record
	err := s.read(ctx, "candidates", func(t *tx) error {
		for i, scope := range scopes {
			if slices.Contains(scopes[:i], scope) {
				continue
			}
			if names == nil {
				found, err := t.records(`SELECT `+recordColumns+current+`AND s.kind = ? AND s.scope = ? ORDER BY s.name`, scope.Kind, scope.ID)
				if err != nil {
					return err
				}
				all = append(all, found...)
			}
			sorted := slices.Compact(slices.SortedFunc(slices.Values(names), secrets.Name.Compare))
			for chunk := range slices.Chunk(sorted, inChunk) {
				args := []any{scope.Kind, scope.ID}
				for _, n := range chunk {
					args = append(args, n.String())
				}
				found, err := t.records(`SELECT `+recordColumns+current+`AND s.kind = ? AND s.scope = ? AND s.name IN (`+
					placeholders(len(chunk))+`) ORDER BY s.name`, args...)
				if err != nil {
					return err
				}
				all = append(all, found...)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Pinned implements [secrets.Store]. Records are in the order of pins.
func (s *Store) Pinned(ctx context.Context, pins []secrets.Pin) ([]secrets.Record, error) {
	var all []secrets.Record
	err := s.read(ctx, "pinned", func(t *tx) error {
		for _, p := range pins {
			found, err := t.records(`SELECT `+recordColumns+` FROM version v JOIN secret s ON s.id = v.id
				WHERE v.id = ? AND v.version = ?`, p.ID, int64(p.Version))
			if err != nil {
				return err
			}
			if len(found) == 0 {
				return secrets.ErrNotFound
			}
			all = append(all, found...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Find implements [secrets.Store].
func (s *Store) Find(ctx context.Context, id secrets.ID) (secrets.Record, error) {
	var r secrets.Record
	err := s.read(ctx, "find", func(t *tx) error {
		found, err := t.records(`SELECT `+recordColumns+current+`AND s.id = ?`, id)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return secrets.ErrNotFound
		}
		r = found[0]
		return nil
	})
	return r, err
}

// List implements [secrets.Store].
func (s *Store) List(ctx context.Context, q secrets.Query) ([]secrets.Secret, error) {
	if q.Limit <= 0 {
		return nil, ctx.Err()
	}
	// A name's characters all lie between a space and a DEL, so that a range of
	// the index is exactly the names after q.After that begin with q.Prefix.
	from := q.Prefix
	if q.After != "" {
		from = max(from, q.After+" ")
	}
	var all []secrets.Secret
	err := s.read(ctx, "list", func(t *tx) error {
		return t.each(func(row scanner) error {
			x, err := scanSecret(row)
			all = append(all, x)
			return err
		}, `SELECT `+secretColumns+current+`AND s.kind = ? AND s.scope = ? AND s.name >= ? AND s.name < ? ORDER BY s.name LIMIT ?`,
			q.Scope.Kind, q.Scope.ID, from, q.Prefix+"\x7f", q.Limit)
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

var (
	errID      = &secrets.InvalidError{Field: "id", Rule: "must lie in [1, 2^53)"}
	errVersion = &secrets.InvalidError{Field: "version", Rule: "must follow the version that it replaces"}
)

// Put implements [secrets.Store].
func (s *Store) Put(ctx context.Context, r secrets.Record, prev secrets.Version, ev ...secrets.Event) error {
	if r.ID < 1 || r.ID > secrets.MaxID {
		return errID
	}
	if r.Version != prev+1 {
		return errVersion
	}
	return s.write(ctx, "put", func(t *tx) error {
		var err error
		if prev == 0 {
			err = t.create(r)
		} else {
			err = t.replace(r, prev)
		}
		if err != nil {
			return err
		}
		return t.record(ev)
	})
}

func (t *tx) create(r secrets.Record) error {
	if err := r.Check(); err != nil {
		return err
	}
	taken, err := t.exists(`SELECT 1 FROM secret WHERE kind = ? AND scope = ? AND name = ? AND deleted = 0`,
		r.Scope.Kind, r.Scope.ID, r.Name.String())
	if err != nil {
		return err
	}
	if taken {
		return secrets.ErrExists
	}
	used, err := t.exists(`SELECT 1 FROM secret WHERE id = ?`, r.ID)
	if err != nil {
		return err
	}
	if used {
		return secrets.ErrConflict
	}
	if _, err := t.exec(`INSERT INTO secret (id, kind, scope, name, version, deleted, created_at, created_by, last_used, last_run)
		VALUES (?, ?, ?, ?, 1, 0, ?, ?, 0, '')`,
		r.ID, r.Scope.Kind, r.Scope.ID, r.Name.String(), stamp(r.CreatedAt), r.CreatedBy); err != nil {
		return err
	}
	return t.addVersion(r)
}

func (t *tx) replace(r secrets.Record, prev secrets.Version) error {
	var version secrets.Version
	found, err := t.one([]any{&r.Scope.Kind, &r.Scope.ID, textIn{&r.Name}, numberIn[secrets.Version]{&version}},
		`SELECT kind, scope, name, version FROM secret WHERE id = ? AND deleted = 0`, r.ID)
	if err != nil {
		return err
	}
	if !found {
		return secrets.ErrNotFound
	}
	if version != prev {
		return secrets.ErrConflict
	}
	if err := r.Check(); err != nil {
		return err
	}
	if err := t.addVersion(r); err != nil {
		return err
	}
	if _, err := t.exec(`UPDATE secret SET version = ? WHERE id = ?`, int64(r.Version), r.ID); err != nil {
		return err
	}
	return t.forget(secrets.Pin{ID: r.ID, Version: prev})
}

func (t *tx) addVersion(r secrets.Record) error {
	if err := t.checkKey(r.KeyID); err != nil {
		return err
	}
	p := r.Policy.Canonical()
	_, err := t.exec(`INSERT INTO version (id, version, expires, disabled, locked, pipelines, description, updated_at, updated_by, key_id, sealed)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.ID, int64(r.Version), stamp(p.Expires), p.Disabled, p.Locked, listOut(p.Pipelines), r.Description,
		stamp(r.UpdatedAt), r.UpdatedBy, r.KeyID, bytesOut(r.Sealed))
	return err
}

// Delete implements [secrets.Store].
func (s *Store) Delete(ctx context.Context, p secrets.Pin, ev ...secrets.Event) error {
	return s.write(ctx, "delete", func(t *tx) error {
		var version secrets.Version
		found, err := t.one([]any{numberIn[secrets.Version]{&version}}, `SELECT version FROM secret WHERE id = ? AND deleted = 0`, p.ID)
		if err != nil {
			return err
		}
		if !found {
			return secrets.ErrNotFound
		}
		if version != p.Version {
			return secrets.ErrConflict
		}
		if err := t.bury(p); err != nil {
			return err
		}
		return t.record(ev)
	})
}

// bury makes a secret a tombstone. Its older versions went when they were
// replaced or released.
func (t *tx) bury(p secrets.Pin) error {
	if _, err := t.exec(`UPDATE secret SET deleted = 1 WHERE id = ?`, p.ID); err != nil {
		return err
	}
	return t.forget(p)
}

// forget removes a version that is not current and that nobody pins.
func (t *tx) forget(p secrets.Pin) error {
	_, err := t.exec(`DELETE FROM version WHERE id = ? AND version = ?
		AND NOT EXISTS (SELECT 1 FROM pin WHERE pin.secret = version.id AND pin.version = version.version)
		AND NOT EXISTS (SELECT 1 FROM secret WHERE secret.id = version.id AND secret.version = version.version AND secret.deleted = 0)`,
		p.ID, int64(p.Version))
	return err
}
