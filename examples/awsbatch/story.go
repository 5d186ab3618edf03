package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/examples/internal/upsert"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/awssm"
	"github.com/pipesecrets/pipesecrets/provider/awssm/fetch"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// teller tells the story. Whether anybody listens does not change it.
type teller struct{ out io.Writer }

func (t teller) chapter(title string) { _, _ = fmt.Fprintf(t.out, "\n== %s\n", title) }
func (t teller) say(format string, a ...any) {
	_, _ = fmt.Fprintf(t.out, "   "+format+"\n", a...)
}

// play is one telling.
type play struct {
	teller
	options options
	cloud   *cloud
	driver  *awssm.Driver
	house   *house
	values  cabinet
	run     secrets.RunID
	read    []provider.Reference // what the job has read
	grace   time.Duration
}

// story plays a run on AWS Batch, and returns the exit status of its command.
func story(ctx context.Context, o options, t teller) (status int, err error) {
	p := &play{teller: t, options: o, grace: grace}
	launching := false
	defer func() {
		if err != nil && !launching { // nothing to tell beside the signal, if there was one
			err = cause(ctx, err)
		}
	}()
	if p.values, err = cast(o.values); err != nil {
		return 0, err
	}
	defer p.values.destroy()
	if p.cloud, err = reach(ctx, o.account); err != nil {
		return 0, err
	}
	t.say("%s", p.cloud.place())
	if o.dir != "" && p.cloud.fake != nil {
		return 0, &wrongInput{"-dir: nothing is configured, and the fake ends with this process: there is nothing to go on with"}
	}
	if p.driver, err = p.cloud.driver(o.layout); err != nil {
		return 0, err
	}
	if err := p.cloud.enforce(p.driver); err != nil {
		return 0, err
	}
	dir := o.dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "awsbatch-"); err != nil {
			return 0, errors.New("no temporary directory")
		}
	}
	left := false
	defer func() {
		switch {
		case left && p.cloud.fake == nil:
			err = errors.Join(err, fmt.Errorf("what is left is known to the launcher's state: awsbatch -dir %s goes on with it", dir))
		case o.dir == "":
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if p.house, err = open(ctx, dir, p.cloud.place(), p.driver); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.house.close()) }()
	for _, scene := range []func(context.Context) error{p.sweep, p.stored, p.checked} {
		if err := scene(ctx); err != nil {
			return 0, err
		}
	}
	launching = true
	status, err = p.launched(ctx)
	left, failed := p.ended(ctx, status, err != nil)
	return status, errors.Join(err, failed, p.earlier(context.WithoutCancel(ctx)))
}

// cause answers err, or the signal that it came of.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// sweep removes what an earlier call left in the same directory.
func (p *play) sweep(ctx context.Context) error {
	report, err := p.house.service.Sweep(ctx, operator)
	if report.Ended > 0 || report.Removed > 0 {
		p.say("the sweep ended %d run(s) that an earlier call had left, and saw %d AWS secret(s) gone", report.Ended, report.Removed)
	}
	return p.explained(err)
}

func (p *play) stored(ctx context.Context) error {
	p.chapter("Ada, an admin, stores the workspace's secrets")
	for _, name := range sorted(p.values.workspace) {
		stored, err := upsert.Secret(ctx, p.house.service, ada, workspace, name, p.values.workspace[name])
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		p.say("%-26s version %d", name, stored.Version)
	}
	for _, name := range sorted(p.values.own) {
		if _, err := upsert.Secret(ctx, p.house.service, lin, linsOwn, name, p.values.own[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		p.say("%-26s Lin keeps one of her own", name)
	}
	return nil
}

// request asks for all that the workspace has and all that Lin has.
func (p *play) request() pipesecrets.LaunchRequest {
	return pipesecrets.LaunchRequest{
		Run: p.run, Workspace: workspace, All: []secrets.Kind{secrets.Workspace, secrets.User},
	}
}

// checked asks what a launch would choose, and whether AWS can carry it.
func (p *play) checked(ctx context.Context) (err error) {
	p.chapter("Lin launches a run with what the workspace has and what she has")
	if p.run, err = secrets.ParseRunID("run-" + strings.ToLower(rand.Text())); err != nil {
		return err
	}
	resolution, err := p.house.service.Preflight(ctx, lin, p.request())
	if err != nil {
		return err
	}
	for _, choice := range resolution.Choices {
		over := ""
		for _, s := range choice.Shadowed {
			over += fmt.Sprintf(" (the %s's is %s)", s.Secret.Scope.Kind, s.Why)
		}
		p.say("%-26s from the %s%s", choice.Winner.Name, choice.Winner.Scope.Kind, over)
	}
	return nil
}

// launched launches the run, and plays its job. Whatever becomes of it, the run is
// to be ended.
func (p *play) launched(ctx context.Context) (status int, err error) {
	launch, err := p.house.service.Launch(ctx, lin, p.request())
	if err != nil {
		return 0, cause(ctx, p.explained(err))
	}
	defer func() { err = errors.Join(err, launch.Redactor.Close()) }()
	p.say("%s is staged; the references are:", p.run)
	for _, ref := range launch.References {
		p.say("%-26s %s", ref.Name, ref.Locator)
	}
	definition, err := p.defined(launch.References)
	if err != nil {
		return 0, err
	}
	if err := p.bill(); err != nil {
		return 0, err
	}
	return p.job(ctx, definition, launch.Redactor)
}

// explained adds to a driver's errors what to do, and says what several AWS secrets
// failed of once.
func (p *play) explained(err error) error {
	hints := map[provider.Code]string{
		provider.Elsewhere:       "the credentials are of another account than " + p.cloud.account + ": see -account",
		provider.Forbidden:       "the launcher's policy is missing: see -policies",
		provider.Unauthenticated: "AWS does not know these credentials, or they have expired",
		provider.Unavailable:     "the endpoint does not answer",
	}
	var failed *provider.Error
	var unread *fetch.Error
	if errors.As(err, &unread) && slices.Contains(slices.Collect(maps.Values(unread.Failed)), provider.Forbidden) {
		return fmt.Errorf("%w (the reader's policy is missing: see -policies)", err)
	}
	if errors.As(err, &failed) && hints[failed.Code] != "" {
		lines := strings.Split(err.Error(), "\n")
		slices.Sort(lines)
		return fmt.Errorf("%s (%s)", strings.Join(slices.Compact(lines), "; "), hints[failed.Code])
	}
	return err
}

// defined tells what the job definition and IAM have to say.
func (p *play) defined(refs []provider.Reference) ([]byte, error) {
	p.chapter("What the job definition needs")
	role := p.options.role
	if role == "" {
		role = "arn:aws:iam::" + p.cloud.account + ":role/batch-execution" // made up
	}
	definition, err := awssm.JobDefinition(refs, role)
	if err != nil {
		return nil, err
	}
	var shown bytes.Buffer
	if err := json.Indent(&shown, definition, "   ", "  "); err != nil {
		return nil, err
	}
	p.say("%s", &shown)
	p.chapter("Who needs which rights, and no more")
	for _, policy := range []struct {
		is   awssm.Principal
		name string
		who  string
	}{
		{awssm.Launcher, "launcher", "launches and completes runs, and may read no value"},
		{awssm.Sweeper, "sweeper", "sweeps, and may create and read nothing"},
		{awssm.Execution, "execution role", "the ECS agent, which reads for the containers"},
		{awssm.Reader, "reader", "a job that reads by provider/awssm/fetch, as here"},
	} {
		p.say("%-14s  %s", policy.name, policy.who)
		if p.options.policies {
			p.say("%s", bytes.ReplaceAll(p.driver.IAMPolicy(policy.is), []byte("\n"), []byte("\n   ")))
		}
	}
	if !p.options.policies {
		p.say("-policies prints them.")
	}
	return definition, nil
}
