package faultpoints

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/providertest"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// call bounds a call of the host, as hosts do.
func (w *world) call(do func(context.Context)) {
	ctx, cancel := context.WithTimeout(w.ctx, 5*time.Minute)
	defer cancel()
	do(ctx)
}

// stage stages the run, on both platforms if there is more than one secret.
func (w *world) stage(e *stage.Engine) {
	targets := map[string][]provider.Item{"cloud": w.items}
	if len(w.items) > 1 {
		targets["cluster"] = w.items
	}
	rows, err := e.Plan(w.run.ID, mark, targets)
	w.must(err)
	w.call(func(ctx context.Context) {
		refs, err := e.Stage(ctx, w.run, rows, []secrets.Event{{Action: secrets.ActionLaunch}}, nil)
		if err != nil {
			return
		}
		w.handedOut = refs
		stored, rows, err := w.memory.Load(w.ctx, w.run.ID)
		w.must(err)
		for _, row := range rows {
			if stored.Phase != stage.Active || row.State != stage.Created {
				w.t.Errorf("references were handed out of a run that is %s with an object that is %s", stored.Phase, row.State)
			}
		}
	})
}

// whole is the life of a run with all that can happen to it.
func whole(w *world) {
	w.process(func(e *stage.Engine) {
		w.stage(e)
		w.call(func(ctx context.Context) { _, _ = e.Renew(ctx, w.run.ID) })
		_, err := w.memory.Revoke(w.ctx, w.items[0].Pin.ID) // the host's own commit
		w.must(err)
		w.call(func(ctx context.Context) { _, _ = e.Withdraw(ctx, w.run.ID, "user:x") })
		w.call(func(ctx context.Context) { _, _ = e.Unstage(ctx, w.run.ID, "user:x", "done") })
	})
}

// launchAndEnd is the smaller life.
func launchAndEnd(w *world) {
	w.process(func(e *stage.Engine) {
		w.stage(e)
		w.call(func(ctx context.Context) { _, _ = e.Unstage(ctx, w.run.ID, "user:x", "done") })
	})
}

// settle ends the run for the host, which knows by now that its launcher is gone,
// and sweeps until all is clean. It checks what must hold then, and for ever.
func (w *world) settle(what string) {
	w.t.Helper()
	for range 3 {
		killed := w.process(func(e *stage.Engine) {
			w.call(func(ctx context.Context) { _, _ = e.Unstage(ctx, w.run.ID, "operator:x", "launcher was lost") })
		})
		if stored, _, err := w.memory.Load(w.ctx, w.run.ID); !killed && err == nil && stored.Phase >= stage.Ending {
			break
		}
	}
	if !w.sweeps(4 * horizon) {
		w.t.Errorf("%s: after %v there is left %q", what, 4*horizon, w.left())
	}
	run, rows, err := w.memory.Load(w.ctx, w.run.ID)
	if err != nil || run.Phase != stage.Closed {
		w.t.Errorf("%s: the run is %s, %v", what, run.Phase, err)
	}
	for _, row := range rows {
		if row.State != stage.Gone {
			w.t.Errorf("%s: the ledger says %s", what, row.State)
		}
	}
	time.Sleep(2 * horizon)
	if left := w.left(); len(left) > 0 {
		w.t.Errorf("%s: there is again %q", what, left)
	}
	if others := len(w.cloud.Objects()) + len(w.cluster.Objects()); others != 2 {
		w.t.Errorf("%s: of 2 objects of others %d are left", what, others)
	}
	for process, values := range w.opened {
		for _, v := range values {
			if !w.dead[process] && v.Reveal(func([]byte) error { return nil }) == nil {
				w.t.Errorf("%s: a value outlives its create", what)
			}
		}
	}
}

// play plays a scenario in a world of its own, and answers it.
func play(t *testing.T, what string, secretsWanted int, scenario func(*world), strike map[int]fault) (played *world) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, secretsWanted, strike)
		w.cloud.Plant(providertest.Object{Object: provider.Object{Name: "r0/N0", Mark: foreign}})
		w.cluster.Plant(providertest.Object{Object: provider.Object{Name: "theirs", Mark: foreign}})
		if secretsWanted > 1 { // ours, and the ledger never heard of it
			w.cloud.Plant(providertest.Object{Object: provider.Object{Name: "lost/N0", Mark: mark, Stage: "lost"}})
		}
		scenario(w)
		w.settle(what)
		played = w
	})
	return played
}
