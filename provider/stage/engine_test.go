package stage_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/storetest"
)

// platform is a remote platform with one object for each secret, that shows
// things late.
type platform struct {
	caps provider.Capabilities
	show time.Duration // how long after a create a look finds nothing
	slow time.Duration // how long a create takes before it asks for the values; 1 s if zero

	mu      sync.Mutex
	made    map[string]time.Time // by the object's name
	creates int
	fail    map[int]error // of the n-th create, after its effect
	atOnce  int           // creates running now
	most    int           // and at most
	removes []string
	removed func() // called after each remove
}

func (p *platform) Location() provider.Location {
	return provider.Location{Kind: "fake", Account: "1", Place: "here"}
}
func (p *platform) Capabilities() provider.Capabilities       { return p.caps }
func (p *platform) Carries(secrets.Name, secrets.Value) error { return nil }
func (p *platform) References(o provider.Object, id string) []provider.Reference {
	return []provider.Reference{{Name: o.Items[0].Name, Kind: "fake", Locator: id}}
}

func (p *platform) Plan(run secrets.RunID, items []provider.Item, _ func() string) ([]provider.Object, error) {
	var objects []provider.Object
	for _, item := range items {
		objects = append(objects, provider.Object{Name: run.String() + "/" + item.Name.String(), Items: []provider.Item{item}})
	}
	return objects, nil
}

func (p *platform) Create(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
	p.mu.Lock()
	p.atOnce++
	p.most = max(p.most, p.atOnce)
	p.mu.Unlock()
	time.Sleep(cmp.Or(p.slow, time.Second))
	values, err := open(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.atOnce--
	if err != nil {
		return "", err
	}
	if len(values) != 1 || values[o.Items[0].Name].IsZero() {
		return "", &provider.Error{Op: "create", Code: provider.Refused}
	}
	p.creates++
	if _, again := p.made[o.Name]; !again {
		p.made[o.Name] = time.Now()
	}
	if err := p.fail[p.creates]; err != nil {
		return "", err
	}
	return "id:" + o.Name, nil
}

func (p *platform) Probe(_ context.Context, o provider.Object) (provider.Presence, string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	made, there := p.made[o.Name]
	if !there || time.Since(made) < p.show {
		return provider.Absent, "", nil
	}
	return provider.Present, "id:" + o.Name, nil
}

func (p *platform) Remove(_ context.Context, o provider.Object, id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.removes = append(p.removes, id)
	if id == "id:"+o.Name {
		delete(p.made, o.Name)
	}
	if p.removed != nil {
		p.removed()
	}
	return nil
}

// fixture is an engine on a fake platform, and n secrets to stage.
type fixture struct {
	*stage.Engine
	ledger   *storetest.Memory
	platform *platform
	run      stage.Run
	rows     []stage.Row
}

func newFixture(t *testing.T, n int, p *platform) *fixture {
	t.Helper()
	p.made = map[string]time.Time{}
	f := &fixture{ledger: storetest.NewMemory(), platform: p}
	var err error
	f.Engine, err = stage.New(stage.Config{
		Ledger: f.ledger, Targets: map[string]provider.Provider{"cloud": p},
		Open: func(_ context.Context, _ stage.Run, items []provider.Item) (map[secrets.Pin]secrets.Value, error) {
			values := map[secrets.Pin]secrets.Value{}
			for _, item := range items {
				v, err := secrets.NewValue([]byte(rand.Text()))
				if err != nil {
					return nil, err
				}
				values[item.Pin] = v
			}
			return values, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	workspace := secrets.Scope{Kind: secrets.Workspace, ID: "w"}
	id, err := secrets.ParseRunID("r1")
	if err != nil {
		t.Fatal(err)
	}
	f.run = stage.Run{ID: id, Workspace: workspace, Caller: "user:x"}
	for i := range n {
		name, err := secrets.ParseName(fmt.Sprint("N", i))
		if err != nil {
			t.Fatal(err)
		}
		s := secrets.Secret{Pin: secrets.Pin{ID: secrets.ID(i + 1), Version: 1}, Name: name, Scope: workspace}
		if err := f.ledger.Put(t.Context(), secrets.Record{Secret: s, KeyID: 1, Sealed: []byte{1}}, 0); err != nil {
			t.Fatal(err)
		}
		item := provider.Item{Name: name, Pin: s.Pin}
		f.run.Items = append(f.run.Items, stage.Item{Item: item, Scope: workspace})
	}
	f.rows = f.plan(t, id)
	return f
}

// plan plans a run of the fixture's secrets.
func (f *fixture) plan(t *testing.T, id secrets.RunID) []stage.Row {
	t.Helper()
	var items []provider.Item
	for _, item := range f.run.Items {
		items = append(items, item.Item)
	}
	rows, err := f.Plan(id, [16]byte{1}, map[string][]provider.Item{"cloud": items})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func (f *fixture) receipt(t *testing.T) stage.Receipt {
	t.Helper()
	r, err := f.Receipt(t.Context(), f.run.ID)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestObjectsAreCreatedAsManyAtOnceAsThePlatformTakes(t *testing.T) {
	for _, concurrency := range []int{0, 1, 4} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, 10, &platform{caps: provider.Capabilities{Concurrency: concurrency}})
			refs, err := f.Stage(t.Context(), f.run, f.rows, nil, nil)
			if err != nil || len(refs) != 10 || refs[3].Target != "cloud" {
				t.Fatalf("%d references, %v", len(refs), err)
			}
			if f.platform.most != max(concurrency, 1) {
				t.Errorf("%d at once, want %d", f.platform.most, max(concurrency, 1))
			}
		})
	}
}

func TestALongStagingKeepsItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 200, &platform{}) // 200 s one after the other; the lease is 120 s
		done := make(chan error)
		go func() {
			_, err := f.Stage(t.Context(), f.run, f.rows, nil, nil)
			done <- err
		}()
		time.Sleep(150 * time.Second)
		report, err := f.Sweep(t.Context(), "operator:x", [16]byte{1})
		if err != nil || report.Runs != 0 {
			t.Errorf("a sweep took it: %+v, %v", report, err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if r := f.receipt(t); r.Run.Phase != stage.Active || len(r.Left()) != 200 {
			t.Errorf("%s, %d objects", r.Run.Phase, len(r.Left()))
		}
	})
}

func TestALostReplyIsTriedAgainWithTheSameToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 3, &platform{fail: map[int]error{2: &provider.Error{Op: "create", Code: provider.Unavailable}}})
		refs, err := f.Stage(t.Context(), f.run, f.rows, nil, nil)
		if err != nil || len(refs) != 3 || f.platform.creates != 4 || len(f.platform.made) != 3 {
			t.Errorf("%d references, %d creates, %d objects, %v", len(refs), f.platform.creates, len(f.platform.made), err)
		}
	})
}

func TestAbsenceCountsOnlyWhenItLastsAHorizon(t *testing.T) {
	const horizon = 10 * time.Minute
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1, &platform{caps: provider.Capabilities{Horizon: horizon}})
		if _, err := f.Stage(t.Context(), f.run, f.rows, nil, nil); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		r, err := f.Unstage(t.Context(), f.run.ID, "user:x", "done")
		if err != nil || r.Gone() || r.Rows[0].State != stage.AbsentOnce || time.Since(start) != 0 {
			t.Fatalf("%v, %+v", err, r.Rows[0])
		}
		if len(f.platform.removes) != 1 || f.platform.removes[0] != r.Rows[0].ID || r.Rows[0].ID == "" {
			t.Errorf("removed %v, recorded %s", f.platform.removes, r.Rows[0].ID)
		}
		if r, err := f.Unstage(t.Context(), f.run.ID, "user:x", "done"); err != nil || r.Gone() {
			t.Errorf("asking twice makes it gone: %t, %v", r.Gone(), err)
		}
		for range 10 {
			time.Sleep((horizon - time.Second) / 10)
			if report, err := f.Sweep(t.Context(), "operator:x", [16]byte{1}); err != nil || report.Removed != 0 || f.receipt(t).Gone() {
				t.Fatalf("after %v: %+v, %v", time.Since(start), report, err)
			}
		}
		time.Sleep(time.Second)
		report, err := f.Sweep(t.Context(), "operator:x", [16]byte{1})
		if err != nil || report.Removed != 1 || !f.receipt(t).Gone() {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

func TestAnObjectThatShowsUpLateAfterACrashIsFoundAndRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The create has its effect and no reply; for five minutes a look finds
		// nothing.
		f := newFixture(t, 1, &platform{
			caps: provider.Capabilities{Horizon: 10 * time.Minute}, show: 5 * time.Minute,
			fail: map[int]error{1: &provider.Error{Op: "create", Code: provider.Forbidden}},
		})
		if _, err := f.Stage(t.Context(), f.run, f.rows, nil, nil); err == nil {
			t.Fatal("staged")
		}
		if r := f.receipt(t); r.Gone() || len(f.platform.made) != 1 {
			t.Fatalf("gone: %t, %d objects", r.Gone(), len(f.platform.made))
		}
		var seen time.Time // when it was last there
		for range 60 {
			if len(f.platform.made) > 0 {
				seen = time.Now()
			}
			time.Sleep(time.Minute)
			if _, err := f.Sweep(t.Context(), "operator:x", [16]byte{1}); err != nil {
				t.Fatal(err)
			}
			if f.receipt(t).Gone() && time.Since(seen) < 10*time.Minute {
				t.Fatalf("said to be gone %v after it was there", time.Since(seen))
			}
		}
		if !f.receipt(t).Gone() {
			t.Error("not gone after an hour of sweeps")
		}
	})
}

func TestABeginThatComesAfterTheEndIsBarred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1, &platform{})
		if r, err := f.Unstage(t.Context(), f.run.ID, "operator:x", "cancelled"); err != nil || !r.Gone() {
			t.Fatalf("%v", err)
		}
		if _, err := f.Stage(t.Context(), f.run, f.rows, nil, nil); !errors.Is(err, stage.ErrRunID) || f.platform.creates != 0 {
			t.Errorf("%v, %d creates", err, f.platform.creates)
		}
	})
}

func TestARunThatEndsWhileItIsStagedPublishesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 5, &platform{})
		done := make(chan error)
		go func() {
			refs, err := f.Stage(t.Context(), f.run, f.rows, nil, nil)
			if refs != nil {
				t.Error("references were handed out")
			}
			done <- err
		}()
		time.Sleep(2500 * time.Millisecond) // two are there, the third is on its way
		if _, err := f.Unstage(t.Context(), f.run.ID, "user:x", "cancelled"); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, stage.ErrFenced) {
			t.Errorf("got %v", err)
		}
		if len(f.platform.made) != 0 || !f.receipt(t).Gone() {
			t.Errorf("%d objects are left, gone: %t", len(f.platform.made), f.receipt(t).Gone())
		}
	})
}

func TestWhatWasRemovedIsRecordedThoughTheCallerGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 2, &platform{})
		if _, err := f.Stage(t.Context(), f.run, f.rows, nil, nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		f.platform.removed = cancel
		_, _ = f.Unstage(ctx, f.run.ID, "user:x", "done") // what it says is not the point
		if r := f.receipt(t); r.Rows[0].State != stage.Gone {
			t.Errorf("the ledger says %s of what is gone", r.Rows[0].State)
		}
	})
}

// stubborn is a ledger that can't end some runs.
type stubborn struct{ stage.Ledger }

func (s stubborn) End(ctx context.Context, id secrets.RunID, c stage.Closing, ev ...secrets.Event) (stage.Run, []stage.Row, error) {
	if id.String()[0] == 'x' {
		return stage.Run{}, nil, errors.New("row is locked")
	}
	return s.Ledger.End(ctx, id, c, ev...)
}

func TestASweepReachesEveryDueRunAlsoBehindManyThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 0, &platform{})
		begin := func(id, target string) {
			run, err := secrets.ParseRunID(id)
			if err != nil {
				t.Fatal(err)
			}
			r := f.run
			r.ID = run
			row := stage.Row{Target: target, Location: f.platform.Location(), Object: provider.Object{Stage: id, Name: id}}
			if _, err := f.ledger.Begin(t.Context(), r, []stage.Row{row}, stage.Terms{Lease: time.Second, Need: time.Hour}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 250 {
			begin(fmt.Sprint("lost-", i), "no such target")
			begin(fmt.Sprint("x-", i), "cloud")
		}
		time.Sleep(time.Minute)
		begin("behind", "cloud")
		time.Sleep(time.Minute)
		engine, err := stage.New(stage.Config{Ledger: stubborn{f.ledger}, Targets: map[string]provider.Provider{"cloud": f.platform},
			Open: func(context.Context, stage.Run, []provider.Item) (map[secrets.Pin]secrets.Value, error) {
				return nil, nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		report, err := engine.Sweep(t.Context(), "operator:x", [16]byte{1})
		if err == nil || report.Runs != 501 || report.Ended != 251 || report.Stuck != 250 || report.Removed != 1 {
			t.Errorf("%+v, failures told: %t", report, err != nil)
		}
	})
}

func TestNextTimeATargetIsBackWhatWasStuckIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 2, &platform{})
		if _, err := f.Stage(t.Context(), f.run, f.rows, nil, nil); err != nil {
			t.Fatal(err)
		}
		moved := &platform{}
		without, err := stage.New(stage.Config{Ledger: f.ledger, Targets: map[string]provider.Provider{"cloud": elsewhere{moved}},
			Open: func(context.Context, stage.Run, []provider.Item) (map[secrets.Pin]secrets.Value, error) {
				return nil, nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := without.Unstage(t.Context(), f.run.ID, "user:x", "done")
		if err == nil || r.Gone() || len(r.Left()) != 2 || r.Rows[0].State != stage.Stuck || len(moved.removes) != 0 {
			t.Errorf("%v, %+v", err, r)
		}
		time.Sleep(2 * time.Hour)
		if report, err := f.Sweep(t.Context(), "operator:x", [16]byte{1}); err != nil || report.Removed != 2 {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

// elsewhere is a platform at another location.
type elsewhere struct{ *platform }

func (elsewhere) Location() provider.Location { return provider.Location{Kind: "fake", Account: "2"} }
