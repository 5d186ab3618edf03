package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// round is so many kills on a state of its own, and what is left when they are
// over.
type round struct {
	dir     string
	trial   trial
	tally   *tally
	history *history
	left    atomic.Int64 // kills to go

	platform *process
}

// workers is how many launchers there are at once, so that one takes over from
// another.
const workers = 2

func newRound(ctx context.Context, of trial, t *tally, kills int) (*round, error) {
	parent := os.TempDir()
	if len(parent) > 60 {
		parent = "/tmp" // the path of a socket can't be long
	}
	dir, err := os.MkdirTemp(parent, "crashtest-")
	if err != nil {
		return nil, err
	}
	r := &round{dir: dir, trial: of, tally: t, history: newHistory()}
	r.left.Store(int64(kills))
	if err = build(ctx, dir); err == nil {
		r.platform, err = start(ctx, of.platform, dir, idle)
	}
	if err == nil {
		err = r.platform.ready()
	}
	if err != nil {
		return nil, errors.Join(err, r.clear())
	}
	return r, nil
}

// clear ends what the round started and removes its state.
func (r *round) clear() error {
	if r.platform != nil {
		_ = r.platform.kill() // whatever it says
	}
	return os.RemoveAll(r.dir)
}

// kill kills workers and starts others until the round's kills are done.
func (r *round) kill(ctx context.Context) error {
	errs := make([]error, workers)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() {
			for r.left.Add(-1) >= 0 && errs[i] == nil && ctx.Err() == nil {
				errs[i] = errors.Join(r.killOne(ctx), r.look(ctx))
			}
		})
	}
	group.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}

// patience is how long a worker is waited for to come to the moment at which it is
// to be killed.
const patience = 5 * time.Second

func (r *round) killOne(ctx context.Context) error {
	a := r.tally.next()
	favour := a.kind
	if favour == starting {
		favour = idle
	}
	e := &ear{aim: a, reached: make(chan struct{}), round: r, began: time.Now()}
	p, err := start(ctx, r.trial.worker, r.dir, favour)
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	group.Go(func() { e.listen(p.stdout) })
	if a.kind != starting {
		wait, cancel := context.WithTimeout(ctx, patience)
		select {
		case <-e.reached:
		case <-wait.Done():
		}
		cancel()
	}
	time.Sleep(rand.N(max(a.within, 1)))
	at := time.Now()
	killed := p.cmd.Process.Kill()
	group.Wait() // until all that it said is heard
	if err := p.kill(); err != nil || killed != nil {
		return err
	}
	k := r.tally.struck(e.last)
	if k == launching || k == between {
		r.history.died(e.last.Run, at)
	}
	return nil
}

// ear listens to one worker.
type ear struct {
	aim     aim
	seen    int
	reached chan struct{} // closed when the aim is
	round   *round
	last    line
	began   time.Time // when the operation of the last line did; at first, the process
}

// listen reads until the worker is dead. Half a line was not told.
func (e *ear) listen(from *bufio.Reader) {
	for {
		text, err := from.ReadBytes('\n')
		if err != nil {
			break
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			l = line{Kind: idle, Step: failed, Err: "a line that makes no sense"}
		}
		e.hear(l)
	}
	if e.seen < e.aim.nth || e.seen == 0 {
		close(e.reached)
	}
}

func (e *ear) hear(l line) {
	t := e.round.tally
	switch {
	case l.Step == begun:
		e.began = l.At
	case l.Step == recording:
		t.lasted(between, l.At.Sub(e.last.At))
	case l.Step == done:
		t.lasted(l.Kind, l.At.Sub(e.began))
	}
	e.round.history.hear(l, e.began)
	e.last = l
	if e.aim.kind != starting && e.aim.matches(l) {
		if e.seen++; e.seen == e.aim.nth {
			close(e.reached)
		}
	}
}
