package sim

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/pipesecrets/pipesecrets/internal/points"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/providertest"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/storetest"
)

// Times of these worlds.
const (
	lease    = 2 * time.Minute
	horizon  = 10 * time.Minute
	looks    = horizon / 5     // between two at what was seen absent
	interval = 2 * time.Minute // between sweeps
	need     = time.Hour
	slowest  = 10 * time.Minute // from the beginning of a sweep to the end of the next, where only crashes happen
)

var (
	ours      = [16]byte{1}
	theirs    = [16]byte{2}
	workspace = secrets.Scope{Kind: secrets.Workspace, ID: "w"}
)

// world is one installation, its platforms, and what is known of them without
// asking the protocol.
type world struct {
	*scheduler
	ctx       context.Context
	seed      uint64
	backend   storetest.Backend
	skew      time.Duration // of its clock
	platforms map[string]platform
	broken    string // the promise that was broken first

	actor      map[secrets.RunID]*process // who began or took a run last; nil after its end
	epoch      map[secrets.RunID]uint64
	ended      map[secrets.RunID]bool
	twice      map[secrets.RunID]bool      // ended again, which only the host does
	crashed    map[secrets.RunID]time.Time // when its stager died
	cleaned    map[secrets.RunID]time.Time
	found      map[string]finding
	sweeping   map[*process]int
	sweeps     int
	began      map[*process]time.Time // when the sweep of a process did
	calmSweeps int                    // that came to their ends since nothing fails any more
	// When the last sweep began, and the one before it; and the longest time from
	// the beginning of one to the end of the next.
	since, before time.Time
	apart         time.Duration
	lost          map[string]*loss
	refused       map[string]func(name string) bool // by platform, until the host ends every run
	stuck         int                               // objects that were refused, and visible as such
	worstLost     int                               // sweeps

	// What was seen last of the platforms and of the ledger.
	sights map[string]sight
	lines  map[secrets.RunID]line
	stale  bool // something was committed since the promises were checked

	needed   map[secrets.RunID]time.Time // until when the host was told that a run has its secrets
	revoked  time.Time                   // when the last secret was
	creating map[string]int              // calls under way, by platform and name
	strays   map[string]time.Time        // empty places that nobody is at work on, by platform and name, since when

	plain     map[secrets.Pin][]byte
	current   map[secrets.ID]secrets.Version
	order     []secrets.RunID // runs in the order in which they were planned
	refs      map[secrets.RunID]bool
	calls     int
	takeovers int
	foreign   int
	canary    string
}

// newWorld returns a world whose platforms are made by place.
func newWorld(ctx context.Context, seed uint64, backend storetest.Backend, place func(*world) map[string]platform) *world {
	rng := rand.New(rand.NewPCG(seed, 1))
	var skew time.Duration
	if m, ours := backend.(*storetest.Memory); ours { // whose clock need not be the processes'
		skew = [8]time.Duration{3: 7 * time.Minute, 5: -7 * time.Minute}[seed%8]
		m.Now = func() time.Time { return time.Now().Add(skew) }
	}
	w := &world{
		ctx: ctx, seed: seed, backend: backend, skew: skew,
		actor: map[secrets.RunID]*process{}, epoch: map[secrets.RunID]uint64{}, ended: map[secrets.RunID]bool{}, twice: map[secrets.RunID]bool{},
		crashed: map[secrets.RunID]time.Time{}, cleaned: map[secrets.RunID]time.Time{}, found: map[string]finding{},
		sweeping: map[*process]int{}, began: map[*process]time.Time{}, lost: map[string]*loss{}, refused: map[string]func(string) bool{},
		needed: map[secrets.RunID]time.Time{}, creating: map[string]int{}, strays: map[string]time.Time{}, plain: map[secrets.Pin][]byte{},
		sights: map[string]sight{}, lines: map[secrets.RunID]line{}, current: map[secrets.ID]secrets.Version{}, refs: map[secrets.RunID]bool{},
		canary: fmt.Sprintf("canary-%x", rng.Uint64()),
	}
	w.scheduler = &scheduler{rng: rng, budget: 1 + int(seed%4), calm: seed%4 == 0, onCrash: w.onCrash}
	w.platforms = place(w)
	return w
}

// finding is what a sweep has quarantined.
type finding struct {
	run   secrets.RunID
	sweep int // by its number
}

// sight is what is on a platform, as of so many changes.
type sight struct {
	changes uint64
	objects []object
}

// there answers what is on a platform.
func (w *world) there(name string) []object {
	platform := w.platforms[name]
	seen, known := w.sights[name]
	if changes := platform.changes(); !known || seen.changes != changes {
		seen = sight{changes, platform.objects()}
		w.sights[name] = seen
		w.stale = true
	}
	return seen.objects
}

// line is a run in the ledger.
type line struct {
	run  stage.Run
	rows []stage.Row
	err  error
}

// load reads a run from the ledger, once after each commit that may have changed
// it.
func (w *world) load(id secrets.RunID) (stage.Run, []stage.Row, error) {
	l, known := w.lines[id]
	if !known {
		l.run, l.rows, l.err = w.backend.Load(w.ctx, id)
		w.lines[id] = l
	}
	return l.run, l.rows, l.err
}

// changed forgets what was read of a run, or of all runs.
func (w *world) changed(method string, id secrets.RunID) {
	switch method {
	case "Load", "Due", "UsedBy", "Known", "Stuck", "Stats", "Sweeping", "Swept":
		return
	case "Revoke":
		clear(w.lines)
	default:
		delete(w.lines, id)
	}
	w.stale = true
}

// fail notes the first promise that was broken.
func (w *world) fail(promise, format string, args ...any) {
	if w.broken == "" {
		w.broken = promise + ": " + fmt.Sprintf(format, args...)
	}
}

// onCrash notes which runs have lost their stager.
func (w *world) onCrash(p *process) {
	for _, id := range w.order {
		if w.actor[id] == p {
			if run, _, err := w.load(id); err == nil && (run.Phase == stage.Staging || run.Phase == stage.Ending) {
				w.crashed[id] = time.Now()
			}
		}
	}
}

// engine returns the engine of a process.
func (w *world) engine(p *process) (*stage.Engine, error) {
	targets := map[string]provider.Provider{}
	for name := range w.platforms {
		targets[name] = w.driver(p, name)
	}
	return stage.New(stage.Config{
		Ledger: w.ledger(p), Targets: targets, Lease: lease, Need: need, MaxNeed: 3 * need, MaskFor: need,
		Grace: time.Nanosecond, Intact: func(context.Context) error { return nil },
		Open: func(_ context.Context, _ stage.Run, items []provider.Item) (map[secrets.Pin]secrets.Value, error) {
			var pins []secrets.Pin
			for _, item := range items {
				pins = append(pins, item.Pin)
			}
			records, err := w.backend.Pinned(w.ctx, pins) // a host that does not heed its context
			if errors.Is(err, secrets.ErrNotFound) {
				w.fail("pins", "a version of a run under way is gone")
			}
			if err != nil {
				return nil, err
			}
			values := map[secrets.Pin]secrets.Value{}
			for _, r := range records {
				if values[r.Pin], err = secrets.NewValue(w.plain[r.Pin]); err != nil {
					return nil, err
				}
			}
			return values, nil
		},
	})
}

// within is the key of the name of the object in whose creation a call is made.
type within struct{}

// creates is the key of whether a call is to create an object.
type creates struct{}

// ledger returns the ledger of a process, with a point at every call.
func (w *world) ledger(p *process) stage.Ledger {
	return points.Ledger(w.backend, func(ctx context.Context, method string, run secrets.RunID, do func(context.Context) error) error {
		of, _ := ctx.Value(within{}).(string) // several Openers of a run load it at once
		return w.point(ctx, p, "ledger."+method+" "+run.String()+" "+of, func(ctx context.Context) error {
			err := do(ctx)
			w.changed(method, run)
			switch {
			case errors.Is(err, stage.ErrEnded):
				w.twice[run] = true
			case err == nil && !run.IsZero():
				w.committed(ctx, p, method, run)
			case err == nil && method == "Sweeping":
				w.sweeps++
				w.sweeping[p], w.began[p] = w.sweeps, time.Now()
				w.before, w.since = w.since, time.Now()
			case err == nil && method == "Swept":
				if !w.before.IsZero() {
					w.apart = max(w.apart, time.Since(w.before))
				}
				if w.quiet {
					w.calmSweeps++
				}
			}
			return err
		})
	})
}

// committed holds what was committed against what must be so.
func (w *world) committed(ctx context.Context, p *process, method string, id secrets.RunID) {
	switch method {
	case "Begin", "Take":
		run, _, err := w.load(id)
		if err != nil {
			w.fail("ledger", "what was committed can't be read")
			return
		}
		if method == "Begin" && w.ended[id] {
			w.fail("tombstone", "run %s begins after it was ended", id)
		}
		if run.Epoch <= w.epoch[id] {
			w.fail("epoch", "two actors of run %s have the epoch %d", id, run.Epoch)
		}
		if before := w.actor[id]; before != nil && before != p {
			w.takeovers++
		}
		w.epoch[id], w.actor[id] = run.Epoch, p
	case "Advance":
		if w.actor[id] != p {
			w.fail("epoch", "who was deposed records for run %s", id)
		}
	case "End":
		run, _, err := w.load(id)
		if !w.ended[id] && (err != nil || run.Phase < stage.Ending) {
			w.fail("tombstone", "run %s was ended, and the ledger does not say so", id)
		}
		if !w.ended[id] {
			if ctx.Value(wish{}) == nil && time.Now().Before(w.needed[id]) {
				w.fail("early end", "run %s is ended by nobody's wish, and is needed until %v", id, w.needed[id])
			}
			if before := w.actor[id]; before != nil && run.Epoch <= w.epoch[id] {
				w.fail("epoch", "run %s has ended under the epoch of its actor", id)
			}
			w.ended[id], w.epoch[id] = true, run.Epoch
			if w.actor[id] != nil && w.actor[id].dead {
				w.takeovers++
			}
			w.actor[id] = nil
		} else if run.Epoch > w.epoch[id] { // it is kept no longer
			w.epoch[id], w.actor[id] = run.Epoch, nil
		}
	case "Found":
		if _, rows, err := w.load(id); err == nil && len(rows) == 1 {
			w.found[rows[0].Object.Name] = finding{id, w.sweeping[p]}
			w.ended[id] = true
		}
	}
}

// sloppy lists what carries any mark, as platforms do that can only search for a
// prefix.
type sloppy struct {
	provider.Provider
	provider.Lister
}

func (s sloppy) List(ctx context.Context, mark [16]byte) iter.Seq2[provider.Object, error] {
	return func(yield func(provider.Object, error) bool) {
		for _, m := range [][16]byte{mark, theirs} {
			for o, err := range s.Lister.List(ctx, m) {
				if !yield(o, err) {
					return
				}
			}
		}
	}
}

// driver returns the driver of a process, with a point at every call.
func (w *world) driver(p *process, name string) provider.Provider {
	driver := w.platforms[name].driver(p)
	if name == "cloud" {
		driver = sloppy{driver, driver.(provider.Lister)}
	}
	return providertest.Intercept(driver, func(ctx context.Context, c providertest.Call, do func(context.Context) error) error {
		ctx = context.WithValue(ctx, within{}, name+" "+c.Object.Name)
		ctx = context.WithValue(ctx, creates{}, c.Method == "Create")
		err := w.point(ctx, p, name+"."+c.Method+" "+c.Object.Name, func(ctx context.Context) error {
			if c.Method != "Open" {
				w.calls++
			}
			if c.Method == "Create" {
				at := name + " " + c.Object.Name
				w.creating[at]++
				defer func() { w.creating[at]-- }()
			}
			if c.Method == "Remove" {
				w.removing(p, name, c)
			}
			err := do(ctx)
			if c.Method == "Open" && err == nil {
				w.opened(c)
			}
			return err
		})
		if errors.Is(err, errFault) {
			return &provider.Error{Op: c.Method, Code: provider.Unavailable}
		}
		return err
	})
}
