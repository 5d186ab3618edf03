package providertest

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

var locationTests = []sentence{
	{"IsTheSameForEveryDriverOfThePlace", func(f *fixture) {
		at, and := f.driver.Location(), f.other.Location()
		if at != and || at.Kind == "" {
			f.Errorf("it is %+v, and %+v", at, and)
		}
		if c := f.driver.Capabilities(); c != f.other.Capabilities() || c.Horizon < 0 || c.CreateTimeout < 0 || c.Concurrency < 0 {
			f.Errorf("it can do %+v, and %+v", c, f.other.Capabilities())
		}
	}},
}

var planTests = []sentence{
	{"PutsEachItemInExactlyOneObject", func(f *fixture) {
		for _, n := range []int{1, 2, 7, 50} {
			seen := map[provider.Item]int{}
			for _, o := range f.batch(n).objects {
				if len(o.Items) == 0 {
					f.Errorf("of %d items an object has none", n)
				}
				for _, item := range o.Items {
					seen[item]++
				}
			}
			for item, times := range seen {
				if times != 1 {
					f.Errorf("%s is in %d objects", item.Name, times)
				}
			}
			if len(seen) != n {
				f.Errorf("of %d items %d are in an object", n, len(seen))
			}
		}
		f.nothing("after planning")
	}},
	{"NamesNoTwoObjectsAlike", func(f *fixture) {
		names := map[string]bool{}
		objects := 0
		for i := range 20 {
			run, items := newRun(f.T), f.batch(5).items()
			for _, o := range f.plan([]provider.Provider{f.driver, f.other}[i%2], run, items, nonce) {
				names[o.Name] = true
				objects++
			}
		}
		if len(names) != objects || names[""] {
			f.Errorf("%d objects of 20 runs have %d names", objects, len(names))
		}
	}},
	{"NamesByANonceOrByTheRunAlone", func(f *fixture) {
		run, items := newRun(f.T), f.batch(3).items()
		var handed []string
		hand := func() string {
			handed = append(handed, nonce())
			return handed[len(handed)-1]
		}
		first := f.plan(f.driver, run, items, hand)
		again := f.plan(f.other, run, items, hand)
		for i, o := range first {
			by := slices.ContainsFunc(handed, func(n string) bool { return strings.Contains(o.Name, n) })
			if !by && (i >= len(again) || again[i].Name != o.Name) { // as by a counter of the process
				f.Errorf("%q has no nonce in it, and is not what another process calls it", o.Name)
			}
		}
	}},
}

var createTests = []sentence{
	{"MakesWhatItsReferencesTellOf", func(f *fixture) {
		b := f.batch(3)
		for i, id := range f.createAll(b) {
			f.held(b, b.objects[i], id)
			refs := f.driver.References(b.objects[i], id)
			var named []secrets.Name
			for _, ref := range refs {
				if named = append(named, ref.Name); ref.Kind == "" || ref.Locator == "" {
					f.Errorf("the reference of %s tells nothing", ref.Name)
				}
			}
			slices.SortFunc(named, secrets.Name.Compare)
			var want []secrets.Name
			for _, item := range b.objects[i].Items {
				want = append(want, item.Name)
			}
			if !slices.Equal(named, want) {
				f.Errorf("references name %v of %v", named, want)
			}
		}
		if len(f.Left()) == 0 {
			f.Error("nothing was made")
		}
		f.removeAll(b)
	}},
	{"AsksOnce", func(f *fixture) {
		b := f.batch(2)
		for _, o := range b.objects {
			f.ok(f.patiently(func() error {
				var by asked
				_, err := f.driver.Create(f.ctx, o, f.opener(b, o, &by))
				if n := by.times.Load(); n > 1 || n == 0 && err == nil {
					f.Fatalf("it asked for the values %d times", n)
				}
				return err
			}))
		}
		f.settle()
		f.removeAll(b)
	}},
	{"LeavesNothingIfItGetsNoValues", func(f *fixture) {
		deposed := errors.New("deposed")
		b := f.batch(2)
		for _, o := range b.objects {
			by := asked{first: func() error { return deposed }}
			err := f.asking(&by, func() error {
				_, err := f.driver.Create(f.ctx, o, f.opener(b, o, &by))
				return err
			})
			if !errors.Is(err, deposed) {
				f.Errorf("it says %v", err)
			}
		}
		f.nothing("after no values were given")
		f.settle()
		f.nothing("a horizon after no values were given")
	}},
	{"LeavesNothingAndAsksNobodyIfItsContextIsDone", func(f *fixture) {
		ctx, cancel := context.WithCancel(f.ctx)
		cancel()
		b := f.batch(1)
		var by asked
		if _, err := f.driver.Create(ctx, b.objects[0], f.opener(b, b.objects[0], &by)); err == nil {
			f.Error("it succeeded")
		}
		if by.times.Load() != 0 {
			f.Error("it asked for the values")
		}
		f.nothing("after a create whose context was done")
	}},
	{"LeavesNothingThatARemoveMissesIfItIsCancelledWhileItAsks", func(f *fixture) {
		for _, fails := range []error{nil, context.Canceled} {
			ctx, cancel := context.WithCancel(f.ctx)
			b := f.batch(1)
			by := asked{first: func() error { cancel(); return fails }}
			err := f.asking(&by, func() error {
				_, err := f.driver.Create(ctx, b.objects[0], f.opener(b, b.objects[0], &by))
				return err
			})
			if err == nil && fails != nil {
				f.Error("it succeeded without the values")
			}
			f.settle()
			f.removeAll(b)
		}
	}},
	{"LeavesNothingThatARemoveMissesIfItDiesWhileItAsks", func(f *fixture) {
		b := f.batch(1)
		f.dies(b, b.objects[0])
		f.removeAll(b)
	}},
	{"CompletesWhatDiedWhileItAskedOrSaysTaken", func(f *fixture) {
		f.needs(f.Holds != nil, "Holds")
		b := f.batch(2)
		for _, o := range b.objects {
			f.dies(b, o)
			var id string
			err := f.patiently(func() (err error) {
				id, err = f.other.Create(f.ctx, o, f.opener(b, o, nil))
				return err
			})
			f.settle()
			if err == nil {
				f.held(b, o, id)
			} else if codeOf(err) != provider.Taken {
				f.Errorf("it says %v", err)
			}
		}
		f.removeAll(b)
	}},
	{"MakesNothingThatWasRemovedWhileItAsks", func(f *fixture) {
		b := f.batch(1)
		o := b.objects[0]
		ctx, cancel := context.WithCancel(f.ctx)
		defer cancel()
		by := asked{first: func() error {
			if f.horizon > 0 { // a request may be on its way for as long, and none may begin when its context is done
				cancel()
			}
			return f.away(o)
		}}
		_ = f.asking(&by, func() error { // it may say either
			_, err := f.driver.Create(ctx, o, f.opener(b, o, &by))
			return err
		})
		f.settle()
		f.nothing("after a remove")
	}},
	{"CompletesWhatAnEarlierAttemptMadeOrSaysTaken", func(f *fixture) {
		b := f.batch(2)
		for i, id := range f.createAll(b) {
			o := b.objects[i]
			err := f.patiently(func() error {
				again, err := f.other.Create(f.ctx, o, f.opener(b, o, nil))
				if err == nil && again != id {
					f.Errorf("the same object has another id: %q, %q", id, again)
				}
				return err
			})
			if err != nil && codeOf(err) != provider.Taken {
				f.Errorf("it says %v", err)
			}
			f.settle()
			f.held(b, o, id)
		}
		f.removeAll(b)
	}},
	{"SaysTakenForANameThatBelongsToAnotherToken", func(f *fixture) {
		b := f.batch(1)
		id := f.create(b, b.objects[0])
		o := b.objects[0]
		o.Stage, o.Token = nonce(), nonce()+nonce()[:6]
		theirs := f.batch(1)
		err := f.patiently(func() error {
			_, err := f.other.Create(f.ctx, o, f.opener(theirs, o, nil))
			return err
		})
		if codeOf(err) != provider.Taken {
			f.Errorf("it says %v", err)
		}
		f.settle()
		f.held(b, b.objects[0], id)
		f.removeAll(b)
	}},
	{"SaysTakenForANameThatIsSomebodyElses", func(f *fixture) {
		f.needs(f.Plant != nil, "Plant")
		b := f.batch(1)
		f.Plant(b.objects[0])
		before := f.left()
		err := f.patiently(func() error {
			_, err := f.driver.Create(f.ctx, b.objects[0], f.opener(b, b.objects[0], nil))
			return err
		})
		if codeOf(err) != provider.Taken {
			f.Errorf("it says %v", err)
		}
		f.settle()
		f.same(before)
	}},
}
