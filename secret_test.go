package pipesecrets_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestBadInputIsRefusedByFieldAndRuleAndNeverQuoted(t *testing.T) {
	h := newHouse(t)
	existing, _ := h.put(ada, genomics, "EXISTING")
	good := secrets.Secret{Name: nameOf(t, "TOKEN"), Scope: genomics}
	change := func(f func(*secrets.Secret)) secrets.Secret {
		s := good
		f(&s)
		return s
	}
	mark := string(canary())
	for _, c := range []struct {
		field  string
		secret secrets.Secret
		value  secrets.Value
	}{
		{"name", change(func(s *secrets.Secret) { s.Name = secrets.Name{} }), valueOf(t, canary())},
		{"name", change(func(s *secrets.Secret) { s.Name = nameOf(t, "LD_PRELOAD") }), valueOf(t, canary())},
		{"name", change(func(s *secrets.Secret) { s.Name = nameOf(t, "NXF_OPTS") }), valueOf(t, canary())},
		{"scope.kind", change(func(s *secrets.Secret) { s.Scope.Kind = 0 }), valueOf(t, canary())},
		{"scope.kind", change(func(s *secrets.Secret) { s.Scope.Kind = 9 }), valueOf(t, canary())},
		{"scope.id", change(func(s *secrets.Secret) { s.Scope.ID = "" }), valueOf(t, canary())},
		{"scope.id", change(func(s *secrets.Secret) { s.Scope.ID = mark + "\n" }), valueOf(t, canary())},
		{"policy.pipelines", change(func(s *secrets.Secret) { s.Policy.Pipelines = []string{mark + "\x1b"} }), valueOf(t, canary())},
		{"policy.pipelines", change(func(s *secrets.Secret) { s.Policy.Pipelines = []string{""} }), valueOf(t, canary())},
		{"policy.locked", change(func(s *secrets.Secret) { s.Scope, s.Policy.Locked = own(ada), true }), valueOf(t, canary())},
		{"policy.expires", change(func(s *secrets.Secret) { s.Policy.Expires = time.Unix(-5, 0) }), valueOf(t, canary())},
		{"description", change(func(s *secrets.Secret) { s.Description = mark + "\n" }), valueOf(t, canary())},
		{"description", change(func(s *secrets.Secret) { s.Description = strings.Repeat(mark, 50) }), valueOf(t, canary())},
		{"value", good, secrets.Value{}},
	} {
		_, err := h.Create(t.Context(), ada, c.secret, c.value)
		var invalid *secrets.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != c.field || !errors.Is(err, secrets.ErrInvalid) {
			t.Errorf("create, %s: got %v", c.field, err)
		}
		if strings.Contains(err.Error(), mark) {
			t.Errorf("create, %s: the refusal quotes what was given", c.field)
		}
		if c.value.IsZero() || c.field == "name" {
			continue // an update without a value keeps it, and without a name too
		}
		next := existing
		next.Policy, next.Description = c.secret.Policy, c.secret.Description
		if strings.HasPrefix(c.field, "policy.locked") || strings.HasPrefix(c.field, "scope") {
			continue
		}
		if _, err := h.Update(t.Context(), ada, next, secrets.Value{}); !errors.As(err, &invalid) || invalid.Field != c.field {
			t.Errorf("update, %s: got %v", c.field, err)
		}
	}
	if list, err := h.List(t.Context(), ada, secrets.Query{Scope: genomics}); err != nil || len(list) != 1 || list[0].Version != 1 {
		t.Errorf("something was stored: %v, %v", list, err)
	}
	if _, err := h.List(t.Context(), ada, secrets.Query{Scope: genomics, Limit: 1001}); !errors.Is(err, secrets.ErrInvalid) {
		t.Errorf("list: %v", err)
	}
}

func TestAReservedNameIsAllowedWhereTheHostSaysSo(t *testing.T) {
	h := newHouse(t, func(c *pipesecrets.Config) { c.Reserved = []secrets.Name{nameOf(t, "AWS_PROFILE")} })
	_, plain := h.put(ada, genomics, "AWS_PROFILE")
	h.reads(h.launch(lin, "r1", genomics, "AWS_PROFILE"), "AWS_PROFILE", plain)
	// Another host, which does not, refuses the launch too.
	_, err := h.again(func(c *pipesecrets.Config) { c.Reserved = nil }).Launch(t.Context(), lin, h.request("r2", genomics, "AWS_PROFILE"))
	if !errors.Is(err, pipesecrets.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

func TestUpdateIsOfTheVersionThatWasRead(t *testing.T) {
	h := newHouse(t)
	first, _ := h.put(ada, genomics, "TOKEN")
	second, _ := h.change(ada, first)
	if _, err := h.Update(t.Context(), ada, first, valueOf(t, canary())); !errors.Is(err, secrets.ErrConflict) {
		t.Errorf("an update of an older version: %v", err)
	}
	renamed := second
	renamed.Name = nameOf(t, "OTHER")
	moved := second
	moved.Scope = imaging
	for field, s := range map[string]secrets.Secret{"name": renamed, "scope": moved} {
		_, err := h.Update(t.Context(), ada, s, secrets.Value{})
		var invalid *secrets.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("another %s: %v", field, err)
		}
	}
	got, err := h.Get(t.Context(), ada, first.ID)
	h.must(err)
	if diff := cmp.Diff(second, got, cmp.AllowUnexported(secrets.Name{}, secrets.RunID{})); diff != "" {
		t.Error(diff)
	}
}

func TestAnUpdateOfPolicyKeepsTheValue(t *testing.T) {
	h := newHouse(t)
	s, plain := h.put(ada, genomics, "TOKEN")
	s.Policy.Locked, s.Description = true, "shared by all"
	s, err := h.Update(t.Context(), ada, s, secrets.Value{})
	h.must(err)
	if s.Version != 2 || !s.Policy.Locked || s.UpdatedBy != ada.Name() {
		t.Errorf("got %+v", s)
	}
	h.put(lin, own(lin), "TOKEN")
	h.reads(h.launch(lin, "r1", genomics, "TOKEN"), "TOKEN", plain) // locked: hers does not override
}

func TestADeletedNameIsFreeAndCreatedAgainIsAnotherSecret(t *testing.T) {
	h := newHouse(t)
	first, _ := h.put(ada, genomics, "TOKEN")
	if _, err := h.Create(t.Context(), ada, secrets.Secret{Name: first.Name, Scope: genomics}, valueOf(t, canary())); !errors.Is(err, secrets.ErrExists) {
		t.Errorf("the name is taken: %v", err)
	}
	h.must(h.Delete(t.Context(), ada, first.ID))
	second, _ := h.put(ada, genomics, "TOKEN")
	if second.ID == first.ID || second.Version != 1 {
		t.Errorf("got %v after %v", second.Pin, first.Pin)
	}
	if _, err := h.Get(t.Context(), ada, first.ID); !errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("the first one: %v", err)
	}
}

func TestTheCallersValueStaysTheirs(t *testing.T) {
	h := newHouse(t)
	plain := canary()
	v := valueOf(t, plain)
	s, err := h.Create(t.Context(), ada, secrets.Secret{Name: nameOf(t, "TOKEN"), Scope: genomics}, v)
	h.must(err)
	_, err = h.Update(t.Context(), ada, s, v)
	h.must(err)
	h.must(v.Reveal(func(b []byte) error {
		if !bytes.Equal(b, plain) {
			t.Error("it was changed")
		}
		return nil
	}))
}

func TestListPagesInTheOrderOfNames(t *testing.T) {
	h := newHouse(t)
	for _, n := range []string{"C3", "A1", "B2", "a1", "B1"} {
		h.put(ada, genomics, n)
	}
	var got []string
	q := secrets.Query{Scope: genomics, Limit: 2}
	for {
		page, err := h.List(t.Context(), lin, q)
		h.must(err)
		if len(page) == 0 {
			break
		}
		for _, s := range page {
			got = append(got, s.Name.String())
		}
		q.After = page[len(page)-1].Name.String()
	}
	if diff := cmp.Diff([]string{"A1", "B1", "B2", "C3", "a1"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestEveryDecisionIsInTheLogWithoutValues(t *testing.T) {
	h := newHouse(t)
	s, plain := h.put(ada, genomics, "TOKEN")
	h.change(ada, s)
	_, _ = h.Get(t.Context(), lin, s.ID)
	_ = h.Delete(t.Context(), lin, s.ID)
	h.launch(lin, "r1", genomics, "TOKEN")
	_, err := h.Launch(t.Context(), lin, h.request("r2", genomics, "NO_SUCH"))
	if err == nil {
		t.Fatal("launched")
	}
	_, err = h.Renew(t.Context(), lin, runOf(t, "r1"))
	h.must(err)
	_, err = h.Complete(t.Context(), lin, runOf(t, "r1"), pipesecrets.Ending{Outcome: "succeeded"})
	h.must(err)
	var got []string
	for _, ev := range h.events() {
		line := strings.Join([]string{
			ev.Caller, string(ev.Action), string(ev.Outcome), ev.Scope.String(), ev.Name.String(), ev.Run.String(), ev.Target, ev.Reason,
		}, "|")
		got = append(got, line)
		if strings.Contains(line, string(plain)) || ev.At.IsZero() {
			t.Errorf("a value, or no time, in %d", len(got))
		}
	}
	want := []string{
		"user:ada|create|done|workspace:genomics|TOKEN|||",
		"user:ada|update|done|workspace:genomics|TOKEN|||",
		"user:lin|get|done|workspace:genomics|TOKEN|||",
		"user:lin|delete|denied|workspace:genomics|TOKEN|||no role of the caller's here gives delete",
		"user:lin|use|done|workspace:genomics|TOKEN|r1||",
		"user:lin|launch|done|workspace:genomics||r1||",
		"user:lin|stage|done|workspace:genomics|TOKEN|r1|cluster|",
		"user:lin|launch|refused|workspace:genomics||r2||request can't be met: NO_SUCH: missing",
		"user:lin|renew|done|workspace:genomics||r1||",
		"user:lin|complete|done|workspace:genomics||r1||succeeded",
		"user:lin|remove|done|workspace:genomics|TOKEN|r1|cluster|",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
