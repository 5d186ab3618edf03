package precedence

import (
	"maps"
	"slices"
	"time"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// Resolve answers the request from the layers. See the package's rule.
func Resolve(req Request, layers ...Layer) Resolution {
	if refused := refuse(req, layers); len(refused) > 0 {
		return Resolution{Refused: refused}
	}
	asked := ask(req, layers)
	var r Resolution
	for _, name := range slices.SortedFunc(maps.Keys(asked), secrets.Name.Compare) {
		q := asked[name]
		won, locked := q.winner()
		if won == nil {
			if q.required {
				r.Problems = append(r.Problems, Problem{Name: name, Why: Missing})
			} else {
				r.Absent = append(r.Absent, name)
			}
			continue
		}
		why := judge(won.Policy, req.Pipeline, req.Now)
		switch {
		case why == "":
			r.Choices = append(r.Choices, Choice{copied(won), q.shadows(won, locked)})
		case why == NotAllowed && !q.named:
			r.Withheld = append(r.Withheld, Problem{name, why, won.Scope})
		default:
			r.Problems = append(r.Problems, Problem{name, why, won.Scope})
		}
	}
	return r
}

// question is one name with all that bears on its answer: since nothing else is
// looked at to answer it, no name depends on another.
type question struct {
	from     kindSet
	required bool
	named    bool                              // by a want, not only found through All
	have     [secrets.User + 1]*secrets.Secret // the candidates, by the kind of their scope
}

// ask merges the wants of each name, adds the names that All finds, and puts
// down who has a secret of each.
func ask(req Request, layers []Layer) map[secrets.Name]*question {
	asked := make(map[secrets.Name]*question, len(req.Wants))
	about := func(name secrets.Name) *question {
		q := asked[name]
		if q == nil {
			q = new(question)
			asked[name] = q
		}
		return q
	}
	for _, w := range req.Wants {
		q := about(w.Name)
		q.named = true
		q.required = q.required || !w.Optional
		if w.From == nil {
			q.from = everyKind
		} else {
			q.from |= kindsOf(w.From)
		}
	}
	all := kindsOf(req.All)
	for _, l := range layers {
		if all.has(l.Scope.Kind) {
			for i := range l.Secrets {
				about(l.Secrets[i].Name).from = everyKind
			}
		}
	}
	for _, l := range layers {
		for i := range l.Secrets {
			if q := asked[l.Secrets[i].Name]; q != nil {
				q.have[l.Scope.Kind] = &l.Secrets[i]
			}
		}
	}
	return asked
}

// winner selects by lock, then by scope, and looks at nothing else. It returns
// nil if there is no candidate.
func (q *question) winner() (won *secrets.Secret, locked bool) {
	for kind := secrets.Organization; kind < secrets.User; kind++ {
		if s := q.have[kind]; s != nil && s.Policy.Locked {
			return s, true
		}
	}
	for kind := secrets.User; kind >= secrets.Organization; kind-- {
		if s := q.have[kind]; s != nil && q.from.has(kind) {
			return s, false
		}
	}
	return nil, false
}

// shadows returns all candidates but the winner.
func (q *question) shadows(won *secrets.Secret, locked bool) []Shadow {
	var shadows []Shadow
	for kind := secrets.Organization; kind <= secrets.User; kind++ {
		s := q.have[kind]
		if s == nil || s == won {
			continue
		}
		why := Overridden
		if locked && kind > won.Scope.Kind {
			why = LockedOut
		} else if !q.from.has(kind) {
			why = NotListed
		}
		shadows = append(shadows, Shadow{copied(s), why})
	}
	return shadows
}

// judge returns why a winner can't be used, or "". That it is meant for other
// pipelines comes first: to this one its state is of no concern, so that "all"
// is not stopped by another pipeline's expired secret.
func judge(p secrets.Policy, pipeline string, now time.Time) Reason {
	switch {
	case !p.Allows(pipeline):
		return NotAllowed
	case p.Disabled:
		return Disabled
	case p.Expired(now):
		return Expired
	}
	return ""
}

// copied returns s without the slice that it shares with the caller's layer.
func copied(s *secrets.Secret) secrets.Secret {
	c := *s
	c.Policy.Pipelines = slices.Clone(c.Policy.Pipelines)
	return c
}

// kindSet is a set of valid kinds, as bits.
type kindSet uint8

const everyKind kindSet = 1<<secrets.Organization | 1<<secrets.Workspace | 1<<secrets.User

func kindsOf(kinds []secrets.Kind) kindSet {
	var set kindSet
	for _, k := range kinds {
		set |= 1 << k
	}
	return set
}

func (s kindSet) has(k secrets.Kind) bool { return s>>k&1 != 0 }
