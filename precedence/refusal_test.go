package precedence_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	. "github.com/pipesecrets/pipesecrets/precedence"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// breaks spoil a sound world, each in one way, and say how that is to be told.
// They are applied to a world with a layer of each kind, each with a secret
// ALPHA, and a want of ALPHA.
var breaks = []struct {
	name  string
	spoil func(*world)
	want  Refusal
}{
	{"the organization's layer is unread", func(w *world) { w.Layers[0].Read = false },
		Refusal{Scope: scope(org), Why: Unread}},
	{"the workspace's layer is unread", func(w *world) { w.Layers[1].Read = false },
		Refusal{Scope: scope(work), Why: Unread}},
	{"the user's layer is unread", func(w *world) { w.Layers[2].Read = false },
		Refusal{Scope: scope(user), Why: Unread}},
	{"no time", func(w *world) { w.Req.Now = time.Time{} },
		Refusal{Why: Malformed, Rule: "Now is zero, so that no expiry can be judged"}},
	{"All lists kind 0", func(w *world) { w.Req.All = []secrets.Kind{user, 0} },
		Refusal{Why: Malformed, Rule: "All lists an invalid kind"}},
	{"All lists kind 4", func(w *world) { w.Req.All = []secrets.Kind{4} },
		Refusal{Why: Malformed, Rule: "All lists an invalid kind"}},
	{"a want without a name", func(w *world) { w.Req.Wants = append(w.Req.Wants, Want{Optional: true}) },
		Refusal{Why: Malformed, Rule: "a want has no name"}},
	{"an empty From", func(w *world) { w.Req.Wants[0].From = []secrets.Kind{} },
		Refusal{Name: names[0], Why: Malformed, Rule: "From lists no kind"}},
	{"From lists kind 0", func(w *world) { w.Req.Wants[0].From = []secrets.Kind{0} },
		Refusal{Name: names[0], Why: Malformed, Rule: "From lists an invalid kind"}},
	{"From lists kind 255", func(w *world) { w.Req.Wants[0].From = []secrets.Kind{user, 255} },
		Refusal{Name: names[0], Why: Malformed, Rule: "From lists an invalid kind"}},
	{"a layer of no kind", func(w *world) { w.Layers = append(w.Layers, Layer{Read: true}) },
		Refusal{Why: Malformed, Rule: "the layer's scope is invalid"}},
	{"a layer of kind 9", func(w *world) { w.Layers = append(w.Layers, Layer{Read: true, Scope: secrets.Scope{Kind: 9, ID: "x"}}) },
		Refusal{Scope: secrets.Scope{Kind: 9}, Why: Malformed, Rule: "the layer's scope is invalid"}},
	{"a layer whose id is no id", func(w *world) { w.rescope(user, "two words") },
		Refusal{Scope: secrets.Scope{Kind: user}, Why: Malformed, Rule: "the layer's scope is invalid"}},
	{"two layers of one kind", func(w *world) {
		w.Layers = append(w.Layers, Layer{Read: true, Scope: secrets.Scope{Kind: work, ID: "other"}})
	}, Refusal{Scope: secrets.Scope{Kind: work}, Why: Malformed, Rule: "two layers of this kind"}},
	{"the same layer twice", func(w *world) { w.Layers = append(w.Layers, w.Layers[0]) },
		Refusal{Scope: secrets.Scope{Kind: org}, Why: Malformed, Rule: "two layers of this kind"}},
	{"a secret of another workspace", func(w *world) { w.Layers[1].Secrets[0].Scope.ID = "other" },
		Refusal{Scope: scope(work), Name: names[0], Why: Malformed, Rule: "the secret is of another scope than its layer"}},
	{"a secret of another kind of scope", func(w *world) { w.Layers[1].Secrets[0].Scope = scope(user) },
		Refusal{Scope: scope(work), Name: names[0], Why: Malformed, Rule: "the secret is of another scope than its layer"}},
	{"two secrets of one name", func(w *world) { w.Layers[2].Secrets = append(w.Layers[2].Secrets, w.Layers[2].Secrets[0]) },
		Refusal{Scope: scope(user), Name: names[0], Why: Malformed, Rule: "two secrets of this name"}},
	{"a secret without a name", func(w *world) { w.Layers[0].Secrets[0].Name = secrets.Name{} },
		Refusal{Scope: scope(org), Why: Malformed, Rule: "a secret has no name"}},
}

// rescope gives a layer and its secrets another id.
func (w *world) rescope(k secrets.Kind, id string) {
	l := &w.Layers[slices.IndexFunc(w.Layers, func(l Layer) bool { return l.Scope.Kind == k })]
	l.Scope.ID = id
	for i := range l.Secrets {
		l.Secrets[i].Scope.ID = id
	}
}

// full returns a world where each of the three kinds has a usable ALPHA, and it
// is wanted.
func full() world {
	w := world{Req: Request{Wants: []Want{{Name: names[0]}}, Pipeline: "here", Now: now}}
	for _, k := range kinds {
		w.Layers = append(w.Layers, Layer{Scope: scope(k), Read: true, Secrets: []secrets.Secret{
			{Pin: secrets.Pin{ID: secrets.ID(k), Version: 1}, Name: names[0], Scope: scope(k)},
		}})
	}
	return w
}

func TestASoundWorldIsNotRefused(t *testing.T) {
	if err := full().resolve().Err(); err != nil {
		t.Fatal(err)
	}
}

func TestMalformedInputRefusesEverything(t *testing.T) {
	for _, b := range breaks {
		t.Run(b.name, func(t *testing.T) {
			w := full()
			b.spoil(&w)
			if d := diff(Resolution{Refused: []Refusal{b.want}}, w.resolve()); d != "" {
				t.Errorf("want (-), got (+):\n%s", d)
			}
		})
	}
}

func TestARefusalNeverPassesOnWhatIsNotAnID(t *testing.T) {
	w := full()
	w.rescope(work, "not an id "+strings.Repeat("x", 200))
	w.Layers[1].Secrets[0].Scope.ID = "neither is this"
	w.Layers[1].Secrets = append(w.Layers[1].Secrets, w.Layers[1].Secrets[0])
	r := w.resolve()
	if len(r.Refused) != 3 {
		t.Errorf("refusals: %v", r.Refused)
	}
	for _, refused := range r.Refused {
		if refused.Scope != (secrets.Scope{Kind: work}) {
			t.Errorf("refusal of %q", refused.Scope)
		}
	}
}

func drawBroken(t *rapid.T) world {
	w := full()
	for range rapid.IntRange(1, 3).Draw(t, "breaks") {
		rapid.SampledFrom(breaks).Draw(t, "break").spoil(&w)
	}
	return w
}

func TestAnUnreadLayerRefuses(t *testing.T) {
	check(t, func(t *rapid.T, met coverage) {
		w := drawWorld(t)
		if len(w.Layers) == 0 {
			return
		}
		before := w.resolve()
		l := &w.Layers[rapid.IntRange(0, len(w.Layers)-1).Draw(t, "unread")]
		l.Read = false
		if rapid.Bool().Draw(t, "nothing came") {
			l.Secrets = nil
		}
		if d := diff(Resolution{Refused: []Refusal{{Scope: l.Scope, Why: Unread}}}, w.resolve()); d != "" {
			t.Errorf("want (-), got (+):\n%s", d)
		}
		met.count("it had choices", len(before.Choices) > 0)
		met.count("nothing was asked", len(w.requested()) == 0)
		for _, k := range kinds {
			met.count(k.String(), l.Scope.Kind == k)
		}
	})
}

// drawAnything returns any input at all: sound or not, zero or not.
func drawAnything(t *rapid.T) world {
	anyKind := rapid.SampledFrom([]secrets.Kind{org, work, user, 0, 4, 255})
	anyName := rapid.SampledFrom(append([]secrets.Name{{}}, names...))
	anyID := rapid.SampledFrom([]string{"a", "b", "", "not an id"})
	anyScope := rapid.Custom(func(t *rapid.T) secrets.Scope {
		return secrets.Scope{Kind: anyKind.Draw(t, "kind"), ID: anyID.Draw(t, "id")}
	})
	anyTime := rapid.SampledFrom([]time.Time{{}, now, time.Unix(-1<<62, 0), time.Unix(1<<62, 999)})
	someKinds := rapid.OneOf(rapid.Just[[]secrets.Kind](nil), rapid.SliceOfN(anyKind, 0, 3))

	var w world
	w.Req = Request{All: someKinds.Draw(t, "all"), Pipeline: rapid.SampledFrom([]string{"", "here"}).Draw(t, "pipeline"), Now: anyTime.Draw(t, "now")}
	for range rapid.IntRange(0, 3).Draw(t, "wants") {
		w.Req.Wants = append(w.Req.Wants, Want{anyName.Draw(t, "name"), someKinds.Draw(t, "from"), rapid.Bool().Draw(t, "optional")})
	}
	for range rapid.IntRange(0, 4).Draw(t, "layers") {
		l := Layer{Scope: anyScope.Draw(t, "scope"), Read: rapid.IntRange(0, 5).Draw(t, "read") < 5}
		for range rapid.IntRange(0, 3).Draw(t, "secrets") {
			s := secrets.Secret{Name: anyName.Draw(t, "name"), Scope: l.Scope}
			if rapid.IntRange(0, 5).Draw(t, "stray") == 5 {
				s.Scope = anyScope.Draw(t, "scope")
			}
			s.Policy = secrets.Policy{
				Expires: anyTime.Draw(t, "expires"), Disabled: rapid.Bool().Draw(t, "disabled"), Locked: rapid.Bool().Draw(t, "locked"),
				Pipelines: rapid.SampledFrom([][]string{nil, {}, {""}, {"here", "here"}}).Draw(t, "pipelines"),
			}
			l.Secrets = append(l.Secrets, s)
		}
		w.Layers = append(w.Layers, l)
	}
	return w
}

// sound says from the package's rule whether input may be answered.
func sound(w world) bool {
	bad := func(k secrets.Kind) bool { return k < org || k > user }
	if w.Req.Now.IsZero() || slices.ContainsFunc(w.Req.All, bad) {
		return false
	}
	for _, want := range w.Req.Wants {
		empty := want.From != nil && len(want.From) == 0
		if want.Name == (secrets.Name{}) || empty || slices.ContainsFunc(want.From, bad) {
			return false
		}
	}
	for i, l := range w.Layers {
		if !l.Read || l.Scope.Check() != nil {
			return false
		}
		for _, other := range w.Layers[:i] {
			if other.Scope.Kind == l.Scope.Kind {
				return false
			}
		}
		for j, s := range l.Secrets {
			if s.Scope != l.Scope || s.Name == (secrets.Name{}) {
				return false
			}
			for _, other := range l.Secrets[:j] {
				if other.Name == s.Name {
					return false
				}
			}
		}
	}
	return true
}

func TestAnyInputIsAnsweredOrRefused(t *testing.T) {
	check(t, func(t *rapid.T, met coverage) {
		w := drawAnything(t)
		if rapid.Bool().Draw(t, "sound") {
			w = drawWorld(t)
		}
		r := w.resolve()
		if ok := sound(w); ok != (len(r.Refused) == 0) {
			t.Fatalf("sound: %v, refused: %v", ok, r.Refused)
		}
		if d := diff(Resolution{Refused: r.Refused}, r); len(r.Refused) > 0 && d != "" {
			t.Fatalf("refused and answered:\n%s", d)
		}
		_ = r.Err() // total too
		met.count("sound", len(r.Refused) == 0)
		met.count("refused for one reason", len(r.Refused) == 1)
		met.count("refused for several", len(r.Refused) > 1)
	})
}
