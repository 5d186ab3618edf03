package precedence

import (
	"cmp"
	"slices"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// refuse returns every reason not to answer, sorted and each once.
func refuse(req Request, layers []Layer) []Refusal {
	refused := refuseRequest(req)
	var count [secrets.User + 1]int
	for _, l := range layers {
		refused = append(refused, refuseLayer(l)...)
		if l.Scope.Kind.Valid() {
			count[l.Scope.Kind]++
		}
	}
	for kind, n := range count {
		if n > 1 {
			refused = append(refused, malformed(secrets.Scope{Kind: secrets.Kind(kind)}, secrets.Name{}, "two layers of this kind"))
		}
	}
	slices.SortFunc(refused, func(a, b Refusal) int {
		return cmp.Or(
			a.Name.Compare(b.Name),
			cmp.Compare(a.Scope.Kind, b.Scope.Kind),
			cmp.Compare(a.Scope.ID, b.Scope.ID),
			cmp.Compare(a.Why, b.Why),
			cmp.Compare(a.Rule, b.Rule))
	})
	return slices.Compact(refused)
}

func refuseRequest(req Request) []Refusal {
	var refused []Refusal
	add := func(name secrets.Name, rule string) {
		refused = append(refused, malformed(secrets.Scope{}, name, rule))
	}
	if req.Now.IsZero() {
		add(secrets.Name{}, "Now is zero, so that no expiry can be judged")
	}
	if !allValid(req.All) {
		add(secrets.Name{}, "All lists an invalid kind")
	}
	for _, w := range req.Wants {
		if w.Name.IsZero() {
			add(secrets.Name{}, "a want has no name")
		}
		if w.From != nil && len(w.From) == 0 {
			add(w.Name, "From lists no kind")
		}
		if !allValid(w.From) {
			add(w.Name, "From lists an invalid kind")
		}
	}
	return refused
}

func refuseLayer(l Layer) []Refusal {
	var refused []Refusal
	scope := l.Scope
	add := func(name secrets.Name, rule string) {
		refused = append(refused, malformed(scope, name, rule))
	}
	if scope.Check() != nil {
		scope.ID = "" // what is not an id may be anything, and is not passed on
		add(secrets.Name{}, "the layer's scope is invalid")
	}
	if !l.Read {
		return append(refused, Refusal{Scope: scope, Why: Unread})
	}
	seen := make(map[secrets.Name]bool, len(l.Secrets))
	for i := range l.Secrets {
		s := &l.Secrets[i]
		if s.Name.IsZero() {
			add(s.Name, "a secret has no name")
		}
		if s.Scope != l.Scope {
			add(s.Name, "the secret is of another scope than its layer")
		}
		if seen[s.Name] {
			add(s.Name, "two secrets of this name")
		}
		seen[s.Name] = true
	}
	return refused
}

func malformed(scope secrets.Scope, name secrets.Name, rule string) Refusal {
	return Refusal{scope, name, Malformed, rule}
}

func allValid(kinds []secrets.Kind) bool {
	return !slices.ContainsFunc(kinds, func(k secrets.Kind) bool { return !k.Valid() })
}
