package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// bounded makes a call of the host under its timeout, and answers its error after
// it was looked for a value.
func (w *world) bounded(p *process, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(w.ctx, 20*time.Minute)
	defer cancel()
	err := do(ctx)
	if err != nil && strings.Contains(err.Error(), "canary") {
		w.turn(p, "hears a value", func() { w.fail("no plaintext", "an error holds a value") })
	}
	return err
}

// wish is the key of the context of a call by which the host itself ends a run.
type wish struct{}

// end ends a run, as the host wishes.
func (w *world) end(p *process, e *stage.Engine, id secrets.RunID, outcome string) error {
	return w.bounded(p, func(ctx context.Context) error {
		_, err := e.Unstage(context.WithValue(ctx, wish{}, true), id, "user:"+p.name, outcome)
		return err
	})
}

// keep ends a run that keeps what it has staged for a while.
func (w *world) keep(p *process, e *stage.Engine, id secrets.RunID, d time.Duration) {
	_ = w.bounded(p, func(ctx context.Context) error {
		_, err := e.Keep(context.WithValue(ctx, wish{}, true), id, "user:"+p.name, "failed", d)
		return err
	})
}

// start starts a process with an engine of its own.
func (w *world) start(name string, run func(*process, *stage.Engine)) *process {
	p := &process{name: name}
	e, err := w.engine(p)
	if err != nil {
		panic(err) // its configuration is always the same
	}
	w.spawn(func() { run(p, e) })
	return p
}

// put stores a version of a secret.
func (w *world) put(i int) error {
	id := secrets.ID(i + 1)
	prev := w.current[id]
	r := secrets.Record{Secret: secrets.Secret{Pin: secrets.Pin{ID: id, Version: prev + 1}, Name: nameOf(id), Scope: workspace}, KeyID: 1, Sealed: []byte{1}}
	if err := w.backend.Put(w.ctx, r, prev); err != nil {
		return err
	}
	w.current[id]++
	w.plain[r.Pin] = fmt.Appendf(nil, "%s-%d-%d", w.canary, r.Pin.ID, r.Pin.Version)
	return nil
}

const secretsThere = 3

// nameOf is the name of a secret.
func nameOf(id secrets.ID) secrets.Name {
	name, err := secrets.ParseName(fmt.Sprint("N", id-1))
	if err != nil {
		panic(err) // it always is one
	}
	return name
}

// launcher launches runs one after the other. plan is what chance decided before:
// the runs it launches, and whose it tries again.
func (w *world) launcher(p *process, e *stage.Engine, ids []secrets.RunID, dice []int) {
	for i, id := range ids {
		d := dice[i]
		time.Sleep(time.Duration(d%97) * 10 * time.Second)
		var run stage.Run
		var rows []stage.Row
		w.turn(p, "plans "+id.String(), func() { run, rows = w.plan(p, e, id, d) })
		asked := time.Now()
		var refs []provider.Reference
		if w.bounded(p, func(ctx context.Context) (err error) {
			refs, err = e.Stage(ctx, run, rows, []secrets.Event{{Action: secrets.ActionLaunch}}, nil)
			return err
		}) != nil {
			continue
		}
		w.turn(p, "hands out "+id.String(), func() { w.handedOut(id, refs, asked) })
		time.Sleep(time.Duration(d%31) * time.Minute)
		asked = time.Now()
		if w.bounded(p, func(ctx context.Context) error { _, err := e.Renew(ctx, id); return err }) == nil {
			w.turn(p, "has renewed "+id.String(), func() { w.needed[id] = asked.Add(need) })
		}
		if d&32 == 0 { // nothing may be revoked: then nothing happens; a run that has not begun, or has ended, ends
			_ = w.bounded(p, func(ctx context.Context) error {
				_, err := e.Withdraw(context.WithValue(ctx, wish{}, true), id, "user:x")
				return err
			})
		}
		if d&64 == 0 {
			time.Sleep(time.Duration(d%13) * time.Minute)
		}
		switch {
		case d%5 == 0 && d%3 == 0: // the host ends it when its time is over, and a sweep is about to
			time.Sleep(time.Until(asked.Add(need)) + time.Duration(d%61)*time.Second)
			w.keep(p, e, id, time.Duration(1+d%37)*time.Minute)
		case d%5 == 0: // the host forgets it
		case d%3 == 0:
			w.keep(p, e, id, time.Duration(1+d%37)*time.Minute)
		default:
			_ = w.end(p, e, id, "done")
		}
	}
}

// turn does something of a process that others can see, when it is its turn.
func (w *world) turn(p *process, what string, do func()) {
	for done := false; !done; {
		_ = w.point(w.ctx, p, what, func(context.Context) error {
			do()
			done = true
			return nil
		})
	}
}

// plan plans a run with the current versions of some secrets.
func (w *world) plan(p *process, e *stage.Engine, id secrets.RunID, dice int) (stage.Run, []stage.Row) {
	run := stage.Run{ID: id, Workspace: workspace, Caller: "user:" + p.name}
	var items []provider.Item
	for s := range secretsThere {
		if s > 0 && dice>>s&1 == 0 {
			continue
		}
		id := secrets.ID(s + 1)
		item := provider.Item{Name: nameOf(id), Pin: secrets.Pin{ID: id, Version: w.current[id]}}
		items = append(items, item)
		run.Items = append(run.Items, stage.Item{Item: item, Scope: workspace})
	}
	targets := map[string][]provider.Item{"cloud": items}
	if dice&16 == 0 {
		targets["cluster"] = items
	}
	rows, err := e.Plan(id, ours, targets)
	if err != nil {
		panic(err)
	}
	return run, rows
}

// reaper ends runs: some that are under way, some that have yet to begin, some
// twice.
func (w *world) reaper(p *process, e *stage.Engine, ids []secrets.RunID, dice []int) {
	for i, d := range dice {
		time.Sleep(time.Duration(d%41) * time.Minute / 2)
		_ = w.end(p, e, ids[(i+d)%len(ids)], "cancelled")
	}
}

// editor changes secrets, and revokes the last one.
func (w *world) editor(p *process, dice []int) {
	for i, d := range dice {
		time.Sleep(time.Duration(d%29) * time.Minute / 2)
		_ = w.point(w.ctx, p, "edit", func(context.Context) error {
			if i == len(dice)-1 {
				_, err := w.backend.Revoke(w.ctx, secretsThere)
				w.changed("Revoke", secrets.RunID{})
				w.revoked = time.Now()
				return err
			}
			return w.put(d % (secretsThere - 1))
		})
	}
}

// host ends every run, again and again where it was told that something is left to
// do.
func (w *world) host(p *process, e *stage.Engine) {
	for _, id := range w.order {
		for w.end(p, e, id, "over") != nil {
			time.Sleep(time.Minute)
		}
	}
}

// sweeper sweeps until the history is over.
func (w *world) sweeper(p *process, e *stage.Engine, over func() bool) {
	for !over() {
		err := w.bounded(p, func(ctx context.Context) error { _, err := e.Sweep(ctx, "operator:sweeper", ours); return err })
		if err == nil && len(w.lost) > 0 && w.sweepers() == 1 {
			w.turn(p, "has swept", func() { w.swept(p) })
		}
		time.Sleep(interval)
	}
}

// plant puts objects of others, and one of ours that the ledger has forgotten, on
// the platforms.
func (w *world) plant(ids []secrets.RunID) {
	w.foreign = 2
	for _, name := range []string{"cloud", "cluster"} {
		platform := w.platforms[name]
		for i := range w.foreign {
			platform.plant(provider.Object{Name: platform.named("theirs", fmt.Sprint(i)), Mark: theirs})
		}
		if w.seed%3 == 0 {
			platform.plant(provider.Object{Name: platform.named("lost", name), Mark: ours, Stage: lost})
		}
	}
	if w.seed%5 == 0 { // somebody else has the name that a run is going to plan
		cloud, cluster := w.platforms["cloud"], w.platforms["cluster"]
		cloud.plant(provider.Object{Name: cloud.named(ids[0].String(), "N0"), Mark: theirs})
		w.foreign = 3
		cluster.plant(provider.Object{Name: cluster.named("theirs", "2"), Mark: theirs})
	}
	switch w.seed % 12 { // the platforms refuse to remove some of what is ours
	case 7:
		w.refuse("cluster", func(name string) bool { return !strings.Contains(name, "lost") })
		fallthrough
	case 1:
		w.refuse("cloud", func(name string) bool { return strings.HasSuffix(name, "/N1") })
	}
}

// refuse makes a platform refuse removals.
func (w *world) refuse(platform string, these func(name string) bool) {
	w.refused[platform] = these
	w.platforms[platform].refuse(these)
}

// past begins and ends a run, so that the ledger is not empty.
func (w *world) past() error {
	id, err := secrets.ParseRunID("past")
	if err != nil {
		return err
	}
	if _, err := w.backend.Begin(w.ctx, stage.Run{ID: id, Workspace: workspace}, nil, stage.Terms{}); err != nil {
		return err
	}
	_, _, err = w.backend.End(w.ctx, id, stage.Closing{})
	w.ended[id] = true
	return err
}

// play plays one history to its end. It answers the first promise that was broken,
// "" if none was.
func (w *world) play() string {
	for i := range secretsThere {
		if err := w.put(i); err != nil {
			return err.Error()
		}
	}
	if err := w.past(); err != nil {
		return err.Error()
	}
	launchers := 2 + int(w.seed%2)
	var lists [][]secrets.RunID
	for l := range launchers {
		var ids []secrets.RunID
		for i := range 2 {
			id, err := secrets.ParseRunID(fmt.Sprintf("r%d-%d", l, i))
			if err != nil {
				return err.Error()
			}
			ids = append(ids, id)
		}
		if w.seed%7 == 0 && l > 0 { // a second process launches a run of the first
			ids[0] = lists[0][0]
		}
		lists = append(lists, ids)
		for _, id := range ids {
			if !slices.Contains(w.order, id) {
				w.order = append(w.order, id)
			}
		}
	}
	w.plant(w.order)
	draw := func(n int) (dice []int) {
		for range n {
			dice = append(dice, w.rng.IntN(1<<16))
		}
		return dice
	}
	for l, ids := range lists {
		dice := draw(len(ids))
		w.start(fmt.Sprint("launcher", l), func(p *process, e *stage.Engine) { w.launcher(p, e, ids, dice) })
	}
	reaped, edits := draw(3), draw(3)
	w.start("reaper", func(p *process, e *stage.Engine) { w.reaper(p, e, w.order, reaped) })
	w.start("editor", func(p *process, _ *stage.Engine) { w.editor(p, edits) })
	w.run()
	return w.broken
}

// When what happens in a history, from its beginning.
const (
	calmFrom = 60 * time.Minute  // nothing fails any more
	lostFrom = 62 * time.Minute  // the ledger forgets what is on the platforms
	endFrom  = 75 * time.Minute  // nothing is refused any more, and the host ends every run that it knows of
	overFrom = 125 * time.Minute // nothing may be left, nor come back
	longer   = 20 * time.Minute  // that this takes where removals were refused: what the platform itself removes later is seldom looked for
)

// sweepers is how many processes sweep at once.
func (w *world) sweepers() int { return 1 + int(w.seed/2%2) }

// run lets the history pass to its end, and looks at all of it again and again.
func (w *world) run() {
	sweepers := make([]*process, w.sweepers())
	var over atomic.Bool
	forgotten, ended, began := false, false, time.Now()
	for w.broken == "" {
		for n, p := range sweepers {
			if over.Load() || p != nil && !p.dead {
				continue
			}
			sweepers[n] = w.start(fmt.Sprintf("sweeper%d.%d", n, w.steps), func(p *process, e *stage.Engine) {
				w.sweeper(p, e, over.Load)
			})
		}
		if !w.rest() {
			return
		}
		passed := time.Since(began)
		w.quiet = passed > calmFrom
		if !over.Load() {
			w.check()
		}
		if passed > lostFrom && !forgotten {
			forgotten = true
			w.forget()
		}
		if passed > endFrom && !ended {
			ended = true
			w.allow(began.Add(calmFrom - 2*horizon))
			w.start("host", w.host)
			w.rest() // it comes to its first point
		}
		if over.Load() {
		} else if passed > overFrom+longer || passed > overFrom && len(w.refused) == 0 {
			over.Store(true)
			w.final()
		}
		w.step()
	}
	// A history that failed is left: whoever is at a point dies there.
	over.Store(true)
	w.quiet = true
	for w.kill(); w.rest(); w.kill() {
		w.step()
	}
}
