package providertest

import (
	"context"
	"maps"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/storetest"
)

var protocolTests = []sentence{
	{"LeavesNothingWhicheverCallGoesWrong", func(f *fixture) {
		before := f.planted()
		for _, fault := range Faults() {
			if fault == Stale && f.horizon == 0 {
				continue // one look proves absence
			}
			f.atEachCall(func(n int) (bool, error) {
				s := f.strike(fault, n)
				w := f.world()
				err := w.launch(w.engine(s.hook), true, s.struck.Load)
				w.sweep(before)
				if f.Failed() {
					f.Fatalf("that was: %s at call %d", fault, n)
				}
				return s.struck.Load(), err
			})
		}
	}},
	{"LeavesNothingOfAProcessThatIsKilledAtAnyCall", func(f *fixture) {
		before := f.planted()
		for _, effect := range []bool{false, true} {
			f.atEachCall(func(n int) (_ bool, err error) {
				k := killer{at: int32(n), effect: effect}
				w := f.world()
				done := make(chan struct{})
				engine := w.engine(k.hook, func(c *stage.Config) { c.Ledger = mortal{w.ledger, &k} })
				go func() {
					defer close(done)
					err = w.launch(engine, true, k.dead.Load)
				}()
				<-done
				if stored, _, err := w.ledger.Load(f.ctx, w.run.ID); err == nil && stored.Phase == stage.Active {
					f.pass(25 * time.Hour) // nobody renews it
				}
				w.sweep(before)
				if f.Failed() {
					f.Fatalf("that was: killed at call %d, after its effect: %t", n, effect)
				}
				return k.dead.Load(), err
			})
		}
	}},
	{"FindsWhatTheLedgerForgot", func(f *fixture) {
		f.lister()
		before := f.planted()
		theirs := f.theirs(1)
		f.createAll(theirs)
		before = append(before, f.added(before)...)
		var w *world
		f.ok(f.patiently(func() error { // so that the ledger is not empty
			w = f.world()
			err := w.launch(w.engine(nil), false, func() bool { return false })
			if err != nil {
				w.sweep(before)
			}
			return err
		}))
		f.createAll(f.batch(2)) // with nothing in the ledger
		w.sweep(before)
		f.removeAllOf(theirs, before)
	}},
}

// atEachCall plays a launch in which the first call is struck, then one in which
// the second is, and so on until none is. What no fault has struck must succeed; a
// platform that fails by itself for a while is played again.
func (f *fixture) atEachCall(play func(n int) (struck bool, err error)) {
	f.Helper()
	failures := 0
	for n := 1; ; {
		struck, err := play(n)
		switch {
		case err != nil && (!passing(err) || failures == patience):
			f.Fatalf("no fault had struck, and it says %v", err)
		case struck:
			n, failures = n+1, 0
		case err == nil:
			return
		default:
			failures++
		}
	}
}

// planted makes something that is somebody else's, if it can be done, and answers
// what is at the place.
func (f *fixture) planted() []string {
	if f.Plant != nil {
		f.Plant(f.batch(1).objects[0])
	}
	return f.left()
}

// added answers what is at the place and was not before.
func (f *fixture) added(before []string) []string {
	return slices.DeleteFunc(f.left(), func(name string) bool { return slices.Contains(before, name) })
}

// removeAllOf removes a batch, and sees that the rest stays.
func (f *fixture) removeAllOf(b batch, before []string) {
	f.Helper()
	was := len(before)
	for _, o := range b.objects {
		f.remove(f.driver, o, "")
	}
	if left := len(f.left()); left >= was {
		f.Errorf("of %d there are %d", was, left)
	}
}

// strike makes the n-th call go wrong.
func (f *fixture) strike(fault Fault, n int) *strike {
	return &strike{fault: fault, at: int32(n), real: !f.bubble}
}

type strike struct {
	fault  Fault
	at     int32
	real   bool // time does not pass by itself
	calls  atomic.Int32
	struck atomic.Bool
}

func (s *strike) hook(ctx context.Context, c Call, do func(context.Context) error) error {
	if s.calls.Add(1) != s.at {
		return do(ctx)
	}
	s.struck.Store(true)
	if !s.real {
		return s.fault.Hook()(ctx, c, do)
	}
	hung, cancel := context.WithTimeout(ctx, 10*time.Millisecond) // its deadline comes sooner, and is no other
	defer cancel()
	return s.fault.Hook()(hung, c, func(context.Context) error { return do(ctx) })
}

// killer kills a process at its n-th call.
type killer struct {
	at     int32
	effect bool // after its effect
	calls  atomic.Int32
	dead   atomic.Bool
}

func (k *killer) hook(ctx context.Context, _ Call, do func(context.Context) error) error {
	k.live()
	if k.calls.Add(1) == k.at {
		if k.effect {
			_ = do(ctx) // nobody hears of it
		}
		k.dead.Store(true)
		k.live()
	}
	return do(ctx)
}

// live ends the goroutine if its process is dead.
func (k *killer) live() {
	if k.dead.Load() {
		runtime.Goexit()
	}
}

// mortal is the ledger as a process sees it that may be killed.
type mortal struct {
	stage.Ledger
	by *killer
}

func (m mortal) Load(ctx context.Context, id secrets.RunID) (stage.Run, []stage.Row, error) {
	m.by.live()
	return m.Ledger.Load(ctx, id)
}

func (m mortal) Take(ctx context.Context, id secrets.RunID, lease time.Duration) (stage.Run, error) {
	m.by.live()
	return m.Ledger.Take(ctx, id, lease)
}

func (m mortal) Advance(ctx context.Context, r stage.Run, to stage.Phase, lease time.Duration, rows []stage.Row, ev ...secrets.Event) (stage.Run, error) {
	m.by.live()
	return m.Ledger.Advance(ctx, r, to, lease, rows, ev...)
}

func (m mortal) End(ctx context.Context, id secrets.RunID, c stage.Closing, ev ...secrets.Event) (stage.Run, []stage.Row, error) {
	m.by.live()
	return m.Ledger.End(ctx, id, c, ev...)
}

// world is an installation that stages one run of three secrets at the place.
type world struct {
	*fixture
	ledger *storetest.Memory
	run    stage.Run
	batch  batch
	items  []provider.Item
}

func (f *fixture) world() *world {
	f.Helper()
	w := &world{fixture: f, ledger: storetest.NewMemory(), batch: batch{plain: map[secrets.Name][]byte{}}}
	w.ledger.Now = func() time.Time { return time.Now().Add(time.Duration(f.skipped.Load())) }
	scope := secrets.Scope{Kind: secrets.Workspace, ID: "w"}
	w.run = stage.Run{ID: newRun(f.T), Workspace: scope, Caller: "user:x"}
	for i, name := range f.names(3) {
		pin := secrets.Pin{ID: secrets.ID(i + 1), Version: 1}
		record := secrets.Record{Secret: secrets.Secret{Pin: pin, Name: name, Scope: scope}, KeyID: 1, Sealed: []byte{1}}
		f.ok(w.ledger.Put(f.ctx, record, 0))
		w.items = append(w.items, provider.Item{Name: name, Pin: pin})
		w.run.Items = append(w.run.Items, stage.Item{Item: w.items[i], Scope: scope})
		w.batch.plain[name] = f.canary()
	}
	return w
}

// engine is the engine of another process, each call of which goes through the
// hook if there is one.
func (w *world) engine(hook Hook, change ...func(*stage.Config)) *stage.Engine {
	w.Helper()
	driver := w.Driver()
	if hook != nil {
		driver = Intercept(driver, hook)
	}
	c := stage.Config{
		Ledger: w.ledger, Targets: map[string]provider.Provider{"place": driver},
		Open: func(_ context.Context, _ stage.Run, items []provider.Item) (map[secrets.Pin]secrets.Value, error) {
			values := map[secrets.Pin]secrets.Value{}
			for _, item := range items {
				v, err := secrets.NewValue(w.batch.plain[w.items[item.Pin.ID-1].Name])
				if err != nil {
					return nil, err
				}
				values[item.Pin] = v
			}
			return values, nil
		},
		Intact: func(context.Context) error { return nil },
	}
	for _, ch := range change {
		ch(&c)
	}
	engine, err := stage.New(c)
	w.ok(err)
	return engine
}

// launch stages the run, withdraws a secret from it and ends it. What fails after
// a fault has struck is left to the sweeps; what fails before is answered. What
// succeeds must be so.
func (w *world) launch(e *stage.Engine, revoke bool, struck func() bool) error {
	rows, err := e.Plan(w.run.ID, w.mark, map[string][]provider.Item{"place": w.items})
	if err != nil {
		return err
	}
	for _, row := range rows {
		w.plans(batch{[]provider.Object{row.Object}, w.batch.plain})
	}
	unless := func(err error) error {
		if struck() {
			return nil
		}
		return err
	}
	refs, err := e.Stage(w.ctx, w.run, rows, nil, nil)
	failed := unless(err)
	if err == nil && w.horizon == 0 {
		w.staged(refs, secrets.Name{})
	}
	if err == nil && revoke {
		if _, err := w.ledger.Revoke(w.ctx, w.items[0].Pin.ID); err != nil {
			w.Error(err)
		}
		var withdrawn error
		failed = w.patiently(func() error {
			_, withdrawn = e.Withdraw(w.ctx, w.run.ID, "user:x")
			return unless(withdrawn)
		})
		if withdrawn == nil && w.horizon == 0 {
			w.staged(refs, w.items[0].Name)
		}
	}
	ended := w.patiently(func() error {
		_, err := e.Unstage(w.ctx, w.run.ID, "user:x", "done")
		return unless(err)
	})
	if failed == nil {
		failed = ended
	}
	return failed
}

// staged checks that all is there but the secret that was withdrawn.
func (w *world) staged(refs []provider.Reference, withdrawn secrets.Name) {
	if w.Holds == nil {
		return
	}
	if len(refs) != len(w.items) {
		w.Errorf("%d references of %d secrets", len(refs), len(w.items))
	}
	for _, ref := range refs {
		if w.Holds(ref, w.batch.plain[ref.Name]) != (ref.Name != withdrawn) {
			w.Errorf("%s is there, or not, against what was said", ref.Name)
		}
	}
}

// sweep sweeps in another process until nothing is left but what was there before,
// and sees that nothing comes back.
func (w *world) sweep(before []string) {
	w.Helper()
	slices.Sort(before)
	e := w.engine(nil)
	step := max(time.Minute, w.horizon/5)
	limit := 4*w.horizon + 6*time.Hour // what needs the longest is tried once an hour
	for passed := time.Duration(0); ; passed += step {
		_, err := e.Sweep(w.ctx, "operator:x", w.mark)
		stats, failed := w.ledger.Stats(w.ctx)
		w.ok(failed)
		left := w.left()
		slices.Sort(left)
		// What is Pending is over, but for a moment's where there is a horizon: it may
		// land again.
		going := w.horizon == 0 || passed > limit
		if slices.Equal(left, before) && (stats.Staged == 0 || going && stats.Staged == w.pending()) && w.ended() {
			break
		}
		if passed > limit {
			w.Errorf("after %v there is %q, before there was %q; the ledger has %d, the last sweep said %v", limit, left, before, stats.Staged, err)
			return
		}
		w.pass(step)
	}
	w.pass(2*w.horizon + 15*time.Minute) // for who tells of a horizon that is too short
	w.same(before)
	run, rows, err := w.ledger.Load(w.ctx, w.run.ID)
	if err != nil {
		return // it was killed before it began
	}
	over := stage.Closed
	for _, row := range rows {
		switch row.State {
		case stage.Gone:
		case stage.Pending:
			over = stage.Ending
		default:
			w.Errorf("an object is %s", row.State)
		}
	}
	if run.Phase != over {
		w.Errorf("the run is %s", run.Phase)
	}
}

// ended reports whether the run is over, or never began. What can't be cut down may be
// gone before the run is.
func (w *world) ended() bool {
	run, _, err := w.ledger.Load(w.ctx, w.run.ID)
	return err != nil || run.Phase == stage.Closed || run.Phase == stage.Ending
}

// pending answers how many objects the ledger knows to be deleted by the platform
// itself.
func (w *world) pending() (n int) {
	w.Helper()
	known, err := w.ledger.Known(w.ctx, slices.Collect(maps.Keys(w.planned)))
	w.ok(err)
	for _, state := range known {
		if state == stage.Pending {
			n++
		}
	}
	return n
}
