package sqlite_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
	"github.com/pipesecrets/pipesecrets/secrets/sqlstore"
	"github.com/pipesecrets/pipesecrets/secrets/sqlstore/sqlite"
	"github.com/pipesecrets/pipesecrets/secrets/storetest"
)

func TestAFileIsABackend(t *testing.T) {
	storetest.Run(t, func(t *testing.T, now func() time.Time) storetest.Backend {
		d := sqlstore.SQLite()
		d.Now = now
		s, err := sqlite.OpenWith(t.Context(), filepath.Join(t.TempDir(), "store.db"), d)
		return closed(t, s, err)
	})
}

func open(t *testing.T, path string) *sqlstore.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path)
	return closed(t, s, err)
}

// closed closes the store when the test ends.
func closed(t *testing.T, s *sqlstore.Store, err error) *sqlstore.Store {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// raw opens the file behind the store's back.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", sqlite.DSN(path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// canary is text that is nowhere else.
func canary() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

func name(s string) secrets.Name {
	n, err := secrets.ParseName(s)
	if err != nil {
		panic(err)
	}
	return n
}

func runID(s string) secrets.RunID {
	id, err := secrets.ParseRunID(s)
	if err != nil {
		panic(err)
	}
	return id
}

var workspace = secrets.Scope{Kind: secrets.Workspace, ID: "w1"}

func record(id secrets.ID, n string, sealed string) secrets.Record {
	return secrets.Record{Secret: secrets.Secret{Pin: secrets.Pin{ID: id, Version: 1}, Name: name(n), Scope: workspace}, KeyID: 1, Sealed: []byte(sealed)}
}

func TestTwoHandlesOnOneFileSeeEachOthersCommits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	a, b := open(t, path), open(t, path)
	x, err := a.Installation(t.Context(), "here")
	if err != nil {
		t.Fatal(err)
	}
	if y, err := b.Installation(t.Context(), "there"); err != nil || y != x {
		t.Fatalf("the other handle answers %v, %v", y, err)
	}
	// Neither one's Open may have ended the other's locks: all write at once.
	const each = 20
	var all sync.WaitGroup
	failures := make(chan error, 2*each)
	for i, s := range []*sqlstore.Store{a, b} {
		all.Go(func() {
			for j := range each {
				r := record(secrets.ID(1+i*each+j), "N"+string(rune('A'+j)), "x")
				r.Scope.ID = string(rune('a' + i))
				failures <- s.Put(t.Context(), r, 0, secrets.Event{Pin: r.Pin})
			}
		})
	}
	all.Wait()
	close(failures)
	for err := range failures {
		if err != nil {
			t.Error(err)
		}
	}
	for _, s := range []*sqlstore.Store{a, b} {
		if n, err := s.CountBehind(t.Context(), 9); err != nil || n != 2*each {
			t.Errorf("%d records, %v", n, err)
		}
	}
}

func TestAnyPathIsTakenLiterally(t *testing.T) {
	for _, n := range []string{"a?mode=memory", "b#c", "d%20e", ":memory:", "f g&_txlock=x", "ü.db"} {
		path := filepath.Join(t.TempDir(), n)
		s := open(t, path)
		if err := s.Put(t.Context(), record(1, "AA", "x"), 0); err != nil {
			t.Errorf("%q: %v", n, err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%q: %v", n, err)
		}
	}
}

func TestOpenLeavesNothingElseInTheDirectory(t *testing.T) {
	dir := t.TempDir()
	open(t, filepath.Join(dir, "store.db"))
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		switch f.Name() {
		case "store.db", "store.db-wal", "store.db-shm":
		default:
			t.Errorf("there is a file %s", f.Name())
		}
	}
}

func TestTheDirectoryMustExist(t *testing.T) {
	if _, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "absent", "store.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
}

func TestAFileThatIsNoDatabaseIsRefusedAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	text := []byte(strings.Repeat(canary()+"\n", 100))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	var failure *sqlstore.Error
	if _, err := sqlite.Open(t.Context(), path); !errors.As(err, &failure) || failure.Code != "26" { // SQLITE_NOTADB
		t.Errorf("error is %v", err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, text) {
		t.Errorf("the file was changed: %v", err)
	}
}

func TestANewerSchemaIsRefusedAndLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	open(t, path)
	db := raw(t, path)
	if _, err := db.Exec(`UPDATE schema_version SET version = 99`); err != nil {
		t.Fatal(err)
	}
	_, err := sqlite.Open(t.Context(), path)
	var refused *sqlstore.SchemaError
	if !errors.Is(err, sqlstore.ErrNewerSchema) || !errors.As(err, &refused) || refused.Stored != 99 || refused.Known != 4 {
		t.Fatalf("error is %v", err)
	}
	if text := err.Error(); !strings.Contains(text, "99") || !strings.Contains(text, "4") {
		t.Errorf("%q does not name both versions", text)
	}
	var version int
	if err := db.QueryRow(`SELECT version FROM schema_version`).Scan(&version); err != nil || version != 99 {
		t.Errorf("schema is %d, %v", version, err)
	}
}

func TestReopeningKeepsEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.Installation(t.Context(), "here")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), record(1, "AA", "x"), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if got, err := s.Installation(t.Context(), ""); err != nil || got != in {
		t.Errorf("installation is %v, %v", got, err)
	}
	if _, err := s.Find(t.Context(), 1); err != nil {
		t.Error(err)
	}
}

// files is the content of the database and of what lies beside it.
func files(t *testing.T, path string) []byte {
	t.Helper()
	found, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, f := range found {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

func TestNothingOfAVersionIsLeftOnceItIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path)
	var gone []string
	seal := func() string {
		c := canary()
		gone = append(gone, c)
		return strings.Repeat(c, 200) // more than a page, so that there are overflow pages too
	}
	put := func(r secrets.Record, prev secrets.Version) {
		t.Helper()
		if err := s.Put(t.Context(), r, prev); err != nil {
			t.Fatal(err)
		}
	}
	a, b := record(1, "AA", seal()), record(2, "BB", seal())
	put(a, 0)
	put(b, 0)
	for range 5 {
		a.Version++
		a.Sealed = []byte(seal())
		put(a, a.Version-1)
	}
	content := files(t, path)
	for _, c := range gone[len(gone)-1:] {
		if !bytes.Contains(content, []byte(c)) {
			t.Fatal("the test looks in the wrong place: what is stored is not found")
		}
	}
	for _, p := range []secrets.Pin{a.Pin, b.Pin} {
		if err := s.Delete(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := raw(t, path).Exec(`PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		t.Fatal(err)
	}
	content = files(t, path)
	for i, c := range gone {
		if bytes.Contains(content, []byte(c)) {
			t.Errorf("sealed value %d of %d is still in the file", i, len(gone))
		}
	}
}

func TestErrorsQuoteNothingThatWasGiven(t *testing.T) {
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c := canary()
	r := record(1, "N"+c, c)
	r.Description, r.CreatedBy = c, c
	_, begin := s.Begin(t.Context(), stage.Run{ID: runID(c), Caller: c}, nil, stage.Terms{})
	_, known := s.Known(t.Context(), []string{c})
	for _, err := range []error{
		s.Put(t.Context(), r, 0, secrets.Event{Reason: c}), begin, known, s.SaveKeysets(t.Context(), []byte(c), 1),
	} {
		var failure *sqlstore.Error
		if !errors.As(err, &failure) || strings.Contains(err.Error(), c) || errors.Unwrap(err) != nil {
			t.Errorf("error is %v", err)
		}
	}
}

// locked holds the write lock of a file until the test ends.
func locked(t *testing.T, path string) {
	t.Helper()
	tx, err := raw(t, path).Begin() // immediate
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	})
}

func TestAWriterThatWaitsTooLongIsToldErrBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	open(t, path)
	db, err := sql.Open("sqlite", strings.Replace(sqlite.DSN(path), "5000", "1", 1))
	if err != nil {
		t.Fatal(err)
	}
	s, err := sqlstore.New(t.Context(), db, sqlstore.SQLite())
	s = closed(t, s, err)
	locked(t, path)
	if err := s.Put(t.Context(), record(1, "AA", "x"), 0); !errors.Is(err, sqlstore.ErrBusy) {
		t.Errorf("error is %v", err)
	}
	if _, err := s.Find(t.Context(), 1); !errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("a reader, which need not wait, is told %v", err)
	}
}

func TestAWriterStopsWaitingWhenItsContextIsDone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path)
	locked(t, path)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Put(ctx, record(1, "AA", "x"), 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	// One of this process waits for the lock, another for the first one.
	ctx, cancel = context.WithCancel(t.Context())
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if err := s.Put(ctx, record(1, "AA", "x"), 0); !errors.Is(err, context.Canceled) {
				t.Errorf("error is %v", err)
			}
		})
	}
	cancel()
	both.Wait()
}

func TestOpenWaitsForAnotherThatIsMakingTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	db, err := sql.Open("sqlite", path) // not write-ahead logging yet
	if err != nil {
		t.Fatal(err)
	}
	making, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := making.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	// SQLite says at once that it is busy; as long as there is time, Open tries
	// again.
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := sqlite.Open(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	if err := errors.Join(making.Close(), db.Close()); err != nil {
		t.Error(err)
	}
	open(t, path)
}

func TestARowOfTheLogThatTheDatabaseDropsIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s, db := open(t, path), raw(t, path)
	for _, table := range []string{"event", "link"} {
		if _, err := db.Exec(`CREATE TRIGGER drop_` + table + ` BEFORE INSERT ON ` + table + ` BEGIN SELECT RAISE(IGNORE); END`); err != nil {
			t.Fatal(err)
		}
	}
	ev := secrets.Event{Action: secrets.ActionCreate}
	for what, err := range map[string]error{
		"an event": s.Record(t.Context(), ev),
		"a change": s.Put(t.Context(), record(1, "TOKEN", canary()), 0, ev),
		"a link":   s.Chain(t.Context(), audit.Head{}, audit.Head{Seq: 1, Sum: []byte{1}}),
	} {
		var failure *sqlstore.Error
		if !errors.As(err, &failure) || failure.Code != "ignored" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := s.Find(t.Context(), 1); !errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("the change was made without its event: %v", err)
	}
}

func TestLeasesRunOnFakeTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	synctest.Test(t, func(t *testing.T) {
		s := open(t, path)
		if _, err := s.Begin(t.Context(), stage.Run{ID: runID("r1")}, nil, stage.Terms{Lease: time.Minute, Need: time.Hour}); err != nil {
			t.Fatal(err)
		}
		for _, want := range []int{0, 1} {
			due, err := s.Due(t.Context(), time.Now(), 9)
			if err != nil || len(due) != want {
				t.Errorf("%d due, want %d: %v", len(due), want, err)
			}
			time.Sleep(time.Minute)
		}
	})
}
