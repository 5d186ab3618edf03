package sim

import (
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// What can't be removed stays visible, and what the ledger has lost is found.

// allow sees that what the platforms refuse to remove is visible as stuck, all of
// it and nothing else, and lets them remove it. If three sweeps came to their ends
// since all is calm, what had ended well before was tried, and is stuck unless the
// last attempt did not reach the platform.
func (w *world) allow(settled time.Time) {
	refused := func(platform, name string) bool {
		these := w.refused[platform]
		return these != nil && these(name)
	}
	for platform := range w.refused {
		for _, o := range w.there(platform) {
			if o.Mark != ours || o.Stage == lost || !refused(platform, o.Name) {
				continue
			}
			run, row, _ := w.row(o.Run, o.Stage)
			if run.Phase != stage.Ending || !run.Ended.Before(settled) || !run.Kept.Before(settled) {
				continue
			}
			tried := w.calmSweeps >= 3 && row.Code != provider.Unavailable
			if row.State != stage.Stuck && (tried || row.Code == provider.Forbidden) {
				w.fail("stuck stays visible", "%s can't be removed, and is %s", o.Name, row.State)
			}
			w.stuck++
		}
	}
	listed, err := w.backend.Stuck(w.ctx, secrets.RunID{}, 1000)
	if err != nil {
		w.fail("stuck stays visible", "the ledger can't list what is stuck")
	}
	stuck := 0
	for _, id := range listed {
		_, rows, _ := w.load(id)
		for _, row := range rows {
			if row.State == stage.Quarantined || !row.NeedsHelp() {
				continue
			}
			stuck++
			// What was not reached six times may not be there; what was refused is.
			if _, there := w.truth(row.Target, row.Object.Name); !there && row.Code == provider.Forbidden {
				w.fail("stuck stays visible", "%s is stuck, and is not there", row.Object.Name)
			}
		}
	}
	if st, err := w.backend.Stats(w.ctx); err != nil || st.Stuck != stuck {
		w.fail("stuck stays visible", "%d objects are stuck, and the ledger counts %d", stuck, st.Stuck)
	}
	for platform := range w.refused {
		w.platforms[platform].refuse(nil)
	}
}

// loss is an object of ours that the ledger has forgotten.
type loss struct {
	platform string
	at       time.Time // when it was there for all to see, or the last sweep that counts came to its end
	sweeps   int       // that began after that
	found    bool
}

// forget plants what a ledger leaves that is lost, when all is calm and nothing of
// it is new.
func (w *world) forget() {
	for name, platform := range w.platforms {
		o := provider.Object{Name: platform.named("lost", "late-"+name), Mark: ours, Stage: lost}
		w.lost[o.Name] = &loss{platform: name, at: platform.plantOld(o)}
	}
}

// swept counts, when a sweep has come to its end in which nothing failed, those
// that it took to find and remove what was lost. It is asked only where there is
// one sweeper: of two at once, one may be at work on what the other passes over.
func (w *world) swept(p *process) {
	for name, l := range w.lost {
		o, there := w.truth(l.platform, name)
		if l.found || !w.began[p].After(l.at) {
			continue
		}
		l.sweeps++
		l.at = time.Now()
		w.worstLost = max(w.worstLost, l.sweeps)
		l.found = !there || o.Going
		if !l.found && l.sweeps == 2 {
			w.fail("lost ledger", "%s is there after two sweeps", name)
		}
	}
}
