package precedence_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	. "github.com/pipesecrets/pipesecrets/precedence"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func shuffled[E any](t *rapid.T, s []E) []E {
	if len(s) < 2 {
		return s
	}
	return rapid.Permutation(s).Draw(t, "order")
}

func TestTheOrderOfTheInputNeverMatters(t *testing.T) {
	check(t, func(t *rapid.T, met coverage) {
		w := drawWorld(t)
		if rapid.Bool().Draw(t, "break") {
			w = drawBroken(t)
		}
		first := w.resolve()
		other := w.clone()
		other.Layers = shuffled(t, other.Layers)
		for i := range other.Layers {
			other.Layers[i].Secrets = shuffled(t, other.Layers[i].Secrets)
		}
		other.Req.All = shuffled(t, other.Req.All)
		other.Req.Wants = shuffled(t, other.Req.Wants)
		for i := range other.Req.Wants {
			other.Req.Wants[i].From = shuffled(t, other.Req.Wants[i].From)
		}
		if d := diff(first, other.resolve()); d != "" {
			t.Fatalf("another order, another answer:\n%s", d)
		}
		met.count("really another order", !reflect.DeepEqual(w, other))
		met.count("several choices", len(first.Choices) > 1)
		met.count("several problems", len(first.Problems) > 1)
		met.count("several refusals", len(first.Refused) > 1)
	})
}

func TestExactlyOneAnswerPerRequestedName(t *testing.T) {
	check(t, func(t *rapid.T, met coverage) {
		w := drawWorld(t)
		r := w.resolve()
		if len(r.Refused) > 0 {
			t.Fatalf("refused: %v", r.Refused)
		}
		requested := w.requested()
		for n := range requested {
			part := only(r, n)
			if got := len(part.Choices) + len(part.Absent) + len(part.Withheld) + len(part.Problems); got != 1 {
				t.Errorf("%s has %d answers", n, got)
			}
		}
		if d := diff(Resolution{}, keep(r, func(n secrets.Name) bool { return !requested[n] })); d != "" {
			t.Errorf("answers that nobody asked for:\n%s", d)
		}
		if d := diff(r, sorted(r)); d != "" {
			t.Errorf("not sorted:\n%s", d)
		}
		met.count("choice", len(r.Choices) > 0)
		met.count("absent", len(r.Absent) > 0)
		met.count("withheld", len(r.Withheld) > 0)
		for _, why := range []Reason{Missing, NotAllowed, Disabled, Expired} {
			met.count("problem: "+string(why), slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Why == why }))
		}
		met.count("a name is not requested", len(requested) < len(names))
	})
}

func sorted(r Resolution) Resolution {
	byName := func(a, b Problem) int { return a.Name.Compare(b.Name) }
	return Resolution{
		Choices: slices.SortedStableFunc(slices.Values(r.Choices), func(a, b Choice) int {
			return a.Winner.Name.Compare(b.Winner.Name)
		}),
		Absent:   slices.SortedStableFunc(slices.Values(r.Absent), secrets.Name.Compare),
		Withheld: slices.SortedStableFunc(slices.Values(r.Withheld), byName),
		Problems: slices.SortedStableFunc(slices.Values(r.Problems), byName),
	}
}

func TestUserBeatsWorkspaceBeatsOrganization(t *testing.T) {
	check(t, func(t *rapid.T, met coverage) {
		w := drawWorld(t)
		for _, l := range w.Layers {
			for i := range l.Secrets {
				if l.Scope.Kind != user { // a user's lock is none
					l.Secrets[i].Policy.Locked = false
				}
			}
		}
		r := w.resolve()
		for n := range w.requested() {
			var want secrets.Kind
			_, from := w.wanted(n)
			for _, s := range w.candidates(n) {
				if from[s.Scope.Kind] {
					want = max(want, s.Scope.Kind)
				}
			}
			if got := winner(r, n); got != want {
				t.Errorf("%s: won by %v, want %v", n, got, want)
			}
			for _, k := range kinds {
				met.count(k.String()+" beats another", want == k && len(w.candidates(n)) > 1)
			}
			met.count("a list keeps the narrowest out", want != 0 && w.candidates(n)[len(w.candidates(n))-1].Scope.Kind != want)
			s := w.candidate(n, user)
			met.count("a user's lock", want == user && s.Policy.Locked)
		}
	})
}

func TestTheBroadestLockWins(t *testing.T) {
	check(t, func(t *rapid.T, met coverage) {
		w := drawWorld(t)
		r := w.resolve()
		for n := range w.requested() {
			var locks []secrets.Kind
			for _, s := range w.candidates(n) { // broadest first
				if s.Policy.Locked && s.Scope.Kind != user {
					locks = append(locks, s.Scope.Kind)
				}
			}
			if len(locks) == 0 {
				continue
			}
			if got := winner(r, n); got != locks[0] {
				t.Errorf("%s: won by %v, want the lock of the %v", n, got, locks[0])
			}
			_, from := w.wanted(n)
			met.count("two locks", len(locks) == 2)
			met.count("organization over user", locks[0] == org && w.candidate(n, user) != nil)
			met.count("workspace over user and organization", locks[0] == work && len(w.candidates(n)) == 3)
			met.count("not listed", !from[locks[0]])
		}
	})
}

func TestAListNeverEvadesALock(t *testing.T) {
	check(t, func(t *rapid.T, met coverage) {
		w := drawWorld(t)
		n := rapid.SampledFrom(names).Draw(t, "of")
		k := rapid.SampledFrom(kinds[:2]).Draw(t, "locked")
		s := w.candidate(n, k)
		if s == nil {
			return
		}
		s.Policy.Locked = true
		w.Req.Wants = append(w.Req.Wants, Want{Name: n})
		unlisted := w.resolve()

		listed := w.clone()
		listed.Req.All = nil // which would look everywhere
		for i := range listed.Req.Wants {
			if want := &listed.Req.Wants[i]; want.Name == n {
				want.From = rapid.SliceOfN(rapid.SampledFrom(kinds), 1, 2).Draw(t, "list")
			}
		}
		got := listed.resolve()
		if verdict(unlisted, n) != verdict(got, n) {
			t.Errorf("without a list %s, with it %s", verdict(unlisted, n), verdict(got, n))
		}
		_, from := listed.wanted(n)
		met.count("the list leaves the lock out", !from[winner(got, n)])
		met.count("the list has another to offer", slices.ContainsFunc(listed.candidates(n), func(s *secrets.Secret) bool {
			return from[s.Scope.Kind] && s.Scope.Kind != winner(got, n)
		}))
	})
}

func TestANamesResultNeverDependsOnOtherNames(t *testing.T) {
	check(t, func(t *rapid.T, met coverage) {
		w := drawWorld(t)
		whole := w.resolve()
		for _, n := range names {
			alone := w.without(func(m secrets.Name, _ secrets.Scope) bool { return m != n }).resolve()
			if d := diff(alone, only(whole, n)); d != "" {
				t.Errorf("%s alone (-) and among others (+):\n%s", n, d)
			}
			met.count("an answer among others", w.requested()[n] && len(w.requested()) > 1)
			met.count("a choice among problems", len(only(whole, n).Choices) == 1 && len(whole.Problems) > 0)
		}
	})
}

func TestAnExpiredWinnerNeverFallsThrough(t *testing.T) {
	neverFallsThrough(t, Expired, func(p *secrets.Policy) { p.Expires = now })
}

func TestADisabledWinnerNeverFallsThrough(t *testing.T) {
	neverFallsThrough(t, Disabled, func(p *secrets.Policy) { p.Disabled = true })
}

func TestAWinnerThatIsNotAllowedNeverFallsThrough(t *testing.T) {
	neverFallsThrough(t, NotAllowed, func(p *secrets.Policy) { p.Pipelines = []string{"elsewhere"} })
}

// neverFallsThrough spoils each winner in turn and requires that its name, and
// nothing else, becomes a problem of that very secret.
func neverFallsThrough(t *testing.T, why Reason, spoil func(*secrets.Policy)) {
	check(t, func(t *rapid.T, met coverage) {
		w := drawWorld(t)
		before := w.resolve()
		for _, c := range before.Choices {
			n := c.Winner.Name
			spoiled := w.clone()
			spoil(&spoiled.candidate(n, c.Winner.Scope.Kind).Policy)
			after := spoiled.resolve()

			named, _ := w.wanted(n)
			want := fmt.Sprint("problem ", c.Winner.Scope, " ", why)
			if why == NotAllowed && !named {
				want = fmt.Sprint("withheld ", c.Winner.Scope, " ", why)
			}
			if got := verdict(after, n); got != want {
				t.Errorf("%s: %s, want %s", n, got, want)
			}
			if d := diff(except(before, n), except(after, n)); d != "" {
				t.Errorf("other names changed:\n%s", d)
			}
			optional := named
			for _, want := range w.Req.Wants {
				optional = optional && (want.Name != n || want.Optional)
			}
			met.count("optional", optional)
			met.count("only by All", !named)
			for _, why := range []Reason{Overridden, LockedOut, NotListed} {
				met.count("a usable one is "+string(why), slices.ContainsFunc(c.Shadowed, func(s Shadow) bool {
					p := s.Secret.Policy
					return s.Why == why && !p.Disabled && !p.Expired(now) && p.Allows("here")
				}))
			}
		}
	})
}

func TestALosingCandidateChangesOnlyWhatIsShadowed(t *testing.T) {
	check(t, func(t *rapid.T, met coverage) {
		w := drawWorld(t)
		before := w.resolve()
		n := rapid.SampledFrom(names).Draw(t, "of")
		won := winner(before, n)
		losers := slices.DeleteFunc(w.candidates(n), func(s *secrets.Secret) bool { return s.Scope.Kind == won })
		if len(losers) == 0 {
			return
		}
		loser := rapid.SampledFrom(losers).Draw(t, "loser").Scope

		changed := w.clone()
		s := changed.candidate(n, loser.Kind)
		field := rapid.SampledFrom([]string{"Expires", "Disabled", "Pipelines", "ID", "Version", "Description", "removed"}).Draw(t, "field")
		switch field {
		case "Expires":
			s.Policy.Expires = rapid.SampledFrom(expiries).Draw(t, "expires")
		case "Disabled":
			s.Policy.Disabled = !s.Policy.Disabled
		case "Pipelines":
			s.Policy.Pipelines = rapid.SampledFrom(pipelines).Draw(t, "pipelines")
		case "ID":
			s.ID++
		case "Version":
			s.Version++
		case "Description":
			s.Description += "."
		case "removed":
			changed = w.without(func(m secrets.Name, at secrets.Scope) bool { return m == n && at == loser })
			_, before := w.wanted(n)
			_, after := changed.wanted(n)
			if len(before) != len(after) {
				return // it was through the loser that All asked for the name
			}
		}

		after := changed.resolve()
		if d := diff(except(before, n), except(after, n)); d != "" {
			t.Errorf("other names changed:\n%s", d)
		}
		had, has := only(before, n), only(after, n)
		if len(had.Choices) == 1 && len(has.Choices) == 1 {
			a, b := had.Choices[0].Shadowed, has.Choices[0].Shadowed
			had.Choices[0].Shadowed, has.Choices[0].Shadowed = nil, nil
			other := func(s Shadow) bool { return s.Secret.Scope != loser }
			if d := diff(filter(a, other), filter(b, other)); d != "" {
				t.Errorf("another shadow changed:\n%s", d)
			}
			is := func(s Shadow) bool { return s.Secret.Scope == loser }
			x, y := filter(a, is), filter(b, is)
			if field == "removed" && len(y) != 0 {
				t.Errorf("the removed one is still shadowed")
			}
			if field != "removed" && (len(y) != 1 || x[0].Why != y[0].Why || diff(y[0].Secret, *s) != "") {
				t.Errorf("the loser is reported as %v", y)
			}
			for _, why := range []Reason{Overridden, LockedOut, NotListed} {
				met.count("a choice's loser is "+string(why), slices.ContainsFunc(x, func(s Shadow) bool { return s.Why == why }))
			}
		}
		if d := diff(had, has); d != "" {
			t.Errorf("%s of the %v's secret changed the answer:\n%s", field, loser.Kind, d)
		}
		met.count("of a choice", len(had.Choices) == 1)
		met.count("of a problem", len(had.Problems) == 1)
		met.count("removed", field == "removed")
		met.count("changed", field != "removed")
	})
}

func filter[E any](s []E, ok func(E) bool) []E {
	var out []E
	for _, e := range s {
		if ok(e) {
			out = append(out, e)
		}
	}
	return out
}

func TestTheAnswerSharesNothingWithTheQuestion(t *testing.T) {
	check(t, func(t *rapid.T, met coverage) {
		w := drawWorld(t)
		kept := w.clone()
		r := w.resolve()
		if d := diff(kept, w); d != "" {
			t.Fatalf("Resolve changed its input:\n%s", d)
		}
		again := w.clone().resolve()
		for _, l := range w.Layers {
			for i := range l.Secrets {
				for j := range l.Secrets[i].Policy.Pipelines {
					l.Secrets[i].Policy.Pipelines[j] = "changed"
				}
				l.Secrets[i].Name, l.Secrets[i].Version = names[0], 77
			}
		}
		for i := range w.Req.Wants {
			w.Req.Wants[i].Name = names[0]
		}
		if d := diff(again, r); d != "" {
			t.Fatalf("changing the input later changed the answer:\n%s", d)
		}
		for _, c := range r.Choices {
			met.count("a winner with pipelines", len(c.Winner.Policy.Pipelines) > 0)
			for _, s := range c.Shadowed {
				met.count("a shadow with pipelines", len(s.Secret.Policy.Pipelines) > 0)
			}
		}
	})
}
