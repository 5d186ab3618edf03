package stage_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// away is a ledger that can't be reached for a while.
type away struct {
	stage.Ledger
	gone bool
}

var errAway = errors.New("no connection")

func (a *away) Sweeping(ctx context.Context, gap time.Duration) (stage.Stats, error) {
	if a.gone {
		return stage.Stats{}, errAway
	}
	return a.Ledger.Sweeping(ctx, gap)
}

func TestAfterAnOutageEverySweeperWaitsForLaunchersToComeBack(t *testing.T) {
	for _, fresh := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			f := staged(t, 1)
			a := &away{Ledger: f.ledger}
			through := func(c *stage.Config) { c.Ledger = a }
			e := f.with(t, f.platform, through)
			if _, err := e.Sweep(t.Context(), "operator:x", ours); err != nil {
				t.Fatal(err)
			}
			a.gone = true // nobody can renew either
			for range 25 * 60 {
				time.Sleep(time.Minute)
				if _, err := e.Sweep(t.Context(), "operator:x", ours); !errors.Is(err, errAway) {
					t.Fatal(err)
				}
			}
			a.gone = false
			for range 4 { // minutes, and as many sweepers
				if fresh {
					e = f.with(t, f.platform, through)
				}
				if r, err := e.Sweep(t.Context(), "operator:x", ours); err != nil || r.Kept != 1 || r.Ended != 0 {
					t.Errorf("new processes %t: %+v, %v", fresh, r, err)
				}
				time.Sleep(time.Minute)
			}
			time.Sleep(time.Minute)
			if r, err := e.Sweep(t.Context(), "operator:x", ours); err != nil || r.Ended != 1 {
				t.Errorf("new processes %t: after the grace %+v, %v", fresh, r, err)
			}
		})
	}
}

type elsewhereListing struct{ *listing }

func (elsewhereListing) Location() provider.Location {
	return provider.Location{Kind: "fake", Account: "2"}
}

func TestATargetThatCanNotBeListedKeepsNoOverdueRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := staged(t, 1)
		broken := &listing{platform: &platform{made: map[string]time.Time{}}, fails: errors.New("no credentials")}
		for range 25 * 6 {
			time.Sleep(10 * time.Minute) // a new process each time, as cron starts them
			e := f.with(t, f.platform, func(c *stage.Config) { c.Targets["other"] = elsewhereListing{broken} })
			_, _ = e.Sweep(t.Context(), "operator:x", ours)
		}
		if !f.receipt(t).Gone() {
			t.Error("a run that needed its secrets for 24 hours has them after 25")
		}
	})
}

func TestAnOlderCopyOfTheLedgerEndsNoRunUnlessTheHostSaysThatItHasEnded(t *testing.T) {
	older := errors.Join(errors.New("the head is not reached"), stage.ErrOlder)
	said := func(alive bool, err error) func(context.Context, secrets.RunID) (bool, error) {
		return func(context.Context, secrets.RunID) (bool, error) { return alive, err }
	}
	for name, c := range map[string]struct {
		intact error
		alive  func(context.Context, secrets.RunID) (bool, error)
		ends   [2]bool // one that is being staged, one that is under way
	}{
		"whole":                                   {nil, nil, [2]bool{true, true}},
		"nobody can say":                          {errors.New("no head"), nil, [2]bool{true, true}},
		"older":                                   {older, nil, [2]bool{false, false}},
		"older, and the runs are alive":           {older, said(true, nil), [2]bool{false, false}},
		"older, and the runs have ended":          {older, said(false, nil), [2]bool{true, true}},
		"older, and the host can't say":           {older, said(false, errAway), [2]bool{false, false}},
		"whole, and the runs are alive":           {nil, said(true, nil), [2]bool{true, false}},
		"whole, and the host can't say of either": {nil, said(false, errAway), [2]bool{true, false}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := staged(t, 1)
				e := f.with(t, f.platform, func(conf *stage.Config) {
					conf.Intact = func(context.Context) error { return c.intact }
					conf.Alive = c.alive
				})
				if _, err := e.Sweep(t.Context(), "operator:x", ours); err != nil { // no outage
					t.Fatal(err)
				}
				f.lost(t, "r2", "cloud", f.platform.Location())
				for range 25 {
					time.Sleep(time.Hour)
					_, _ = e.Sweep(t.Context(), "operator:x", ours)
				}
				for i, id := range []string{"r2", "r1"} {
					run, _, err := f.ledger.Load(t.Context(), mustRun(t, id))
					if err != nil || (run.Phase >= stage.Ending) != c.ends[i] {
						t.Errorf("%s is %s, %v", id, run.Phase, err)
					}
				}
			})
		})
	}
}

// unheard is a ledger that makes a run Active, or is about to, and loses the reply;
// then it can't be read either, if blind.
type unheard struct {
	stage.Ledger
	commits, blind bool
	lost           *bool
	inAdvance      func()
}

func (u unheard) Advance(ctx context.Context, r stage.Run, to stage.Phase, lease time.Duration, rows []stage.Row, ev ...secrets.Event) (stage.Run, error) {
	if to != stage.Active {
		return u.Ledger.Advance(ctx, r, to, lease, rows, ev...)
	}
	*u.lost = true
	defer u.inAdvance()
	if u.commits {
		if _, err := u.Ledger.Advance(ctx, r, to, lease, rows, ev...); err != nil {
			return stage.Run{}, err
		}
	}
	return stage.Run{}, errAway
}

func (u unheard) Load(ctx context.Context, id secrets.RunID) (stage.Run, []stage.Row, error) {
	if *u.lost && u.blind {
		return stage.Run{}, nil, errAway
	}
	return u.Ledger.Load(ctx, id)
}

func TestARunWhosePublishingWasNotHeardOfIsPublishedOrEndsAndIsNeverTakenFromWhoSawIt(t *testing.T) {
	for name, c := range map[string]struct {
		commits, blind bool
		gaveUp         bool        // its caller, meanwhile
		phase          stage.Phase // in the end
	}{
		"committed, and read again":                     {true, false, false, stage.Active},
		"committed, and not read":                       {true, true, false, stage.Active},
		"not committed":                                 {false, false, false, stage.Ending},
		"not committed, nor read":                       {false, true, false, stage.Ending},
		"committed, and read again for one who gave up": {true, false, true, stage.Active},
		"not committed, for one who gave up":            {false, false, true, stage.Ending},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 2, &platform{})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				inAdvance := func() {}
				if c.gaveUp {
					inAdvance = cancel
				}
				e := f.with(t, f.platform, func(conf *stage.Config) {
					conf.Ledger = unheard{f.ledger, c.commits, c.blind, new(bool), inAdvance}
				})
				refs, err := e.Stage(ctx, f.run, f.rows, nil, nil)
				if published := c.commits && !c.blind; (err == nil) != published || (len(refs) == 2) != published {
					t.Errorf("it says %v, with %d references", err, len(refs))
				}
				sweeps(t, f.Engine, time.Hour)
				r := f.receipt(t)
				if r.Run.Phase < c.phase || c.phase == stage.Active && r.Run.Phase != stage.Active || (len(f.platform.made) == 2) != (c.phase == stage.Active) {
					t.Errorf("the run is %s, with %d objects", r.Run.Phase, len(f.platform.made))
				}
			})
		})
	}
}
