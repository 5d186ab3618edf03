package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/providertest"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// lost is the Stage of objects of ours that the ledger has forgotten.
const lost = "lost"

// row returns the ledger's row of an object.
func (w *world) row(run secrets.RunID, key string) (stage.Run, stage.Row, bool) {
	stored, rows, err := w.load(run)
	if err != nil {
		return stage.Run{}, stage.Row{}, false
	}
	i := slices.IndexFunc(rows, func(r stage.Row) bool { return r.Object.Stage == key })
	if i < 0 {
		return stored, stage.Row{}, false
	}
	return stored, rows[i], true
}

// opened holds the answer of an Opener against the ledger: nothing lies between it
// and what the driver does with the values.
func (w *world) opened(c providertest.Call) {
	run, row, known := w.row(c.Object.Run, c.Object.Stage)
	switch {
	case !known:
		w.fail("intent", "values for %s, of which the ledger knows nothing", c.Object.Name)
	case w.ended[run.ID]:
		w.fail("fence", "values for %s after its run was ended", c.Object.Name)
	case run.Epoch != c.Object.Epoch:
		w.fail("fence", "values for %s under epoch %d, it is %d by now", c.Object.Name, c.Object.Epoch, run.Epoch)
	case run.Phase == stage.Staging && row.State != stage.Intent && row.State != stage.Created:
		w.fail("fence", "values for %s, which is %s", c.Object.Name, row.State)
	}
}

// truth returns what is there of a name.
func (w *world) truth(platform, name string) (object, bool) {
	for _, o := range w.there(platform) {
		if o.Name == name {
			return o, true
		}
	}
	return object{}, false
}

// removing holds a removal that is about to be sent against what it would hit.
func (w *world) removing(p *process, platform string, c providertest.Call) {
	o, there := w.truth(platform, c.Object.Name)
	if !there {
		return
	}
	if o.Mark != ours {
		w.fail("foreign delete", "a removal is sent for %s, which is not ours", o.Name)
		return
	}
	if o.Stage == lost {
		at, quarantined := w.found[o.Name]
		_, rows, err := w.load(at.run)
		let := err == nil && len(rows) == 1 && rows[0].State != stage.Quarantined // by another sweep, and recorded
		if !quarantined || at.sweep >= w.sweeping[p] && !let {
			w.fail("quarantine", "%s is removed by the sweep that found it", o.Name)
		}
		return
	}
	run, row, known := w.row(o.Run, o.Stage)
	if !known {
		w.fail("foreign delete", "a removal is sent for %s, of which the ledger knows nothing", o.Name)
		return
	}
	if row.ID != "" && c.ID == "" {
		w.fail("by id", "a removal of %s goes by its name", o.Name)
	}
	if (run.Phase < stage.Ending || w.isKept(run) && row.State == stage.Created) && len(w.kept(platform, run, o.Items)) > 0 {
		w.fail("early delete", "%s is removed while its run is %s", o.Name, run.Phase)
	}
}

// kept returns those of an object's items that a run has not lost by revocation. An
// object that can't be cut down goes as a whole.
func (w *world) kept(platform string, run stage.Run, items []provider.Item) []provider.Item {
	left := slices.DeleteFunc(slices.Clone(items), func(it provider.Item) bool {
		return slices.ContainsFunc(run.Items, func(of stage.Item) bool { return of.Revoked && of.Pin == it.Pin })
	})
	if len(left) < len(items) && !w.platforms[platform].cuts() {
		return nil
	}
	return left
}

// check holds the whole world against the promises, if anything has changed.
func (w *world) check() {
	for name := range w.platforms {
		w.there(name)
	}
	if !w.stale {
		return
	}
	w.stale = false
	left := map[secrets.RunID]bool{}
	for name := range w.platforms {
		foreign := 0
		for _, o := range w.there(name) {
			if o.Mark != ours {
				foreign++
				continue
			}
			if o.Stage == lost {
				continue
			}
			at := name + " " + o.Name
			if len(o.Items) == 0 {
				// An empty place, made before the fence: its maker undoes it, or a sweep
				// removes it, as what its row tells of or as what it finds.
				if _, known := w.strays[at]; !known && w.creating[at] == 0 {
					w.strays[at] = time.Now()
				}
				continue
			}
			delete(w.strays, at)
			left[o.Run] = left[o.Run] || !o.Going // what goes can be read no more
			_, row, known := w.row(o.Run, o.Stage)
			switch {
			case !known:
				w.fail("intent", "%s is there, and the ledger does not know it", o.Name)
			case row.State == stage.Gone:
				w.fail("gone for ever", "%s is there, and the ledger says gone", o.Name)
			}
		}
		if foreign != w.foreign {
			w.fail("foreign delete", "%d of %d objects of others are left on %s", foreign, w.foreign, name)
		}
	}
	w.settleStrays()
	now := time.Now()
	for id, at := range w.crashed {
		if run, _, err := w.load(id); err == nil && (run.Phase == stage.Active || w.isKept(run)) {
			delete(w.crashed, id) // its last commit was made: the run is under way, and needed, or kept
		} else if clean, was := w.cleaned[id]; left[id] {
			delete(w.cleaned, id)
		} else if !was || clean.Before(at) {
			w.cleaned[id] = now
		}
	}
	for id := range w.refs { // handed out, and not ended
		run, rows, err := w.load(id)
		if w.ended[id] && !w.isKept(run) {
			delete(w.refs, id)
			continue
		}
		if err != nil || run.Phase != stage.Active && !w.isKept(run) {
			continue
		}
		for _, row := range rows {
			if run.Phase != stage.Active && row.State != stage.Created {
				continue
			}
			o, there := w.truth(row.Target, row.Object.Name)
			for _, item := range w.kept(row.Target, run, row.Object.Items) {
				if !there || o.Going || !o.holds(item.Name, w.plain[item.Pin]) {
					w.fail("early delete", "%s has lost %s while its run is active", row.Object.Name, item.Name)
				}
			}
			w.pulled(run, row, o, there)
		}
	}
}

// isKept reports whether what an ended run has staged is kept.
func (w *world) isKept(run stage.Run) bool { return run.IsKept(time.Now().Add(w.skew)) }

// settleStrays forgets the empty places that are gone or in use, and sees that no
// other stays longer than it takes to find and remove it.
func (w *world) settleStrays() {
	for at, since := range w.strays {
		platform, name, _ := strings.Cut(at, " ")
		if o, there := w.truth(platform, name); !there || len(o.Items) > 0 || w.creating[at] > 0 {
			delete(w.strays, at)
		} else if stays := time.Since(since); w.calm && stays > lease+3*max(interval, w.apart) {
			w.fail("bound", "the empty %s stays for %v", name, stays)
		}
	}
}

// pulled sees that what was revoked is gone from an active run in time.
func (w *world) pulled(run stage.Run, row stage.Row, o object, there bool) {
	late := lease + 2*max(interval, w.apart) + horizon
	if !w.calm || !there || o.Going || w.revoked.IsZero() || time.Since(w.revoked) < late {
		return
	}
	for _, item := range run.Items {
		if item.Revoked && o.holds(item.Name, w.plain[item.Pin]) {
			w.fail("revocation", "%s holds %s, %v after it was revoked", row.Object.Name, item.Name, time.Since(w.revoked))
		}
	}
}

// handedOut holds references against what must be so when they are.
func (w *world) handedOut(id secrets.RunID, refs []provider.Reference, asked time.Time) {
	w.needed[id] = asked.Add(need)
	if strings.Contains(fmt.Sprint(refs), w.canary) {
		w.fail("no plaintext", "a reference holds a value")
	}
	run, rows, err := w.load(id)
	if err != nil || run.Phase < stage.Active {
		w.fail("publish", "references of run %s, which is %s", id, run.Phase)
	}
	for _, row := range rows {
		if run.Phase == stage.Active && row.State == stage.Intent || row.ID == "" {
			w.fail("publish", "references of run %s, of which %s is %s", id, row.Object.Name, row.State)
		}
	}
	w.refs[id] = true
}

// worst returns the longest time from a stager's crash until nothing of its run
// was there any more.
func (w *world) worst() (worst time.Duration) {
	for id, at := range w.crashed {
		worst = max(worst, w.cleaned[id].Sub(at))
	}
	return worst
}

// final holds the end of a history against what must be so in the end.
func (w *world) final() {
	for _, id := range w.order {
		run, rows, err := w.load(id)
		if err != nil || run.Phase != stage.Closed {
			w.fail("left behind", "run %s is %s in the end, %v, %+v", id, run.Phase, err, rows)
		}
		if strings.Contains(fmt.Sprintf("%+v %+v", run, rows), w.canary) {
			w.fail("no plaintext", "the ledger holds a value")
		}
	}
	for name := range w.platforms {
		for _, o := range w.there(name) {
			if strings.Contains(o.shown, w.canary) {
				w.fail("no plaintext", "what is not a value holds one on the platform")
			}
			if o.Mark == ours {
				w.fail("left behind", "%s is on %s in the end", o.Name, name)
			}
		}
	}
	for entry, err := range w.backend.Entries(w.ctx, 0) {
		if err != nil || strings.Contains(fmt.Sprintf("%+v", entry), w.canary) {
			w.fail("no plaintext", "the log holds a value, or can't be read")
		}
	}
	// A sweep takes its time here, and a sweeper may be killed and come back. A call
	// that waits for its turn until its time is over is an attempt that fails, and is
	// made again by the next sweep. A look that the host had made in between puts off
	// that of a sweep.
	for id, at := range w.crashed {
		bound := lease + max(interval, w.apart)*time.Duration(1+w.expired) + horizon
		if w.twice[id] {
			bound += looks
		}
		if took := w.cleaned[id].Sub(at); w.calm && took > bound {
			w.fail("bound", "%v from a crash until all was clean, more than %v", took, bound)
		}
	}
	if w.calm && w.apart > slowest {
		w.fail("bound", "%v from the beginning of a sweep to the end of the next", w.apart)
	}
}
