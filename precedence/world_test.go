package precedence_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	. "github.com/pipesecrets/pipesecrets/precedence"
	"github.com/pipesecrets/pipesecrets/secrets"
)

const (
	org  = secrets.Organization
	work = secrets.Workspace
	user = secrets.User
)

var (
	now   = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	kinds = []secrets.Kind{org, work, user}
	names = []secrets.Name{parse("ALPHA"), parse("BETA"), parse("GAMMA"), parse("DELTA")}
)

func parse(s string) secrets.Name {
	n, err := secrets.ParseName(s)
	if err != nil {
		panic(fmt.Sprintf("%q: %v", s, err))
	}
	return n
}

func scope(k secrets.Kind) secrets.Scope { return secrets.Scope{Kind: k, ID: "id-" + k.String()} }

// world is a question to Resolve.
type world struct {
	Req    Request
	Layers []Layer
}

func (w world) resolve() Resolution { return Resolve(w.Req, w.Layers...) }

// clone returns a world that shares no memory with w.
func (w world) clone() world {
	w.Req.All = slices.Clone(w.Req.All)
	w.Req.Wants = slices.Clone(w.Req.Wants)
	for i := range w.Req.Wants {
		w.Req.Wants[i].From = slices.Clone(w.Req.Wants[i].From)
	}
	w.Layers = slices.Clone(w.Layers)
	for i := range w.Layers {
		w.Layers[i].Secrets = slices.Clone(w.Layers[i].Secrets)
		for j := range w.Layers[i].Secrets {
			p := &w.Layers[i].Secrets[j].Policy
			p.Pipelines = slices.Clone(p.Pipelines)
		}
	}
	return w
}

// candidates returns the secrets of a name, broadest first, for reading and
// changing them in place.
func (w world) candidates(n secrets.Name) []*secrets.Secret {
	var found []*secrets.Secret
	for i := range w.Layers {
		for j := range w.Layers[i].Secrets {
			if s := &w.Layers[i].Secrets[j]; s.Name == n {
				found = append(found, s)
			}
		}
	}
	slices.SortFunc(found, func(a, b *secrets.Secret) int { return int(a.Scope.Kind) - int(b.Scope.Kind) })
	return found
}

func (w world) candidate(n secrets.Name, k secrets.Kind) *secrets.Secret {
	for _, s := range w.candidates(n) {
		if s.Scope.Kind == k {
			return s
		}
	}
	return nil
}

// without returns a copy of w that lacks the secrets and wants that drop selects.
func (w world) without(drop func(secrets.Name, secrets.Scope) bool) world {
	w = w.clone()
	for i := range w.Layers {
		l := &w.Layers[i]
		l.Secrets = slices.DeleteFunc(l.Secrets, func(s secrets.Secret) bool { return drop(s.Name, s.Scope) })
	}
	w.Req.Wants = slices.DeleteFunc(w.Req.Wants, func(want Want) bool { return drop(want.Name, secrets.Scope{}) })
	return w
}

// requested returns the names that w asks for, each once.
func (w world) requested() map[secrets.Name]bool {
	found := map[secrets.Name]bool{}
	for _, want := range w.Req.Wants {
		found[want.Name] = true
	}
	for _, l := range w.Layers {
		for _, s := range l.Secrets {
			if slices.Contains(w.Req.All, l.Scope.Kind) {
				found[s.Name] = true
			}
		}
	}
	return found
}

// wanted reports whether a want names n, and from which kinds n may come.
func (w world) wanted(n secrets.Name) (named bool, from map[secrets.Kind]bool) {
	from = map[secrets.Kind]bool{}
	add := func(kinds []secrets.Kind) {
		for _, k := range kinds {
			from[k] = true
		}
	}
	for _, want := range w.Req.Wants {
		if want.Name == n {
			named = true
			add(want.From)
			if want.From == nil {
				add(kinds)
			}
		}
	}
	for _, s := range w.candidates(n) {
		if slices.Contains(w.Req.All, s.Scope.Kind) {
			add(kinds)
		}
	}
	return named, from
}

// only returns the part of r that is about n.
func only(r Resolution, n secrets.Name) Resolution {
	return keep(r, func(m secrets.Name) bool { return m == n })
}

// except returns the part of r that is not about n.
func except(r Resolution, n secrets.Name) Resolution {
	return keep(r, func(m secrets.Name) bool { return m != n })
}

func keep(r Resolution, ok func(secrets.Name) bool) Resolution {
	var out Resolution
	for _, c := range r.Choices {
		if ok(c.Winner.Name) {
			out.Choices = append(out.Choices, c)
		}
	}
	for _, n := range r.Absent {
		if ok(n) {
			out.Absent = append(out.Absent, n)
		}
	}
	for _, p := range r.Withheld {
		if ok(p.Name) {
			out.Withheld = append(out.Withheld, p)
		}
	}
	for _, p := range r.Problems {
		if ok(p.Name) {
			out.Problems = append(out.Problems, p)
		}
	}
	return out
}

// verdict is what r says of n without what it shadows: the list it is in, the
// scope of the winner, and the reason.
func verdict(r Resolution, n secrets.Name) string {
	r = only(r, n)
	var said []string
	for _, c := range r.Choices {
		said = append(said, fmt.Sprint("choice ", c.Winner.Scope))
	}
	for range r.Absent {
		said = append(said, "absent")
	}
	for _, p := range r.Withheld {
		said = append(said, fmt.Sprint("withheld ", p.Scope, " ", p.Why))
	}
	for _, p := range r.Problems {
		said = append(said, fmt.Sprint("problem ", p.Scope, " ", p.Why))
	}
	if len(said) != 1 {
		return fmt.Sprint("not one answer but ", said)
	}
	return said[0]
}

// winner returns the kind of the scope whose secret was chosen or judged for n, 0
// if there was none.
func winner(r Resolution, n secrets.Name) secrets.Kind {
	r = only(r, n)
	for _, c := range r.Choices {
		return c.Winner.Scope.Kind
	}
	for _, p := range slices.Concat(r.Withheld, r.Problems) {
		return p.Scope.Kind
	}
	return 0
}

func diff(a, b any) string {
	if reflect.DeepEqual(a, b) { // many times faster
		return ""
	}
	return cmp.Diff(a, b, cmp.Comparer(func(a, b secrets.Name) bool { return a == b }),
		cmp.Comparer(func(a, b secrets.RunID) bool { return a == b }))
}

// The generators draw from few names and few policies, so that names collide
// across scopes and each class of policy is frequent.

var (
	expiries  = []time.Time{{}, now.Add(1), now, now.Add(-1), now.Add(time.Hour)}
	pipelines = [][]string{nil, {"here"}, {"elsewhere"}, {"elsewhere", "here"}}
)

func drawPolicy(t *rapid.T) secrets.Policy {
	var p secrets.Policy
	p.Locked = rapid.IntRange(0, 3).Draw(t, "locked") == 3
	switch rapid.IntRange(0, 7).Draw(t, "policy") { // half of all are of no concern
	case 4:
		p.Disabled = true
	case 5:
		p.Expires = rapid.SampledFrom(expiries).Draw(t, "expires")
	case 6:
		p.Pipelines = slices.Clone(rapid.SampledFrom(pipelines).Draw(t, "pipelines"))
	case 7:
		p.Disabled = rapid.Bool().Draw(t, "disabled")
		p.Expires = rapid.SampledFrom(expiries).Draw(t, "expires")
		p.Pipelines = slices.Clone(rapid.SampledFrom(pipelines).Draw(t, "pipelines"))
	}
	return p
}

func drawFrom(t *rapid.T) []secrets.Kind {
	if rapid.Bool().Draw(t, "from all") {
		return nil
	}
	return rapid.SliceOfN(rapid.SampledFrom(kinds), 1, 3).Draw(t, "from")
}

func drawWorld(t *rapid.T) world {
	w := world{Req: Request{Pipeline: "here", Now: now}}
	for _, k := range kinds {
		if rapid.IntRange(0, 9).Draw(t, "no layer") == 9 {
			continue
		}
		l := Layer{Scope: scope(k), Read: true}
		for i, n := range names {
			if rapid.IntRange(0, 2).Draw(t, "has") > 0 {
				l.Secrets = append(l.Secrets, secrets.Secret{
					Pin:  secrets.Pin{ID: secrets.ID(10*int(k) + i), Version: 1},
					Name: n, Scope: l.Scope, Policy: drawPolicy(t),
				})
			}
		}
		w.Layers = append(w.Layers, l)
	}
	for range rapid.IntRange(0, 5).Draw(t, "wants") {
		w.Req.Wants = append(w.Req.Wants, Want{
			Name:     rapid.SampledFrom(names).Draw(t, "name"),
			From:     drawFrom(t),
			Optional: rapid.Bool().Draw(t, "optional"),
		})
	}
	if rapid.Bool().Draw(t, "all") {
		w.Req.All = rapid.SliceOfN(rapid.SampledFrom(kinds), 1, 3).Draw(t, "of")
	}
	return w
}

// coverage counts the cases that a property met, so that one that met none of a
// kind fails rather than proving nothing.
type coverage map[string]int

func (c coverage) count(class string, met bool) {
	if met {
		c[class]++
	} else {
		c[class] += 0
	}
}

// check runs the property and then requires every class that it counts. It runs
// it 10 times as often as rapid would, so that the rarest class is met dozens of
// times and never missed by chance.
func check(t *testing.T, property func(*rapid.T, coverage)) {
	t.Helper()
	met := coverage{}
	for range 10 {
		rapid.Check(t, func(rt *rapid.T) { property(rt, met) })
	}
	if len(met) == 0 {
		t.Error("the property counts no class of cases")
	}
	for class, n := range met {
		if n == 0 {
			t.Errorf("no case of %q: the property is vacuous", class)
		}
	}
	t.Log(met)
}
