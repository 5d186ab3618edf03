package audit_test

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
	"github.com/pipesecrets/pipesecrets/secrets/sqlstore"
	"github.com/pipesecrets/pipesecrets/secrets/sqlstore/sqlite"
)

func open(t testing.TB, path string) *sqlstore.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// intruder is a second connection to the database, by somebody without the key.
type intruder struct {
	*sql.DB
	t *testing.T
}

func intrude(t *testing.T, path string) intruder {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	db.SetMaxOpenConns(1)
	in := intruder{db, t}
	in.do(`PRAGMA busy_timeout = 5000`)
	in.do(`PRAGMA synchronous = OFF`)
	return in
}

func (in intruder) do(query string, args ...any) {
	in.t.Helper()
	if _, err := in.Exec(query, args...); err != nil {
		in.t.Fatalf("%s: %v", query, err)
	}
}

// ask returns the first column of the answer.
func (in intruder) ask(query string) (all []string) {
	in.t.Helper()
	rows, err := in.Query(query)
	must(in.t, err)
	for rows.Next() {
		var s string
		must(in.t, rows.Scan(&s))
		all = append(all, s)
	}
	must(in.t, rows.Err())
	must(in.t, rows.Close())
	return all
}

// fill makes a database with entries at 1 to 4 and 6 to 11, sealed up to 3, 7 and
// 11. Place 5 was never used.
func fill(t *testing.T, path string, k audit.MAC) (*sqlstore.Store, []audit.Head) {
	t.Helper()
	s := open(t, path)
	var heads []audit.Head
	var kept audit.Head
	for i, n := range []int{3, 3, 4} {
		for j := range n {
			must(t, s.Record(t.Context(), anEvent(t, 10*i+j+1)))
			if i == 1 && j == 0 {
				in := intrude(t, path)
				in.do(`UPDATE sqlite_sequence SET seq = 5 WHERE name = 'event'`)
			}
		}
		head, err := audit.Seal(t.Context(), s, k, kept)
		must(t, err)
		heads, kept = append(heads, head), head
	}
	if heads[0].Seq != 3 || heads[1].Seq != 7 || heads[2].Seq != 11 {
		t.Fatalf("the heads are %v", heads)
	}
	return s, heads
}

func TestAnyTamperingWithADatabaseShows(t *testing.T) {
	path, k := filepath.Join(t.TempDir(), "store.db"), newKey()
	s, heads := fill(t, path, k)
	head := heads[2]
	in := intrude(t, path)
	in.do(`CREATE TEMP TABLE event_before AS SELECT * FROM main.event`)
	in.do(`CREATE TEMP TABLE link_before AS SELECT * FROM main.link`)

	var cases [][]string
	columns := in.ask(`SELECT name FROM pragma_table_info('event')`)
	if len(columns) < 13 {
		t.Fatalf("the columns are %v", columns)
	}
	for _, seq := range in.ask(`SELECT seq FROM event`) {
		for _, c := range columns {
			// Each column holds text or a number; the places are moved behind the head.
			cases = append(cases, []string{fmt.Sprintf(
				`UPDATE event SET %[1]s = CASE WHEN typeof(%[1]s) = 'text' THEN 'X' || %[1]s WHEN '%[1]s' = 'kind' THEN 3 ELSE %[1]s + 20 END WHERE seq = %[2]s`, c, seq)})
		}
		for _, c := range []string{"caller", "reason", "scope", "target"} {
			cases = append(cases, []string{fmt.Sprintf(`UPDATE event SET %[1]s = %[1]s || char(0) WHERE seq = %[2]s`, c, seq)})
		}
		cases = append(cases,
			[]string{`DELETE FROM event WHERE seq = ` + seq},
			[]string{`DELETE FROM event WHERE seq >= ` + seq},
			[]string{`DELETE FROM event WHERE seq >= ` + seq, `DELETE FROM link WHERE seq >= ` + seq},
			[]string{`UPDATE event SET seq = -seq WHERE seq = ` + seq},
			[]string{`UPDATE event SET seq = 0 WHERE seq = ` + seq},
			[]string{`UPDATE event SET reason = '', scope = reason || scope WHERE seq = ` + seq},
		)
		for _, other := range in.ask(`SELECT seq FROM event WHERE seq > ` + seq) {
			cases = append(cases, []string{
				fmt.Sprintf(`UPDATE event SET seq = -1 WHERE seq = %s`, seq),
				fmt.Sprintf(`UPDATE event SET seq = %s WHERE seq = %s`, seq, other),
				fmt.Sprintf(`UPDATE event SET seq = %s WHERE seq = -1`, other),
			})
		}
	}
	const others = `at, caller, action, outcome, reason, kind, scope, name, secret, version, run, target`
	for _, seq := range []string{"5", "0", "-1", "-9223372036854775808"} {
		cases = append(cases, []string{`INSERT INTO event (seq, ` + others + `) SELECT ` + seq + `, ` + others + ` FROM event WHERE seq = 6`})
	}
	for _, seq := range in.ask(`SELECT seq FROM link`) {
		cases = append(cases,
			[]string{`DELETE FROM link WHERE seq = ` + seq},
			[]string{`DELETE FROM link WHERE seq >= ` + seq},
			[]string{`UPDATE link SET sum = randomblob(32) WHERE seq = ` + seq},
			[]string{`UPDATE link SET sum = x'' WHERE seq = ` + seq},
			[]string{`UPDATE link SET seq = seq + 1 WHERE seq = ` + seq},
			[]string{`UPDATE link SET seq = seq - 1 WHERE seq = ` + seq},
		)
	}
	cases = append(cases,
		[]string{`UPDATE event SET at = 0 WHERE seq = 1`},
		[]string{`UPDATE event SET action = 'get' WHERE seq = 8`},
		[]string{`UPDATE event SET name = '-' WHERE seq = 8`}, // no name at all
		[]string{`DELETE FROM event`, `DELETE FROM link`, `DELETE FROM sqlite_sequence`},
		[]string{`UPDATE link SET sum = (SELECT sum FROM link_before WHERE seq = 3) WHERE seq = 7`},
		[]string{`INSERT INTO link SELECT 2, sum FROM link WHERE seq = 3`},
		[]string{`INSERT INTO link SELECT 10, sum FROM link WHERE seq = 7`},
		[]string{`INSERT INTO link SELECT -1, sum FROM link WHERE seq = 3`},
	)
	must(t, audit.Verify(t.Context(), s, k, head))
	unreadable := 0
	for _, c := range cases {
		for _, statement := range c {
			in.do(statement)
		}
		err := audit.Verify(t.Context(), s, k, head)
		var damaged *sqlstore.Error
		switch {
		case errors.Is(err, audit.ErrBroken):
		case errors.As(err, &damaged) && damaged.Code == "unreadable":
			unreadable++
		default:
			t.Errorf("%q: the error is %v", c, err)
		}
		for _, table := range []string{"event", "link"} {
			in.do(`DELETE FROM main.` + table)
			in.do(`INSERT INTO main.` + table + ` SELECT * FROM temp.` + table + `_before`)
		}
	}
	must(t, audit.Verify(t.Context(), s, k, head)) // all was undone
	t.Logf("%d ways to tamper, %d of them leave what can't be read", len(cases), unreadable)
	if unreadable != 1 {
		t.Error("that should be one")
	}
}

func TestNoRowLiesBeforeTheStartOfTheLog(t *testing.T) {
	path, k := filepath.Join(t.TempDir(), "store.db"), newKey()
	s, heads := fill(t, path, k)
	in := intrude(t, path)
	const below = 1200 // several pages
	in.do(`WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO event (seq, at, caller, action, outcome, reason, kind, scope, name, secret, version, run, target)
		SELECT 1 - i, at, 'user:framed', action, outcome, reason, kind, scope, name, secret, version, run, target FROM event, n WHERE seq = 1`, below)
	for from, want := range map[uint64]int{0: below + 10, 1: 10} {
		framed, all := 0, 0
		for e, err := range s.Entries(t.Context(), from) {
			must(t, err)
			all++
			if e.Event.Caller == "user:framed" {
				framed++
			}
			if (e.Event.Caller == "user:framed") != (e.Seq == 0) {
				t.Fatalf("%s is at place %d", e.Event.Caller, e.Seq)
			}
		}
		if all != want || framed != want-10 {
			t.Errorf("from %d on there are %d entries, %d of them framed", from, all, framed)
		}
	}
	for _, head := range heads {
		if err := audit.Verify(t.Context(), s, k, head); !errors.Is(err, audit.ErrBroken) {
			t.Errorf("up to %d: %v", head.Seq, err)
		}
	}
}

func TestARestoredBackupReachesTheHeadNoMore(t *testing.T) {
	dir, k := t.TempDir(), newKey()
	path, backup := filepath.Join(dir, "store.db"), filepath.Join(dir, "backup.db")
	s, heads := fill(t, path, k)
	intrude(t, path).do(`VACUUM INTO ?`, backup)
	must(t, s.Record(t.Context(), anEvent(t, 50)))
	kept, err := audit.Seal(t.Context(), s, k, heads[2])
	must(t, err)
	must(t, audit.Reaches(t.Context(), s, kept))

	restored := open(t, backup)
	for range 2 { // and it stays so when it is written
		for what, err := range map[string]error{
			"Reaches": audit.Reaches(t.Context(), restored, kept),
			"Verify":  audit.Verify(t.Context(), restored, k, kept),
		} {
			if !errors.Is(err, audit.ErrBroken) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if head, err := audit.Seal(t.Context(), restored, k, kept); !errors.Is(err, audit.ErrBroken) {
			t.Errorf("it is sealed up to %v: %v", head, err)
		}
		must(t, restored.Record(t.Context(), anEvent(t, 51), anEvent(t, 52))) // at the place of what is lost, and behind
		if _, err := audit.Seal(t.Context(), restored, k, heads[2]); err != nil {
			t.Error(err)
		}
	}
	must(t, audit.Reaches(t.Context(), restored, heads[2]))
}

// With this variable set, to a key, the test binary is a process that seals.
const childVar = "PIPESECRETS_AUDIT_TEST_CHILD"

func TestMain(m *testing.M) {
	secret := os.Getenv(childVar)
	if secret == "" {
		os.Exit(m.Run())
	}
	if err := child(secret, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const eachChild = 5 // entries that each child adds

func child(secret, path string) error {
	ctx := context.Background()
	k, err := hex.DecodeString(secret)
	if err != nil {
		return err
	}
	s, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	var head audit.Head
	for range eachChild {
		if err := s.Record(ctx, secrets.Event{Action: secrets.ActionGet}); err != nil {
			return err
		}
		if head, err = audit.Seal(ctx, s, key(k), head); err != nil {
			return err
		}
	}
	return errors.Join(audit.Verify(ctx, s, key(k), head), s.Close())
}

func TestManyProcessesMakeOneChain(t *testing.T) {
	path, k := filepath.Join(t.TempDir(), "store.db"), newKey()
	s := open(t, path)
	const processes = 20
	var all []*exec.Cmd
	for range processes {
		c := exec.Command(os.Args[0], path)
		c.Env = append(os.Environ(), childVar+"="+hex.EncodeToString(k))
		c.Stderr = os.Stderr
		must(t, c.Start())
		all = append(all, c)
	}
	for _, c := range all {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	head, err := audit.Seal(t.Context(), s, k, audit.Head{})
	must(t, err)
	must(t, audit.Verify(t.Context(), s, k, head))
	if head.Seq != processes*eachChild {
		t.Errorf("it is sealed up to %d", head.Seq)
	}
}

func BenchmarkSealingAndVerifying100000Entries(b *testing.B) {
	k := newKey()
	const n = 100_000
	events := make([]secrets.Event, n)
	for i := range events {
		events[i] = anEvent(b, i%60)
	}
	for b.Loop() {
		b.StopTimer()
		s := open(b, filepath.Join(b.TempDir(), "store.db"))
		must(b, s.Record(b.Context(), events...))
		b.StartTimer()
		head, err := audit.Seal(b.Context(), s, k, audit.Head{})
		must(b, err)
		must(b, audit.Verify(b.Context(), s, k, head))
	}
}
