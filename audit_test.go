package pipesecrets_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/precedence"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

// after returns the events that ask leaves, one line each.
func (h *house) after(ask func() error) (lines []string, err error) {
	h.t.Helper()
	before := len(h.events())
	err = ask()
	for _, ev := range h.events()[before:] {
		lines = append(lines, strings.Join([]string{ev.Caller, string(ev.Action), string(ev.Outcome), ev.Reason}, "|"))
	}
	return lines, err
}

func TestEveryCallThatIsAllowedLeavesOneEventThatTellsWhatCameOfIt(t *testing.T) {
	f := &fault{}
	h := newHouse(t)
	twin := h.again(f.everywhere)
	away := h.again(func(c *pipesecrets.Config) { c.Home = "there" })
	s, _ := h.put(ada, genomics, "TOKEN")
	h.put(ada, genomics, "OTHER")
	h.launch(lin, "active", genomics, "TOKEN")
	h.launch(lin, "ended", genomics, "TOKEN")
	_, err := h.Complete(t.Context(), lin, runOf(t, "ended"), pipesecrets.Ending{})
	h.must(err)
	gone, _ := h.put(ada, genomics, "GONE")
	h.launch(lin, "pulled", genomics, "GONE")
	_, err = h.Revoke(t.Context(), ada, gone.ID)
	h.must(err)
	create := func(name string, value secrets.Value) error {
		_, err := twin.Create(t.Context(), ada, secrets.Secret{Name: nameOf(t, name), Scope: genomics}, value)
		return err
	}
	failing := func(call string) func(int, string) error {
		return func(_ int, c string) error {
			if c == call {
				return errFault
			}
			return nil
		}
	}
	for _, c := range []struct {
		what string
		fail string // the backend's call that fails
		ask  func() error
		want string
	}{
		{"create, taken", "", func() error { return create("TOKEN", valueOf(t, canary())) }, "user:ada|create|refused|name is taken in this scope"},
		{"create, reserved", "", func() error { return create("LD_PRELOAD", valueOf(t, canary())) }, "user:ada|create|refused|name: is reserved"},
		{"create, no value", "", func() error { return create("NEW", secrets.Value{}) }, "user:ada|create|refused|value: must be"},
		{"update, conflict", "", func() error {
			_, err := twin.Update(t.Context(), ada, secrets.Secret{Pin: secrets.Pin{ID: s.ID, Version: 7}}, valueOf(t, canary()))
			return err
		}, "user:ada|update|refused|version is no longer current"},
		{"revoke, away", "", func() error { _, err := away.Revoke(t.Context(), ada, s.ID); return err },
			"user:ada|revoke|refused|pipesecrets: the database is not at home here"},
		{"revoke, fault", "Revoke", func() error { _, err := twin.Revoke(t.Context(), ada, s.ID); return err }, "user:ada|revoke|failed|internal error"},
		{"revoke, again", "", func() error { _, err := twin.Revoke(t.Context(), ada, gone.ID); return err }, "user:ada|revoke|done|was revoked before"},
		{"disown, nothing", "", func() error { _, err := twin.Disown(t.Context(), operator, runOf(t, "active"), "cluster"); return err },
			"operator:test|disown|done|nothing was stuck there"},
		{"disown, fault", "Load", func() error { _, err := twin.Disown(t.Context(), operator, runOf(t, "active"), "cluster"); return err },
			"operator:test|disown|failed|internal error"},
		{"launch, again", "", func() error {
			_, err := twin.Launch(t.Context(), lin, h.request("active", genomics, "TOKEN"))
			return err
		},
			"user:lin|launch|done|launched before"},
		{"launch, used", "", func() error {
			_, err := twin.Launch(t.Context(), lin, h.request("active", genomics, "OTHER"))
			return err
		},
			"user:lin|launch|refused|pipesecrets: run id was used before"},
		{"launch, away", "", func() error { _, err := away.Launch(t.Context(), lin, h.request("r9", genomics, "TOKEN")); return err },
			"user:lin|launch|refused|pipesecrets: the database is not at home here"},
		{"launch, fault", "Begin", func() error { _, err := twin.Launch(t.Context(), lin, h.request("r9", genomics, "TOKEN")); return err },
			"user:lin|launch|failed|internal error"},
		{"renew, ended", "", func() error { return twin.operateRun(lin, "renew", genomics, "ended") }, "user:lin|renew|refused|stage: run has ended"},
		{"attach, fault", "Pinned", func() error { return twin.operateRun(lin, "attach", genomics, "active") }, "user:lin|attach|done|;user:lin|attach|failed|internal error"},
		{"complete, away", "", func() error { return away.operateRun(lin, "complete", genomics, "active") },
			"user:lin|complete|refused|pipesecrets: the database is not at home here"},
		{"complete, fault", "End", func() error { return twin.operateRun(lin, "complete", genomics, "active") }, "user:lin|complete|failed|internal error"},
		{"complete, again", "", func() error { return twin.operateRun(lin, "complete", genomics, "ended") }, "user:lin|complete|done|had ended before"},
		{"sweep, away", "", func() error { _, err := away.Sweep(t.Context(), operator); return err },
			"operator:test|sweep|refused|pipesecrets: the database is not at home here"},
		{"sweep, fault", "Due", func() error { _, err := twin.Sweep(t.Context(), operator); return err }, "operator:test|sweep|failed|internal error"},
		{"rewrap, too many", "", func() error { _, err := twin.Rewrap(t.Context(), operator, 1001); return err }, "operator:test|rewrap|refused|batch: must be"},
		{"health", "", func() error { _, err := twin.Health(t.Context(), operator); return err }, "operator:test|health|done|"},
		{"health, fault", "Stats", func() error { _, err := twin.Health(t.Context(), operator); return err }, "operator:test|health|failed|internal error"},
		{"receipt, fault", "Load", func() error { return twin.operateRun(lin, "receipt", genomics, "active") }, "user:lin|receipt|failed|internal error"},
		{"renew, unknown", "", func() error { return twin.operateRun(operator, "renew", genomics, "unknown") }, "operator:test|renew|refused|stage: no such run"},
		{"delete-scope, empty", "", func() error { return twin.DeleteScope(t.Context(), operator, imaging) }, "operator:test|delete-scope|done|"},
	} {
		if c.fail != "" {
			f.before = failing(c.fail)
		}
		lines, err := h.after(c.ask)
		f.heal()
		want := strings.Split(c.want, ";")
		same := slices.EqualFunc(lines, want, strings.HasPrefix)
		if done := strings.Contains(want[len(want)-1], "|done|"); !same || done != (err == nil) {
			t.Errorf("%s: %v, and the log says %q, want %q", c.what, err, lines, want)
		}
	}
}

func TestAnAttachIsRefusedInTheLogWhileARunIsStagedAndOnceItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faulty{pause: make(chan struct{})}
		h := newHouse(t, withFaults(f))
		h.put(ada, genomics, "TOKEN")
		launched := make(chan error)
		go func() {
			_, err := h.Launch(t.Context(), lin, h.request("r1", genomics, "TOKEN"))
			launched <- err
		}()
		synctest.Wait()
		attach := func(want string) {
			t.Helper()
			lines, err := h.after(func() error { return h.operateRun(lin, "attach", genomics, "r1") })
			if err == nil || !slices.Equal(lines, []string{"user:lin|attach|refused|" + want}) {
				t.Errorf("%v, and the log says %q", err, lines)
			}
		}
		attach(pipesecrets.ErrBusy.Error())
		close(f.pause)
		h.must(<-launched)
		h.must(h.operateRun(lin, "complete", genomics, "r1"))
		time.Sleep(2 * time.Hour)
		attach("stage: run has ended")
	})
}

func TestADenialIsRecordedThoughItsCallerHasHungUp(t *testing.T) {
	for _, veto := range []func(context.Context, rbac.Caller, rbac.Permission, secrets.Scope) error{
		nil,
		func(ctx context.Context, _ rbac.Caller, _ rbac.Permission, _ secrets.Scope) error { return ctx.Err() },
	} {
		h := newHouse(t, func(c *pipesecrets.Config) { c.Veto = veto })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := h.Create(ctx, lin, secrets.Secret{Name: nameOf(t, "TOKEN"), Scope: genomics}, valueOf(t, canary()))
		if !errors.Is(err, secrets.ErrDenied) { // as it would be if nobody had hung up
			t.Errorf("got %v", err)
		}
		h.told(1, secrets.ActionCreate, secrets.Denied, lin)
	}
}

func TestAMalformedCallerDoesNothingAndForgesNoLine(t *testing.T) {
	var log bytes.Buffer
	h := newHouse(t, func(c *pipesecrets.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	s, plain := h.put(ada, genomics, "TOKEN")
	launch := h.launch(lin, "r1", genomics, "TOKEN")
	d := h.again(func(c *pipesecrets.Config) { c.Backend = deaf{h.backend} }) // so that denials are logged
	grants := []rbac.Grant{{Scope: genomics, Role: rbac.Owner}, {Scope: lab, Role: rbac.OrgOwner}}
	for _, name := range []string{"x\noperator:root all is well", "x y", "\x1b[2J", strings.Repeat("x", 1<<20)} {
		for _, c := range []rbac.Caller{{User: name, Grants: grants}, {Label: name, Grants: grants}, rbac.Operator(name)} {
			before := len(h.events())
			for _, asked := range []*house{h, d} {
				for _, op := range []string{"create", "update", "delete", "revoke", "get", "list", "delscope"} {
					if err := asked.operate(c, op, genomics, s); err == nil {
						t.Errorf("%.20q may %s", c.Name(), op)
					}
				}
				for _, op := range []string{"preflight", "launch", "attach", "renew", "complete", "receipt"} {
					if err := asked.operateRun(c, op, genomics, "r1"); err == nil {
						t.Errorf("%.20q may %s", c.Name(), op)
					}
				}
				_, sweep := asked.Sweep(t.Context(), c)
				_, rewrap := asked.Rewrap(t.Context(), c, 1)
				_, health := asked.Health(t.Context(), c)
				if sweep == nil || rewrap == nil || health == nil || asked.Adopt(t.Context(), c, false) == nil {
					t.Errorf("%.20q may operate", c.Name())
				}
			}
			for _, ev := range h.events()[before:] {
				if ev.Caller != "malformed" || ev.Outcome == secrets.Done {
					t.Errorf("the log says %.60q, %s, %s", ev.Caller, ev.Action, ev.Outcome)
				}
			}
		}
	}
	if got, err := h.Get(t.Context(), ada, s.ID); err != nil || got.Version != 1 {
		t.Errorf("the secret: %+v, %v", got, err)
	}
	h.reads(launch, "TOKEN", plain)
	if log.Len() == 0 {
		t.Error("no denial was logged")
	}
	for line := range strings.Lines(log.String()) {
		if !strings.Contains(line, "caller=malformed") || len(line) > 200 {
			t.Errorf("a log line of %d bytes: %.80q", len(line), line)
		}
	}
}

func TestAReceiptTellsNoMoreThanItsReaderMayKnow(t *testing.T) {
	h := newHouse(t)
	h.put(ada, genomics, "SHARED")
	_, hers := h.put(lin, own(lin), "PRIVATE")
	h.launch(lin, "r1", genomics, "SHARED", "PRIVATE")
	for _, c := range []struct {
		who  rbac.Caller
		want int
	}{{lin, 2}, {ada, 1}, {operator, 2}} {
		launch, err := h.Attach(t.Context(), c.who, runOf(t, "r1"))
		h.must(err)
		if len(launch.References) != c.want || len(launch.Resolution.Choices) != c.want || launch.Redactor.String(string(hers)) != "[secret:PRIVATE]" {
			t.Errorf("%s attaches to %d references, %d choices", c.who.Name(), len(launch.References), len(launch.Resolution.Choices))
		}
	}
	for _, c := range []struct {
		who  rbac.Caller
		want []string
	}{
		{lin, []string{"PRIVATE", "SHARED"}}, {ada, []string{"SHARED"}}, {mia, []string{"SHARED"}},
		{robot, []string{"SHARED"}}, {operator, []string{"PRIVATE", "SHARED"}},
	} {
		receipt, err := h.Receipt(t.Context(), c.who, runOf(t, "r1"))
		h.must(err)
		var run, rows []string
		for _, item := range receipt.Run.Items {
			run = append(run, item.Name.String())
		}
		for _, row := range receipt.Rows {
			if row.Object.Token != "" || row.Object.Mark != [16]byte{} {
				t.Errorf("%s sees by what the object is claimed", c.who.Name())
			}
			for _, item := range row.Object.Items {
				rows = append(rows, item.Name.String())
			}
		}
		slices.Sort(run)
		slices.Sort(rows)
		if receipt.Run.Request != nil || !slices.Equal(run, c.want) || !slices.Equal(rows, c.want) {
			t.Errorf("%s sees %v, %v and %d bytes of the digest", c.who.Name(), run, rows, len(receipt.Run.Request))
		}
	}
	ended, err := h.Complete(t.Context(), ada, runOf(t, "r1"), pipesecrets.Ending{})
	h.must(err)
	if ended.Run.Request != nil || len(ended.Run.Items) != 1 || ended.Rows[0].Object.Token != "" || len(ended.Rows[0].Object.Items) != 1 {
		t.Errorf("Complete tells more: %+v", ended)
	}
}

func TestAReaderWhoIsVetoedCanNotTellWhatExists(t *testing.T) {
	h := newHouse(t)
	s, _ := h.put(ada, genomics, "TOKEN")
	h.launch(lin, "r1", genomics, "TOKEN")
	absent := s
	absent.ID ^= 1
	v := h.again(func(c *pipesecrets.Config) {
		c.Veto = func(context.Context, rbac.Caller, rbac.Permission, secrets.Scope) error {
			return errors.New("suspended")
		}
	})
	ask := func(s secrets.Secret, run string) map[string]string {
		answers := map[string]string{}
		for _, op := range []string{"update", "delete", "revoke", "get"} {
			lines, err := h.after(func() error { return v.operate(ada, op, genomics, s) })
			answers[op] = fmt.Sprint(len(lines), err)
		}
		for _, op := range []string{"attach", "renew", "complete", "receipt"} {
			lines, err := h.after(func() error { return v.operateRun(lin, op, genomics, run) })
			answers[op] = fmt.Sprint(len(lines), err)
		}
		return answers
	}
	if diff := cmp.Diff(ask(absent, "r2"), ask(s, "r1")); diff != "" {
		t.Error(diff)
	}
}

// chatty is a driver that says what it knows.
type chatty struct {
	provider.Provider
	err error // answered by the method named in
	in  string
}

func (c *chatty) say(in string, err error) error {
	if c.in == in {
		return c.err
	}
	return err
}

func (c *chatty) Carries(n secrets.Name, v secrets.Value) error {
	return c.say("carries", c.Provider.Carries(n, v))
}

func (c *chatty) Plan(run secrets.RunID, items []provider.Item, nonce func() string) ([]provider.Object, error) {
	objects, err := c.Provider.Plan(run, items, nonce)
	return objects, c.say("plan", err)
}

func (c *chatty) Create(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
	id, err := c.Provider.Create(ctx, o, open)
	return id, c.say("create", err)
}

func (c *chatty) Probe(ctx context.Context, o provider.Object) (provider.Presence, string, error) {
	p, found, err := c.Provider.Probe(ctx, o)
	return p, found, c.say("probe", err)
}

func (c *chatty) Remove(ctx context.Context, o provider.Object, id string) error {
	return c.say("remove", c.Provider.Remove(ctx, o, id))
}

func (c *chatty) Withdraw(ctx context.Context, o provider.Object, id string, open provider.Opener) error {
	return c.say("withdraw", c.Provider.(provider.Withdrawer).Withdraw(ctx, o, id, open))
}

func TestNoTextFromOutsideIsTold(t *testing.T) {
	for _, in := range []string{"carries", "plan", "create", "probe", "remove", "withdraw", "parent", "parent, once it was asked", "alive", "veto"} {
		for shape, wrap := range map[string]func(text string) error{
			"plain": func(text string) error { return errors.New(text) },
			"wraps an error of a driver": func(text string) error {
				return fmt.Errorf("%s: %w", text, &provider.Error{Op: "x", Code: provider.Refused})
			},
			"wraps a refusal": func(text string) error {
				return fmt.Errorf("%s: %w", text, &secrets.InvalidError{Field: "value", Rule: "is too funny"})
			},
			"op and code": func(text string) error { return &provider.Error{Op: text, Code: provider.Code(text)} },
		} {
			t.Run(in+", "+shape, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { silent(t, in, wrap) })
			})
		}
	}
}

// silent leads a run through its life while in answers with an error that quotes a
// value.
func silent(t *testing.T, in string, wrap func(string) error) {
	var told bytes.Buffer
	c, now, asked := &chatty{}, "", 0
	plain := canary()
	said := wrap("PUT " + string(plain))
	answer := func(in string) error {
		if now == in {
			return said
		}
		return nil
	}
	h := newHouse(t, func(config *pipesecrets.Config) {
		c.Provider = config.Targets["cluster"]
		config.Targets = map[string]provider.Provider{"cluster": c}
		config.Logger = slog.New(slog.NewTextHandler(&told, nil))
		config.Parent = func(context.Context, secrets.Scope) (secrets.Scope, error) {
			if asked++; asked > 1 {
				return lab, errors.Join(answer("parent"), answer("parent, once it was asked"))
			}
			return lab, answer("parent")
		}
		config.Alive = func(context.Context, secrets.RunID) (bool, error) { return false, answer("alive") }
		config.Veto = func(context.Context, rbac.Caller, rbac.Permission, secrets.Scope) error { return answer("veto") }
	})
	s, err := h.Create(t.Context(), ada, secrets.Secret{Name: nameOf(t, "TOKEN"), Scope: genomics}, valueOf(t, plain))
	h.must(err)
	h.put(ada, genomics, "OTHER")
	h.launch(lin, "r1", genomics, "TOKEN", "OTHER")
	h.launch(lin, "r2", genomics, "TOKEN", "OTHER")
	c.in, c.err, now, asked = in, said, in, 0
	failures := 0
	tell := func(answer any, err error) {
		if err != nil {
			failures++
		}
		fmt.Fprintf(&told, "%+v %+v %#v\n", answer, err, err)
	}
	wants := []precedence.Want{{Name: s.Name}}
	_, err = h.Launch(t.Context(), lin, pipesecrets.LaunchRequest{Run: runOf(t, "r3"), Workspace: genomics, Wants: wants})
	tell(nil, err)
	runs, err := h.Revoke(t.Context(), ada, s.ID)
	tell(runs, err)
	receipt, err := h.Complete(t.Context(), lin, runOf(t, "r1"), pipesecrets.Ending{})
	tell(receipt, err)
	time.Sleep(30 * time.Hour)
	report, err := h.Sweep(t.Context(), operator)
	tell(report, err)
	receipt, err = h.Receipt(t.Context(), operator, runOf(t, "r2"))
	tell(receipt, err)
	health, err := h.Health(t.Context(), operator)
	tell(health, err)
	h.must(json.NewEncoder(&told).Encode(h.events()))
	if failures == 0 {
		t.Error("nothing failed")
	}
	if strings.Contains(told.String(), string(plain)) {
		t.Error("the text is told")
	}
}

func TestAValueTooShortToBeMaskedIsToldWhenItIsWrittenAndAtEachLaunch(t *testing.T) {
	h := newHouse(t)
	long := valueOf(t, canary())
	var s secrets.Secret
	for what, c := range map[string]struct {
		ask  func() error
		want string
	}{
		"a short one is created": {func() (err error) {
			s, err = h.Create(t.Context(), ada, secrets.Secret{Name: nameOf(t, "PIN"), Scope: genomics}, valueOf(t, canary()[:3]))
			return err
		}, "user:ada|create|done|the value is too short to be masked"},
		"a long one is created": {func() error {
			_, err := h.Create(t.Context(), ada, secrets.Secret{Name: nameOf(t, "KEY"), Scope: genomics}, long)
			return err
		}, "user:ada|create|done|"},
	} {
		if lines, err := h.after(c.ask); err != nil || !slices.Equal(lines, []string{c.want}) {
			t.Errorf("%s: %q, %v", what, lines, err)
		}
	}
	uses := func(h *house, run string) []string {
		lines, err := h.after(func() error {
			_, err := h.Launch(t.Context(), lin, h.request(run, genomics, "PIN", "KEY"))
			return err
		})
		h.must(err)
		return lines
	}
	told := "user:lin|use|done|the value is too short to be masked"
	if lines := uses(h, "short"); !slices.Contains(lines, told) || !slices.Contains(lines, "user:lin|use|done|") {
		t.Errorf("launched: %q", lines)
	}
	all := h.again(func(c *pipesecrets.Config) { c.Redaction.Short = 1 })
	if lines := uses(all, "all"); slices.Contains(lines, told) {
		t.Errorf("a host that masks all is told %q", lines)
	}
	if lines, err := h.after(func() error { var err error; s, err = h.Update(t.Context(), ada, s, long); return err }); err != nil || lines[0] != "user:ada|update|done|" {
		t.Errorf("made long: %q, %v", lines, err)
	}
	config := h.config
	config.Redaction.Forms = []redact.Form{"rot13"}
	if _, err := pipesecrets.New(t.Context(), config); !errors.Is(err, secrets.ErrInvalid) {
		t.Errorf("a form that there is not: %v", err)
	}
}
