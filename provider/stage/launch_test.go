package stage_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// keeping is a platform that keeps what its creates are told and given.
type keeping struct {
	*platform
	opens  int // how often each create asks for the values
	told   *[]provider.Object
	values *[]secrets.Value
	errs   *[]error
}

func (k keeping) Create(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
	*k.told = append(*k.told, o)
	for range k.opens {
		values, err := open(ctx)
		for _, v := range values {
			*k.values = append(*k.values, v)
		}
		*k.errs = append(*k.errs, err)
	}
	return "id:" + o.Name, nil
}

func newKeeping(f *fixture, opens int) keeping {
	return keeping{f.platform, opens, new([]provider.Object), new([]secrets.Value), new([]error)}
}

func TestACreateIsToldAllThatAPlanLeavesOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1, &platform{})
		k := newKeeping(f, 1)
		e := f.with(t, k, func(c *stage.Config) { c.MaxNeed = 48 * time.Hour })
		expires := time.Now().Add(48 * time.Hour)
		if _, err := e.Stage(t.Context(), f.run, f.rows, nil, nil); err != nil {
			t.Fatal(err)
		}
		o := (*k.told)[0]
		if o.Stage == "" || len(o.Token) != 32 || o.Mark != ours || o.Run != f.run.ID || o.Epoch != 1 || !o.Expires.Equal(expires) || len(o.Items) != 1 {
			t.Errorf("%+v", o)
		}
	})
}

func TestAnOpenerGivesTheValuesOnceAndDestroysThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1, &platform{})
		k := newKeeping(f, 2)
		if _, err := f.with(t, k).Stage(t.Context(), f.run, f.rows, nil, nil); err != nil {
			t.Fatal(err)
		}
		if errs := *k.errs; errs[0] != nil || codeOf(errs[1]) != provider.Internal || len(*k.values) != 1 {
			t.Errorf("%d values are given, and %v", len(*k.values), errs)
		}
		for _, v := range *k.values {
			if v.Reveal(func([]byte) error { return nil }) == nil {
				t.Error("a value outlasts its create")
			}
		}
	})
}

func TestAStagerIsFencedByAnotherActorOfTheSameRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 3, &platform{})
		go func() {
			time.Sleep(1500 * time.Millisecond) // the second is on its way
			run, _, err := f.ledger.Load(t.Context(), f.run.ID)
			if err != nil {
				t.Error(err)
			}
			if run, err = f.ledger.Advance(t.Context(), run, stage.Staging, 0, nil); err != nil { // its lease ends early
				t.Error(err)
			}
			if _, err = f.ledger.Take(t.Context(), run.ID, time.Minute); err != nil {
				t.Error(err)
			}
		}()
		if _, err := f.Stage(t.Context(), f.run, f.rows, nil, nil); !errors.Is(err, stage.ErrFenced) {
			t.Errorf("got %v", err)
		}
		if f.platform.creates != 1 {
			t.Errorf("%d creates got their values, want 1", f.platform.creates)
		}
	})
}

// patient is a ledger that answers although its caller's time is over, as one
// does that was asked just before.
type patient struct{ stage.Ledger }

func (p patient) Load(ctx context.Context, id secrets.RunID) (stage.Run, []stage.Row, error) {
	return p.Ledger.Load(context.WithoutCancel(ctx), id)
}

func TestAStagerWhoseLeaseIsOverByItsOwnClockGetsNoValues(t *testing.T) {
	for name, c := range map[string]struct {
		slow   time.Duration // a create, before it asks
		ledger func(stage.Ledger) stage.Ledger
	}{
		"before it reads the run": {3 * time.Minute, func(l stage.Ledger) stage.Ledger { return patient{l} }},
		"while it reads the run":  {0, func(l stage.Ledger) stage.Ledger { return dozing{patient{l}} }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 1, &platform{slow: c.slow})
				engine := f.with(t, f.platform, func(conf *stage.Config) {
					conf.Ledger = c.ledger(f.ledger)
					conf.Open = func(context.Context, stage.Run, []provider.Item) (map[secrets.Pin]secrets.Value, error) {
						t.Error("values were asked for")
						return nil, errors.New("no values")
					}
				})
				if _, err := engine.Stage(t.Context(), f.run, f.rows, nil, nil); !errors.Is(err, stage.ErrFenced) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestEachTargetGetsAsManyCreatesAtOnceAsItTakesBesideAnother(t *testing.T) {
	for name, most := range map[string][2]int{"the first takes more": {4, 1}, "the second takes more": {1, 4}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 6, &platform{})
				items, targets := map[string][]provider.Item{}, map[string]provider.Provider{}
				var platforms [2]*platform
				for i, target := range []string{"a", "b"} {
					platforms[i] = &platform{made: map[string]time.Time{}, caps: provider.Capabilities{Concurrency: most[i]}}
					targets[target] = platforms[i]
					for _, item := range f.run.Items {
						items[target] = append(items[target], item.Item)
					}
				}
				e := f.with(t, f.platform, func(c *stage.Config) { c.Targets = targets })
				rows, err := e.Plan(f.run.ID, ours, items)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := e.Stage(t.Context(), f.run, rows, nil, nil); err != nil {
					t.Fatal(err)
				}
				if got := [2]int{platforms[0].most, platforms[1].most}; got != most {
					t.Errorf("%v at once, want %v", got, most)
				}
			})
		})
	}
}

// timed is a platform whose calls take a while, and are checked to end by the time
// at which the ledger says that their caller's lease does.
type timed struct {
	*panicky
	t      *testing.T
	ledger stage.Ledger
	seen   *[]string
}

func (d timed) in(ctx context.Context, op string, o provider.Object) {
	run, _, err := d.ledger.Load(context.WithoutCancel(ctx), o.Run)
	if err != nil {
		d.t.Error(err)
	}
	deadline, bounded := ctx.Deadline()
	if late := deadline.Sub(run.Actor); !bounded || late > time.Microsecond { // as a ledger rounds
		d.t.Errorf("%s may outlast its lease by %v", op, late)
	}
	*d.seen = append(*d.seen, op)
	time.Sleep(4 * time.Second)
}

func (d timed) Capabilities() provider.Capabilities {
	return provider.Capabilities{CreateTimeout: time.Hour}
}

func (d timed) Create(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
	d.in(ctx, "create", o)
	return d.panicky.Create(ctx, o, open)
}

func (d timed) Withdraw(ctx context.Context, o provider.Object, _ string, open provider.Opener) error {
	d.in(ctx, "withdraw", o)
	_, err := open(ctx)
	return err
}

func (d timed) Probe(ctx context.Context, o provider.Object) (provider.Presence, string, error) {
	d.in(ctx, "probe", o)
	return d.panicky.Probe(ctx, o)
}

func (d timed) Remove(ctx context.Context, o provider.Object, id string) error {
	d.in(ctx, "remove", o)
	return d.panicky.Remove(ctx, o, id)
}

func TestNoCallOfADriverMayOutlastTheLeaseItIsMadeUnder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 4, &platform{})
		d := timed{&panicky{platform: f.platform}, t, f.ledger, new([]string)}
		e := f.with(t, d, func(c *stage.Config) { c.Lease = 20 * time.Second })
		rows := append(f.together(), f.rows[1:]...)
		if _, err := e.Stage(t.Context(), f.run, rows, nil, nil); err != nil {
			t.Fatal(err)
		}
		f.revoke(t, 0)
		if _, err := e.Withdraw(t.Context(), f.run.ID, "user:x"); err != nil {
			t.Error(err)
		}
		if r, err := e.Unstage(t.Context(), f.run.ID, "user:x", "done"); err != nil || !r.Gone() {
			t.Error(err)
		}
		for _, op := range []string{"create", "withdraw", "probe", "remove"} {
			if !slices.Contains(*d.seen, op) {
				t.Errorf("there was no %s", op)
			}
		}
	})
}

// faltering is a ledger that fails its first ends, and loses the reply to a Begin
// in which something happens.
type faltering struct {
	stage.Ledger
	ends    *int
	inBegin func()
}

func (l faltering) End(ctx context.Context, id secrets.RunID, c stage.Closing, ev ...secrets.Event) (stage.Run, []stage.Row, error) {
	if *l.ends--; *l.ends >= 0 {
		return stage.Run{}, nil, errAway
	}
	return l.Ledger.End(ctx, id, c, ev...)
}

func (l faltering) Begin(ctx context.Context, r stage.Run, rows []stage.Row, terms stage.Terms, ev ...secrets.Event) (stage.Run, error) {
	run, err := l.Ledger.Begin(ctx, r, rows, terms, ev...)
	if l.inBegin == nil {
		return run, err
	}
	l.inBegin()
	return stage.Run{}, errAway
}

func TestALaunchThatFailsLeavesNothingBeforeAnySweep(t *testing.T) {
	for name, c := range map[string]struct {
		cancelled string // in what the caller gives up
		ends      int    // that fail
	}{
		"a create fails":                                {"", 0},
		"a create fails, and the first end":             {"", 1},
		"its caller gives up":                           {"create", 0},
		"its caller gives up, and the first end fails":  {"create", 1},
		"its caller gives up while it is begun unheard": {"begin", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 3, &platform{})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				l := faltering{Ledger: f.ledger, ends: &c.ends}
				switch c.cancelled {
				case "":
					f.platform.fail = map[int]error{2: &provider.Error{Op: "create", Code: provider.Forbidden}}
				case "begin":
					l.inBegin = cancel
				case "create":
					time.AfterFunc(1500*time.Millisecond, cancel) // the second is on its way
				}
				e := f.with(t, f.platform, func(c *stage.Config) { c.Ledger = l })
				if _, err := e.Stage(ctx, f.run, f.rows, nil, nil); err == nil {
					t.Error("it is staged")
				}
				if r := f.receipt(t); !r.Gone() || len(f.platform.made) != 0 {
					t.Errorf("%d objects are left, and the run is %s", len(f.platform.made), r.Run.Phase)
				}
			})
		})
	}
}
