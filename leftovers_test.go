package pipesecrets_test

import (
	"context"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
)

// plant makes a directory that looks like a run's, under a mark.
func (h *house) plant(mark [16]byte, name string) string {
	h.t.Helper()
	dir := filepath.Join(h.root, "psec-"+hex.EncodeToString(mark[:])+"-"+name)
	h.must(os.Mkdir(dir, 0o700))
	h.must(os.WriteFile(filepath.Join(dir, "left"), canary(), 0o600))
	return dir
}

func (h *house) sweep() stage.Report {
	h.t.Helper()
	report, err := h.Sweep(h.t.Context(), operator)
	h.must(err)
	return report
}

func (h *house) health() pipesecrets.Health {
	h.t.Helper()
	health, err := h.Health(h.t.Context(), operator)
	h.must(err)
	return health
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestADirectoryThatIsThereAgainIsSweptAndTheHealthTellsOfIt(t *testing.T) {
	h := newHouse(t)
	h.put(ada, genomics, "TOKEN")
	l := h.launch(lin, "r1", genomics, "TOKEN")
	dir := filepath.Dir(filepath.Dir(l.References[0].Locator))
	if _, err := h.Complete(t.Context(), lin, runOf(t, "r1"), pipesecrets.Ending{}); err != nil {
		t.Fatal(err)
	}
	h.must(os.Mkdir(dir, 0o700)) // as Nextflow does for a task that starts late
	if r := h.sweep(); r.Found != 1 || !there(dir) || h.health().Quarantined != 1 {
		t.Errorf("%+v, %+v", r, h.health())
	}
	if r := h.sweep(); r.Removed != 1 || there(dir) || h.health().Quarantined != 0 {
		t.Errorf("%+v, %+v", r, h.health())
	}
}

func TestADirectoryThatTheLedgerNeverHeardOfWaitsForAnOperator(t *testing.T) {
	h := newHouse(t)
	h.put(ada, genomics, "TOKEN")
	h.launch(lin, "r1", genomics, "TOKEN")
	installation, err := h.backend.Installation(t.Context(), "")
	h.must(err)
	foreign := h.plant([16]byte{1}, "theirs")
	removed, kept := h.plant(installation.Mark, "removed"), h.plant(installation.Mark, "kept")
	for range 3 {
		h.sweep()
	}
	if h.health().Quarantined != 2 || !there(removed) || !there(kept) {
		t.Fatalf("%+v", h.health())
	}
	receipts, err := h.Stuck(t.Context(), operator, secrets.RunID{}, 10)
	h.must(err)
	for _, r := range receipts {
		row := r.Rows[0]
		if row.State != stage.Quarantined || row.Target != "cluster" || row.Object.Mark != [16]byte{} || r.Run.Outcome == "" {
			t.Errorf("%+v", r)
		}
		if row.Object.Name == "removed" {
			r, err = h.Complete(t.Context(), operator, r.Run.ID, pipesecrets.Ending{})
		} else {
			r, err = h.Disown(t.Context(), operator, r.Run.ID, row.Target)
		}
		if err != nil || !r.Gone() {
			t.Errorf("%v, %+v", err, r)
		}
	}
	h.sweep()
	if len(receipts) != 2 || there(removed) || !there(kept) || !there(foreign) || h.health().Quarantined != 0 || stagedIn(t, h.root) != 3 {
		t.Errorf("%d receipts, %+v, %d directories", len(receipts), h.health(), stagedIn(t, h.root))
	}
	h.told(1, secrets.ActionDisown, secrets.Done, operator)
	h.told(2, secrets.ActionQuarantine, secrets.Done, operator)
}

func TestADirectoryThatTheLedgerNeverHeardOfGoesIfTheLogReachesTheHeadThatTheHostKeeps(t *testing.T) {
	for _, older := range []bool{false, true} {
		var head audit.Head
		h := newHouse(t, func(c *pipesecrets.Config) {
			c.Head = func(context.Context) (audit.Head, error) { return head, nil }
		})
		h.put(ada, genomics, "TOKEN")
		h.launch(lin, "r1", genomics, "TOKEN")
		sealed, err := h.Seal(t.Context(), operator)
		h.must(err)
		if older { // what the host keeps was sealed after this copy was made
			sealed.Seq += 10
		}
		head = sealed
		installation, err := h.backend.Installation(t.Context(), "")
		h.must(err)
		lost := h.plant(installation.Mark, "lost")
		h.sweep()
		r := h.sweep()
		if there(lost) != older || (r.ReportOnly == "") == older {
			t.Errorf("an older copy: %t, still there: %t, %+v", older, there(lost), r)
		}
	}
}

func TestOnlyAnOperatorSeesAndGivesUpWhatIsStuck(t *testing.T) {
	h := newHouse(t)
	if _, err := h.Stuck(t.Context(), boss, secrets.RunID{}, 10); !errors.Is(err, secrets.ErrDenied) {
		t.Errorf("stuck: %v", err)
	}
	if _, err := h.Disown(t.Context(), boss, runOf(t, "r1"), "cluster"); !errors.Is(err, secrets.ErrDenied) {
		t.Errorf("disown: %v", err)
	}
	if _, err := h.Disown(t.Context(), operator, runOf(t, "r1"), "cluster"); !errors.Is(err, stage.ErrNoRun) {
		t.Errorf("disown: %v", err)
	}
	for _, n := range []int{0, -1, 1001} {
		if _, err := h.Stuck(t.Context(), operator, secrets.RunID{}, n); !errors.Is(err, secrets.ErrInvalid) {
			t.Errorf("%d: %v", n, err)
		}
	}
	away := h.again(func(c *pipesecrets.Config) { c.Home = "there" })
	if _, err := away.Disown(t.Context(), operator, runOf(t, "r1"), "cluster"); !errors.Is(err, pipesecrets.ErrHome) {
		t.Errorf("away: %v", err)
	}
}

func TestDisownRefusesATargetThatCanNotBeOneAndWritesNothingOfIt(t *testing.T) {
	h := newHouse(t)
	for _, target := range []string{"", "a b", "a\nb", "\x00", "\xff", "é", strings.Repeat("a", 65)} {
		for _, c := range []rbac.Caller{operator, boss, {}} {
			lines, err := h.after(func() error { _, err := h.Disown(t.Context(), c, runOf(t, "r1"), target); return err })
			var invalid *secrets.InvalidError
			if !errors.As(err, &invalid) || invalid.Field != "target" || len(lines) != 0 {
				t.Errorf("%q: %v, and the log says %q", target, err, lines)
			}
		}
	}
	if _, err := h.Disown(t.Context(), operator, runOf(t, "r1"), strings.Repeat("a", 64)); !errors.Is(err, stage.ErrNoRun) {
		t.Errorf("the longest one: %v", err)
	}
}

func TestADisownThatGivesNothingUpSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faulty{remove: &provider.Error{Op: "remove", Code: provider.Forbidden}}
		h := newHouse(t, withFaults(f))
		h.put(ada, genomics, "TOKEN")
		h.launch(lin, "r1", genomics, "TOKEN")
		disown := func(target, want string) {
			t.Helper()
			before := len(h.events())
			_, err := h.Disown(t.Context(), operator, runOf(t, "r1"), target)
			h.must(err)
			got := h.events()[before:]
			if len(got) != 1 || got[0].Action != secrets.ActionDisown || got[0].Outcome != secrets.Done || got[0].Reason != want ||
				got[0].Run.String() != "r1" || got[0].Scope != genomics || got[0].Target != target {
				t.Errorf("the log says %+v", got)
			}
		}
		disown("cluster", "nothing was stuck there") // it is under way
		if _, err := h.Complete(t.Context(), lin, runOf(t, "r1"), pipesecrets.Ending{}); err == nil {
			t.Fatal("it was removed")
		}
		disown("clutser", "nothing was stuck there")
		disown("cluster", "")
		time.Sleep(3 * time.Minute) // the lease; a closed run keeps it
		disown("cluster", "nothing was stuck there")
	})
}

func TestSweepEverySweepsAtOnceAndThenAboutOnceInTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began, gaps := time.Now(), []time.Duration{}
		err := h.SweepEvery(ctx, operator, 5*time.Minute, func(_ stage.Report, err error) {
			h.must(err)
			gaps = append(gaps, time.Since(began))
			began = time.Now()
		})
		if !errors.Is(err, context.DeadlineExceeded) || len(gaps) < 11 || gaps[0] != 0 {
			t.Fatalf("%v, %v", err, gaps)
		}
		same := true
		for _, gap := range gaps[1:] {
			if gap < 4*time.Minute+30*time.Second || gap > 5*time.Minute+30*time.Second {
				t.Errorf("a gap of %v", gap)
			}
			same = same && gap == gaps[1]
		}
		if same {
			t.Error("sweeps in step")
		}
	})
}

func TestSweepEveryGoesOnAfterAFailureAndRefusesAnIntervalOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		ctx, cancel := context.WithCancel(t.Context())
		failures := 0
		err := h.SweepEvery(ctx, boss, time.Minute, func(_ stage.Report, err error) {
			if errors.Is(err, secrets.ErrDenied) {
				failures++
			}
			if failures == 3 {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) || failures != 3 {
			t.Errorf("%v after %d", err, failures)
		}
		for _, interval := range []time.Duration{0, -1, time.Second - 1, 24*time.Hour + 1, math.MaxInt64} {
			if err := h.SweepEvery(t.Context(), operator, interval, nil); !errors.Is(err, secrets.ErrInvalid) {
				t.Errorf("an interval of %v: %v", interval, err)
			}
		}
	})
}

func TestSweepEveryTellsOfEverySweepThatCameToItsEnd(t *testing.T) {
	for _, c := range []struct {
		what   string
		ends   string // the call of the backend during which ctx ends
		remove error  // of the driver
		told   int
	}{
		{"a sweep that was done", "Swept", nil, 1},
		{"a sweep with a failure", "Swept", &provider.Error{Op: "remove", Code: provider.Forbidden}, 1},
		{"a sweep that was cut short", "Sweeping", nil, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			driver, backend := &faulty{}, &fault{}
			h := newHouse(t, withFaults(driver))
			h.put(ada, genomics, "TOKEN")
			h.launch(lin, "r1", genomics, "TOKEN")
			time.Sleep(25 * time.Hour) // it is overdue
			h.sweep()
			time.Sleep(6 * time.Minute) // and so is the grace
			driver.remove = c.remove
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			backend.after = func(_ int, call string) error {
				if call == c.ends {
					cancel()
				}
				return nil
			}
			var reports []stage.Report
			err := h.again(backend.everywhere).SweepEvery(ctx, operator, time.Minute, func(r stage.Report, err error) {
				reports = append(reports, r)
				if (err != nil) != (c.remove != nil) {
					t.Errorf("%s: it is told %v", c.what, err)
				}
			})
			if !errors.Is(err, context.Canceled) || len(reports) != c.told || c.told == 1 && reports[0].Ended != 1 {
				t.Errorf("%s: %v, and it is told %+v", c.what, err, reports)
			}
		})
	}
}
