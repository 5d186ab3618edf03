package precedence_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	. "github.com/pipesecrets/pipesecrets/precedence"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// reference resolves sound input the slow way: for every name it gives each
// candidate a rank and takes the first. It is written from the package's rule,
// not from its code.
func reference(req Request, layers []Layer) Resolution {
	var all []secrets.Secret
	for _, l := range layers {
		all = append(all, l.Secrets...)
	}
	slices.SortStableFunc(all, func(a, b secrets.Secret) int { return int(a.Scope.Kind) - int(b.Scope.Kind) })

	var universe []string
	for _, w := range req.Wants {
		universe = append(universe, w.Name.String())
	}
	for _, s := range all {
		universe = append(universe, s.Name.String())
	}
	slices.Sort(universe)
	universe = slices.Compact(universe)

	var r Resolution
	for _, text := range universe {
		name := parse(text)
		var of []secrets.Secret
		for _, s := range all {
			if s.Name == name {
				of = append(of, s)
			}
		}
		byAll := slices.ContainsFunc(of, func(s secrets.Secret) bool { return slices.Contains(req.All, s.Scope.Kind) })
		byWant, required, anywhere := false, false, byAll
		var listed []secrets.Kind
		for _, w := range req.Wants {
			if w.Name == name {
				byWant = true
				required = required || !w.Optional
				anywhere = anywhere || w.From == nil
				listed = append(listed, w.From...)
			}
		}
		if !byAll && !byWant {
			continue
		}
		isListed := func(s secrets.Secret) bool { return anywhere || slices.Contains(listed, s.Scope.Kind) }
		rank := func(s secrets.Secret) int {
			switch {
			case s.Policy.Locked && s.Scope.Kind == secrets.Organization:
				return 1
			case s.Policy.Locked && s.Scope.Kind == secrets.Workspace:
				return 2
			case !isListed(s):
				return 6
			case s.Scope.Kind == secrets.User:
				return 3
			case s.Scope.Kind == secrets.Workspace:
				return 4
			}
			return 5
		}
		best := 6
		for _, s := range of {
			best = min(best, rank(s))
		}
		if best == 6 && required {
			r.Problems = append(r.Problems, Problem{Name: name, Why: Missing})
			continue
		}
		if best == 6 {
			r.Absent = append(r.Absent, name)
			continue
		}
		var c Choice
		for _, s := range of {
			if rank(s) == best {
				c.Winner = s
			}
		}
		for _, s := range of {
			if s.Scope == c.Winner.Scope {
				continue
			}
			shadow := Shadow{s, Overridden}
			if !isListed(s) {
				shadow.Why = NotListed
			}
			if best <= 2 && s.Scope.Kind > c.Winner.Scope.Kind {
				shadow.Why = LockedOut
			}
			c.Shadowed = append(c.Shadowed, shadow)
		}
		p := c.Winner.Policy
		problem := Problem{Name: name, Scope: c.Winner.Scope}
		if !p.Expires.IsZero() && p.Expires.UnixNano() <= req.Now.UnixNano() {
			problem.Why = Expired
		}
		if p.Disabled {
			problem.Why = Disabled
		}
		if len(p.Pipelines) > 0 && !slices.Contains(p.Pipelines, req.Pipeline) {
			problem.Why = NotAllowed
		}
		switch {
		case problem.Why == "":
			r.Choices = append(r.Choices, c)
		case problem.Why == NotAllowed && !byWant:
			r.Withheld = append(r.Withheld, problem)
		default:
			r.Problems = append(r.Problems, problem)
		}
	}
	return r
}

func TestResolveAgreesWithTheReference(t *testing.T) {
	check(t, func(t *rapid.T, met coverage) {
		w := drawWorld(t)
		want := reference(w.Req, w.Layers)
		if d := diff(want, w.resolve()); d != "" {
			t.Fatalf("reference (-), Resolve (+):\n%s", d)
		}
		for _, c := range want.Choices {
			for _, why := range []Reason{Overridden, LockedOut, NotListed} {
				met.count(string(why), slices.ContainsFunc(c.Shadowed, func(s Shadow) bool { return s.Why == why }))
			}
		}
		for _, p := range want.Problems {
			for _, why := range []Reason{Missing, NotAllowed, Disabled, Expired} {
				met.count(string(why), p.Why == why)
			}
		}
		met.count("absent", len(want.Absent) > 0)
		met.count("withheld", len(want.Withheld) > 0)
		met.count("All", w.Req.All != nil)
	})
}
