package providertest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/providertest"
)

const horizon = 8 * time.Minute

// uses is a platform that always uses these freedoms, and is as late as it can be.
func uses(freedoms ...providertest.Freedom) *providertest.Platform {
	return providertest.New(providertest.Config{Horizon: horizon, Choose: func(f providertest.Freedom, n int) int {
		for _, used := range freedoms {
			if f == used || f == used+" by" {
				return n - 1
			}
		}
		return 0
	}})
}

// there reports what a driver's look and list show, and how many objects exist.
func there(t *testing.T, p *providertest.Platform, o provider.Object) (presence provider.Presence, listed, exist int) {
	t.Helper()
	presence, _, err := p.Driver().Probe(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range p.Driver().(provider.Lister).List(t.Context(), o.Mark) {
		if err != nil {
			t.Fatal(err)
		}
		listed++
	}
	return presence, listed, len(p.Objects())
}

func TestEachFreedomIsUsedAsFarAsTheHorizonAndNoFurther(t *testing.T) {
	const p, a, w = provider.Present, provider.Absent, provider.Pending
	type seen struct {
		presence      provider.Presence
		listed, exist int
	}
	for _, c := range []struct {
		name                  string
		freedoms              []providertest.Freedom
		fails                 bool // the create
		made, later           seen // after the create, and a horizon later
		removed, then, atLast seen // after a remove, just before a horizon later, and then
	}{
		{"none", nil, false, seen{p, 1, 1}, seen{p, 1, 1}, seen{a, 0, 0}, seen{a, 0, 0}, seen{a, 0, 0}},
		{"LandLate", []providertest.Freedom{providertest.LandLate}, true, seen{a, 0, 0}, seen{p, 1, 1}, seen{a, 0, 0}, seen{a, 0, 0}, seen{a, 0, 0}},
		{"StaleProbe", []providertest.Freedom{providertest.StaleProbe}, false, seen{a, 1, 1}, seen{p, 1, 1}, seen{p, 0, 0}, seen{p, 0, 0}, seen{a, 0, 0}},
		{"StaleList", []providertest.Freedom{providertest.StaleList}, false, seen{p, 0, 1}, seen{p, 1, 1}, seen{a, 1, 0}, seen{a, 1, 0}, seen{a, 0, 0}},
		{"RemoveLater", []providertest.Freedom{providertest.RemoveLater}, false, seen{p, 1, 1}, seen{p, 1, 1}, seen{w, 1, 1}, seen{a, 0, 0}, seen{a, 0, 0}},
		{"StillShown", []providertest.Freedom{providertest.RemoveLater, providertest.StillShown}, false, seen{p, 1, 1}, seen{p, 1, 1}, seen{p, 1, 1}, seen{a, 0, 0}, seen{a, 0, 0}},
		{"StaleRemove", []providertest.Freedom{providertest.StaleRemove}, false, seen{p, 1, 1}, seen{p, 1, 1}, seen{a, 0, 0}, seen{a, 0, 0}, seen{a, 0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				platform := uses(c.freedoms...)
				d := platform.Driver()
				o, open := object(t)
				look := func(when string, want seen) {
					t.Helper()
					var got seen
					if got.presence, got.listed, got.exist = there(t, platform, o); got != want {
						t.Errorf("%s it is %+v, want %+v", when, got, want)
					}
				}
				if _, err := d.Create(t.Context(), o, open); (err != nil) != c.fails {
					t.Errorf("create says %v", err)
				}
				look("after the create", c.made)
				time.Sleep(horizon)
				look("a horizon later", c.later)
				if err := d.Remove(t.Context(), o, ""); err != nil {
					t.Error(err)
				}
				look("after the remove", c.removed)
				time.Sleep(horizon - time.Second)
				look("just before a horizon later", c.then)
				time.Sleep(time.Second)
				look("a horizon later", c.atLast)
			})
		})
	}
}

func TestADuplicateOfACreateLandsAfterARemoveUnderAnotherID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := uses(providertest.Twice)
		o, open := object(t)
		id, err := p.Driver().Create(t.Context(), o, open)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Driver().Remove(t.Context(), o, id); err != nil {
			t.Fatal(err)
		}
		if len(p.Objects()) != 0 || p.Coming() != 1 {
			t.Errorf("there is %v", p.Objects())
		}
		time.Sleep(horizon)
		if left := p.Objects(); len(left) != 1 || left[0].ID == id || p.Coming() != 0 {
			t.Errorf("there is %v", left)
		}
		if err := p.Driver().Remove(t.Context(), o, id); err != nil || len(p.Objects()) != 1 {
			t.Errorf("a remove by the id of another took it: %v", err)
		}
	})
}

func TestARemoveMissesANewObjectOnlyWithinItsHorizon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := uses(providertest.StaleRemove)
		o, open := object(t)
		if _, err := p.Driver().Create(t.Context(), o, open); err != nil {
			t.Fatal(err)
		}
		for _, want := range []int{1, 0} {
			if err := p.Driver().Remove(t.Context(), o, ""); err != nil || len(p.Objects()) != want {
				t.Errorf("%d objects are left, want %d: %v", len(p.Objects()), want, err)
			}
			time.Sleep(horizon)
		}
	})
}

func TestARequestThatIsOlderThanTheHorizonIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := uses()
		o, open := object(t)
		d := providertest.Intercept(p.Driver(), func(ctx context.Context, c providertest.Call, do func(context.Context) error) error {
			if c.Method == "Open" {
				time.Sleep(horizon)
			}
			return do(ctx)
		})
		if _, err := d.Create(t.Context(), o, open); err == nil || len(p.Objects()) != 0 {
			t.Errorf("it was made: %v", err)
		}
	})
}

func TestARefusedRemoveIsForbiddenUntilItIsAllowed(t *testing.T) {
	p := providertest.New(providertest.Config{})
	o, open := object(t)
	if _, err := p.Driver().Create(t.Context(), o, open); err != nil {
		t.Fatal(err)
	}
	p.Refuse(func(name string) bool { return name == o.Name })
	var failure *provider.Error
	if err := p.Driver().Remove(t.Context(), o, ""); !errors.As(err, &failure) || failure.Code != provider.Forbidden || len(p.Objects()) != 1 {
		t.Errorf("it says %v", err)
	}
	p.Refuse(nil)
	if err := p.Driver().Remove(t.Context(), o, ""); err != nil || len(p.Objects()) != 0 {
		t.Errorf("it says %v", err)
	}
}

func TestAnObjectOfAnotherStageIsForeign(t *testing.T) {
	p := providertest.New(providertest.Config{})
	o, open := object(t)
	o.Stage = "ours"
	if _, err := p.Driver().Create(t.Context(), o, open); err != nil {
		t.Fatal(err)
	}
	for stage, want := range map[string]provider.Presence{"ours": provider.Present, "": provider.Present, "theirs": provider.Foreign} {
		o.Stage = stage
		if presence, _, err := p.Driver().Probe(t.Context(), o); presence != want || err != nil {
			t.Errorf("as %q it is %d, want %d: %v", stage, presence, want, err)
		}
	}
	o.Stage = "theirs"
	if err := p.Driver().Remove(t.Context(), o, ""); err == nil || len(p.Objects()) != 1 || p.Stats().NotOurs != 1 {
		t.Errorf("it was removed: %v", err)
	}
}

// asking is a driver that does something while an Opener is asked.
func asking(p *providertest.Platform, meanwhile func()) provider.Provider {
	return providertest.Intercept(p.Driver(), func(ctx context.Context, c providertest.Call, do func(context.Context) error) error {
		err := do(ctx)
		if c.Method == "Open" {
			meanwhile()
		}
		return err
	})
}

func TestACreateThatWasUndoneWhileItAsksFails(t *testing.T) {
	p := providertest.New(providertest.Config{})
	o, open := object(t)
	ctx, cancel := context.WithCancel(t.Context())
	for name, meanwhile := range map[string]func(){
		"removed": func() {
			if err := p.Driver().Remove(t.Context(), o, ""); err != nil {
				t.Error(err)
			}
		},
		"cancelled": cancel,
	} {
		if id, err := asking(p, meanwhile).Create(ctx, o, open); err == nil || id != "" || len(p.Objects()) != 0 {
			t.Errorf("%s: it says %q, %v", name, id, err)
		}
	}
}

func TestAWithdrawThatWasDeposedOrUndoneWhileItAsksFails(t *testing.T) {
	for name, meanwhile := range map[string]func(d provider.Withdrawer, o provider.Object, open provider.Opener) error{
		"deposed": func(d provider.Withdrawer, o provider.Object, open provider.Opener) error {
			o.Epoch++
			return d.Withdraw(t.Context(), o, "", open)
		},
		"removed": func(d provider.Withdrawer, o provider.Object, _ provider.Opener) error {
			return d.(provider.Provider).Remove(t.Context(), o, "")
		},
	} {
		p := providertest.New(providertest.Config{Joint: true})
		o, open := object(t)
		if _, err := p.Driver().Create(t.Context(), o, open); err != nil {
			t.Fatal(err)
		}
		d := asking(p, func() {
			if err := meanwhile(p.Driver().(provider.Withdrawer), o, open); err != nil {
				t.Error(err)
			}
		}).(provider.Withdrawer)
		if err := d.Withdraw(t.Context(), o, "", open); err == nil {
			t.Errorf("%s: it succeeded", name)
		}
	}
}

func TestWhatIsGoingIsTakenAndCanNotBeCutDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := providertest.New(providertest.Config{Horizon: horizon, Joint: true, Choose: func(f providertest.Freedom, n int) int {
			if f == providertest.RemoveLater || f == providertest.RemoveLater+" by" || f == providertest.StaleProbe {
				return n - 1
			}
			return 0
		}})
		o, open := object(t)
		d := p.Driver()
		if _, err := d.Create(t.Context(), o, open); err != nil {
			t.Fatal(err)
		}
		if err := d.Remove(t.Context(), o, ""); err != nil {
			t.Fatal(err)
		}
		var failure *provider.Error
		if _, err := d.Create(t.Context(), o, open); !errors.As(err, &failure) || failure.Code != provider.Taken {
			t.Errorf("a create says %v", err)
		}
		if err := d.(provider.Withdrawer).Withdraw(t.Context(), o, "", open); !errors.As(err, &failure) || failure.Code != provider.NotOurs {
			t.Errorf("a withdraw says %v", err)
		}
		time.Sleep(2*horizon - time.Second) // it went a while ago, and nobody looked
		if presence, _, exist := there(t, p, o); presence != provider.Absent || exist != 0 {
			t.Errorf("a horizon after it went it is %d", presence)
		}
	})
}
