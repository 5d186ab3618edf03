package pipesecrets_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// revocation is a run under way with two secrets in one object, one of which is
// about to be revoked through fault.
type revocation struct {
	*house
	fault  *fault
	secret secrets.Secret
	other  secrets.Secret
	launch *pipesecrets.Launch
	stays  []byte
}

func newRevocation(t *testing.T, change ...func(*pipesecrets.Config)) *revocation {
	t.Helper()
	r := &revocation{fault: &fault{}}
	plain := newHouse(t, change...)
	r.house = plain.again(r.fault.everywhere)
	r.secret, _ = r.put(ada, genomics, "TOKEN")
	r.other, r.stays = r.put(ada, genomics, "OTHER")
	r.launch = r.house.launch(lin, "r1", genomics, "TOKEN", "OTHER")
	return r
}

func (r *revocation) revoke(ctx context.Context) error {
	_, err := r.Revoke(ctx, ada, r.secret.ID)
	return err
}

// pulled fails the test unless the revoked secret is gone from every file and the
// other one stays.
func (r *revocation) pulled() {
	r.t.Helper()
	r.reads(r.launch, "TOKEN", nil)
	r.reads(r.launch, "OTHER", r.stays)
	files, err := filepath.Glob(filepath.Join(r.root, "*", "files", "*"))
	r.must(err)
	if len(files) != 1 {
		r.t.Errorf("%d files are staged, want 1", len(files))
	}
}

// stored is the run as the ledger has it.
func (r *revocation) stored() (stage.Run, []stage.Row) {
	r.t.Helper()
	run, rows, err := r.backend.Load(r.t.Context(), runOf(r.t, "r1"))
	r.must(err)
	return run, rows
}

func TestARevocationThatStopsAfterItsFirstCommitIsFinishedByOneSweep(t *testing.T) {
	for _, how := range []string{"killed", "cancelled"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRevocation(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				dead := false
				r.fault.before = func(int, string) error {
					if dead {
						return errFault
					}
					return nil
				}
				r.fault.after = func(_ int, call string) error {
					if call == "Revoke" && how == "killed" {
						dead = true
					} else if call == "Revoke" {
						cancel()
					}
					return nil
				}
				if err := r.revoke(ctx); err == nil {
					t.Fatal("it says that all is done")
				}
				r.fault.heal()
				if r.staged(r.launch, "TOKEN") == nil {
					t.Fatal("nothing was left to do")
				}
				_, err := r.Sweep(t.Context(), operator)
				r.must(err)
				r.pulled()
			})
		})
	}
}

func TestTwoSecretsOfARunThatAreRevokedAtOnceAreBothGoneAfterOneSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRevocation(t)
		paused, first := make(chan struct{}), make(chan error)
		r.fault.before = func(_ int, call string) error {
			if call == "driver.Withdraw" {
				<-paused
			}
			return nil
		}
		go func() { first <- r.revoke(t.Context()) }()
		synctest.Wait() // the first is within its withdrawal
		runs, err := r.Revoke(t.Context(), ada, r.other.ID)
		if !errors.Is(err, pipesecrets.ErrBusy) || len(runs) != 1 {
			t.Errorf("the second says %v, %v", runs, err)
		}
		close(paused)
		r.must(<-first)
		_, err = r.Sweep(t.Context(), operator)
		r.must(err)
		r.nothingStaged()
	})
}

func TestAnObjectThatCanNotBeCutDownGoesAsAWhole(t *testing.T) {
	for _, fail := range []func() error{
		func() error { return &provider.Error{Op: "withdraw", Code: provider.Forbidden} },
		func() error { return &provider.Error{Op: "withdraw", Code: provider.Internal} },
		func() error { return &provider.Error{Op: "withdraw", Code: provider.Refused} },
		func() error { return errors.New("no code") },
		func() error { panic("driver") },
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRevocation(t)
			r.fault.before = func(_ int, call string) error {
				if call == "driver.Withdraw" {
					return fail()
				}
				return nil
			}
			var failure *provider.Error
			if err := r.revoke(t.Context()); !errors.As(err, &failure) {
				t.Errorf("it says %v", err)
			}
			report, err := r.Sweep(t.Context(), operator)
			r.must(err)
			if run, _ := r.stored(); report.Removed != 1 || run.Phase != stage.Active {
				t.Errorf("%+v, %s", report, run.Phase)
			}
			r.nothingStaged()
			_, err = r.Complete(t.Context(), lin, runOf(t, "r1"), pipesecrets.Ending{})
			r.must(err)
		})
	}
}

func TestWhatIsStuckInARunUnderWayIsSweptOnceItCanBeRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRevocation(t)
		r.fault.before = func(_ int, call string) error {
			if call == "driver.Withdraw" || call == "driver.Remove" {
				return &provider.Error{Op: "x", Code: provider.Forbidden}
			}
			return nil
		}
		if err := r.revoke(t.Context()); err == nil {
			t.Error("it says that all is done")
		}
		for range 3 {
			time.Sleep(2 * time.Hour)
			_, _ = r.Sweep(t.Context(), operator) // what it says is another test's
		}
		if _, rows := r.stored(); rows[0].State != stage.Stuck {
			t.Fatalf("it is %s", rows[0].State)
		}
		r.fault.heal()
		time.Sleep(2 * time.Hour)
		_, err := r.Sweep(t.Context(), operator)
		r.must(err)
		if run, _ := r.stored(); run.Phase != stage.Active {
			t.Errorf("the run is %s", run.Phase)
		}
		r.nothingStaged()
	})
}

// garbled is a backend whose sealed bytes can't be opened while it is on.
type garbled struct {
	pipesecrets.Backend
	on bool
}

func (g *garbled) Pinned(ctx context.Context, pins []secrets.Pin) ([]secrets.Record, error) {
	records, err := g.Backend.Pinned(ctx, pins)
	for i := range records {
		if g.on {
			records[i].Sealed = []byte("not sealed by anybody")
		}
	}
	return records, err
}

func TestValuesThatCanNotBeOpenedTakeNothingElseAway(t *testing.T) {
	for _, failing := range []string{"Load", "Pinned", "keyring"} {
		t.Run(failing, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &garbled{}
				r := newRevocation(t, func(c *pipesecrets.Config) { g.Backend, c.Backend = c.Backend, g })
				within := false
				r.fault.before = func(_ int, call string) error {
					within = within || call == "driver.Withdraw"
					if within && call == failing {
						return errFault
					}
					return nil
				}
				r.fault.after = func(_ int, call string) error {
					within = within && call != "driver.Withdraw"
					return nil
				}
				g.on = failing == "keyring"
				if err := r.revoke(t.Context()); err == nil {
					t.Error("it says that all is done")
				}
				for range 10 { // more often than other failures are borne
					time.Sleep(time.Hour + time.Hour/2)
					_, _ = r.Sweep(t.Context(), operator) // what it says is not the point
				}
				r.reads(r.launch, "OTHER", r.stays)
				r.fault.heal()
				g.on = false
				time.Sleep(2 * time.Hour)
				_, err := r.Sweep(t.Context(), operator)
				r.must(err)
				r.pulled()
			})
		})
	}
}

func TestADriverThatCanCutDownNoMoreRemovesTheWholeObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRevocation(t)
		r.fault.before = func(_ int, call string) error {
			if call == "driver.Withdraw" {
				return &provider.Error{Op: "withdraw", Code: provider.Unavailable}
			}
			return nil
		}
		if err := r.revoke(t.Context()); err == nil {
			t.Error("it says that all is done")
		}
		r.fault.heal()
		r.reads(r.launch, "OTHER", r.stays)
		time.Sleep(time.Hour)
		without := r.again(func(c *pipesecrets.Config) {
			c.Targets = map[string]provider.Provider{"cluster": struct{ provider.Provider }{r.driver}}
		})
		report, err := without.Sweep(t.Context(), operator)
		r.must(err)
		if report.Removed != 1 {
			t.Errorf("it says %+v", report)
		}
		r.nothingStaged()
	})
}

func TestARevocationThatIsDeposedRecordsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRevocation(t)
		r.fault.before = func(_ int, call string) error {
			if call == "driver.Withdraw" {
				time.Sleep(3 * time.Minute) // its lease is over
				_, err := r.backend.Take(context.WithoutCancel(t.Context()), runOf(t, "r1"), time.Minute)
				return err
			}
			return nil
		}
		if err := r.revoke(t.Context()); !errors.Is(err, stage.ErrFenced) || !errors.Is(err, pipesecrets.ErrBusy) {
			t.Errorf("it says %v", err)
		}
		r.fault.heal()
		if _, rows := r.stored(); rows[0].State != stage.Created || rows[0].Attempts != 0 || len(rows[0].Object.Items) != 2 {
			t.Errorf("recorded: %+v", rows[0])
		}
		r.told(0, secrets.ActionRemove, secrets.Done, ada)
		r.told(0, secrets.ActionRemove, secrets.Failed, ada)
		time.Sleep(2 * time.Minute) // the other actor's lease
		_, err := r.Sweep(t.Context(), operator)
		r.must(err)
		r.pulled()
	})
}

func TestARevocationEndsARunThatIsBeingStaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faulty{pause: make(chan struct{})}
		h := newHouse(t, withFaults(f))
		s, _ := h.put(ada, genomics, "TOKEN")
		failed := make(chan error)
		go func() {
			launch, err := h.Launch(t.Context(), lin, h.request("r1", genomics, "TOKEN"))
			if launch != nil {
				t.Error("references were handed out")
			}
			failed <- err
		}()
		synctest.Wait()
		runs, err := h.Revoke(t.Context(), ada, s.ID)
		h.must(err)
		if len(runs) != 1 {
			t.Errorf("it says %v", runs)
		}
		close(f.pause)
		if err := <-failed; !errors.Is(err, stage.ErrFenced) {
			t.Errorf("the launch says %v", err)
		}
		h.nothingStaged()
	})
}

func TestALaunchWhoseSecretIsRevokedJustBeforeItIsPublishedHandsOutNothing(t *testing.T) {
	f := &fault{}
	h := newHouse(t)
	twin := h.again(f.everywhere)
	s, _ := h.put(ada, genomics, "TOKEN")
	f.before = func(_ int, call string) error {
		if call != "Advance" {
			return nil
		}
		f.heal()
		// Its caller is killed at once: nobody withdraws.
		_, err := h.backend.Revoke(t.Context(), s.ID)
		return err
	}
	launch, err := twin.Launch(t.Context(), lin, h.request("r1", genomics, "TOKEN"))
	if launch != nil || !errors.Is(err, stage.ErrRevoked) {
		t.Errorf("launched: %t, %v", launch != nil, err)
	}
	h.nothingStaged()
}

func TestARepeatedRevocationSaysThatItIsOne(t *testing.T) {
	for _, deleted := range []bool{false, true} {
		r := newRevocation(t)
		if deleted { // and not revoked
			r.must(r.Delete(t.Context(), ada, r.secret.ID))
		}
		for i, want := range []string{"", "was revoked before", "was revoked before"} {
			before := len(r.events())
			r.must(r.revoke(t.Context()))
			var told []secrets.Event
			for _, ev := range r.events()[before:] {
				if ev.Action == secrets.ActionRevoke {
					told = append(told, ev)
				}
			}
			if len(told) != 1 || told[0].Outcome != secrets.Done || told[0].Reason != want || told[0].Name != r.secret.Name {
				t.Errorf("deleted: %t, call %d: the log says %+v", deleted, i+1, told)
			}
		}
		r.told(1, secrets.ActionRemove, secrets.Done, ada)
		r.pulled()
	}
}
