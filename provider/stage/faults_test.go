package stage_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// with returns another engine on the fixture's ledger, or on one put before it.
func (f *fixture) with(t *testing.T, driver provider.Provider, change ...func(*stage.Config)) *stage.Engine {
	t.Helper()
	c := stage.Config{
		Ledger: f.ledger, Targets: map[string]provider.Provider{"cloud": driver},
		Open: func(_ context.Context, _ stage.Run, items []provider.Item) (map[secrets.Pin]secrets.Value, error) {
			values := map[secrets.Pin]secrets.Value{}
			for _, item := range items {
				v, err := secrets.NewValue([]byte("x"))
				if err != nil {
					return nil, err
				}
				values[item.Pin] = v
			}
			return values, nil
		},
	}
	for _, ch := range change {
		ch(&c)
	}
	engine, err := stage.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

// staged is a fixture whose run is under way.
func staged(t *testing.T, n int) *fixture {
	t.Helper()
	f := newFixture(t, n, &platform{slow: time.Millisecond})
	if _, err := f.Stage(t.Context(), f.run, f.rows, nil, nil); err != nil {
		t.Fatal(err)
	}
	return f
}

const removal = 7 * time.Second // of one object; a lease of 120 s ends within one

// slowly is a platform on which a remove takes its time.
type slowly struct{ *platform }

func (s slowly) Remove(ctx context.Context, o provider.Object, id string) error {
	time.Sleep(removal)
	return s.platform.Remove(ctx, o, id)
}

func TestARemovalThatOutlastsTheLeaseIsFinishedWhileTwoSweepInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 60
		f := staged(t, n)
		if _, _, err := f.ledger.End(t.Context(), f.run.ID, stage.Closing{}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for range 2 {
			engine := f.with(t, slowly{f.platform})
			group.Go(func() {
				for ctx.Err() == nil {
					_, _ = engine.Sweep(ctx, "operator:x", [16]byte{1}) // that the other is at work is no failure
					time.Sleep(time.Second)
				}
			})
			time.Sleep(500 * time.Millisecond)
		}
		time.Sleep(n*removal + time.Minute)
		if r := f.receipt(t); !r.Gone() || len(f.platform.removes) != n {
			t.Errorf("%s, %d objects are left, %d removes", r.Run.Phase, len(r.Left()), len(f.platform.removes))
		}
		cancel()
		group.Wait()
	})
}

// pausing is a ledger whose caller is paused for longer than its lease once it has
// taken a run, while another actor takes it.
type pausing struct{ stage.Ledger }

func (p pausing) Take(ctx context.Context, id secrets.RunID, lease time.Duration) (stage.Run, error) {
	run, err := p.Ledger.Take(ctx, id, lease)
	if err == nil {
		time.Sleep(lease)
		_, err = p.Ledger.Take(ctx, id, lease)
	}
	return run, err
}

func TestAnActorThatIsDeposedBeforeItReadsTheRunTouchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := staged(t, 2)
		engine := f.with(t, f.platform, func(c *stage.Config) { c.Ledger = pausing{f.ledger} })
		if _, err := engine.Unstage(t.Context(), f.run.ID, "user:x", "done"); !errors.Is(err, stage.ErrFenced) {
			t.Errorf("it says %v", err)
		}
		if len(f.platform.removes) != 0 || len(f.platform.made) != 2 {
			t.Errorf("it removed %v", f.platform.removes)
		}
	})
}

func TestAHostThatNeverKnowsWhetherARunIsAliveKeepsItUntilMaxNeedOnly(t *testing.T) {
	for name, alive := range map[string]func(context.Context, secrets.RunID) (bool, error){
		"error": func(context.Context, secrets.RunID) (bool, error) { return false, errors.New("404") },
		"panic": func(context.Context, secrets.RunID) (bool, error) { panic("404") },
		"hangs": func(ctx context.Context, _ secrets.RunID) (bool, error) { <-ctx.Done(); return true, nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := staged(t, 1)
				engine := f.with(t, f.platform, func(c *stage.Config) { c.Alive, c.MaxNeed = alive, 3*24*time.Hour })
				start := f.receipt(t).Run.Started
				for !f.receipt(t).Gone() && time.Since(start) < 6*24*time.Hour {
					time.Sleep(time.Hour)
					report, err := engine.Sweep(t.Context(), "operator:x", [16]byte{1})
					if kept := time.Since(start) > 24*time.Hour && !f.receipt(t).Gone(); kept != (report.Kept == 1) || kept != (err != nil) {
						t.Fatalf("after %v: %+v, failures told: %t", time.Since(start), report, err != nil)
					}
				}
				if ended := time.Since(start); ended < 3*24*time.Hour || ended > 3*24*time.Hour+2*time.Hour {
					t.Errorf("it was kept for %v", ended)
				}
			})
		})
	}
}

// panicky is a platform on which one method panics.
type panicky struct {
	*platform
	in string
}

func (p *panicky) at(method string) {
	if p.in == method {
		panic(method)
	}
}

func (p *panicky) Create(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
	if _, err := open(ctx); err != nil {
		return "", err
	}
	p.made[o.Name] = time.Now()
	p.at("create")
	return "id:" + o.Name, nil
}

func (p *panicky) Probe(ctx context.Context, o provider.Object) (provider.Presence, string, error) {
	p.at("probe")
	return p.platform.Probe(ctx, o)
}

func (p *panicky) Remove(ctx context.Context, o provider.Object, id string) error {
	p.at("remove")
	return p.platform.Remove(ctx, o, id)
}

func (p *panicky) Withdraw(context.Context, provider.Object, string, provider.Opener) error {
	p.at("withdraw")
	return nil
}

// together is the fixture's rows in one object.
func (f *fixture) together() []stage.Row {
	row := f.rows[0]
	row.Object.Items = nil
	for _, other := range f.rows {
		row.Object.Items = append(row.Object.Items, other.Object.Items...)
	}
	return []stage.Row{row}
}

func TestAPanicOfADriverIsAnInternalErrorAndNothingIsLeft(t *testing.T) {
	for _, in := range []string{"create", "probe", "remove", "withdraw"} {
		t.Run(in, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 2, &platform{})
				driver := &panicky{platform: f.platform, in: in}
				engine := f.with(t, driver)
				_, err := engine.Stage(t.Context(), f.run, f.together(), nil, nil)
				switch in {
				case "withdraw":
					if _, err := f.ledger.Revoke(t.Context(), f.run.Items[0].Pin.ID); err != nil {
						t.Fatal(err)
					}
					_, err = engine.Withdraw(t.Context(), f.run.ID, "user:x")
				case "probe", "remove":
					_, err = engine.Unstage(t.Context(), f.run.ID, "user:x", "done")
				}
				var failure *provider.Error
				if !errors.As(err, &failure) || failure.Code != provider.Internal || failure.Op != in {
					t.Errorf("it says %v", err)
				}
				driver.in = ""
				time.Sleep(time.Hour)
				if _, err := engine.Sweep(t.Context(), "operator:x", [16]byte{1}); err != nil {
					t.Error(err)
				}
				if r := f.receipt(t); len(f.platform.made) != 0 || len(r.Left()) != 0 {
					t.Errorf("%d objects are left, and %+v", len(f.platform.made), r.Left())
				}
			})
		})
	}
}

// frozen is a ledger that can't record progress while it is on.
type frozen struct {
	stage.Ledger
	on bool
}

func (z *frozen) Advance(ctx context.Context, r stage.Run, to stage.Phase, lease time.Duration, rows []stage.Row, ev ...secrets.Event) (stage.Run, error) {
	if z.on {
		return stage.Run{}, errors.New("disk full")
	}
	return z.Ledger.Advance(ctx, r, to, lease, rows, ev...)
}

func TestReportsAndReceiptsTellOnlyWhatIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := staged(t, 3)
		z := &frozen{Ledger: f.ledger, on: true}
		engine := f.with(t, f.platform, func(c *stage.Config) { c.Ledger = z })
		r, err := engine.Unstage(t.Context(), f.run.ID, "user:x", "done")
		if err == nil || r.Gone() || len(r.Left()) != 3 {
			t.Errorf("the receipt says %s, %d left, %v", r.Run.Phase, len(r.Left()), err)
		}
		for range 3 {
			time.Sleep(3 * time.Minute)
			report, err := engine.Sweep(t.Context(), "operator:x", [16]byte{1})
			if err == nil || report.Removed != 0 || report.Waiting != 3 {
				t.Errorf("the report says %+v, failures told: %t", report, err != nil)
			}
		}
		if f.receipt(t).Gone() || len(f.platform.made) != 0 {
			t.Fatal("it was recorded, or not removed")
		}
		z.on = false
		removed := 0
		for range 3 {
			time.Sleep(3 * time.Minute)
			report, err := engine.Sweep(t.Context(), "operator:x", [16]byte{1})
			if err != nil {
				t.Error(err)
			}
			removed += report.Removed
		}
		if removed != 3 || !f.receipt(t).Gone() {
			t.Errorf("%d were reported removed", removed)
		}
	})
}

// late is a platform that asks for the values when its caller's lease is over.
type late struct{ *panicky }

func (l late) Withdraw(ctx context.Context, _ provider.Object, _ string, open provider.Opener) error {
	time.Sleep(3 * time.Minute)
	_, err := open(ctx)
	return err
}

func TestAWithdrawalWhoseLeaseIsOverByItsOwnClockRecordsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 2, &platform{})
		driver := late{&panicky{platform: f.platform}}
		engine := f.with(t, driver, func(c *stage.Config) { c.Ledger = patient{f.ledger} })
		if _, err := engine.Stage(t.Context(), f.run, f.together(), nil, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := f.ledger.Revoke(t.Context(), f.run.Items[0].Pin.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := engine.Withdraw(t.Context(), f.run.ID, "user:x"); !errors.Is(err, stage.ErrFenced) {
			t.Errorf("it says %v", err)
		}
		if row := f.receipt(t).Rows[0]; row.State != stage.Created || row.Attempts != 0 {
			t.Errorf("recorded: %+v", row)
		}
	})
}

// overtaken is a ledger whose Begin commits, and whose answer is lost while
// somebody ends the run.
type overtaken struct {
	stage.Ledger
	end func()
}

func (o overtaken) Begin(ctx context.Context, r stage.Run, rows []stage.Row, terms stage.Terms, ev ...secrets.Event) (stage.Run, error) {
	if _, err := o.Ledger.Begin(ctx, r, rows, terms, ev...); err != nil {
		return stage.Run{}, err
	}
	o.end()
	return stage.Run{}, errors.New("connection lost")
}

func TestARunThatWasEndedBeforeItsBeginWasAnsweredCreatesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 2, &platform{})
		engine := f.with(t, f.platform, func(c *stage.Config) {
			c.Ledger = overtaken{f.ledger, func() {
				if _, err := f.Unstage(t.Context(), f.run.ID, "user:x", "cancelled"); err != nil {
					t.Error(err)
				}
			}}
		})
		if _, err := engine.Stage(t.Context(), f.run, f.rows, nil, nil); !errors.Is(err, stage.ErrFenced) {
			t.Errorf("got %v", err)
		}
		if f.platform.creates != 0 || len(f.platform.made) != 0 {
			t.Errorf("%d creates, %d objects are left", f.platform.creates, len(f.platform.made))
		}
	})
}

// dozing is a ledger that reads a run for longer than a lease, while nobody else
// takes it.
type dozing struct{ stage.Ledger }

func (d dozing) Load(ctx context.Context, id secrets.RunID) (stage.Run, []stage.Row, error) {
	time.Sleep(3 * time.Minute)
	return d.Ledger.Load(ctx, id)
}

func TestARemovalWhoseLeaseIsOverBeforeItBeganSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := staged(t, 2)
		engine := f.with(t, f.platform, func(c *stage.Config) { c.Ledger = dozing{f.ledger} })
		r, err := engine.Unstage(t.Context(), f.run.ID, "user:x", "done")
		if !errors.Is(err, stage.ErrFenced) || len(r.Left()) != 2 {
			t.Errorf("it says %v, with %d objects left", err, len(r.Left()))
		}
	})
}

// taken is a platform without a horizon that has somebody else's under every name.
type taken struct{ *platform }

func (taken) Capabilities() provider.Capabilities { return provider.Capabilities{} }

func (taken) Create(context.Context, provider.Object, provider.Opener) (string, error) {
	return "", &provider.Error{Op: "create", Code: provider.Taken}
}

func (taken) Probe(context.Context, provider.Object) (provider.Presence, string, error) {
	return provider.Foreign, "", nil
}

func (t taken) Remove(context.Context, provider.Object, string) error {
	t.removes = append(t.removes, "foreign")
	return &provider.Error{Op: "remove", Code: provider.NotOurs}
}

func TestARunWhoseNamesAreSomebodyElsesEndsAndTouchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 2, &platform{})
		_, err := f.with(t, taken{f.platform}).Stage(t.Context(), f.run, f.rows, nil, nil)
		var failure *provider.Error
		if !errors.As(err, &failure) || failure.Code != provider.Taken {
			t.Errorf("it says %v", err)
		}
		if r := f.receipt(t); !r.Gone() || len(f.platform.removes) != 0 {
			t.Errorf("%d removals are sent, %+v", len(f.platform.removes), r)
		}
	})
}

// deaf is a platform that makes an object even if it gets no values.
type deaf struct{ *platform }

func (d deaf) Create(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
	_, _ = open(ctx)
	d.made[o.Name] = time.Now()
	return "id:" + o.Name, nil
}

func TestALaunchFailsThatCanNotUnsealAndTheTextOfTheKeyServiceIsNotPassedOn(t *testing.T) {
	for name, driver := range map[string]func(*platform) provider.Provider{
		"right": func(p *platform) provider.Provider { return p },
		"deaf":  func(p *platform) provider.Provider { return deaf{p} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 1, &platform{})
				sealed := errors.New("the key service says " + rand.Text())
				e := f.with(t, driver(f.platform), func(c *stage.Config) {
					c.Open = func(context.Context, stage.Run, []provider.Item) (map[secrets.Pin]secrets.Value, error) {
						return nil, sealed
					}
				})
				_, err := e.Stage(t.Context(), f.run, f.rows, nil, nil)
				if !errors.Is(err, sealed) || strings.Contains(err.Error(), sealed.Error()) {
					t.Errorf("it says %v", err)
				}
				if r := f.receipt(t); r.Run.Phase < stage.Ending || len(f.platform.made) != 0 {
					t.Errorf("%d are left, %+v", len(f.platform.made), r)
				}
			})
		})
	}
}
