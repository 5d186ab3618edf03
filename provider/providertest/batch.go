package providertest

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// batch is what one run stages: objects, and the value of each item.
type batch struct {
	objects []provider.Object
	plain   map[secrets.Name][]byte
}

// names returns n names of secrets.
func (f *fixture) names(n int) []secrets.Name {
	f.Helper()
	var names []secrets.Name
	for i := range n {
		names = append(names, f.name(fmt.Sprintf("PSEC_T%d", i)))
	}
	return names
}

func (f *fixture) name(s string) secrets.Name {
	f.Helper()
	n, err := secrets.ParseName(s)
	f.ok(err)
	return n
}

// batch plans a run of n secrets with random values.
func (f *fixture) batch(n int) batch {
	f.Helper()
	plain := map[secrets.Name][]byte{}
	for _, name := range f.names(n) {
		plain[name] = f.canary()
	}
	return f.batchOf(plain)
}

// theirs plans a run of n secrets of another installation.
func (f *fixture) theirs(n int) batch {
	f.Helper()
	b := f.batch(n)
	for i := range b.objects {
		b.objects[i].Mark = f.foreign
	}
	f.plans(b)
	return b
}

func (f *fixture) canary() []byte {
	c := []byte(rand.Text())
	f.canaries = append(f.canaries, c)
	return c
}

func (f *fixture) batchOf(plain map[secrets.Name][]byte) batch {
	f.Helper()
	var items []provider.Item
	for name := range plain {
		items = append(items, provider.Item{
			Name: name, Pin: secrets.Pin{ID: secrets.ID(len(items) + 1), Version: 1}, Weight: f.weigh(name, plain[name]),
		})
	}
	slices.SortFunc(items, func(a, b provider.Item) int { return a.Name.Compare(b.Name) })
	run := newRun(f.T)
	objects := f.plan(f.driver, run, items, nonce)
	for i := range objects {
		o := &objects[i]
		o.Stage, o.Token, o.Mark, o.Run, o.Epoch = nonce(), nonce()+nonce()[:6], f.mark, run, 1
		o.Expires = time.Now().Add(24 * time.Hour).UTC()
	}
	b := batch{objects, plain}
	f.plans(b)
	return b
}

// weigh answers how much of an object a value takes.
func (f *fixture) weigh(name secrets.Name, plain []byte) int {
	f.Helper()
	w, weighs := f.driver.(provider.Weigher)
	if !weighs {
		return 0
	}
	v, err := secrets.NewValue(plain)
	f.ok(err)
	defer v.Destroy()
	return w.Weigh(name, v)
}

// plan lets a driver plan a run.
func (f *fixture) plan(d provider.Provider, run secrets.RunID, items []provider.Item, nonce func() string) []provider.Object {
	f.Helper()
	objects, err := d.Plan(run, items, nonce)
	f.ok(err)
	return objects
}

// items answers all items of a batch.
func (b batch) items() (all []provider.Item) {
	for _, o := range b.objects {
		all = append(all, o.Items...)
	}
	return all
}

func newRun(t testing.TB) secrets.RunID {
	t.Helper()
	id, err := secrets.ParseRunID("r-" + nonce())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// nonce returns 26 unguessable characters of [a-z2-7].
func nonce() string { return strings.ToLower(rand.Text()) }

// asked counts the calls of an Opener, and does something first.
type asked struct {
	times atomic.Int32
	first func() error
}

// opener returns an Opener of what the object is to hold. by may be nil.
func (f *fixture) opener(b batch, o provider.Object, by *asked) provider.Opener {
	return func(context.Context) (map[secrets.Name]secrets.Value, error) {
		if by != nil {
			by.times.Add(1)
			if by.first != nil {
				if err := by.first(); err != nil {
					return nil, err
				}
			}
		}
		values := map[secrets.Name]secrets.Value{}
		for _, item := range o.Items {
			v, err := secrets.NewValue(b.plain[item.Name])
			if err != nil {
				return nil, err
			}
			values[item.Name] = v
		}
		return values, nil
	}
}

// dies creates an object in a process that is killed while it asks for the values.
func (f *fixture) dies(b batch, o provider.Object) {
	f.Helper()
	by := asked{first: func() error { panic("killed") }}
	_ = f.asking(&by, func() (err error) {
		defer func() { _ = recover() }()
		_, err = f.driver.Create(f.ctx, o, f.opener(b, o, &by))
		return err
	})
	f.settle()
}

// away removes an object while another process asks for its values. A platform
// with a horizon may overlook a new object once.
func (f *fixture) away(o provider.Object) error {
	err := f.patiently(func() error { return f.other.Remove(f.ctx, o, "") })
	if err == nil && f.horizon > 0 {
		f.settle()
		err = f.patiently(func() error { return f.other.Remove(f.ctx, o, "") })
		f.settle()
	}
	return err
}
