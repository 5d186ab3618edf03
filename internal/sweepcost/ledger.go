package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"os"
	"sync"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/sqlstore"
	"github.com/pipesecrets/pipesecrets/secrets/sqlstore/sqlite"
)

// ledger is a database with many closed runs, and an engine that stages runs
// which nobody needs any more.
type ledger struct {
	store    *sqlstore.Store
	engine   *stage.Engine
	platform *platform
}

var mark = [16]byte{1}

func open(ctx context.Context, path string, closed int) (*ledger, error) {
	store, err := sqlite.Open(ctx, path) // makes the tables
	if err != nil {
		return nil, err
	}
	if err := fill(ctx, path, closed); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	l := &ledger{store: store, platform: &platform{made: map[string]bool{}}}
	l.engine, err = stage.New(stage.Config{
		Ledger: store, Targets: map[string]provider.Provider{"memory": l.platform},
		Need: time.Nanosecond, Grace: time.Nanosecond,
		Open: func(context.Context, stage.Run, []provider.Item) (map[secrets.Pin]secrets.Value, error) {
			return nil, nil
		},
	})
	return l, err
}

// fill makes n closed runs, each with one object that is gone: what a history
// leaves, without the time it takes.
func fill(ctx context.Context, path string, n int) error {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(0)&_pragma=busy_timeout(60000)")
	if err != nil {
		return err
	}
	const step = 50_000
	for from := 0; from < n && err == nil; from += step {
		progress("\rclosed runs: %d of %d", from, n)
		_, err = db.ExecContext(ctx, `
			WITH RECURSIVE i(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM i WHERE i + 1 < ?2)
			INSERT INTO run (id, kind, scope, caller, request, items, phase, outcome, epoch, actor, started, needed, ended, masked, pinned)
			SELECT printf('old-%d', i), 2, 'w', 'user:x', x'00', '[]', 4, 'done', 2, i+1, i+1, i+1, i+1, i+1, 0 FROM i`, from, min(from+step, n))
		if err == nil {
			_, err = db.ExecContext(ctx, `
			WITH RECURSIVE i(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM i WHERE i + 1 < ?2)
			INSERT INTO object (stage, run, place, target, kind, account, at, name, token, mark, epoch, expires, items, id, state,
				intent, absent, gone, next, attempts, code)
			SELECT printf('s-%d', i), printf('old-%d', i), 1, 'memory', 'memory', '', '', printf('o-%d', i), 't', zeroblob(16), 1, 0, '[]', 'x', 5,
				i+1, 0, i+1, 0, 0, '' FROM i`, from, min(from+step, n))
		}
	}
	progress("\r\033[K")
	return errors.Join(err, db.Close())
}

// progress is for who watches.
func progress(format string, args ...any) {
	if info, err := os.Stdout.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		fmt.Printf(format, args...)
	}
}

// sweep stages runs whose time is over at once, and answers how long a sweep
// takes to end them all.
func (l *ledger) sweep(ctx context.Context, round int) (time.Duration, error) {
	for i := range *due {
		id, err := secrets.ParseRunID(fmt.Sprintf("due-%d-%d", round, i))
		if err != nil {
			return 0, err
		}
		rows, err := l.engine.Plan(id, mark, map[string][]provider.Item{"memory": {{}}})
		if err != nil {
			return 0, err
		}
		if _, err := l.engine.Stage(ctx, stage.Run{ID: id, Caller: "user:x"}, rows, nil, nil); err != nil {
			return 0, err
		}
	}
	began := time.Now()
	report, err := l.engine.Sweep(ctx, "operator:x", mark)
	took := time.Since(began)
	if err == nil && (report.Ended != *due || report.Removed != *due || len(l.platform.made) != 0) {
		err = fmt.Errorf("the sweep did something else: %+v", report)
	}
	return took, err
}

// platform holds objects in memory.
type platform struct {
	mu   sync.Mutex
	made map[string]bool
}

func (p *platform) Location() provider.Location                                  { return provider.Location{Kind: "memory"} }
func (p *platform) Capabilities() provider.Capabilities                          { return provider.Capabilities{} }
func (p *platform) Carries(secrets.Name, secrets.Value) error                    { return nil }
func (p *platform) References(o provider.Object, id string) []provider.Reference { return nil }
func (p *platform) Plan(_ secrets.RunID, items []provider.Item, nonce func() string) ([]provider.Object, error) {
	return []provider.Object{{Name: nonce(), Items: items}}, nil
}

func (p *platform) Create(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
	if _, err := open(ctx); err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made[o.Name] = true
	return o.Name, nil
}

func (p *platform) Probe(_ context.Context, o provider.Object) (provider.Presence, string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made[o.Name] {
		return provider.Present, o.Name, nil
	}
	return provider.Absent, "", nil
}

func (p *platform) Remove(_ context.Context, o provider.Object, _ string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.made, o.Name)
	return nil
}

// List yields what is there, and nothing more: what a platform lists grows with
// what is staged.
func (p *platform) List(_ context.Context, mark [16]byte) iter.Seq2[provider.Object, error] {
	return func(yield func(provider.Object, error) bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for name := range p.made {
			if !yield(provider.Object{Name: name, Mark: mark}, nil) {
				return
			}
		}
	}
}
