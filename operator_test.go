package pipesecrets_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/crypto"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestARunThatNobodyEndsIsSweptWhenItsTimeIsOver(t *testing.T) {
	yes := func(context.Context, secrets.RunID) (bool, error) { return true, nil }
	no := func(context.Context, secrets.RunID) (bool, error) { return false, nil }
	unsure := func(context.Context, secrets.RunID) (bool, error) { return false, errors.New("scheduler is down") }
	const need = 24 * time.Hour
	for _, c := range []struct {
		name  string
		alive func(context.Context, secrets.RunID) (bool, error)
		renew time.Duration // at this time; 0 for not at all
		gone  map[time.Duration]bool
	}{
		{"nobody can tell", nil, 0, map[time.Duration]bool{need - time.Second: false, need + time.Second: true}},
		{"renewed", nil, 10 * time.Hour, map[time.Duration]bool{need + time.Second: false, need + 10*time.Hour + time.Second: true}},
		{"it has ended", no, 0, map[time.Duration]bool{need - time.Second: false, need + time.Second: true}},
		{"it is alive", yes, 0, map[time.Duration]bool{need + time.Second: false, 5 * need: false, 31 * need: true}},
		{"the host is unsure", unsure, 0, map[time.Duration]bool{need + time.Second: false, 29 * need: false, 31 * need: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for at, gone := range c.gone {
				synctest.Test(t, func(t *testing.T) {
					h := newHouse(t, func(config *pipesecrets.Config) { config.Alive = c.alive })
					h.put(ada, genomics, "TOKEN")
					h.launch(lin, "r1", genomics, "TOKEN")
					start := time.Now()
					if c.renew > 0 {
						time.Sleep(c.renew)
						until, err := h.Renew(t.Context(), lin, runOf(t, "r1"))
						h.must(err)
						if !until.Equal(time.Now().Add(need)) {
							t.Errorf("renewed until %v from now", time.Until(until))
						}
					}
					for time.Since(start) < at { // a host sweeps now and then
						time.Sleep(min(6*time.Hour, at-time.Since(start)))
						_, _ = h.Sweep(t.Context(), operator)
					}
					receipt, err := h.Receipt(t.Context(), lin, runOf(t, "r1"))
					h.must(err)
					if receipt.Gone() != gone {
						t.Errorf("after %v it is gone: %t, want %t", at, receipt.Gone(), gone)
					}
					if gone {
						h.nothingStaged()
					}
				})
			}
		})
	}
}

func TestAFreshlyStartedSweeperWaitsForLaunchersToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.put(ada, genomics, "TOKEN")
		h.launch(lin, "r1", genomics, "TOKEN")
		time.Sleep(48 * time.Hour) // an outage of everything
		back := h.again()
		report, err := back.Sweep(t.Context(), operator)
		h.must(err)
		if report.Kept != 1 || report.Ended != 0 {
			t.Errorf("it says %+v", report)
		}
		time.Sleep(time.Minute)
		_, err = h.Renew(t.Context(), lin, runOf(t, "r1")) // the launcher is back
		h.must(err)
		time.Sleep(10 * time.Minute)
		report, err = back.Sweep(t.Context(), operator)
		h.must(err)
		if report.Runs != 0 {
			t.Errorf("it says %+v", report)
		}
	})
}

func TestASweeperThatIsANewProcessEachTimeEndsOverdueRunsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.put(ada, genomics, "TOKEN")
		h.launch(lin, "r1", genomics, "TOKEN")
		for range 25 {
			time.Sleep(time.Hour)
			_, err := h.again().Sweep(t.Context(), operator)
			h.must(err)
		}
		h.nothingStaged()
	})
}

func TestAHookThatHangsOrPanicsStopsNoSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		h := newHouse(t, func(c *pipesecrets.Config) {
			c.Alive = func(_ context.Context, id secrets.RunID) (bool, error) {
				switch id.String() {
				case "hangs":
					<-hung
				case "panics":
					panic("no")
				}
				return false, nil
			}
		})
		h.put(ada, genomics, "TOKEN")
		for _, run := range []string{"hangs", "panics", "ended"} {
			h.launch(lin, run, genomics, "TOKEN")
		}
		time.Sleep(25 * time.Hour)
		report, err := h.Sweep(t.Context(), operator)
		if err == nil || report.Kept != 2 || report.Ended != 1 || report.Removed != 1 {
			t.Errorf("%+v, failures told: %t", report, err != nil)
		}
		close(hung)
	})
}

func TestWhatCanNotBeRemovedStaysVisibleAndIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faulty{}
		h := newHouse(t, withFaults(f))
		h.put(ada, genomics, "TOKEN")
		h.launch(lin, "r1", genomics, "TOKEN")
		f.remove = &provider.Error{Op: "remove", Code: provider.Forbidden}
		receipt, err := h.Complete(t.Context(), lin, runOf(t, "r1"), pipesecrets.Ending{})
		if err == nil || receipt.Gone() || receipt.Rows[0].State != stage.Stuck || receipt.Rows[0].Code != provider.Forbidden {
			t.Errorf("complete: %v, %+v", err, receipt)
		}
		for range 20 {
			time.Sleep(2 * time.Hour)
			report, err := h.Sweep(t.Context(), operator)
			if err == nil || report.Stuck != 1 {
				t.Fatalf("sweep: %v, %+v", err, report)
			}
			health, err := h.Health(t.Context(), operator)
			h.must(err)
			if health.Stuck != 1 || health.Staged != 1 || !health.LastSweep.Equal(time.Now()) {
				t.Fatalf("health: %+v", health)
			}
		}
		f.remove = nil // somebody gave the right back
		time.Sleep(2 * time.Hour)
		report, err := h.Sweep(t.Context(), operator)
		h.must(err)
		if report.Removed != 1 {
			t.Errorf("sweep: %+v", report)
		}
		h.nothingStaged()
		health, err := h.Health(t.Context(), operator)
		h.must(err)
		if health.Stuck != 0 || health.Staged != 0 || !health.OldestStaged.IsZero() {
			t.Errorf("health: %+v", health)
		}
	})
}

func TestATargetThatIsMissingOrMovedLosesNothingAndDeletesNothingElsewhere(t *testing.T) {
	h := newHouse(t)
	h.put(ada, genomics, "TOKEN")
	launch := h.launch(lin, "r1", genomics, "TOKEN")
	elsewhere, err := hpc.New(hpc.Config{Root: t.TempDir()})
	h.must(err)
	missing := h.again(func(c *pipesecrets.Config) { c.Targets = nil })
	moved := h.again(func(c *pipesecrets.Config) { c.Targets = map[string]provider.Provider{"cluster": elsewhere} })
	for _, s := range []*house{missing, moved} {
		receipt, err := s.Complete(t.Context(), lin, runOf(t, "r1"), pipesecrets.Ending{})
		if err == nil || receipt.Gone() || receipt.Rows[0].State != stage.Stuck {
			t.Errorf("got %v, %+v", err, receipt)
		}
	}
	if h.staged(launch, "TOKEN") == nil {
		t.Error("it is gone although nobody could say so")
	}
	receipt, err := h.Complete(t.Context(), lin, runOf(t, "r1"), pipesecrets.Ending{})
	h.must(err)
	if !receipt.Gone() {
		t.Errorf("back at its target: %+v", receipt)
	}
	h.nothingStaged()
}

func TestADatabaseThatWakesUpElsewhereLaunchesAndRemovesNothingUntilItIsAdopted(t *testing.T) {
	for _, cloned := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t)
			s, plain := h.put(ada, genomics, "TOKEN")
			launch := h.launch(lin, "r1", genomics, "TOKEN")
			away := h.again(func(c *pipesecrets.Config) { c.Home = "there" })
			time.Sleep(72 * time.Hour)
			_, launched := away.Launch(t.Context(), lin, h.request("r2", genomics, "TOKEN"))
			_, completed := away.Complete(t.Context(), lin, runOf(t, "r1"), pipesecrets.Ending{})
			_, revoked := away.Revoke(t.Context(), ada, s.ID)
			_, swept := away.Sweep(t.Context(), operator)
			for _, err := range []error{launched, completed, revoked, swept} {
				if !errors.Is(err, pipesecrets.ErrHome) {
					t.Errorf("got %v", err)
				}
			}
			if health, err := away.Health(t.Context(), operator); err != nil || !health.Away {
				t.Errorf("health: %+v, %v", health, err)
			}
			h.reads(launch, "TOKEN", plain)

			h.must(away.Adopt(t.Context(), operator, cloned))
			receipt, err := away.Complete(t.Context(), lin, runOf(t, "r1"), pipesecrets.Ending{})
			h.must(err)
			if !receipt.Gone() {
				t.Errorf("cloned %t: the receipt says %s", cloned, receipt.Run.Phase)
			}
			if cloned {
				h.reads(launch, "TOKEN", plain) // the original's, and left to it
				if receipt.Rows[0].State != stage.Released {
					t.Errorf("the row says %s", receipt.Rows[0].State)
				}
			} else {
				h.nothingStaged()
			}
			if _, err := h.Launch(t.Context(), lin, h.request("r3", genomics, "TOKEN")); !errors.Is(err, pipesecrets.ErrHome) {
				t.Errorf("cloned %t: its former home says %v", cloned, err)
			}
		})
	}
}

func TestRotationReachesEveryRecordAndKeepsEverythingReadable(t *testing.T) {
	h := newHouse(t)
	plains := map[string][]byte{}
	for _, n := range []string{"A1", "B1", "C1", "D1", "E1"} {
		_, plains[n] = h.put(ada, genomics, n)
	}
	pinned := h.launch(lin, "r1", genomics, "A1")
	list, err := h.List(t.Context(), ada, secrets.Query{Scope: genomics, Prefix: "A1"})
	h.must(err)
	_, old := list[0], plains["A1"]
	_, plains["A1"] = h.change(ada, list[0])

	keyring := h.config.Keyring
	before := keyring.Primary()
	id, err := keyring.AddKey(t.Context(), crypto.XChaCha20Poly1305)
	h.must(err)
	h.must(keyring.Promote(t.Context(), id))
	if err := keyring.Retire(t.Context(), before); !errors.Is(err, secrets.ErrKeyInUse) {
		t.Errorf("retired a key in use: %v", err)
	}
	for want := 4; want >= 0; want -= 2 {
		if health, err := h.Health(t.Context(), operator); err != nil || health.Behind != want+2 {
			t.Errorf("health: %+v, %v", health, err)
		}
		left, err := h.Rewrap(t.Context(), operator, 2)
		h.must(err)
		if left != want {
			t.Errorf("%d are left, want %d", left, want)
		}
	}
	h.must(keyring.Retire(t.Context(), before))
	for n, plain := range plains {
		h.reads(h.launch(lin, "after-"+n, genomics, n), n, plain)
	}
	h.reads(pinned, "A1", old)
	attached, err := h.Attach(t.Context(), lin, runOf(t, "r1"))
	h.must(err)
	if attached.Redactor.String(string(old)) != "[secret:A1]" {
		t.Error("a pinned version can't be opened any more")
	}
}

func TestWhatIsMissingInAConfigurationIsNamed(t *testing.T) {
	h := newHouse(t)
	for field, change := range map[string]func(*pipesecrets.Config){
		"config.backend": func(c *pipesecrets.Config) { c.Backend = nil },
		"config.keyring": func(c *pipesecrets.Config) { c.Keyring = nil },
		"config.home":    func(c *pipesecrets.Config) { c.Home = "" },
		"config.lease":   func(c *pipesecrets.Config) { c.Lease = -1 },
		"config.need":    func(c *pipesecrets.Config) { c.Need = 31 * 24 * time.Hour },
		"config.targets": func(c *pipesecrets.Config) { c.Targets = map[string]provider.Provider{"x": nil} },
	} {
		c := h.config
		change(&c)
		_, err := pipesecrets.New(t.Context(), c)
		var invalid *secrets.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestWhatATaskLeftInTheDirectoryGoesToo(t *testing.T) {
	h := newHouse(t)
	h.put(ada, genomics, "TOKEN")
	launch := h.launch(lin, "r1", genomics, "TOKEN")
	dir := filepath.Dir(h.driver.Environment(launch.References)["PIPESECRETS_ENV"])
	h.must(os.WriteFile(filepath.Join(dir, ".nf-0.secrets"), canary(), 0o600))
	_, err := h.Complete(t.Context(), lin, runOf(t, "r1"), pipesecrets.Ending{Outcome: "cancelled"})
	h.must(err)
	h.nothingStaged()
}
