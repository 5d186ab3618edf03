package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/provider/providertest"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// verdict is what a round came to.
type verdict struct {
	leftovers []string
	corrupt   []string
	lost      []string
	odd       map[string]int
	clean     time.Duration   // from the last kill until nothing was left
	crashes   []time.Duration // from a launcher's death until its run's last object was seen gone
	done      map[kind]int    // operations
	refused   int
	looks     int // at runs under way
	platform  providertest.Stats
	aws       awsDeeds
}

// The bound of the time from the last kill until nothing is left. A run that lost
// its launcher is over after the lease, one under way when it is needed no more. A
// sweep follows within the interval, and looks again a horizon later. Where an
// object is still there when it was removed, since the platform shows what was, or
// made another one of a request that it got twice, or failed, the next attempt is 5 to 15
// seconds later, the one after that 10 to 30, and the third 20 to 60 (provider/stage):
// no more than two of these follow each other once the platform is calm, but the
// first may have failed before the last kill.
const (
	sweepInterval = 50 * time.Millisecond
	bound         = need + grace + lease + sweepInterval + horizon
	retries       = (30 + 60) * time.Second

	// soon is what the bound may come to on a machine that is busy: on two cores
	// beside eight processes that did nothing but compute, the worst was 2.4 seconds,
	// and 9.7 seconds where each fsync took a tenth of one. A sweep that comes twenty
	// seconds late is later than this.
	soon = 3*bound + 10*time.Second

	// limit is when what is left counts as left for ever.
	limit = soon + retries
)

// settle sweeps, once the workers are dead, until nothing is left or the limit is
// over, and says what the round came to.
func (r *round) settle(ctx context.Context) (v verdict, err error) {
	began := time.Now()
	v = verdict{odd: r.history.odd, done: r.history.done, refused: r.history.refused, looks: len(r.history.seen)}
	if _, err := newRemote(socket(r.dir)).ask(ctx, request{Op: opCalm}); err != nil {
		return v, err
	}
	h, err := enter(ctx, r.dir, func(c *pipesecrets.Config) {
		c.Lease = 10 * time.Second
		if r.trial.settler != nil {
			r.trial.settler(c)
		}
	})
	if err != nil {
		v.corrupt = append(v.corrupt, "the state can't be opened: "+err.Error())
		return v, nil
	}
	defer func() {
		if err = errors.Join(err, h.backend.Close()); err == nil {
			v.corrupt = append(v.corrupt, integrity(ctx, database(r.dir))...)
		}
	}()
	if v.lost, err = r.lost(ctx, h); err != nil {
		return v, err
	}
	if v.corrupt, err = broken(ctx, h); err != nil {
		return v, err
	}
	for interval := sweepInterval; ; time.Sleep(interval) {
		if _, err := h.service.Sweep(ctx, operator); err != nil && !expected(err) {
			return v, err
		}
		stats, err := h.backend.Stats(ctx)
		if err != nil {
			return v, err
		}
		if v.clean = time.Since(began); v.clean > bound { // all that is left waits for another attempt
			interval = 4 * sweepInterval
		}
		over := v.clean > r.trial.limit
		if stats.Staged > 0 && !over { // no need to look further
			continue
		}
		if v.leftovers, err = r.leftovers(ctx, h); err != nil {
			return v, err
		}
		if len(v.leftovers) == 0 || over {
			break
		}
	}
	again, err := resurfaced(ctx, h)
	if err != nil {
		return v, err
	}
	v.leftovers = append(v.leftovers, again...)
	if v.crashes, err = r.crashes(ctx, h); err != nil {
		return v, err
	}
	there, err := r.objects(ctx)
	v.platform, v.aws = there.stats, there.aws
	return v, err
}

// resurfaced names what a sweep found that nobody answered for. That the sweep
// takes it away is no excuse: what the ledger says is gone is gone.
func resurfaced(ctx context.Context, h *house) (found []string, err error) {
	for e, err := range h.backend.Entries(ctx, 0) {
		if err != nil {
			return nil, err
		}
		if e.Event.Action == secrets.ActionQuarantine {
			found = append(found, "an object on "+e.Event.Target+" that "+e.Event.Reason)
		}
	}
	return found, nil
}

// leftovers names all that is somewhere, or that the ledger holds to be.
func (r *round) leftovers(ctx context.Context, h *house) (left []string, err error) {
	there, err := r.objects(ctx)
	if err != nil {
		return nil, err
	}
	for name := range there.names {
		left = append(left, "object "+name)
	}
	if there.coming > 0 {
		left = append(left, fmt.Sprintf("%d effects on their way", there.coming))
	}
	err = filepath.WalkDir(root(r.dir), func(path string, d fs.DirEntry, err error) error {
		if path != root(r.dir) && path != filepath.Join(root(r.dir), ".psec-root") {
			left = append(left, "file "+path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for id := range r.history.launched {
		run, rows, err := load(ctx, h, id)
		if err != nil {
			return nil, err
		}
		if run.ID.IsZero() { // killed before it began
			continue
		}
		if run.Phase != stage.Closed || run.Pinned {
			left = append(left, fmt.Sprintf("run %s, %v, pinned %v", id, run.Phase, run.Pinned))
		}
		for _, row := range rows {
			if !row.State.Over() {
				left = append(left, fmt.Sprintf("row %s of %s, %v %s", row.Object.Name, row.Target, row.State, row.Code))
			}
		}
	}
	stats, err := h.backend.Stats(ctx)
	if err == nil && len(left) == 0 && stats.Staged > 0 {
		left = append(left, fmt.Sprintf("%d rows that are not over", stats.Staged))
	}
	return left, err
}

// load reads a run, which is zero if the ledger has none of that id.
func load(ctx context.Context, h *house, id string) (stage.Run, []stage.Row, error) {
	parsed, err := secrets.ParseRunID(id)
	if err != nil {
		return stage.Run{}, nil, err
	}
	run, rows, err := h.backend.Load(ctx, parsed)
	if errors.Is(err, stage.ErrNoRun) {
		return stage.Run{}, nil, nil
	}
	return run, rows, err
}

// crashes returns how long it took after each death of a launcher within a launch
// until the last object was seen gone.
func (r *round) crashes(ctx context.Context, h *house) (took []time.Duration, err error) {
	for id, at := range r.history.killed {
		_, rows, err := load(ctx, h, id)
		if err != nil {
			return nil, err
		}
		var gone time.Time
		for _, row := range rows {
			gone = later(gone, row.Gone)
		}
		if gone.After(at) {
			took = append(took, gone.Sub(at))
		}
	}
	return took, nil
}
