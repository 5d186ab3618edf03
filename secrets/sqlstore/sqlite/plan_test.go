package sqlite_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
	"github.com/pipesecrets/pipesecrets/secrets/sqlstore"
	"github.com/pipesecrets/pipesecrets/secrets/sqlstore/sqlite"
)

// recorder is a driver that remembers the statements that pass through it.
type recorder struct {
	dsn    string
	driver driver.Driver

	mu         sync.Mutex
	statements []string
}

func (r *recorder) Driver() driver.Driver { return r.driver }

func (r *recorder) Connect(context.Context) (driver.Conn, error) {
	c, err := r.driver.Open(r.dsn)
	return &recorded{c, r}, err
}

// take returns what passed since the last call.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.statements
	r.statements = nil
	return s
}

type recorded struct {
	driver.Conn
	r *recorder
}

func (c *recorded) note(query string) {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	c.r.statements = append(c.r.statements, query)
}

func (c *recorded) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
}

func (c *recorded) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.note(query)
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (c *recorded) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.note(query)
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func recording(t *testing.T) (*sqlstore.Store, *recorder, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	r := &recorder{dsn: sqlite.DSN(path), driver: raw(t, path).Driver()}
	s, err := sqlstore.New(t.Context(), sql.OpenDB(r), sqlstore.SQLite())
	return closed(t, s, err), r, path
}

// everything calls each method but Adopt, which is rare and may take its time,
// so that each of the package's statements runs at least once.
func everything(t *testing.T, s *sqlstore.Store) {
	t.Helper()
	ctx, e := t.Context(), secrets.Event{Action: secrets.ActionUse}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Installation(ctx, "here")
	check(err)
	a := record(1, "AA", "x")
	check(s.Put(ctx, a, 0, e))
	a.Version = 2
	check(s.Put(ctx, a, 1, e))
	check(s.Put(ctx, record(2, "BB", "y"), 0, e))
	location := provider.Location{Kind: "k", Account: "a", Place: "p"}
	items := []stage.Item{{Item: provider.Item{Name: a.Name, Pin: a.Pin}, Scope: a.Scope}}
	rows := []stage.Row{{Location: location, Object: provider.Object{Stage: "s", Name: "o"}}}
	run, err := s.Begin(ctx, stage.Run{ID: runID("r1"), Items: items}, rows, stage.Terms{}, e)
	check(err)
	run, err = s.Take(ctx, run.ID, 0)
	check(err)
	rows[0].State = stage.Created
	run, err = s.Advance(ctx, run, stage.Active, 0, rows, e)
	check(err)
	_, err = s.Need(ctx, run.ID, 1, 1, e)
	check(err)
	_, err = s.Due(ctx, time.Now(), 9)
	check(err)
	_, err = s.UsedBy(ctx, 1)
	check(err)
	_, err = s.Known(ctx, []string{"o", "q"})
	check(err)
	check(s.Found(ctx, stage.Run{ID: runID("f1")}, stage.Row{Location: location, Object: provider.Object{Stage: "f", Name: "f"}}, e))
	_, err = s.Stuck(ctx, runID("e"), 9)
	check(err)
	_, err = s.Stats(ctx)
	check(err)
	_, err = s.Sweeping(ctx, time.Hour)
	check(err)
	run, rows, err = s.End(ctx, run.ID, stage.Closing{}, e)
	check(err)
	rows[0].State = stage.Gone
	_, err = s.Advance(ctx, run, stage.Closed, 0, rows, e)
	check(err)
	check(s.Release(ctx, run.ID))
	_, _, err = s.Load(ctx, run.ID)
	check(err)
	_, _, err = s.End(ctx, runID("r2"), stage.Closing{}, e)
	check(err)
	check(s.Delete(ctx, a.Pin, e))
	_, err = s.Find(ctx, 2)
	check(err)
	_, err = s.Candidates(ctx, []secrets.Scope{workspace}, nil)
	check(err)
	_, err = s.Candidates(ctx, []secrets.Scope{workspace}, []secrets.Name{name("AA"), name("BB")})
	check(err)
	_, err = s.Pinned(ctx, []secrets.Pin{{ID: 2, Version: 1}})
	check(err)
	_, err = s.List(ctx, secrets.Query{Scope: workspace, Limit: 5})
	check(err)
	_, err = s.Behind(ctx, 9, secrets.Pin{}, 5)
	check(err)
	_, err = s.CountBehind(ctx, 9)
	check(err)
	b := record(2, "BB", "z")
	b.KeyID = 2
	check(s.Reseal(ctx, b, 1))
	check(s.SaveKeysets(ctx, []byte("w"), 1, 1))
	_, _, err = s.LoadKeysets(ctx)
	check(err)
	check(s.Record(ctx, e))
	check(s.Swept(ctx, e))
	check(s.Chain(ctx, audit.Head{}, audit.Head{Seq: 1, Sum: []byte{1}}))
	_, err = s.Head(ctx)
	check(err)
	for _, err := range s.Links(ctx, 0) {
		check(err)
	}
	for _, err := range s.Entries(ctx, 0) {
		check(err)
	}
}

// scan is a line of a plan that reads a whole table or index.
var scan = regexp.MustCompile(`^SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?`)

// whole reports whether a query may read all of a table or index: one of a
// single row, or, for Stats, the one that holds only what is staged now.
func whole(query, table, index string) bool {
	return table == "installation" || table == "keysets" || table == "CONSTANT" ||
		index == "object_staged" && strings.Contains(query, "GROUP BY state")
}

func TestNoStatementReadsAWholeTable(t *testing.T) {
	s, r, path := recording(t)
	r.take() // the migration
	everything(t, s)
	db := raw(t, path)
	distinct := make(map[string]bool)
	for _, query := range r.take() {
		distinct[query] = true
	}
	for query := range distinct {
		rows, err := db.Query(`EXPLAIN QUERY PLAN `+query, make([]any, strings.Count(query, "?"))...)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			if m := scan.FindStringSubmatch(detail); m != nil && !whole(query, m[1], m[2]) {
				t.Errorf("%s\nplans %s", query, detail)
			}
			if strings.Contains(detail, "TEMP B-TREE") {
				t.Errorf("%s\nsorts: %s", query, detail)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(distinct) < 40 {
		t.Errorf("only %d statements were recorded", len(distinct))
	}
}

func TestTheCostOfAChangeDoesNotGrowWithTheNumberOfSecrets(t *testing.T) {
	s, r, _ := recording(t)
	cost := func(id secrets.ID) string {
		t.Helper()
		r.take()
		a := record(id, fmt.Sprintf("N%d", id), "x")
		if err := s.Put(t.Context(), a, 0, secrets.Event{}); err != nil {
			t.Fatal(err)
		}
		created := len(r.take())
		a.Version = 2
		if err := s.Put(t.Context(), a, 1, secrets.Event{}); err != nil {
			t.Fatal(err)
		}
		updated := len(r.take())
		if err := s.Delete(t.Context(), a.Pin, secrets.Event{}); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(created, updated, len(r.take()))
	}
	alone := cost(1)
	for id := range secrets.ID(300) {
		if err := s.Put(t.Context(), record(1000+id, fmt.Sprintf("M%d", id), "x"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if among := cost(2); among != alone {
		t.Errorf("create, update and delete take %s statements among 300 secrets, %s alone", among, alone)
	}
}
