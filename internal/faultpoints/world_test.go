package faultpoints

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets/internal/points"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/providertest"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/storetest"
)

// fault is one way for a call to go wrong.
type fault int

const (
	none        fault = iota
	before            // it fails and has no effect
	lost              // it has its effect, and its reply is lost
	hang              // it has no effect, and the deadline ends it
	crashBefore       // its process is killed before its effect
	crashAfter        // its process is killed after its effect
	stale             // a look answers as if what was done lately had not been
)

var faultNames = [...]string{"none", "before", "lost", "hang", "crash before", "crash after", "stale"}

func (f fault) String() string { return faultNames[f] }

var faults = []fault{before, lost, hang, crashBefore, crashAfter, stale}

// Times of these worlds.
const (
	lease    = 2 * time.Minute
	horizon  = 10 * time.Minute
	interval = 5 * time.Minute // between sweeps
)

var (
	mark    = [16]byte{1}
	foreign = [16]byte{2}
)

// world is one installation with two platforms, one that shows things late and
// one that does not, and the faults that are to strike.
type world struct {
	mu        sync.Mutex // of what point notes
	t         *testing.T
	ctx       context.Context
	memory    *storetest.Memory
	cloud     *providertest.Platform
	cluster   *providertest.Platform
	run       stage.Run
	items     []provider.Item
	strike    map[int]fault // by the number of the call
	calls     []string      // made so far, such as "cloud.Create"
	struck    int           // faults that had a meaning where they struck
	processes int
	dead      map[int]bool
	looks     bool                    // the look under way is stale
	crashed   time.Time               // the last crash
	opened    map[int][]secrets.Value // by process
	handedOut []provider.Reference
}

func newWorld(t *testing.T, secretsWanted int, strike map[int]fault) *world {
	w := &world{t: t, ctx: t.Context(), memory: storetest.NewMemory(), strike: strike, dead: map[int]bool{}, opened: map[int][]secrets.Value{}}
	w.cloud = providertest.New(providertest.Config{Location: provider.Location{Kind: "cloud"}, Horizon: horizon, Choose: w.choose})
	w.cluster = providertest.New(providertest.Config{Location: provider.Location{Kind: "cluster"}, Joint: true, Choose: w.choose})
	workspace := secrets.Scope{Kind: secrets.Workspace, ID: "w"}
	w.run = stage.Run{ID: runID(t, "r1"), Workspace: workspace, Caller: "user:x"}
	for i := range secretsWanted {
		name, err := secrets.ParseName(fmt.Sprint("N", i))
		w.must(err)
		pin := secrets.Pin{ID: secrets.ID(i + 1), Version: 1}
		record := secrets.Record{Secret: secrets.Secret{Pin: pin, Name: name, Scope: workspace}, KeyID: 1, Sealed: []byte{1}}
		w.must(w.memory.Put(w.ctx, record, 0))
		item := provider.Item{Name: name, Pin: pin}
		w.items = append(w.items, item)
		w.run.Items = append(w.run.Items, stage.Item{Item: item, Scope: workspace})
	}
	old := stage.Run{ID: runID(t, "old"), Workspace: workspace} // so that the ledger is not empty
	_, err := w.memory.Begin(w.ctx, old, nil, stage.Terms{})
	w.must(err)
	_, _, err = w.memory.End(w.ctx, old.ID, stage.Closing{})
	w.must(err)
	return w
}

func runID(t *testing.T, s string) secrets.RunID {
	t.Helper()
	id, err := secrets.ParseRunID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

var errFault = errors.New("a fault")

// point is one call of a process, and the fault that strikes there.
func (w *world) point(ctx context.Context, process int, call string, do func(context.Context) error) error {
	f, dead := w.next(process, call)
	if dead {
		runtime.Goexit()
	}
	switch f {
	case before:
		return errFault
	case lost:
		if err := do(ctx); err != nil {
			return err
		}
		return errFault
	case hang:
		<-ctx.Done()
		return ctx.Err()
	case crashBefore, crashAfter:
		if f == crashAfter {
			_ = do(ctx) // nobody hears of it
		}
		w.kill(process)
		runtime.Goexit()
	case stale:
		w.looks = true // as far as the platform may
		defer func() { w.looks = false }()
	}
	return do(ctx)
}

// next notes a call and answers the fault that strikes there, and whether the
// process is dead. One call comes after the other, but a sweep does not wait for a
// goroutine that was killed: nothing but the lock tells the race detector so.
func (w *world) next(process int, call string) (f fault, dead bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead[process] {
		return none, true
	}
	f = w.strike[len(w.calls)]
	w.calls = append(w.calls, call)
	if f != none && f != stale {
		w.struck++
	}
	return f, false
}

func (w *world) kill(process int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead[process], w.crashed = true, time.Now()
}

// choose makes a platform answer stale when it is to, and if it may.
func (w *world) choose(f providertest.Freedom, _ int) int {
	if !w.looks || f != providertest.StaleProbe && f != providertest.StaleList {
		return 0
	}
	w.struck++
	return 3
}

// driver returns one process's driver of a platform, each call of which is a point.
func (w *world) driver(process int, name string, p *providertest.Platform) provider.Provider {
	return providertest.Intercept(p.Driver(), func(ctx context.Context, c providertest.Call, do func(context.Context) error) error {
		err := w.point(ctx, process, name+"."+c.Method, do)
		if errors.Is(err, errFault) {
			return &provider.Error{Op: c.Method, Code: provider.Unavailable}
		}
		return err
	})
}

// process runs do in a process of its own and reports whether it was killed.
func (w *world) process(do func(*stage.Engine)) (killed bool) {
	w.t.Helper()
	w.processes++
	id := w.processes
	engine, err := stage.New(stage.Config{
		Ledger: points.Ledger(w.memory, func(ctx context.Context, method string, _ secrets.RunID, do func(context.Context) error) error {
			return w.point(ctx, id, "ledger."+method, do)
		}),
		Targets: map[string]provider.Provider{"cloud": w.driver(id, "cloud", w.cloud), "cluster": w.driver(id, "cluster", w.cluster)},
		Open: func(_ context.Context, _ stage.Run, items []provider.Item) (map[secrets.Pin]secrets.Value, error) {
			values := map[secrets.Pin]secrets.Value{}
			for _, item := range items {
				v, err := secrets.NewValue([]byte("x"))
				w.must(err)
				values[item.Pin] = v
				w.opened[id] = append(w.opened[id], v)
			}
			return values, nil
		},
		Intact: func(context.Context) error { return nil },
		Lease:  lease,
	})
	w.must(err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(engine)
	}()
	<-done
	synctest.Wait()
	return w.dead[id]
}

// sweeps sweeps once in the interval, in a process that is started again when it
// is killed, until nothing is left or the time is over; it answers whether
// nothing is left.
func (w *world) sweeps(atMost time.Duration) bool {
	w.t.Helper()
	for began := time.Now(); time.Since(began) <= atMost; time.Sleep(interval) {
		w.process(func(e *stage.Engine) {
			w.call(func(ctx context.Context) { _, _ = e.Sweep(ctx, "operator:x", mark) }) // what it could not do shows
		})
		if w.clean() {
			return true
		}
	}
	return false
}

// clean reports whether nothing of ours is anywhere, and nothing is left to do.
func (w *world) clean() bool {
	stats, err := w.memory.Stats(w.ctx)
	w.must(err)
	return stats.Staged == 0 && len(w.left()) == 0
}

// left returns what is there of ours.
func (w *world) left() []string {
	var names []string
	for _, p := range []*providertest.Platform{w.cloud, w.cluster} {
		for _, o := range p.Objects() {
			if o.Mark == mark {
				names = append(names, o.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}
