package pipesecrets_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/precedence"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/provider/nextflow"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestPreflightNamesEverythingThatIsWrongAtOnceAndStagesNothing(t *testing.T) {
	h := newHouse(t)
	h.put(ada, genomics, "GOOD")
	h.put(ada, genomics, "OLD", secrets.Policy{Expires: time.Now().Add(-time.Second)})
	h.put(ada, genomics, "OFF", secrets.Policy{Disabled: true})
	h.put(ada, genomics, "THEIRS", secrets.Policy{Pipelines: []string{"a@1"}})
	for name, plain := range map[string]string{"NUL": "a\x00b", "BINARY": "a\xffb"} {
		_, err := h.Create(t.Context(), ada, secrets.Secret{Name: nameOf(t, name), Scope: genomics}, valueOf(t, []byte(plain)))
		h.must(err)
	}
	r := h.request("r1", genomics, "GOOD", "OLD", "OFF", "THEIRS", "NUL", "BINARY", "MISSING")
	r.Wants = append(r.Wants, precedence.Want{Name: nameOf(t, "MAYBE"), Optional: true})
	r.Pipeline = "b@2"
	r.Targets = map[string][]secrets.Name{
		"cluster": {nameOf(t, "OLD"), nameOf(t, "NUL"), nameOf(t, "BINARY"), nameOf(t, "MAYBE"), nameOf(t, "STRAY")},
		"moon":    nil,
	}
	want := []string{
		"MISSING: missing",
		"OFF: disabled (the workspace's)",
		"OLD: expired (the workspace's)",
		"THEIRS: not allowed for this pipeline (the workspace's)",
		"STRAY: target cluster: is not among what the request wants",
		"BINARY: target cluster: value: must be valid UTF-8 to stand in Nextflow's store file",
		"NUL: target cluster: value: may hold no NUL byte to stand in an environment",
		"target moon: target is not configured",
		"GOOD: goes to no target",
	}
	for _, ask := range []func() error{
		func() error { _, err := h.Preflight(t.Context(), lin, r); return err },
		func() error { _, err := h.Launch(t.Context(), lin, r); return err },
	} {
		err := ask()
		var wrong *pipesecrets.RequestError
		if !errors.As(err, &wrong) {
			t.Fatalf("got %v", err)
		}
		var got []string
		for _, p := range wrong.Problems {
			got = append(got, p.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	h.nothingStaged()
	// The run's id is not used up by a request that was refused.
	h.launch(lin, "r1", genomics, "GOOD")
}

func TestWhatIsAskedForIsWhatIsStaged(t *testing.T) {
	h := newHouse(t)
	for scope, names := range map[secrets.Scope][]string{
		lab: {"ORG_ONLY", "BOTH"}, genomics: {"WS_ONLY", "BOTH", "ALL"}, own(lin): {"USER_ONLY", "ALL"},
	} {
		c := boss
		if scope.Kind == secrets.User {
			c = lin
		}
		for _, n := range names {
			h.put(c, scope, n)
		}
	}
	h.put(boss, genomics, "ELSEWHERE", secrets.Policy{Pipelines: []string{"other@1"}})
	wants := func(names ...string) []precedence.Want {
		return h.request("x", genomics, names...).Wants
	}
	for _, c := range []struct {
		what  string
		wants []precedence.Want
		all   []secrets.Kind
		want  string // name/kind of each, in order
	}{
		{"nothing said: the workspace's and the organization's, overridden by hers", nil, nil,
			"ALL/user BOTH/workspace ORG_ONLY/organization WS_ONLY/workspace"},
		{"empty is none", []precedence.Want{}, nil, ""},
		{"empty all is none", nil, []secrets.Kind{}, ""},
		{"one name", wants("BOTH"), nil, "BOTH/workspace"},
		{"all of hers", nil, []secrets.Kind{secrets.User}, "ALL/user USER_ONLY/user"},
		{"a list of kinds", []precedence.Want{{Name: nameOf(t, "ALL"), From: []secrets.Kind{secrets.Workspace}}}, nil, "ALL/workspace"},
		{"optional and absent", []precedence.Want{{Name: nameOf(t, "NO_SUCH"), Optional: true}}, nil, ""},
		{"a name and all", wants("USER_ONLY"), []secrets.Kind{secrets.Organization}, "BOTH/workspace ORG_ONLY/organization USER_ONLY/user"},
	} {
		r := pipesecrets.LaunchRequest{Workspace: genomics, Wants: c.wants, All: c.all, Pipeline: "this@1"}
		resolution, err := h.Preflight(t.Context(), lin, r)
		h.must(err)
		var got []string
		for _, choice := range resolution.Choices {
			got = append(got, fmt.Sprintf("%s/%s", choice.Winner.Name, choice.Winner.Scope.Kind))
		}
		if got := strings.Join(got, " "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.what, got, c.want)
		}
	}
	// What is listed is staged, and nothing else.
	r := h.request("r1", genomics, "BOTH")
	launch, err := h.Launch(t.Context(), lin, r)
	h.must(err)
	if len(launch.References) != 1 {
		t.Errorf("%d references", len(launch.References))
	}
}

func TestARunOutsideOfAnyWorkspaceUsesThePersonsOwnSecretsOnly(t *testing.T) {
	h := newHouse(t)
	h.put(boss, lab, "TOKEN")
	_, mine := h.put(lin, own(lin), "TOKEN")
	h.put(lin, own(lin), "OTHER")
	launch, err := h.Launch(t.Context(), lin, pipesecrets.LaunchRequest{Run: runOf(t, "r1"), Workspace: own(lin)})
	h.must(err)
	h.reads(launch, "TOKEN", mine)
	if len(launch.References) != 2 {
		t.Errorf("%d references", len(launch.References))
	}
	if _, err := h.Launch(t.Context(), mia, pipesecrets.LaunchRequest{Run: runOf(t, "r2"), Workspace: own(lin)}); code(err) != "n" {
		t.Errorf("another person there: %v", err)
	}
	_, err = h.Launch(t.Context(), boss, pipesecrets.LaunchRequest{Run: runOf(t, "r3"), Workspace: lab})
	var invalid *secrets.InvalidError
	if !errors.As(err, &invalid) || invalid.Field != "workspace" {
		t.Errorf("in an organization: %v", err)
	}
}

func TestWhatTheCallerMayNotReadIsLeftOutOfTheReport(t *testing.T) {
	h := newHouse(t)
	_, err := h.Create(t.Context(), boss, secrets.Secret{
		Name: nameOf(t, "FROM_LAB"), Scope: lab, Description: "internal", Policy: secrets.Policy{Pipelines: []string{"p@1"}},
	}, valueOf(t, canary()))
	h.must(err)
	h.put(boss, lab, "BOTH")
	h.put(ada, genomics, "BOTH")
	r := h.request("r1", genomics, "FROM_LAB", "BOTH")
	r.Pipeline = "p@1"
	for _, c := range []struct {
		who         string
		ask         func() (precedence.Resolution, error)
		description string
		shadowed    int
	}{
		{"lin, who may not read lab", func() (precedence.Resolution, error) { return h.Preflight(t.Context(), lin, r) }, "", 0},
		{"boss, who may", func() (precedence.Resolution, error) { return h.Preflight(t.Context(), boss, r) }, "internal", 1},
	} {
		got, err := c.ask()
		h.must(err)
		if len(got.Choices) != 2 || len(got.Choices[0].Shadowed) != c.shadowed ||
			got.Choices[1].Winner.Description != c.description || (got.Choices[1].Winner.Policy.Pipelines == nil) != (c.description == "") {
			t.Errorf("%s: got %+v", c.who, got.Choices)
		}
	}
}

func TestSeveralTargetsGetTheirNamesAndAllOrNothing(t *testing.T) {
	var second *hpc.Driver
	fail := &faulty{}
	h := newHouse(t, func(c *pipesecrets.Config) {
		var err error
		if second, err = hpc.New(hpc.Config{Root: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
		fail.Provider = second
		c.Targets = map[string]provider.Provider{"cluster": c.Targets["cluster"], "second": fail}
	})
	h.put(ada, genomics, "A1")
	h.put(ada, genomics, "B1")
	r := h.request("r1", genomics, "A1", "B1")
	if _, err := h.Launch(t.Context(), lin, r); !errors.Is(err, pipesecrets.ErrRefused) {
		t.Errorf("with two targets and none named: %v", err)
	}
	r.Targets = map[string][]secrets.Name{"cluster": nil, "second": {nameOf(t, "B1")}}
	launch, err := h.Launch(t.Context(), lin, r)
	h.must(err)
	var got []string
	for _, ref := range launch.References {
		got = append(got, ref.Target+"/"+ref.Name.String())
	}
	if diff := cmp.Diff([]string{"cluster/A1", "cluster/B1", "second/B1"}, got); diff != "" {
		t.Error(diff)
	}
	_, err = h.Complete(t.Context(), lin, r.Run, pipesecrets.Ending{})
	h.must(err)

	r.Run = runOf(t, "r2")
	fail.create = &provider.Error{Op: "create", Code: provider.Forbidden}
	if _, err := h.Launch(t.Context(), lin, r); err == nil {
		t.Error("launched although one target refused")
	}
	h.nothingStaged()
}

// telltale is a driver that panics with the value it was asked to carry.
type telltale struct{ provider.Provider }

func (telltale) Carries(_ secrets.Name, v secrets.Value) error {
	return v.Reveal(func(plain []byte) error { panic(string(plain)) })
}

// weighty is one that panics with the value it was asked to weigh.
type weighty struct{ provider.Provider }

func (weighty) Weigh(n secrets.Name, v secrets.Value) int {
	_ = telltale{}.Carries(n, v)
	return 0
}

func TestADriverThatPanicsOverAValueRefusesItAndTellsNothing(t *testing.T) {
	for _, wrap := range []func(provider.Provider) provider.Provider{
		func(p provider.Provider) provider.Provider { return telltale{p} },
		func(p provider.Provider) provider.Provider { return weighty{p} },
	} {
		h := newHouse(t, func(c *pipesecrets.Config) {
			c.Targets = map[string]provider.Provider{"cluster": wrap(c.Targets["cluster"])}
		})
		_, plain := h.put(ada, genomics, "TOKEN")
		_, err := h.Launch(t.Context(), lin, h.request("r1", genomics, "TOKEN"))
		if !errors.Is(err, pipesecrets.ErrRefused) || strings.Contains(err.Error(), string(plain)) {
			t.Error("it was not refused, or the value was told")
		}
		h.nothingStaged()
	}
}

// narrow is a driver whose objects hold only so much, and which takes one object a
// run.
type narrow struct {
	provider.Provider
	room int
}

func (n narrow) Weigh(_ secrets.Name, v secrets.Value) (weight int) {
	_ = v.Reveal(func(plain []byte) error {
		weight = len(plain)
		return nil
	})
	return weight
}

func (n narrow) Plan(run secrets.RunID, items []provider.Item, nonce func() string) ([]provider.Object, error) {
	weight := 0
	for _, item := range items {
		weight += item.Weight
	}
	if weight > n.room {
		return nil, &secrets.InvalidError{Field: "run", Rule: "is more than the platform takes"}
	}
	return n.Provider.Plan(run, items, nonce)
}

func TestARunThatATargetCanNotTakeAsAWholeIsRefusedByPreflight(t *testing.T) {
	room := 3 * len(canary())
	h := newHouse(t, func(c *pipesecrets.Config) {
		c.Targets = map[string]provider.Provider{"cluster": narrow{c.Targets["cluster"], room}}
	})
	var names []string
	for i := range 4 {
		names = append(names, fmt.Sprint("TOKEN", i))
		h.put(ada, genomics, names[i])
	}
	for _, launch := range []func(pipesecrets.LaunchRequest) error{
		func(r pipesecrets.LaunchRequest) error { _, err := h.Preflight(t.Context(), lin, r); return err },
		func(r pipesecrets.LaunchRequest) error { _, err := h.Launch(t.Context(), lin, r); return err },
	} {
		var refused *pipesecrets.RequestError
		err := launch(h.request("r1", genomics, names...))
		want := []pipesecrets.Problem{{Target: "cluster", Rule: "run: is more than the platform takes"}}
		if !errors.As(err, &refused) || !cmp.Equal(refused.Problems, want, cmp.AllowUnexported(secrets.Name{})) {
			t.Errorf("four: %v", err)
		}
	}
	h.nothingStaged()
	r := h.request("r1", genomics, names[:3]...)
	r.Run = secrets.RunID{}
	if _, err := h.Preflight(t.Context(), lin, r); err != nil {
		t.Errorf("three, without a run's id: %v", err)
	}
	h.launch(lin, "r1", genomics, names[:3]...)
	_, rows, err := h.backend.Load(t.Context(), runOf(t, "r1"))
	h.must(err)
	for _, row := range rows {
		for _, item := range row.Object.Items {
			if item.Weight != 0 {
				t.Error("the ledger has the size of a value")
			}
		}
	}
}

func TestAValueThatIsInTheWayOfAnotherIsRefusedByPreflight(t *testing.T) {
	escaped := func(root string) provider.Provider {
		d, err := hpc.New(hpc.Config{Root: root, Store: nextflow.Store{Form: nextflow.Escaped}})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	h := newHouse(t)
	h = h.again(func(c *pipesecrets.Config) {
		c.Targets = map[string]provider.Provider{"cluster": escaped(h.root), "second": escaped(t.TempDir())}
	})
	h.put(ada, genomics, "FIRST")
	value := valueOf(t, append([]byte("x FIRST="), canary()...))
	_, err := h.Create(t.Context(), ada, secrets.Secret{Name: nameOf(t, "TELLTALE"), Scope: genomics}, value)
	h.must(err)

	first, telltale := nameOf(t, "FIRST"), nameOf(t, "TELLTALE")
	r := h.request("r1", genomics, "FIRST", "TELLTALE")
	r.Targets = map[string][]secrets.Name{"cluster": nil}
	for _, launch := range []func() error{
		func() error { _, err := h.Preflight(t.Context(), lin, r); return err },
		func() error { _, err := h.Launch(t.Context(), lin, r); return err },
	} {
		var refused *pipesecrets.RequestError
		want := []pipesecrets.Problem{{Name: telltale, Target: "cluster",
			Rule: "value: holds NAME= of another staged secret: Nextflow would hand it to the tasks that ask for that one"}}
		if err := launch(); !errors.As(err, &refused) || !cmp.Equal(refused.Problems, want, cmp.AllowUnexported(secrets.Name{})) {
			t.Errorf("together: %v", err)
		}
	}
	h.nothingStaged()

	r.Targets = map[string][]secrets.Name{"cluster": {first}, "second": {telltale}}
	_, err = h.Launch(t.Context(), lin, r)
	h.must(err)
}
