package providertest

import (
	"context"
	"slices"

	"github.com/pipesecrets/pipesecrets/provider"
)

var probeTests = []sentence{
	{"TellsWhatIsThere", func(f *fixture) {
		b := f.batch(2)
		for _, o := range b.objects {
			if p, _ := f.probe(f.driver, o); p != provider.Absent {
				f.Errorf("before it was made it is %d", p)
			}
		}
		for i, id := range f.createAll(b) {
			if p, found := f.probe(f.other, b.objects[i]); p != provider.Present || found != id {
				f.Errorf("it is %d, %q", p, found)
			}
		}
		f.removeAll(b)
		f.settle()
		for _, o := range b.objects {
			if p, _ := f.probe(f.driver, o); p != provider.Absent && p != provider.Pending {
				f.Errorf("after it was removed it is %d", p)
			}
		}
	}},
	{"SaysForeignOfWhatIsSomebodyElses", func(f *fixture) {
		f.needs(f.Plant != nil, "Plant")
		b := f.batch(1)
		f.Plant(b.objects[0])
		f.settle()
		if p, _ := f.probe(f.driver, b.objects[0]); p != provider.Foreign {
			f.Errorf("it says %d", p)
		}
	}},
	{"FailsIfItCanNotLook", func(f *fixture) {
		b := f.batch(1)
		o := b.objects[0]
		f.create(b, o)
		ctx, cancel := context.WithCancel(f.ctx)
		cancel()
		if p, _, err := f.driver.Probe(ctx, o); err == nil || p != provider.Unknown {
			f.Errorf("cancelled, it says %d, %v", p, err)
		}
		if f.Unreachable != nil {
			f.Unreachable(true)
			if p, _, err := f.driver.Probe(f.ctx, o); err == nil || p != provider.Unknown {
				f.Errorf("out of reach, it says %d, %v", p, err)
			}
			f.Unreachable(false)
		}
		f.removeAll(b)
	}},
}

var removeTests = []sentence{
	{"LeavesNothing", func(f *fixture) {
		b := f.batch(3)
		for i, id := range f.createAll(b) {
			f.remove(f.driver, b.objects[i], id)
		}
		f.nothing("after everything was removed")
	}},
	{"OfWhatIsGoneSucceeds", func(f *fixture) {
		b := f.batch(1)
		o := b.objects[0]
		f.ok(f.patiently(func() error { return f.driver.Remove(f.ctx, o, "") }))
		id := f.create(b, o)
		for range 2 {
			f.remove(f.driver, o, id)
			f.remove(f.other, o, "")
		}
		f.nothing("after it was removed twice")
	}},
	{"ByAnotherProcessNeedsNoMoreThanWhatIsFoundByName", func(f *fixture) {
		b := f.batch(2)
		f.createAll(b)
		for _, o := range b.objects {
			o := provider.Object{Name: o.Name, Mark: o.Mark}
			p, id := f.probe(f.other, o)
			if p != provider.Present || id == "" {
				f.Fatalf("it says %d, %q", p, id)
			}
			f.remove(f.other, o, id)
		}
		f.nothing("after everything was removed")
	}},
	{"TouchesNothingElse", func(f *fixture) {
		gone, kept := f.batch(1), f.batch(2)
		id := f.create(gone, gone.objects[0])
		ids := f.createAll(kept)
		f.remove(f.driver, gone.objects[0], id)
		f.remove(f.driver, gone.objects[0], id)
		for i, o := range kept.objects {
			f.held(kept, o, ids[i])
			if p, _ := f.probe(f.other, o); p != provider.Present {
				f.Errorf("another object is %d", p)
			}
		}
		f.removeAll(kept)
	}},
	{"TouchesNothingOfAnotherMark", func(f *fixture) {
		b := f.batch(1)
		ours := b.objects[0]
		id := f.create(b, ours)
		before := f.left()
		theirs := ours
		theirs.Mark = f.foreign
		if p, _ := f.probe(f.driver, theirs); p != provider.Foreign && p != provider.Absent {
			f.Errorf("under another mark it is %d", p)
		}
		for _, by := range []string{"", id} {
			err := f.patiently(func() error { return f.driver.Remove(f.ctx, theirs, by) })
			if err != nil && !lasting(err) {
				f.Errorf("it says %v", err)
			}
			f.settle()
			f.same(before)
		}
		f.removeAll(b)
	}},
	{"TouchesNothingThatIsSomebodyElses", func(f *fixture) {
		f.needs(f.Plant != nil, "Plant")
		b := f.batch(1)
		f.Plant(b.objects[0])
		before := f.left()
		f.settle()
		err := f.patiently(func() error { return f.driver.Remove(f.ctx, b.objects[0], "") })
		if !lasting(err) {
			f.Errorf("it says %v", err)
		}
		f.settle()
		f.same(before)
	}},
	{"TouchesNothingThatHasAnotherID", func(f *fixture) {
		kept, gone := f.batch(1), f.batch(1)
		o := kept.objects[0]
		id := f.create(kept, o)
		another := f.create(gone, gone.objects[0]) // while the first is there, so that no id is used again
		f.remove(f.driver, gone.objects[0], another)
		before := f.left()
		err := f.patiently(func() error { return f.driver.Remove(f.ctx, o, another) })
		if err != nil && !lasting(err) {
			f.Errorf("it says %v", err)
		}
		f.settle()
		f.same(before)
		f.held(kept, o, id)
		f.removeAll(kept)
	}},
	{"FailsIfThePlatformForbidsIt", func(f *fixture) {
		f.needs(f.Refuse != nil, "Refuse")
		b := f.batch(1)
		o := b.objects[0]
		id := f.create(b, o)
		before := f.left()
		f.Refuse(true)
		for _, by := range []string{id, ""} {
			err := f.patiently(func() error { return f.driver.Remove(f.ctx, o, by) })
			if !lasting(err) {
				f.Errorf("it says %v", err)
			}
		}
		f.Refuse(false)
		f.settle()
		f.same(before)
		f.removeAll(b)
	}},
	{"FailsIfItsContextIsDone", func(f *fixture) {
		b := f.batch(1)
		id := f.create(b, b.objects[0])
		ctx, cancel := context.WithCancel(f.ctx)
		cancel()
		if err := f.driver.Remove(ctx, b.objects[0], id); err == nil {
			f.Error("it says that it removed it")
		}
		f.removeAll(b)
	}},
}

var listTests = []sentence{
	{"YieldsWhatCarriesTheMarkAndNothingElse", func(f *fixture) {
		lister := f.lister()
		if found := f.list(lister, f.mark); len(found) != 0 {
			f.Errorf("an empty place lists %v", found)
		}
		ours, theirs := f.batch(3), f.theirs(2)
		f.createAll(ours)
		f.createAll(theirs)
		for mark, b := range map[[16]byte]batch{f.mark: ours, f.foreign: theirs} {
			var want []string
			for _, o := range b.objects {
				want = append(want, o.Name)
			}
			slices.Sort(want)
			if got := f.list(lister, mark); !slices.Equal(got, want) {
				f.Errorf("it lists %q, want %q", got, want)
			}
		}
		for _, b := range []batch{ours, theirs} {
			for _, o := range b.objects {
				f.remove(f.driver, o, "")
			}
		}
		f.nothing("after everything was removed")
		f.settle()
		if found := f.list(lister, f.mark); len(found) != 0 {
			f.Errorf("after a remove it lists %v", found)
		}
	}},
	{"YieldsAllOfManyOrFails", func(f *fixture) {
		lister := f.lister()
		b := f.many(30)
		var want []string
		for _, o := range b.objects {
			want = append(want, o.Name)
		}
		slices.Sort(want)
		if got := f.list(lister, f.mark); !slices.Equal(got, want) {
			f.Errorf("it lists %d, and there are %d", len(got), len(want))
		}
		if f.Unreachable != nil {
			var got []string
			var failed error
			for o, err := range lister.List(f.ctx, f.mark) {
				if failed = err; err != nil {
					break
				}
				if got = append(got, o.Name); len(got) == 1 {
					f.Unreachable(true) // what is not read yet
				}
			}
			if len(got) > 0 {
				f.Unreachable(false)
			}
			if slices.Sort(got); failed == nil && !slices.Equal(got, want) {
				f.Errorf("out of reach after the first, it lists %d of %d, and does not fail", len(got), len(want))
			}
		}
		f.removeAll(b)
	}},
	{"YieldsWhatDiedWhileItWasMade", func(f *fixture) {
		lister := f.lister()
		b := f.batch(1)
		o := b.objects[0]
		f.dies(b, o)
		p, _ := f.probe(f.other, o)
		if listed := slices.Contains(f.list(lister, f.mark), o.Name); listed != (p == provider.Present) {
			f.Errorf("it is %d, and listed: %t", p, listed)
		}
		f.removeAll(b)
	}},
	{"FailsIfItCanNotLook", func(f *fixture) {
		lister := f.lister()
		b := f.batch(1)
		f.createAll(b)
		failed := func(ctx context.Context) (failed bool) {
			for _, err := range lister.List(ctx, f.mark) {
				failed = failed || err != nil
			}
			return failed
		}
		ctx, cancel := context.WithCancel(f.ctx)
		cancel()
		if !failed(ctx) {
			f.Error("cancelled, it says that there is nothing")
		}
		if f.Unreachable != nil {
			f.Unreachable(true)
			if !failed(f.ctx) {
				f.Error("out of reach, it says that there is nothing")
			}
			f.Unreachable(false)
		}
		f.removeAll(b)
	}},
	{"StopsWhenItIsToldTo", func(f *fixture) {
		lister := f.lister()
		a, b := f.batch(1), f.batch(1)
		f.createAll(a)
		f.createAll(b)
		yields := 0
		f.ok(f.patiently(func() (failed error) {
			yields = 0
			lister.List(f.ctx, f.mark)(func(_ provider.Object, err error) bool {
				failed = err
				yields++
				return false
			})
			return failed
		}))
		if yields != 1 {
			f.Errorf("it yielded %d times, and was told to stop at the first", yields)
		}
		f.removeAll(batch{objects: append(a.objects, b.objects...)})
	}},
}

// many creates n objects of as many runs, or as many as the place takes.
func (f *fixture) many(n int) (all batch) {
	f.Helper()
	for len(all.objects) < n {
		b := f.batch(1)
		o := b.objects[0]
		err := f.patiently(func() error {
			_, err := f.driver.Create(f.ctx, o, f.opener(b, o, nil))
			return err
		})
		if codeOf(err) == provider.Quota && len(all.objects) > 0 {
			f.settle()
			f.remove(f.driver, o, "")
			break
		}
		f.ok(err)
		all.objects = append(all.objects, o)
	}
	f.settle()
	return all
}

// list answers the names that a list shows, in their order, but for those of what
// the platform deletes by itself, which it may show or not.
func (f *fixture) list(lister provider.Lister, mark [16]byte) (names []string) {
	f.Helper()
	f.ok(f.patiently(func() error {
		names = nil
		for o, err := range lister.List(f.ctx, mark) {
			if err != nil {
				return err
			}
			if o.Mark != mark {
				f.Errorf("it lists %q with another mark", o.Name)
			}
			names = append(names, o.Name)
		}
		return nil
	}))
	names = slices.DeleteFunc(names, func(name string) bool { return f.isPending(provider.Object{Name: name, Mark: mark}) })
	slices.Sort(names)
	return names
}

// same ends the test unless the same things are at the place as before.
func (f *fixture) same(before []string) {
	f.Helper()
	now := f.left()
	slices.Sort(before)
	slices.Sort(now)
	if !slices.Equal(before, now) {
		f.Fatalf("there was %q, and now there is %q", before, now)
	}
}
