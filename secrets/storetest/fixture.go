package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
)

var (
	organization = secrets.Scope{Kind: secrets.Organization, ID: "o1"}
	workspace    = secrets.Scope{Kind: secrets.Workspace, ID: "w1"}
	user         = secrets.Scope{Kind: secrets.User, ID: "u1"}
)

// fixture is an empty backend and what tests say about it in a line.
type fixture struct {
	*testing.T
	Backend
	clock *clock
	ctx   context.Context
}

// ok ends the test if something failed.
func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatalf("failed: %v", err)
	}
}

// fails ends the test unless err matches want.
func (f *fixture) fails(err, want error) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Fatalf("error is %v, want %v", err, want)
	}
}

// same ends the test unless got equals want: a nil slice an empty one, and a
// time only one of the same location, UTC.
func (f *fixture) same(got, want any) {
	f.Helper()
	if d := diff(want, got); d != "" {
		f.Fatalf("differs (-want +got):\n%s", d)
	}
}

func diff(want, got any) string {
	if reflect.DeepEqual(want, got) {
		return "" // the same, and sooner
	}
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b secrets.Name) bool { return a == b }),
		cmp.Comparer(func(a, b secrets.RunID) bool { return a == b }),
		cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) && a.Location() == b.Location() }))
}

// The questions below must not fail.

func (f *fixture) installation(home string) secrets.Installation {
	f.Helper()
	in, err := f.Installation(f.ctx, home)
	f.ok(err)
	return in
}

func (f *fixture) adopt(home string, cloned bool) secrets.Installation {
	f.Helper()
	in, err := f.Adopt(f.ctx, home, cloned)
	f.ok(err)
	return in
}

func (f *fixture) find(id secrets.ID) secrets.Record {
	f.Helper()
	r, err := f.Find(f.ctx, id)
	f.ok(err)
	return r
}

// candidates are sorted: the contract names no order.
func (f *fixture) candidates(names []secrets.Name, scopes ...secrets.Scope) []secrets.Record {
	f.Helper()
	all, err := f.Candidates(f.ctx, scopes, names)
	f.ok(err)
	slices.SortFunc(all, func(a, b secrets.Record) int { return comparePins(a.Pin, b.Pin) })
	return all
}

func (f *fixture) records(pins ...secrets.Pin) []secrets.Record {
	f.Helper()
	all, err := f.Pinned(f.ctx, pins)
	f.ok(err)
	return all
}

func (f *fixture) list(q secrets.Query) []secrets.Secret {
	f.Helper()
	all, err := f.List(f.ctx, q)
	f.ok(err)
	return all
}

func (f *fixture) behind(primary uint32, after secrets.Pin, n int) []secrets.Record {
	f.Helper()
	all, err := f.Behind(f.ctx, primary, after, n)
	f.ok(err)
	return all
}

func (f *fixture) countBehind(primary uint32) int {
	f.Helper()
	n, err := f.CountBehind(f.ctx, primary)
	f.ok(err)
	return n
}

func (f *fixture) stats() stage.Stats {
	f.Helper()
	st, err := f.Stats(f.ctx)
	f.ok(err)
	return st
}

// due returns the ids that Due answers.
func (f *fixture) due() []string {
	f.Helper()
	runs, err := f.Due(f.ctx, f.clock.Now(), 100)
	f.ok(err)
	return words(runs)
}

// words are ids as they are written in tests.
func words(ids []secrets.RunID) []string {
	all := []string{}
	for _, id := range ids {
		all = append(all, id.String())
	}
	return all
}

func parseName(s string) secrets.Name {
	n, err := secrets.ParseName(s)
	if err != nil {
		panic("storetest: bad name in a test")
	}
	return n
}

func parseRun(s string) secrets.RunID {
	r, err := secrets.ParseRunID(s)
	if err != nil {
		panic("storetest: bad run id in a test")
	}
	return r
}

// ciphertext stands for a sealed value.
func ciphertext() []byte {
	b := make([]byte, 24)
	_, _ = rand.Read(b) // never fails
	return b
}

// record returns version 1 of a secret.
func (f *fixture) record(id secrets.ID, s secrets.Scope, name string) secrets.Record {
	return secrets.Record{
		Secret: secrets.Secret{
			Pin: secrets.Pin{ID: id, Version: 1}, Name: parseName(name), Scope: s, Description: "first",
			CreatedAt: f.clock.Now(), UpdatedAt: f.clock.Now(), CreatedBy: "ann", UpdatedBy: "ann",
		},
		KeyID: 1, Sealed: ciphertext(),
	}
}

// create puts version 1 of a secret.
func (f *fixture) create(id secrets.ID, s secrets.Scope, name string) secrets.Record {
	f.Helper()
	r := f.record(id, s, name)
	f.ok(f.Put(f.ctx, r, 0))
	return r
}

// next returns the version after r, otherwise sealed.
func next(r secrets.Record) secrets.Record {
	r.Version++
	r.Sealed = ciphertext()
	r.Description, r.UpdatedBy = "later", "bob"
	return r
}

// update puts the version after r.
func (f *fixture) update(r secrets.Record) secrets.Record {
	f.Helper()
	n := next(r)
	f.ok(f.Put(f.ctx, n, r.Version))
	return n
}

func (f *fixture) pinned(pins ...secrets.Pin) error {
	_, err := f.Pinned(f.ctx, pins)
	return err
}

// items asks for the versions of records.
func items(records ...secrets.Record) []stage.Item {
	var all []stage.Item
	for _, r := range records {
		all = append(all, stage.Item{Item: provider.Item{Name: r.Name, Pin: r.Pin}, Scope: r.Scope})
	}
	return all
}

var here = provider.Location{Kind: "file", Account: "host", Place: "/scratch"}

// rows plans n objects of a run.
func rows(run string, n int) []stage.Row {
	var all []stage.Row
	for i := range n {
		id := fmt.Sprintf("%s-%c", run, 'z'-i) // their order is not that of their names
		all = append(all, stage.Row{Target: "cluster", Location: here, Object: provider.Object{
			Stage: id, Name: "object-" + id, Token: "token-" + id, Mark: [16]byte{1, 2, 3}, Run: parseRun(run), Epoch: 1,
			Expires: time.Date(2031, 1, 1, 0, 0, 0, 1000, time.UTC), Items: []provider.Item{{Name: parseName("AA"), Pin: secrets.Pin{ID: 7, Version: 3}}},
		}})
	}
	return all
}

const (
	lease = time.Minute
	need  = time.Hour
)

// begin begins a run with n objects.
func (f *fixture) begin(id string, n int, of ...secrets.Record) stage.Run {
	f.Helper()
	r, err := f.Begin(f.ctx, stage.Run{ID: parseRun(id), Workspace: workspace, Caller: "ann", Request: []byte{9}, Chosen: []byte{8}, Items: items(of...)},
		rows(id, n), stage.Terms{Lease: lease, Need: need})
	f.ok(err)
	return r
}

// load returns a run and its rows.
func (f *fixture) load(id string) (stage.Run, []stage.Row) {
	f.Helper()
	r, rows, err := f.Load(f.ctx, parseRun(id))
	f.ok(err)
	return r, rows
}

// advance moves a run on, with rows all of which are in a state.
func (f *fixture) advance(id string, to stage.Phase, s stage.State) stage.Run {
	f.Helper()
	r, all := f.load(id)
	for i := range all {
		all[i].State = s
	}
	r, err := f.Advance(f.ctx, r, to, lease, all)
	f.ok(err)
	return r
}

// close begins the end of a run, keeping its pins for a minute.
func (f *fixture) close(id string) stage.Run {
	f.Helper()
	r, _, err := f.End(f.ctx, parseRun(id), stage.Closing{Outcome: "succeeded", MaskFor: time.Minute})
	f.ok(err)
	return r
}

// finish ends a run and drops its pins.
func (f *fixture) finish(id string) {
	f.Helper()
	f.close(id)
	f.advance(id, stage.Closed, stage.Gone)
	f.clock.pass(time.Minute)
	f.ok(f.Release(f.ctx, parseRun(id)))
}

func ids(runs []stage.Run) []string {
	all := []string{}
	for _, r := range runs {
		all = append(all, r.ID.String())
	}
	return all
}

// entries returns the whole log.
func (f *fixture) entries(from uint64) []audit.Entry {
	f.Helper()
	var all []audit.Entry
	for e, err := range f.Entries(f.ctx, from) {
		f.ok(err)
		all = append(all, e)
	}
	return all
}
