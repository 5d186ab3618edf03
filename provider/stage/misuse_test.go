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

func mustRun(t *testing.T, id string) secrets.RunID {
	t.Helper()
	run, err := secrets.ParseRunID(id)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func codeOf(err error) provider.Code {
	var failure *provider.Error
	if errors.As(err, &failure) {
		return failure.Code
	}
	return ""
}

// panics is a platform that panics in one of the methods that do no I/O.
type panics struct {
	*platform
	in *string
}

func (p panics) Location() provider.Location {
	if *p.in == "Location" {
		panic("location")
	}
	return p.platform.Location()
}

func (p panics) Capabilities() provider.Capabilities {
	if *p.in == "Capabilities" {
		panic("capabilities")
	}
	return p.platform.Capabilities()
}

func (p panics) Plan(run secrets.RunID, items []provider.Item, nonce func() string) ([]provider.Object, error) {
	if *p.in == "Plan" {
		panic("plan")
	}
	return p.platform.Plan(run, items, nonce)
}

func (p panics) References(o provider.Object, id string) []provider.Reference {
	if *p.in == "References" {
		panic("references")
	}
	return p.platform.References(o, id)
}

func TestADriverThatPanicsAnywhereStopsNobodyAndLeavesNothing(t *testing.T) {
	for _, in := range []string{"Location", "Capabilities", "Plan", "References"} {
		for _, from := range []string{"the launch", "the end"} {
			t.Run(in+" from "+from, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFixture(t, 2, &platform{})
					now := ""
					e := f.with(t, panics{f.platform, &now})
					if from == "the launch" {
						now = in
					}
					rows, err := e.Plan(f.run.ID, ours, map[string][]provider.Item{"cloud": {f.run.Items[0].Item, f.run.Items[1].Item}})
					if err == nil {
						_, err = e.Stage(t.Context(), f.run, rows, nil, nil)
					}
					if now != "" && now != "Capabilities" && codeOf(err) != provider.Internal {
						t.Errorf("the launch says %v", err)
					}
					now = in
					_, _ = e.Unstage(t.Context(), f.run.ID, "user:x", "done")
					e.References(rows)
					sweeps(t, e, time.Hour)
					now = ""
					if _, err := e.Unstage(t.Context(), f.run.ID, "user:x", "done"); err != nil {
						t.Error(err)
					}
					if !f.receipt(t).Gone() || len(f.platform.made) != 0 {
						t.Errorf("%d are left: %+v", len(f.platform.made), f.receipt(t))
					}
				})
			})
		}
	}
}

// busy is a ledger that can't begin.
type busy struct{ stage.Ledger }

func (busy) Begin(context.Context, stage.Run, []stage.Row, stage.Terms, ...secrets.Event) (stage.Run, error) {
	return stage.Run{}, errors.New("database is busy")
}

func TestTheSameRowsStagedTwiceAtOnceMakeOneActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 2, &platform{})
		twin := f.with(t, f.platform, func(c *stage.Config) { c.Ledger = busy{f.ledger} })
		second := make(chan error)
		go func() {
			time.Sleep(500 * time.Millisecond)
			_, err := twin.Stage(t.Context(), f.run, f.rows, nil, nil)
			second <- err
		}()
		refs, err := f.Stage(t.Context(), f.run, f.rows, nil, nil)
		if twinErr := <-second; err != nil || len(refs) != 2 || f.platform.creates != 2 || twinErr == nil {
			t.Errorf("%d references and %d creates, %v; the other says %v", len(refs), f.platform.creates, err, twinErr)
		}
	})
}

// later is a platform that asks for the values after its create is over.
type later struct {
	*platform
	got chan map[secrets.Name]secrets.Value
}

func (l later) Create(_ context.Context, o provider.Object, open provider.Opener) (string, error) {
	go func() {
		time.Sleep(time.Second)
		values, _ := open(context.Background())
		l.got <- values
	}()
	return "id:" + o.Name, nil
}

func TestAnOpenerGivesNothingOnceItsCallIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1, &platform{})
		l := later{f.platform, make(chan map[secrets.Name]secrets.Value)}
		slow := &platform{made: map[string]time.Time{}, slow: 10 * time.Second}
		e := f.with(t, l, func(c *stage.Config) { c.Targets["slow"] = elsewhereListing{&listing{platform: slow}} })
		more := f.rows[0] // so that the run is still being staged
		more.Target, more.Location = "slow", provider.Location{Kind: "fake", Account: "2"}
		staged := make(chan error)
		go func() {
			_, err := e.Stage(t.Context(), f.run, append(f.rows, more), nil, nil)
			staged <- err
		}()
		if values := <-l.got; len(values) != 0 {
			t.Errorf("%d values are given", len(values))
		}
		if err := <-staged; err != nil {
			t.Error(err)
		}
	})
}

// losing is a ledger that loses its first reply to End.
type losing struct {
	stage.Ledger
	lost *bool
}

func (l losing) End(ctx context.Context, id secrets.RunID, c stage.Closing, ev ...secrets.Event) (stage.Run, []stage.Row, error) {
	r, rows, err := l.Ledger.End(ctx, id, c, ev...)
	if !*l.lost {
		*l.lost = true
		return stage.Run{}, nil, errAway
	}
	return r, rows, err
}

func TestAnEndWhoseReplyIsLostIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := staged(t, 1)
		e := f.with(t, f.platform, func(c *stage.Config) { c.Ledger = losing{f.ledger, new(bool)} })
		if _, err := e.Unstage(t.Context(), f.run.ID, "user:x", "done", secrets.Event{Action: secrets.ActionComplete}); err != nil {
			t.Errorf("it says %v", err)
		}
		told := 0
		for entry := range f.ledger.Entries(t.Context(), 0) {
			if entry.Event.Action == secrets.ActionComplete {
				told++
			}
		}
		if told != 1 {
			t.Errorf("the log tells of it %d times", told)
		}
	})
}
