package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// lockstep drives a backend and the model through the same random operations,
// drawn from universes so small that they collide, and compares every answer
// and, after every operation, what is stored.
func lockstep(t *testing.T, open func(t *testing.T, now func() time.Time) Backend) {
	rapid.Check(t, func(rt *rapid.T) {
		c := newClock()
		model := NewMemory()
		model.Now = c.Now
		m := &machine{ctx: t.Context(), clock: c, model: model, tested: open(t, c.Now), mac: newMAC()}
		rt.Repeat(map[string]func(*rapid.T){
			"create":  m.create,
			"update":  m.update,
			"delete":  m.delete,
			"reseal":  m.reseal,
			"rotate":  m.rotate,
			"begin":   m.begin,
			"take":    m.take,
			"advance": m.advance,
			"finish":  m.finish,
			"need":    m.need,
			"end":     m.end,
			"revoke":  m.revoke,
			"release": m.release,
			"found":   m.found,
			"note":    m.note,
			"seal":    m.seal,
			"stale":   m.stale,
			"ask":     m.ask,
			"pass":    func(t *rapid.T) { c.pass(pick(t, "pass", time.Microsecond, time.Second, time.Minute, time.Hour)) },
			"":        m.check,
		})
	})
}

type machine struct {
	ctx    context.Context
	clock  *clock
	model  *Memory
	tested Backend
	mac    mac
	events int // told so far, so that each is another
}

// both does an operation on both backends and compares its answers.
func (m *machine) both(t *rapid.T, what string, do func(Backend) (any, error)) {
	t.Helper()
	want, wantErr := do(m.model)
	got, gotErr := do(m.tested)
	if w, g := sentinel(wantErr), sentinel(gotErr); w != g {
		t.Fatalf("%s: error is %v, the model's %v", what, gotErr, wantErr)
	}
	if wantErr != nil {
		return
	}
	if d := diff(want, got); d != "" {
		t.Fatalf("%s differs (-model +tested):\n%s", what, d)
	}
}

type pair struct{ A, B any }

func pick[T any](t *rapid.T, label string, from ...T) T {
	return rapid.SampledFrom(from).Draw(t, label)
}

func drawID(t *rapid.T) secrets.ID { return secrets.ID(rapid.IntRange(1, 4).Draw(t, "id")) }

func drawKey(t *rapid.T) uint32 { return uint32(rapid.IntRange(1, 4).Draw(t, "key")) }

func drawRun(t *rapid.T) secrets.RunID { return parseRun(pick(t, "run", "r1", "r2", "r3")) }

// drawBegun returns a run that has been seen, if there is one.
func (m *machine) drawBegun(t *rapid.T) secrets.RunID {
	var all []secrets.RunID
	for id := range m.model.runs {
		all = append(all, id)
	}
	if len(all) == 0 || rapid.IntRange(0, 9).Draw(t, "any run") == 9 {
		return drawRun(t)
	}
	slices.SortFunc(all, func(a, b secrets.RunID) int { return strings.Compare(a.String(), b.String()) })
	return pick(t, "begun", all...)
}

func drawScope(t *rapid.T) secrets.Scope {
	return pick(t, "scope", organization, workspace, user)
}

func drawName(t *rapid.T) secrets.Name { return parseName(pick(t, "name", "A1", "A2", "B1")) }

func drawDuration(t *rapid.T, label string) time.Duration {
	return pick(t, label, -time.Minute, 0, time.Second, time.Minute, time.Hour)
}

func (m *machine) drawEvents(t *rapid.T) []secrets.Event {
	var all []secrets.Event
	for range rapid.IntRange(0, 2).Draw(t, "events") {
		m.events++
		all = append(all, told(fmt.Sprint(m.events)))
	}
	return all
}

func (m *machine) drawVersion(t *rapid.T, id secrets.ID, label string) secrets.Version {
	version := int(m.model.secrets[id].current) + pick(t, label, 0, 0, 0, 0, -1, 1)
	return secrets.Version(max(0, version))
}

func (m *machine) drawRecord(t *rapid.T, id secrets.ID) secrets.Record {
	r := secrets.Record{Secret: secrets.Secret{
		Pin: secrets.Pin{ID: id, Version: 1}, Name: drawName(t), Scope: drawScope(t), Description: pick(t, "description", "", "text"),
		CreatedAt: m.clock.Now(), UpdatedAt: m.clock.Now().Add(1), CreatedBy: "ann", UpdatedBy: pick(t, "by", "ann", "bob"),
	}, KeyID: drawKey(t), Sealed: rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(t, "sealed")}
	r.Policy.Disabled, r.Policy.Locked = rapid.Bool().Draw(t, "disabled"), rapid.Bool().Draw(t, "locked")
	r.Policy.Pipelines = rapid.SliceOfN(rapid.SampledFrom([]string{"p", "q", "r"}), 0, 3).Draw(t, "pipelines")
	if rapid.Bool().Draw(t, "expires") {
		r.Policy.Expires = m.clock.Now()
	}
	return r
}

func (m *machine) create(t *rapid.T) {
	r, ev := m.drawRecord(t, drawID(t)), m.drawEvents(t)
	m.both(t, "create", func(b Backend) (any, error) { return nil, b.Put(m.ctx, r, 0, ev...) })
}

func (m *machine) update(t *rapid.T) {
	r, ev := m.drawRecord(t, drawID(t)), m.drawEvents(t)
	prev := m.drawVersion(t, r.ID, "prev")
	r.Version = prev + 1
	m.both(t, "update", func(b Backend) (any, error) { return nil, b.Put(m.ctx, r, prev, ev...) })
}

func (m *machine) delete(t *rapid.T) {
	id, ev := drawID(t), m.drawEvents(t)
	p := secrets.Pin{ID: id, Version: m.drawVersion(t, id, "version")}
	m.both(t, "delete", func(b Backend) (any, error) { return nil, b.Delete(m.ctx, p, ev...) })
}

func (m *machine) reseal(t *rapid.T) {
	id := drawID(t)
	r := secrets.Record{KeyID: drawKey(t), Sealed: ciphertext()}
	r.Pin = secrets.Pin{ID: id, Version: m.drawVersion(t, id, "version")}
	oldKey := pick(t, "old key", m.model.versions[r.Pin].KeyID, drawKey(t))
	m.both(t, "reseal", func(b Backend) (any, error) { return nil, b.Reseal(m.ctx, r, oldKey) })
}

func (m *machine) rotate(t *rapid.T) {
	generation := uint64(max(0, int(m.model.generation)+pick(t, "generation", 1, 1, 1, 0, 2)))
	wrapped, retire := ciphertext(), rapid.SliceOfN(rapid.Uint32Range(1, 8), 0, 1).Draw(t, "retire")
	m.both(t, "save keysets", func(b Backend) (any, error) { return nil, b.SaveKeysets(m.ctx, wrapped, generation, retire...) })
}

// drawRows returns rows of few stages, some of them the run's own.
func (m *machine) drawRows(t *rapid.T, run secrets.RunID) []stage.Row {
	own := m.model.cloneRows(run)
	var all []stage.Row
	for range rapid.IntRange(0, 3).Draw(t, "rows") {
		row := rows("any", 1)[0]
		row.Object.Stage = pick(t, "stage", "s1", "s2", "s3", "s4", "s5", "s6")
		row.Object.Name = pick(t, "object", "o1", "o2")
		row.Location.Place = pick(t, "place", "/a", "/b")
		if len(own) > 0 && rapid.Bool().Draw(t, "own") {
			row = pick(t, "row", own...)
		}
		row.State = stage.State(rapid.IntRange(1, int(stage.Released)).Draw(t, "state"))
		row.Next = pick(t, "next", time.Time{}, m.clock.Now(), m.clock.Now().Add(time.Minute))
		row.Attempts = rapid.IntRange(0, 2).Draw(t, "attempts")
		row.Absent, row.Gone = row.Next, row.Next
		all = append(all, row)
	}
	return all
}

func (m *machine) begin(t *rapid.T) {
	r := stage.Run{ID: drawRun(t), Workspace: workspace, Caller: "ann", Request: []byte{1}, Chosen: []byte{2}}
	for range rapid.IntRange(0, 2).Draw(t, "items") {
		id := drawID(t)
		if k, ok := m.model.secrets[id]; ok && !k.deleted || rapid.IntRange(0, 4).Draw(t, "bad item") == 0 {
			pin := secrets.Pin{ID: id, Version: m.drawVersion(t, id, "version")}
			r.Items = append(r.Items, stage.Item{Item: provider.Item{Name: parseName("A1"), Pin: pin}, Scope: drawScope(t)})
		}
	}
	all, ev := m.drawRows(t, secrets.RunID{}), m.drawEvents(t)
	terms := stage.Terms{Lease: drawDuration(t, "lease"), Need: drawDuration(t, "need")}
	m.both(t, "begin", func(b Backend) (any, error) { return b.Begin(m.ctx, r, all, terms, ev...) })
}

func (m *machine) take(t *rapid.T) {
	id, lease := m.drawBegun(t), drawDuration(t, "lease")
	m.both(t, "take", func(b Backend) (any, error) { return b.Take(m.ctx, id, lease) })
}

func (m *machine) advance(t *rapid.T) {
	r := m.model.runs[m.drawBegun(t)]
	if r.ID.IsZero() {
		r.ID, r.Phase = parseRun("r1"), stage.Staging
	}
	r.Epoch += uint64(pick(t, "epoch", 0, 0, 0, 0, 1))
	r.Phase = stage.Phase(max(1, int(r.Phase)-pick(t, "phase", 0, 0, 0, 0, 1)))
	to := pick(t, "to", r.Phase, r.Phase, r.Phase+1, stage.Closed, stage.Staging)
	lease, all, ev := drawDuration(t, "lease"), m.drawRows(t, r.ID), m.drawEvents(t)
	m.both(t, "advance", func(b Backend) (any, error) { return b.Advance(m.ctx, r, to, lease, all, ev...) })
}

// finish advances a run to Closed with all its objects gone, as far as it may.
func (m *machine) finish(t *rapid.T) {
	r := m.model.runs[m.drawBegun(t)]
	all := m.model.cloneRows(r.ID)
	for i := range all {
		all[i].State = stage.Gone
	}
	m.both(t, "finish", func(b Backend) (any, error) { return b.Advance(m.ctx, r, stage.Closed, 0, all) })
}

func (m *machine) need(t *rapid.T) {
	id, d, limit, ev := m.drawBegun(t), drawDuration(t, "need"), drawDuration(t, "limit"), m.drawEvents(t)
	m.both(t, "need", func(b Backend) (any, error) { return b.Need(m.ctx, id, d, limit, ev...) })
}

func (m *machine) revoke(t *rapid.T) {
	id, ev := drawID(t), m.drawEvents(t)
	m.both(t, "revoke", func(b Backend) (any, error) {
		runs, err := b.Revoke(m.ctx, id, ev...)
		slices.SortFunc(runs, func(a, b stage.Run) int { return strings.Compare(a.ID.String(), b.ID.String()) })
		return runs, err
	})
}

func (m *machine) end(t *rapid.T) {
	id, ev := m.drawBegun(t), m.drawEvents(t)
	c := stage.Closing{Outcome: "done", MaskFor: drawDuration(t, "mask"), Overdue: rapid.Bool().Draw(t, "overdue")}
	if rapid.Bool().Draw(t, "kept") {
		c.Keep, c.Limit = drawDuration(t, "keep"), drawDuration(t, "limit")
	}
	m.both(t, "end", func(b Backend) (any, error) {
		r, all, err := b.End(m.ctx, id, c, ev...)
		return pair{r, all}, err
	})
}

func (m *machine) release(t *rapid.T) {
	id := m.drawBegun(t)
	m.both(t, "release", func(b Backend) (any, error) { return nil, b.Release(m.ctx, id) })
}

func (m *machine) found(t *rapid.T) {
	r := stage.Run{ID: drawRun(t), Outcome: "found"}
	all, ev := m.drawRows(t, secrets.RunID{}), m.drawEvents(t)
	for _, row := range all {
		m.both(t, "found", func(b Backend) (any, error) { return nil, b.Found(m.ctx, r, row, ev...) })
	}
}

func (m *machine) note(t *rapid.T) {
	ev := m.drawEvents(t)
	switch kind := pick(t, "kind", "record", "swept", "record", "swept", "sweeping", "sweeping", "adopt", "adopt a clone"); kind {
	case "sweeping":
		gap := pick(t, "gap", 0, time.Second, time.Hour)
		m.both(t, kind, func(b Backend) (any, error) { return b.Sweeping(m.ctx, gap) })
	case "record":
		m.both(t, kind, func(b Backend) (any, error) { return nil, b.Record(m.ctx, ev...) })
	case "swept":
		m.both(t, kind, func(b Backend) (any, error) { return nil, b.Swept(m.ctx, ev...) })
	default:
		home := pick(t, "home", "", "here")
		m.both(t, kind, func(b Backend) (any, error) {
			in, err := b.Adopt(m.ctx, home, kind == "adopt a clone", ev...)
			return pair{in.Home, in.Generation}, err // the rest is random
		})
	}
}

// ask asks the rest.
func (m *machine) ask(t *rapid.T) {
	id := drawID(t)
	pins := []secrets.Pin{{ID: id, Version: m.drawVersion(t, id, "version")}}
	m.both(t, "pinned", func(b Backend) (any, error) { return b.Pinned(m.ctx, pins) })
	m.both(t, "find", func(b Backend) (any, error) { return b.Find(m.ctx, id) })
	m.both(t, "used by", func(b Backend) (any, error) {
		runs, err := b.UsedBy(m.ctx, id)
		all := ids(runs)
		slices.Sort(all)
		return all, err
	})
	q := secrets.Query{
		Scope: drawScope(t), Prefix: pick(t, "prefix", "", "A", "B1"), After: pick(t, "after", "", "A", "A1", "B1"), Limit: rapid.IntRange(0, 3).Draw(t, "limit"),
	}
	m.both(t, "list", func(b Backend) (any, error) { return b.List(m.ctx, q) })
	key, n := drawKey(t), rapid.IntRange(0, 3).Draw(t, "n")
	m.both(t, "behind", func(b Backend) (any, error) { return b.Behind(m.ctx, key, pins[0], n) })
	m.both(t, "count behind", func(b Backend) (any, error) { return b.CountBehind(m.ctx, key) })
	at := m.clock.Now().Add(pick(t, "at", -time.Minute, 0, time.Minute))
	m.both(t, "due", func(b Backend) (any, error) { return b.Due(m.ctx, at, n) })
	m.both(t, "stuck", func(b Backend) (any, error) { return b.Stuck(m.ctx, secrets.RunID{}, n) })
	m.both(t, "known", func(b Backend) (any, error) {
		known, err := b.Known(m.ctx, []string{"o1", "o2"})
		return [2]stage.State{known["o1"], known["o2"]}, err
	})
	names := rapid.SliceOfN(rapid.Custom(drawName), 0, 3).Draw(t, "names")
	m.both(t, "candidates", func(b Backend) (any, error) {
		all, err := b.Candidates(m.ctx, []secrets.Scope{workspace, user}, names)
		slices.SortFunc(all, func(a, b secrets.Record) int { return comparePins(a.Pin, b.Pin) })
		return all, err
	})
	home := pick(t, "home", "", "here", "there")
	m.both(t, "installation", func(b Backend) (any, error) {
		in, err := b.Installation(m.ctx, home)
		return pair{in.Home, in.Generation}, err
	})
	m.both(t, "current records", func(b Backend) (any, error) {
		all, err := b.Candidates(m.ctx, []secrets.Scope{organization, workspace, user}, nil)
		slices.SortFunc(all, func(a, b secrets.Record) int { return comparePins(a.Pin, b.Pin) })
		return all, err
	})
	m.both(t, "stats", func(b Backend) (any, error) { return b.Stats(m.ctx) })
	m.both(t, "keysets", func(b Backend) (any, error) {
		wrapped, generation, err := b.LoadKeysets(m.ctx)
		return pair{wrapped, generation}, err
	})
	m.both(t, "log", func(b Backend) (any, error) {
		var all []secrets.Event
		for e, err := range b.Entries(m.ctx, 0) {
			if err != nil {
				return nil, err
			}
			all = append(all, e.Event)
		}
		return all, nil
	})
	m.both(t, "links", func(b Backend) (any, error) { return covers(m.ctx, b) })
}

// check compares the records, the runs and what is due.
func (m *machine) check(t *rapid.T) {
	m.both(t, "due", func(b Backend) (any, error) { return b.Due(m.ctx, m.clock.Now(), 100) })
	m.both(t, "all records", func(b Backend) (any, error) { return b.Behind(m.ctx, 99, secrets.Pin{}, 100) })
	for id := range m.model.runs {
		m.both(t, "run "+id.String(), func(b Backend) (any, error) {
			r, all, err := b.Load(m.ctx, id)
			return pair{r, all}, err
		})
	}
}
