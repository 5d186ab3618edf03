package faultpoints

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/stage"
)

// keep is how long the runs of this file are kept.
const keep = time.Hour

// kept is the life of a run that fails, and that its host ends once it is launched,
// again if it does not hear that this was done. Nobody ends it a second time.
func kept(w *world) {
	w.process(func(e *stage.Engine) { w.stage(e) })
	ended := time.Now()
	for range 3 {
		heard := false
		w.process(func(e *stage.Engine) {
			w.call(func(ctx context.Context) {
				_, err := e.Keep(ctx, w.run.ID, "user:x", "failed", keep)
				heard = err == nil
			})
		})
		if heard {
			break
		}
	}
	run, rows, err := w.memory.Load(w.ctx, w.run.ID)
	w.must(err)
	if run.Phase < stage.Ending {
		w.t.Errorf("it is %s after three attempts to end it", run.Phase)
	}
	if run.Kept.IsZero() && w.handedOut != nil {
		w.t.Error("a run that was under way is not kept")
	}
	if !run.Kept.IsZero() {
		w.sweeps(time.Until(ended.Add(keep)) - interval)
		if left := len(w.left()); left < len(rows) { // more are found, or made by a call that was repeated
			w.t.Errorf("of %d objects there are %d while they are kept", len(rows), left)
		}
	}
	w.sweeps(keep + 4*horizon)
	if run, _, err = w.memory.Load(w.ctx, w.run.ID); err != nil || run.Phase != stage.Closed || len(w.left()) > 0 {
		w.t.Errorf("when it is kept no longer it is %s, and there is left %q (%v)", run.Phase, w.left(), err)
	}
}

func TestEveryCallThatFailsKeepsARunAsLongAsItIsToBeAndNotLonger(t *testing.T) {
	calls := play(t, "no fault", 2, kept, nil).calls
	struck := 0
	for i, call := range calls {
		for _, f := range faults {
			what := fmt.Sprintf("%s at call %d, %s", f, i, call)
			if w := play(t, what, 2, kept, map[int]fault{i: f}); w.struck > 0 {
				struck++
			}
			if t.Failed() {
				t.Log(what)
				return
			}
		}
	}
	t.Logf("calls=%d struck=%d", len(calls), struck)
	if struck < len(calls) {
		t.Error("most faults had no meaning where they were to strike")
	}
}
