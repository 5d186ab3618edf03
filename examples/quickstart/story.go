package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/examples/internal/command"
	"github.com/pipesecrets/pipesecrets/precedence"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// The people of the story.
var (
	ada = rbac.Caller{User: "ada", Grants: []rbac.Grant{{Scope: workspace, Role: rbac.Admin}}}
	lin = rbac.Caller{User: "lin", Grants: []rbac.Grant{{Scope: workspace, Role: rbac.Launch}}}
)

// teller writes the story.
type teller struct{ out io.Writer }

func (t teller) chapter(title string) { fmt.Fprintf(t.out, "\n== %s\n", title) }
func (t teller) say(format string, a ...any) {
	fmt.Fprintf(t.out, "   "+format+"\n", a...)
}

// story plays a secret's life and returns an error unless all of it went as told
// and nothing is left. A signal cancels it; nothing is left then either.
func story(ctx context.Context, out io.Writer) (err error) {
	command.OutlivePipes()
	ctx, _ = signal.NotifyContext(ctx, append(slices.Clone(command.Ending), syscall.SIGPIPE)...) // for good: the process ends after this

	t := teller{out}
	dir, err := os.MkdirTemp("", "quickstart-")
	if err != nil {
		return errors.New("no temporary directory")
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	h, err := open(ctx, dir, shortLease)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()

	values, err := cast()
	if err != nil {
		return err
	}
	defer values.destroy()
	for _, scene := range []func(context.Context, *house, *cabinet) error{
		t.stored, t.overridden, t.refused, t.checked, t.used, t.killed, t.gone,
	} {
		if err := scene(ctx, h, values); err != nil {
			return err
		}
	}
	return nil
}

// shortLease lets another process take over from a dead launcher in three seconds
// instead of two minutes. A disk that takes as long for a commit would lose it.
func shortLease(c *pipesecrets.Config) { c.Lease = 3 * time.Second }

func (t teller) stored(ctx context.Context, h *house, v *cabinet) error {
	t.chapter("Ada, an admin, stores the workspace's secrets")
	for _, name := range v.names() {
		stored, err := h.service.Create(ctx, ada, secrets.Secret{Name: name, Scope: workspace, Description: v.what[name]}, v.workspace[name])
		if err != nil {
			return err
		}
		t.say("%-24s version %d, %s", stored.Name, stored.Version, stored.Description)
	}
	t.say("A value prints as %v, whoever prints it and however.", v.workspace[ncbiKey])
	return nil
}

func (t teller) overridden(ctx context.Context, h *house, v *cabinet) error {
	t.chapter("Lin keeps an NCBI key of her own")
	own := secrets.Scope{Kind: secrets.User, ID: lin.User}
	if _, err := h.service.Create(ctx, lin, secrets.Secret{Name: ncbiKey, Scope: own}, v.own); err != nil {
		return err
	}
	t.say("%s is now also in %s; for her runs it overrides the workspace's.", ncbiKey, own)
	return nil
}

func (t teller) refused(ctx context.Context, h *house, v *cabinet) error {
	t.chapter("Lin, who may launch, tries to change the licence")
	list, err := h.service.List(ctx, lin, secrets.Query{Scope: workspace, Prefix: licence.String()})
	if err != nil || len(list) != 1 {
		return errors.Join(errors.New("the licence is not listed"), err)
	}
	_, err = h.service.Update(ctx, lin, list[0], v.own)
	if !errors.Is(err, secrets.ErrDenied) {
		return fmt.Errorf("she should have been refused, and got: %v", err)
	}
	t.say("%v", err)
	return nil
}

func (t teller) checked(ctx context.Context, h *house, v *cabinet) error {
	t.chapter("Preflight tells everything that is wrong with a request at once")
	nul, err := secrets.NewValue([]byte{'a', 0, 'b'})
	if err != nil {
		return err
	}
	defer nul.Destroy()
	bad := []struct {
		name   string
		policy secrets.Policy
		value  secrets.Value
	}{
		{"OLD_TOKEN", secrets.Policy{Expires: time.Now().Add(-time.Hour)}, v.own},
		{"PAUSED_TOKEN", secrets.Policy{Disabled: true}, v.own},
		{"OTHER_PIPELINES_TOKEN", secrets.Policy{Pipelines: []string{"rnaseq@3f2a"}}, v.own},
		{"BINARY_BLOB", secrets.Policy{}, nul},
	}
	request := pipesecrets.LaunchRequest{
		Workspace: workspace, Pipeline: "sarek@91bc",
		Targets: map[string][]secrets.Name{target: nil, "moon": nil},
	}
	var made []secrets.ID
	for _, b := range append(bad, struct {
		name   string
		policy secrets.Policy
		value  secrets.Value
	}{name: "FORGOTTEN_TOKEN"}) {
		name, err := secrets.ParseName(b.name)
		if err != nil {
			return err
		}
		request.Wants = append(request.Wants, precedence.Want{Name: name})
		if b.value.IsZero() {
			continue
		}
		stored, err := h.service.Create(ctx, ada, secrets.Secret{Name: name, Scope: workspace, Policy: b.policy}, b.value)
		if err != nil {
			return err
		}
		made = append(made, stored.ID)
	}
	_, err = h.service.Preflight(ctx, lin, request)
	var wrong *pipesecrets.RequestError
	if !errors.As(err, &wrong) || len(wrong.Problems) != 6 {
		return fmt.Errorf("six things were wrong, and preflight said: %v", err)
	}
	for _, problem := range wrong.Problems {
		t.say("%s", problem)
	}
	for _, id := range made {
		if err := h.service.Delete(ctx, ada, id); err != nil {
			return err
		}
	}
	return nil
}

// request asks for all that the workspace has and all that Lin has.
func request() (pipesecrets.LaunchRequest, error) {
	run, err := secrets.ParseRunID("run-" + strings.ToLower(rand.Text()))
	return pipesecrets.LaunchRequest{
		Run: run, Workspace: workspace, All: []secrets.Kind{secrets.Workspace, secrets.User},
	}, err
}

func (t teller) used(ctx context.Context, h *house, v *cabinet) error {
	t.chapter("Lin launches; a bash job uses what was staged")
	r, err := request()
	if err != nil {
		return err
	}
	launch, err := h.service.Launch(ctx, lin, r)
	if err != nil {
		return err
	}
	for _, choice := range launch.Resolution.Choices {
		t.say("%-24s from the %s%s", choice.Winner.Name, choice.Winner.Scope.Kind, shadows(choice))
	}
	t.say("The job prints every value on purpose:")
	jobErr := t.job(ctx, h, launch, v)
	if err := launch.Redactor.Close(); err != nil {
		return err
	}
	// Without the cancelling: a run is completed however it ends.
	receipt, err := h.complete(context.WithoutCancel(ctx), lin, r.Run, "succeeded")
	if err := errors.Join(jobErr, err); err != nil {
		return err
	}
	return t.receipt(receipt)
}

func shadows(c precedence.Choice) string {
	var text string
	for _, s := range c.Shadowed {
		text += fmt.Sprintf(" (the %s's is %s)", s.Secret.Scope.Kind, s.Why)
	}
	return text
}

func (t teller) receipt(r stage.Receipt) error {
	for _, row := range r.Rows {
		t.say("receipt: %d secrets on target %s: %s", len(row.Object.Items), row.Target, row.State)
	}
	if !r.Gone() {
		return errors.New("the receipt does not say gone")
	}
	return nil
}
