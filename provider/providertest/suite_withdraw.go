package providertest

import (
	"errors"
	"slices"

	"github.com/pipesecrets/pipesecrets/provider"
)

// joint answers a batch with an object that holds several items, or skips the
// test.
func (f *fixture) joint() (provider.Withdrawer, batch, provider.Object) {
	f.Helper()
	w := f.withdrawer()
	b := f.batch(3)
	for _, o := range b.objects {
		if len(o.Items) > 1 {
			return w, batch{[]provider.Object{o}, b.plain}, o
		}
	}
	f.Fatal("the driver can cut down, and no object of three secrets holds several")
	return nil, batch{}, provider.Object{}
}

// less is an object without its first item, for a later actor.
func less(o provider.Object) provider.Object {
	o.Items, o.Epoch = o.Items[1:], o.Epoch+1
	return o
}

var withdrawTests = []sentence{
	{"LeavesExactlyTheRest", func(f *fixture) {
		w, b, o := f.joint()
		id := f.create(b, o)
		gone := f.driver.References(o, id)[0]
		rest := less(o)
		for range 2 { // it may be repeated
			f.ok(f.patiently(func() error { return w.Withdraw(f.ctx, rest, id, f.opener(b, rest, nil)) }))
			f.settle()
			f.held(b, rest, id)
			if f.Holds != nil && f.Holds(gone, b.plain[gone.Name]) {
				f.Errorf("%s is still there", gone.Name)
			}
			rest.Epoch++
		}
		if p, found := f.probe(f.other, rest); p != provider.Present || found != id {
			f.Errorf("it is %d, %q", p, found)
		}
		f.removeAll(b)
	}},
	{"AsksOnce", func(f *fixture) {
		w, b, o := f.joint()
		id := f.create(b, o)
		rest := less(o)
		f.ok(f.patiently(func() error {
			var by asked
			err := w.Withdraw(f.ctx, rest, id, f.opener(b, rest, &by))
			if n := by.times.Load(); n > 1 || n == 0 && err == nil {
				f.Fatalf("it asked for the values %d times", n)
			}
			return err
		}))
		f.removeAll(b)
	}},
	{"ChangesNothingIfItGetsNoValues", func(f *fixture) {
		w, b, o := f.joint()
		id := f.create(b, o)
		deposed := errors.New("deposed")
		by := asked{first: func() error { return deposed }}
		err := f.asking(&by, func() error { return w.Withdraw(f.ctx, less(o), id, f.opener(b, less(o), &by)) })
		if !errors.Is(err, deposed) {
			f.Errorf("it says %v", err)
		}
		f.settle()
		f.held(b, o, id)
		f.removeAll(b)
	}},
	{"MakesNothingThatIsGone", func(f *fixture) {
		w, b, o := f.joint()
		id := f.create(b, o)
		f.removeAll(b)
		err := f.patiently(func() error { return w.Withdraw(f.ctx, less(o), id, f.opener(b, less(o), nil)) })
		if err == nil {
			f.Error("it says that it cut down what is gone")
		}
		f.settle()
		f.nothing("after a withdraw of what is gone")
	}},
	{"MakesNothingThatWasRemovedWhileItAsks", func(f *fixture) {
		w, b, o := f.joint()
		id := f.create(b, o)
		by := asked{first: func() error { return f.away(o) }}
		_ = f.asking(&by, func() error { return w.Withdraw(f.ctx, less(o), id, f.opener(b, less(o), &by)) }) // it may say either
		f.settle()
		f.nothing("after a remove")
	}},
	{"PutsNothingBackThatALaterActorTookWhileItAsks", func(f *fixture) {
		f.needs(f.Holds != nil, "Holds")
		w, b, o := f.joint()
		if len(o.Items) < 3 {
			f.Skip("no object holds three secrets, so that two actors could take one each")
		}
		id := f.create(b, o)
		refs := f.driver.References(o, id)
		earlier := less(o)
		later := less(earlier)
		by := asked{first: func() error {
			other := f.other.(provider.Withdrawer)
			return f.patiently(func() error { return other.Withdraw(f.ctx, later, id, f.opener(b, later, nil)) })
		}}
		_ = f.asking(&by, func() error { return w.Withdraw(f.ctx, earlier, id, f.opener(b, earlier, &by)) }) // it may say either
		f.settle()
		f.held(b, later, id)
		for _, ref := range refs {
			stays := slices.ContainsFunc(later.Items, func(item provider.Item) bool { return item.Name == ref.Name })
			if !stays && f.Holds(ref, b.plain[ref.Name]) {
				f.Errorf("%s was taken, and is there again", ref.Name)
			}
		}
		f.removeAll(b)
	}},
	{"TouchesNothingOfAnotherMark", func(f *fixture) {
		w, b, o := f.joint()
		id := f.create(b, o)
		theirs := less(o)
		theirs.Mark = f.foreign
		err := f.patiently(func() error { return w.Withdraw(f.ctx, theirs, id, f.opener(b, theirs, nil)) })
		if !lasting(err) {
			f.Errorf("it says %v", err)
		}
		f.settle()
		f.held(b, o, id)
		f.removeAll(b)
	}},
}
