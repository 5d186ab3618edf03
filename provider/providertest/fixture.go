package providertest

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// fixture is an empty place, two drivers of it, and what tests say about them in
// a line.
type fixture struct {
	*testing.T
	Place
	ctx      context.Context
	bubble   bool
	driver   provider.Provider
	other    provider.Provider // of another process
	horizon  time.Duration
	mark     [16]byte
	foreign  [16]byte
	skipped  atomic.Int64 // nanoseconds, by the ledger's clock
	canaries [][]byte
	planned  map[string]planned // by the objects' names
}

// planned is an object that a test has planned, and what it is to hold.
type planned struct {
	object provider.Object
	plain  map[secrets.Name][]byte
}

func (f *fixture) plans(b batch) {
	for _, o := range b.objects {
		f.planned[o.Name] = planned{o, b.plain}
	}
}

func newFixture(t *testing.T, h Harness) *fixture {
	f := &fixture{T: t, Place: h.Open(t), ctx: t.Context(), bubble: h.Synctest, planned: map[string]planned{}}
	f.driver, f.other = f.Driver(), f.Driver()
	f.horizon = f.driver.Capabilities().Horizon
	_, _ = rand.Read(f.mark[:]) // never fails
	_, _ = rand.Read(f.foreign[:])
	f.nothing("before the test")
	return f
}

// ok ends the test if something failed.
func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatalf("failed: %v", err)
	}
}

// nothing ends the test if anything is at the place.
func (f *fixture) nothing(when string) {
	f.Helper()
	if left := f.left(); len(left) != 0 {
		f.Fatalf("%s there is %q", when, left)
	}
}

// left returns what is at the place, but for what the platform deletes by itself:
// that may take days, and is as good as gone.
func (f *fixture) left() []string {
	f.Helper()
	going := map[string]bool{}
	return slices.DeleteFunc(f.Left(), func(name string) bool {
		for _, p := range f.planned {
			if o := p.object; !going[o.Name] && strings.Contains(name, o.Name) && f.isPending(o) {
				going[o.Name] = true
				return true
			}
		}
		return false
	})
}

func (f *fixture) isPending(o provider.Object) bool {
	f.Helper()
	p, _ := f.probe(f.other, o)
	return p == provider.Pending
}

// pass makes time pass.
func (f *fixture) pass(d time.Duration) {
	switch {
	case f.Wait != nil:
		f.skipped.Add(int64(d))
		f.Wait(d)
	case f.bubble:
		time.Sleep(d) // for everybody
	default:
		f.skipped.Add(int64(d))
	}
}

// settle lets everything land that is late.
func (f *fixture) settle() {
	if f.horizon > 0 {
		f.pass(f.horizon)
	}
}

// patience is how often the suite tries what may go better the next time.
const patience = 20

// patiently does what may fail for a while, and answers the last error.
func (f *fixture) patiently(do func() error) error {
	var err error
	for range patience {
		if err = do(); !passing(err) {
			return err
		}
		f.pass(f.horizon/5 + time.Second)
	}
	return err
}

// passing reports whether all that failed is worth another attempt.
func passing(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return !slices.ContainsFunc(joined.Unwrap(), func(err error) bool { return !passing(err) })
	}
	code := codeOf(err)
	return code == provider.Unavailable || code == provider.Throttled
}

// lasting reports whether an error has a code that is not worth another attempt.
func lasting(err error) bool { return codeOf(err) != "" && !passing(err) }

// asking makes a call that is to ask for values, again while it could not come so
// far, and answers what the call says.
func (f *fixture) asking(by *asked, do func() error) (said error) {
	f.Helper()
	err := f.patiently(func() error {
		said = do()
		if by.times.Load() > 0 {
			return nil
		}
		return said
	})
	if by.times.Load() == 0 {
		f.Fatalf("it did not ask, and says %v", err)
	}
	return said
}

// create creates one object and waits until it can be seen.
func (f *fixture) create(b batch, o provider.Object) (id string) {
	f.Helper()
	f.ok(f.patiently(func() (err error) {
		id, err = f.driver.Create(f.ctx, o, f.opener(b, o, nil))
		return err
	}))
	f.settle()
	return id
}

// createAll creates all objects of a batch and answers their ids.
func (f *fixture) createAll(b batch) []string {
	f.Helper()
	var ids []string
	for _, o := range b.objects {
		ids = append(ids, f.create(b, o))
	}
	return ids
}

// probe looks for an object.
func (f *fixture) probe(d provider.Provider, o provider.Object) (p provider.Presence, found string) {
	f.Helper()
	f.ok(f.patiently(func() (err error) {
		p, found, err = d.Probe(f.ctx, o)
		return err
	}))
	return p, found
}

// remove removes an object until nothing of it can come again: a platform with a
// horizon may need more than one call. What it deletes by itself from then on can't
// be read any more.
func (f *fixture) remove(d provider.Provider, o provider.Object, id string) {
	f.Helper()
	was := id
	if was == "" {
		_, was = f.probe(d, o)
	}
	for range patience {
		f.ok(f.patiently(func() error { return d.Remove(f.ctx, o, id) }))
		f.settle()
		p, found := f.probe(d, o)
		switch {
		case p == provider.Absent:
			return
		case p == provider.Pending && f.Holds != nil:
			f.unreadable(f.planned[o.Name], was)
			return
		case p == provider.Pending: // it may be so for a moment; for longer nobody can tell whether it is true
			f.pass(time.Minute)
		case f.horizon == 0:
			f.Fatalf("%q was removed and is still there: %d", o.Name, p)
		}
		id = found
	}
	f.Fatalf("%q is still there after %d removes", o.Name, patience)
}

// unreadable ends the test if a value can be read.
func (f *fixture) unreadable(p planned, id string) {
	f.Helper()
	for _, ref := range f.driver.References(p.object, id) {
		if f.Holds(ref, p.plain[ref.Name]) {
			f.Fatalf("%s is being deleted, and can be read", ref.Name)
		}
	}
}

// removeAll removes all objects of a batch by their names, and sees that nothing
// is left.
func (f *fixture) removeAll(b batch) {
	f.Helper()
	for _, o := range b.objects {
		f.remove(f.other, o, "")
	}
	f.nothing("after everything was removed")
}

// held ends the test unless each item is there with its value, as far as one can
// look.
func (f *fixture) held(b batch, o provider.Object, id string) {
	f.Helper()
	if f.Holds == nil {
		return
	}
	for _, ref := range f.driver.References(o, id) {
		if !f.Holds(ref, b.plain[ref.Name]) {
			f.Fatalf("%s is not what was staged", ref.Name)
		}
	}
}

// needs skips the test unless the place has what it needs.
func (f *fixture) needs(has bool, what string) {
	f.Helper()
	if !has {
		f.Skipf("the place has no %s", what)
	}
}

// lister answers the driver's Lister, or skips the test.
func (f *fixture) lister() provider.Lister {
	f.Helper()
	l, can := f.driver.(provider.Lister)
	if !can {
		f.Skip("the driver can't list")
	}
	return l
}

// withdrawer answers the driver's Withdrawer, or skips the test.
func (f *fixture) withdrawer() provider.Withdrawer {
	f.Helper()
	w, can := f.driver.(provider.Withdrawer)
	if !can {
		f.Skip("the driver can't cut down")
	}
	return w
}
