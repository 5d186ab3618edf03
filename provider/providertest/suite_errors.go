package providertest

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/pipesecrets/pipesecrets/provider"
)

var codes = []provider.Code{
	provider.Unavailable, provider.Throttled, provider.Refused, provider.Forbidden,
	provider.Quota, provider.Taken, provider.NotOurs, provider.Internal,
	provider.Unauthenticated, provider.KeyUnusable, provider.Elsewhere,
}

// codeOf answers the code of a driver's error, "" if it has none.
func codeOf(err error) provider.Code {
	var failure *provider.Error
	if errors.As(err, &failure) {
		return failure.Code
	}
	return ""
}

var op = regexp.MustCompile(`^[a-z ]{1,30}$`)

// wrong answers what is wrong with a driver's error, "" if nothing is. A driver
// may join several.
func wrong(err error) string {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var texts []string
		for _, err := range joined.Unwrap() {
			if w := wrong(err); w != "" {
				return w
			}
			texts = append(texts, err.Error())
		}
		if err.Error() != strings.Join(texts, "\n") {
			return "has a text of its own"
		}
		return ""
	}
	failure, ok := err.(*provider.Error)
	switch {
	case !ok:
		return "is no *provider.Error"
	case !slices.Contains(codes, failure.Code):
		return "has a code that is not of the contract"
	case !op.MatchString(failure.Op):
		return "has a text that is no name of an operation"
	}
	return ""
}

var errorTests = []sentence{
	{"AreCodesOfTheContractAndNoTextOfThePlatform", func(f *fixture) {
		b := f.batch(2)
		ids := f.createAll(b)
		ctx, cancel := context.WithCancel(f.ctx)
		cancel()
		f.provoke("cancelled", ctx, b, ids)
		if f.Unreachable != nil {
			f.Unreachable(true)
			f.provoke("out of reach", f.ctx, b, ids)
			f.Unreachable(false)
		}
		f.removeAll(b)
		if f.Plant != nil {
			b := f.batch(1)
			f.Plant(b.objects[0])
			f.settle()
			_, err := f.driver.Create(f.ctx, b.objects[0], f.opener(b, b.objects[0], nil))
			f.told("create over somebody else's", err)
			f.told("remove of somebody else's", f.driver.Remove(f.ctx, b.objects[0], ""))
		}
	}},
	{"OfWhatIsOutOfReachAreWorthAnotherAttempt", func(f *fixture) {
		f.needs(f.Unreachable != nil, "Unreachable")
		b := f.batch(1)
		o := b.objects[0]
		f.Unreachable(true)
		_, err := f.driver.Create(f.ctx, o, f.opener(b, o, nil))
		_, _, looked := f.driver.Probe(f.ctx, o)
		for _, err := range []error{err, looked, f.driver.Remove(f.ctx, o, "")} {
			if code := codeOf(err); code != provider.Unavailable && code != provider.Throttled {
				f.Errorf("it says %v", err)
			}
		}
		f.Unreachable(false)
		f.nothing("after a create that did not reach the platform")
	}},
}

// provoke makes every call in a way in which it must fail.
func (f *fixture) provoke(why string, ctx context.Context, b batch, ids []string) {
	f.Helper()
	o, id := b.objects[0], ids[0]
	fresh := f.batch(1)
	_, err := f.driver.Create(ctx, fresh.objects[0], f.opener(fresh, fresh.objects[0], nil))
	f.told(why+" create", err)
	_, _, err = f.driver.Probe(ctx, o)
	f.told(why+" probe", err)
	f.told(why+" remove", f.driver.Remove(ctx, o, id))
	if l, can := f.driver.(provider.Lister); can {
		for _, err = range l.List(ctx, f.mark) {
			if err != nil {
				break
			}
		}
		f.told(why+" list", err)
	}
	if w, can := f.driver.(provider.Withdrawer); can && len(o.Items) > 1 {
		f.told(why+" withdraw", w.Withdraw(ctx, less(o), id, f.opener(b, less(o), nil)))
	}
}

// told checks an error that there must be.
func (f *fixture) told(what string, err error) {
	f.Helper()
	if err == nil {
		f.Errorf("%s succeeded", what)
	} else if w := wrong(err); w != "" {
		f.Errorf("%s: the error %s", what, w)
	}
}

var concurrencyTests = []sentence{
	{"ManyRunsAtOnceGetWhatIsTheirs", func(f *fixture) {
		const runs = 12
		batches, ids := make([]batch, runs), make([][]string, runs)
		for i := range batches {
			batches[i] = f.batch(2)
			ids[i] = make([]string, len(batches[i].objects))
		}
		f.atOnce(runs, func(i int) (err error) {
			d := []provider.Provider{f.driver, f.other}[i%2]
			for j, o := range batches[i].objects {
				err = errors.Join(err, f.patiently(func() (err error) {
					ids[i][j], err = d.Create(f.ctx, o, f.opener(batches[i], o, nil))
					return err
				}))
			}
			return err
		})
		f.settle()
		for i, b := range batches {
			for j, o := range b.objects {
				f.held(b, o, ids[i][j])
			}
		}
		f.atOnce(runs, func(i int) (err error) { // all but the last two
			for j, o := range batches[i].objects {
				if i < runs-2 {
					err = errors.Join(err, f.patiently(func() error { return f.driver.Remove(f.ctx, o, ids[i][j]) }))
				}
			}
			return err
		})
		f.settle()
		for _, i := range []int{runs - 2, runs - 1} {
			for j, o := range batches[i].objects {
				f.held(batches[i], o, ids[i][j])
			}
		}
		for _, b := range batches {
			for _, o := range b.objects {
				f.remove(f.other, o, "")
			}
		}
		f.nothing("after everything was removed")
	}},
	{"TwoWhoMakeTheSameObjectMakeItOnce", func(f *fixture) {
		for range 10 {
			b := f.batch(1)
			o := b.objects[0]
			var ids [2]string
			f.atOnce(2, func(i int) error {
				err := f.patiently(func() (err error) {
					ids[i], err = []provider.Provider{f.driver, f.other}[i].Create(f.ctx, o, f.opener(b, o, nil))
					return err
				})
				if codeOf(err) == provider.Taken {
					return nil
				}
				return err
			})
			f.settle()
			p, id := f.probe(f.driver, o)
			if p != provider.Present {
				f.Fatalf("after both it is %d", p)
			}
			for _, got := range ids {
				if got != "" && got != id {
					f.Errorf("one was told %q, and %q is there", got, id)
				}
			}
			f.held(b, o, id)
			f.removeAll(b)
		}
	}},
}

// atOnce does n things at once, and ends the test if one fails.
func (f *fixture) atOnce(n int, do func(i int) error) {
	f.Helper()
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { errs[i] = do(i) })
	}
	group.Wait()
	f.ok(errors.Join(errs...))
}
