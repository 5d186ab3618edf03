package pipesecrets_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
)

// callers are the rows of the tables below. All but the organization's people,
// the stranger and the operator have their role in genomics.
func callers() map[string]rbac.Caller {
	in := func(scope secrets.Scope, r rbac.Role) rbac.Caller {
		return person("p-"+string(r), rbac.Grant{Scope: scope, Role: r})
	}
	return map[string]rbac.Caller{
		"owner":    in(genomics, rbac.Owner),
		"admin":    in(genomics, rbac.Admin),
		"maintain": in(genomics, rbac.Maintain),
		"launch":   in(genomics, rbac.Launch),
		"connect":  in(genomics, rbac.Connect),
		"view":     in(genomics, rbac.View),
		"orgowner": in(lab, rbac.OrgOwner),
		"orgmemb":  in(lab, rbac.OrgMember),
		"orgcoll":  in(lab, rbac.OrgCollaborator),
		"stranger": person("p-stranger"),
		"service":  {Label: "ci", Grants: []rbac.Grant{{Scope: genomics, Role: rbac.Admin}}},
		"operator": rbac.Operator("p-operator"),
	}
}

// code is an answer in one letter.
func code(err error) string {
	switch {
	case err == nil:
		return "+"
	case errors.Is(err, secrets.ErrDenied):
		return "d"
	case errors.Is(err, secrets.ErrNotFound):
		return "n"
	}
	return "?" + err.Error()
}

// Each cell is one call: + it is done, d denied, n not found. The six letters of
// a cell are the scopes: genomics; imaging, of the same organization; abroad, of
// another; the organization lab; the caller's own; another user's.
const secretAccess = `
	         create update delete revoke get    list   delscope
owner        +nnn+n +nnn+n +nnn+n +nnn+n +nnn+n +nnn+n +nnn+n
admin        +nnn+n +nnn+n +nnn+n +nnn+n +nnn+n +nnn+n +nnn+n
maintain     dnnn+n dnnn+n dnnn+n dnnn+n +nnn+n +nnn+n dnnn+n
launch       dnnn+n dnnn+n dnnn+n dnnn+n +nnn+n +nnn+n dnnn+n
connect      dnnn+n dnnn+n dnnn+n dnnn+n +nnn+n +nnn+n dnnn+n
view         dnnn+n dnnn+n dnnn+n dnnn+n +nnn+n +nnn+n dnnn+n
orgowner     ++n++n ++n++n ++n++n ++n++n ++n++n ++n++n ++n++n
orgmemb      nnnd+n nnnd+n nnnd+n nnnd+n nnn++n nnn++n nnnd+n
orgcoll      nnnn+n nnnn+n nnnn+n nnnn+n nnnn+n nnnn+n nnnn+n
stranger     nnnn+n nnnn+n nnnn+n nnnn+n nnnn+n nnnn+n nnnn+n
service      +nnnnn +nnnnn +nnnnn +nnnnn +nnnnn +nnnnn +nnnnn
operator     nnnnnn nnnnnn nnnnnn nnnnnn nnnnnn nnnnnn ++++++
`

func TestWhoMayDoWhatToSecretsInWhichScope(t *testing.T) {
	h := newHouse(t)
	someone := person("someone")
	cells := 0
	rows := strings.Split(strings.TrimSpace(secretAccess), "\n")
	operations := strings.Fields(rows[0])
	for _, row := range rows[1:] {
		fields := strings.Fields(row)
		caller := callers()[fields[0]]
		self := secrets.Scope{Kind: secrets.User, ID: "p-" + fields[0]}
		if caller.User != "" {
			self.ID = caller.User
		}
		scopes := []secrets.Scope{genomics, imaging, abroad, lab, self, own(someone)}
		for i, operation := range operations {
			got := ""
			for j, scope := range scopes {
				// Somebody who may has put a secret there.
				putter := boss
				if scope.Kind == secrets.User {
					putter = person(scope.ID)
				}
				s, _ := h.put(putter, scope, fmt.Sprintf("S_%d_%d_%s", i, j, strings.ToUpper(fields[0])))
				got += code(h.operate(caller, operation, scope, s))
				cells++
			}
			if got != fields[i+1] {
				t.Errorf("%s %s: got %s, want %s", fields[0], operation, got, fields[i+1])
			}
		}
	}
	if cells < 500 {
		t.Errorf("%d cells", cells)
	}
	t.Logf("%d cells", cells)
}

func (h *house) operate(c rbac.Caller, operation string, scope secrets.Scope, s secrets.Secret) error {
	h.t.Helper()
	var err error
	ctx := h.t.Context()
	switch operation {
	case "create":
		name := nameOf(h.t, s.Name.String()+"_NEW")
		_, err = h.Create(ctx, c, secrets.Secret{Name: name, Scope: scope}, valueOf(h.t, canary()))
	case "update":
		_, err = h.Update(ctx, c, s, valueOf(h.t, canary()))
	case "delete":
		err = h.Delete(ctx, c, s.ID)
	case "revoke":
		_, err = h.Revoke(ctx, c, s.ID)
	case "get":
		_, err = h.Get(ctx, c, s.ID)
	case "list":
		_, err = h.List(ctx, c, secrets.Query{Scope: scope})
	case "delscope":
		err = h.DeleteScope(ctx, c, scope)
	default:
		h.t.Fatalf("no operation %s", operation)
	}
	return err
}

// The three letters of a cell are the workspaces genomics, imaging and abroad;
// for attach to receipt, a run that somebody else launched there.
const runAccess = `
	     preflight launch attach renew complete receipt
owner        +nn     +nn    +nn    +nn   +nn      +nn
admin        +nn     +nn    +nn    +nn   +nn      +nn
maintain     +nn     +nn    +nn    +nn   +nn      +nn
launch       +nn     +nn    dnn    dnn   dnn      +nn
connect      dnn     dnn    dnn    dnn   dnn      +nn
view         dnn     dnn    dnn    dnn   dnn      +nn
orgowner     ++n     ++n    ++n    ++n   ++n      ++n
orgmemb      nnn     nnn    nnn    nnn   nnn      nnn
orgcoll      nnn     nnn    nnn    nnn   nnn      nnn
stranger     nnn     nnn    nnn    nnn   nnn      nnn
service      +nn     +nn    +nn    +nn   +nn      +nn
operator     nnn     nnn    +++    +++   +++      +++
`

func TestWhoMayDoWhatToRunsInWhichWorkspace(t *testing.T) {
	h := newHouse(t)
	rows := strings.Split(strings.TrimSpace(runAccess), "\n")
	operations := strings.Fields(rows[0])
	serial := 0
	for _, row := range rows[1:] {
		fields := strings.Fields(row)
		caller := callers()[fields[0]]
		for i, operation := range operations {
			got := ""
			for _, scope := range []secrets.Scope{genomics, imaging, abroad} {
				serial++
				run := fmt.Sprint("r", serial)
				if i >= 2 {
					h.launch(boss, run, scope)
				}
				got += code(h.operateRun(caller, operation, scope, run))
			}
			if got != fields[i+1] {
				t.Errorf("%s %s: got %s, want %s", fields[0], operation, got, fields[i+1])
			}
		}
	}
}

func (h *house) operateRun(c rbac.Caller, operation string, scope secrets.Scope, run string) error {
	h.t.Helper()
	var err error
	ctx := h.t.Context()
	id := runOf(h.t, run)
	switch operation {
	case "preflight":
		_, err = h.Preflight(ctx, c, h.request(run, scope))
	case "launch":
		_, err = h.Launch(ctx, c, h.request(run, scope))
	case "attach":
		_, err = h.Attach(ctx, c, id)
	case "renew":
		_, err = h.Renew(ctx, c, id)
	case "complete":
		_, err = h.Complete(ctx, c, id, pipesecrets.Ending{})
	case "receipt":
		_, err = h.Receipt(ctx, c, id)
	default:
		h.t.Fatalf("no operation %s", operation)
	}
	return err
}

func TestWhoeverLaunchedARunMayEndItAsLongAsTheyMayUseTheWorkspace(t *testing.T) {
	h := newHouse(t)
	for i, operation := range []string{"attach", "renew", "complete"} {
		run := fmt.Sprint("r", i)
		h.launch(lin, run, genomics)
		former := person(lin.User)
		if got := code(h.operateRun(former, operation, genomics, run)); got != "n" {
			t.Errorf("%s without the role: %s", operation, got)
		}
		viewer := person(lin.User, rbac.Grant{Scope: genomics, Role: rbac.View})
		if got := code(h.operateRun(viewer, operation, genomics, run)); got != "d" {
			t.Errorf("%s with a lesser role: %s", operation, got)
		}
		if got := code(h.operateRun(lin, operation, genomics, run)); got != "+" {
			t.Errorf("%s: %s", operation, got)
		}
	}
}

func TestOnlyAnOperatorOperatesTheInstallation(t *testing.T) {
	h := newHouse(t)
	for name, c := range callers() {
		want := "dddd"
		if name == "operator" {
			want = "++++"
		}
		_, sweep := h.Sweep(t.Context(), c)
		_, rewrap := h.Rewrap(t.Context(), c, 10)
		_, health := h.Health(t.Context(), c)
		got := code(sweep) + code(rewrap) + code(h.Adopt(t.Context(), c, false)) + code(health)
		if got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestAbsentAndForeignAnswerAlike(t *testing.T) {
	h := newHouse(t)
	foreign, _ := h.put(boss, abroad, "TOKEN")
	h.launch(boss, "r1", abroad)
	absent := foreign
	absent.ID = foreign.ID ^ 1
	type answers map[string]string
	ask := func(s secrets.Secret, run string) answers {
		a := answers{}
		for _, op := range []string{"update", "delete", "revoke", "get"} {
			a[op] = fmt.Sprint(h.operate(ada, op, abroad, s))
		}
		for _, op := range []string{"attach", "renew", "complete", "receipt"} {
			a[op] = fmt.Sprint(h.operateRun(ada, op, abroad, run))
		}
		return a
	}
	before := len(h.events())
	f := ask(foreign, "r1")
	between := len(h.events())
	if diff := cmp.Diff(ask(absent, "r2"), f); diff != "" {
		t.Error(diff)
	}
	if told := len(h.events()) - between; told != between-before || told != len(f) {
		t.Errorf("%d denials of the foreign one are in the log, %d of the absent one", between-before, told)
	}
}

func TestTheVetoCanOnlyDenyAndInDoubtDenies(t *testing.T) {
	never := make(chan struct{})
	defer close(never)
	for _, c := range []struct {
		name string
		veto func(context.Context, rbac.Caller, rbac.Permission, secrets.Scope) error
		want string // by an admin, by a stranger
	}{
		{"silent", nil, "+n"},
		{"agrees", func(context.Context, rbac.Caller, rbac.Permission, secrets.Scope) error { return nil }, "+n"},
		{"denies", func(context.Context, rbac.Caller, rbac.Permission, secrets.Scope) error { return errors.New("no") }, "nn"},
		{"denies writing only", func(_ context.Context, _ rbac.Caller, p rbac.Permission, _ secrets.Scope) error {
			if p == rbac.Write {
				return errors.New("no")
			}
			return nil
		}, "dn"},
		{"panics", func(context.Context, rbac.Caller, rbac.Permission, secrets.Scope) error { panic("no") }, "nn"},
		{"waits", func(ctx context.Context, _ rbac.Caller, _ rbac.Permission, _ secrets.Scope) error {
			<-ctx.Done()
			return nil // after its time is no answer
		}, "nn"},
		{"hangs", func(context.Context, rbac.Caller, rbac.Permission, secrets.Scope) error { <-never; return nil }, "nn"},
	} {
		h := newHouse(t, func(config *pipesecrets.Config) {
			config.Veto = c.veto
			if c.name == "waits" || c.name == "hangs" {
				config.VetoTimeout = time.Millisecond
			}
		})
		got := ""
		for i, caller := range []rbac.Caller{ada, person("stranger")} {
			_, err := h.Create(t.Context(), caller, secrets.Secret{Name: nameOf(t, fmt.Sprint("TOKEN", i)), Scope: genomics}, valueOf(t, canary()))
			got += code(err)
		}
		if got != c.want {
			t.Errorf("a veto that %s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestAWorkspaceWhoseOrganizationCanNotBeToldIsClosed(t *testing.T) {
	never := make(chan struct{})
	defer close(never)
	for name, f := range map[string]func(context.Context, secrets.Scope) (secrets.Scope, error){
		"error":  func(context.Context, secrets.Scope) (secrets.Scope, error) { return lab, errors.New("down") },
		"a user": func(context.Context, secrets.Scope) (secrets.Scope, error) { return own(lin), nil },
		"malformed": func(context.Context, secrets.Scope) (secrets.Scope, error) {
			return secrets.Scope{Kind: 1, ID: "a b"}, nil
		},
		"panics":     func(context.Context, secrets.Scope) (secrets.Scope, error) { panic("no") },
		"never ends": func(context.Context, secrets.Scope) (secrets.Scope, error) { runtime.Goexit(); return lab, nil },
		"waits":      func(ctx context.Context, _ secrets.Scope) (secrets.Scope, error) { <-ctx.Done(); return lab, nil },
		"hangs":      func(context.Context, secrets.Scope) (secrets.Scope, error) { <-never; return lab, nil },
	} {
		h := newHouse(t, func(c *pipesecrets.Config) {
			c.Parent = f
			if name == "waits" || name == "hangs" {
				c.VetoTimeout = time.Millisecond
			}
		})
		lines, err := h.after(func() error { _, err := h.Launch(t.Context(), ada, h.request("r1", genomics)); return err })
		want := []string{"user:ada|launch|denied|the host could not tell the workspace's organization"}
		if code(err) != "n" || !slices.Equal(lines, want) {
			t.Errorf("%s: %v, and the log says %q", name, err, lines)
		}
	}
}

func TestTheZeroPolicyDeniesAnOperatorToo(t *testing.T) {
	h := newHouse(t)
	s, plain := h.put(ada, genomics, "TOKEN")
	launch := h.launch(lin, "r1", genomics, "TOKEN")
	z := h.again(func(c *pipesecrets.Config) { c.Policy = rbac.Policy{} })
	ctx := t.Context()
	for what, c := range map[string]struct {
		ask  func() error
		want string
	}{
		"sweep":    {func() error { _, err := z.Sweep(ctx, operator); return err }, "d"},
		"stuck":    {func() error { _, err := z.Stuck(ctx, operator, secrets.RunID{}, 1); return err }, "d"},
		"disown":   {func() error { _, err := z.Disown(ctx, operator, runOf(t, "r1"), "cluster"); return err }, "d"},
		"rewrap":   {func() error { _, err := z.Rewrap(ctx, operator, 1); return err }, "d"},
		"adopt":    {func() error { return z.Adopt(ctx, operator, true) }, "d"},
		"health":   {func() error { _, err := z.Health(ctx, operator); return err }, "d"},
		"seal":     {func() error { _, err := z.Seal(ctx, operator); return err }, "d"},
		"verify":   {func() error { return z.Verify(ctx, operator, audit.Head{}) }, "d"},
		"delscope": {func() error { return z.operate(operator, "delscope", genomics, s) }, "n"},
		"attach":   {func() error { return z.operateRun(operator, "attach", genomics, "r1") }, "n"},
		"renew":    {func() error { return z.operateRun(operator, "renew", genomics, "r1") }, "n"},
		"complete": {func() error { return z.operateRun(operator, "complete", genomics, "r1") }, "n"},
		"receipt":  {func() error { return z.operateRun(operator, "receipt", genomics, "r1") }, "n"},
		"unknown":  {func() error { return z.operateRun(operator, "complete", genomics, "r2") }, "n"}, // and does not bar it
	} {
		lines, err := h.after(c.ask)
		if code(err) != c.want || len(lines) != 1 || !strings.Contains(lines[0], "|denied|") {
			t.Errorf("%s: %v, and the log says %q", what, err, lines)
		}
	}
	h.reads(launch, "TOKEN", plain)
	h.launch(lin, "r2", genomics, "TOKEN")
}

func TestTheVetoIsNotAskedAboutAnOperatorsWork(t *testing.T) {
	h := newHouse(t)
	s, _ := h.put(ada, genomics, "TOKEN")
	h.launch(lin, "r1", genomics, "TOKEN")
	v := h.again(func(c *pipesecrets.Config) {
		c.Veto = func(context.Context, rbac.Caller, rbac.Permission, secrets.Scope) error {
			t.Error("it is asked")
			return errors.New("no")
		}
	})
	_, swept := v.Sweep(t.Context(), operator)
	_, health := v.Health(t.Context(), operator)
	h.must(errors.Join(swept, health, v.operate(operator, "delscope", genomics, s)))
	for _, operation := range []string{"attach", "renew", "receipt", "complete"} {
		h.must(v.operateRun(operator, operation, genomics, "r1"))
	}
	h.nothingStaged()
}

// deaf is a backend whose audit log can't be written.
type deaf struct{ pipesecrets.Backend }

func (deaf) Record(context.Context, ...secrets.Event) error { return errors.New("disk full") }

func TestWhatCanNotBeRecordedIsNotAnswered(t *testing.T) {
	h := newHouse(t)
	s, _ := h.put(ada, genomics, "TOKEN")
	h.launch(lin, "r1", genomics, "TOKEN")
	d := h.again(func(c *pipesecrets.Config) { c.Backend = deaf{h.backend} })
	for _, operation := range []string{"get", "list"} {
		if err := d.operate(ada, operation, genomics, s); err == nil {
			t.Errorf("%s was answered", operation)
		}
	}
	for _, operation := range []string{"preflight", "attach", "receipt"} {
		if err := d.operateRun(lin, operation, genomics, "r1"); err == nil {
			t.Errorf("%s was answered", operation)
		}
	}
	// A denial stays a denial, and removal goes on.
	if err := d.operate(lin, "delete", genomics, s); !errors.Is(err, secrets.ErrDenied) {
		t.Errorf("a denial: %v", err)
	}
	if err := d.operateRun(lin, "complete", genomics, "r1"); err != nil {
		t.Errorf("complete: %v", err)
	}
	h.nothingStaged()
}
