package precedence_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	. "github.com/pipesecrets/pipesecrets/precedence"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestAnErrorNamesEveryProblemAtOnce(t *testing.T) {
	w := full()
	w.Req.Wants = []Want{{Name: names[0]}, {Name: names[1]}, {Name: names[2]}}
	w.candidate(names[0], user).Policy.Disabled = true
	w.Layers[1].Secrets = append(w.Layers[1].Secrets, secrets.Secret{Name: names[1], Scope: scope(work), Policy: secrets.Policy{Expires: now}})
	r := w.resolve()
	err := fmt.Errorf("launch: %w", r.Err())

	const want = "launch: precedence: unresolved: ALPHA: disabled (user); BETA: expired (workspace); GAMMA: missing"
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
	if !errors.Is(err, ErrUnresolved) {
		t.Error("does not match ErrUnresolved")
	}
	var unresolved *UnresolvedError
	if !errors.As(err, &unresolved) {
		t.Fatal("is no UnresolvedError")
	}
	if d := diff(r.Problems, unresolved.Problems); d != "" {
		t.Error(d)
	}
	unresolved.Problems[0].Why = Missing
	if r.Problems[0].Why != Disabled {
		t.Error("the error shares its problems with the resolution")
	}
	if strings.Contains(err.Error(), scope(user).ID) {
		t.Error("the text has an id")
	}
}

func TestAnErrorNamesEveryRefusalAtOnce(t *testing.T) {
	w := full()
	w.Layers[0].Read = false
	w.Req.Wants[0].From = []secrets.Kind{}
	w.Layers[2].Secrets = append(w.Layers[2].Secrets, w.Layers[2].Secrets[0])
	err := w.resolve().Err()
	const want = "precedence: unresolved: organization: could not be read; " +
		"request: ALPHA: malformed: From lists no kind; " +
		"user: ALPHA: malformed: two secrets of this name"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	var unresolved *UnresolvedError
	if !errors.Is(err, ErrUnresolved) || !errors.As(err, &unresolved) || len(unresolved.Refused) != 3 {
		t.Errorf("%#v", err)
	}
}

func TestWhatIsAbsentOrWithheldIsNoError(t *testing.T) {
	w := full()
	w.Req.Wants = []Want{{Name: names[1], Optional: true}}
	w.Req.All = kinds
	w.candidate(names[0], user).Policy.Pipelines = []string{"elsewhere"}
	r := w.resolve()
	if len(r.Absent) != 1 || len(r.Withheld) != 1 {
		t.Fatalf("%v", r)
	}
	if err := r.Err(); err != nil {
		t.Error(err)
	}
}
