package awssm_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/awssm"
	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/storetest"
)

// launcher stages runs on the fake, by the protocol.
type launcher struct {
	t      testing.TB
	fake   *awssmtest.Fake
	driver *awssm.Driver
	ledger *storetest.Memory
	engine *stage.Engine
	plain  map[secrets.Pin][]byte // written before anything is launched
	items  []stage.Item
}

var (
	workspace = secrets.Scope{Kind: secrets.Workspace, ID: "w"}
	mark      = [16]byte{7}
)

// newLauncher returns a launcher with n secrets. change may alter the driver's
// configuration.
func newLauncher(t testing.TB, f *awssmtest.Fake, n int, change func(*awssm.Config)) *launcher {
	t.Helper()
	c := config(f)
	if change != nil {
		change(&c)
	}
	l := &launcher{t: t, fake: f, driver: newDriver(t, c), ledger: storetest.NewMemory(), plain: map[secrets.Pin][]byte{}}
	for i := range n {
		name, err := secrets.ParseName(fmt.Sprint("TOKEN", i))
		l.ok(err)
		pin := secrets.Pin{ID: secrets.ID(i + 1), Version: 1}
		l.plain[pin] = []byte(rand.Text())
		record := secrets.Record{Secret: secrets.Secret{Pin: pin, Name: name, Scope: workspace}, KeyID: 1, Sealed: []byte{1}}
		l.ok(l.ledger.Put(t.Context(), record, 0))
		l.items = append(l.items, stage.Item{Item: provider.Item{Name: name, Pin: pin}, Scope: workspace})
	}
	var err error
	l.engine, err = stage.New(stage.Config{
		Ledger: l.ledger, Targets: map[string]provider.Provider{"aws": l.driver},
		Open: func(_ context.Context, _ stage.Run, items []provider.Item) (map[secrets.Pin]secrets.Value, error) {
			values := map[secrets.Pin]secrets.Value{}
			for _, item := range items {
				v, err := secrets.NewValue(l.plain[item.Pin])
				if err != nil {
					return nil, err
				}
				values[item.Pin] = v
			}
			return values, nil
		},
		Intact: func(context.Context) error { return nil },
	})
	l.ok(err)
	return l
}

func (l *launcher) ok(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatalf("failed: %v", err)
	}
}

// launch stages the first n secrets for a run.
func (l *launcher) launch(run string, n int) ([]provider.Reference, error) {
	id, err := secrets.ParseRunID(run)
	l.ok(err)
	var items []provider.Item
	for _, item := range l.items[:n] {
		v, err := secrets.NewValue(l.plain[item.Pin])
		l.ok(err)
		item.Weight = l.driver.Weigh(item.Name, v)
		items = append(items, item.Item)
	}
	rows, err := l.engine.Plan(id, mark, map[string][]provider.Item{"aws": items})
	l.ok(err)
	return l.engine.Stage(l.t.Context(), stage.Run{ID: id, Workspace: workspace, Caller: "user:x", Items: l.items[:n]}, rows, nil, nil)
}

func (l *launcher) complete(run string) (stage.Receipt, error) {
	id, err := secrets.ParseRunID(run)
	l.ok(err)
	return l.engine.Unstage(l.t.Context(), id, "user:x", "succeeded")
}

func (l *launcher) sweep() (stage.Report, error) {
	return l.engine.Sweep(l.t.Context(), "operator:x", mark)
}

// rows answers what the ledger has of a run.
func (l *launcher) rows(run string) []stage.Row {
	l.t.Helper()
	id, err := secrets.ParseRunID(run)
	l.ok(err)
	_, rows, err := l.ledger.Load(l.t.Context(), id)
	l.ok(err)
	return rows
}

// gone sweeps until nothing is left, which takes a horizon; in a bubble.
func (l *launcher) gone(run string) {
	l.t.Helper()
	for range 100 {
		time.Sleep(time.Minute)
		_, _ = l.sweep() // what fails is tried again
		if !slices.ContainsFunc(l.rows(run), func(row stage.Row) bool { return row.State != stage.Gone }) {
			return
		}
	}
	l.t.Fatalf("after 100 sweeps it is %+v", l.rows(run))
}

// calls counts what was asked of the fake.
func calls(f *awssmtest.Fake) map[string]int {
	n := map[string]int{}
	for _, c := range f.Calls() {
		n[c.Op]++
	}
	return n
}

// code answers the operation and the code of a driver's error.
func code(err error) string {
	var failed *provider.Error
	if !errors.As(err, &failed) {
		return ""
	}
	return failed.Error()
}
