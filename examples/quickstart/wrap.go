package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/examples/internal/command"
	"github.com/pipesecrets/pipesecrets/examples/internal/upsert"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// me is the user of the wrapped command: an owner of the workspace.
var me = rbac.Caller{User: "me", Grants: []rbac.Grant{{Scope: workspace, Role: rbac.Owner}}}

// operator is who sweeps and completes.
var operator = rbac.Operator("quickstart")

// wrap stores what was given, runs the command with the secrets staged, and
// returns its exit status.
func wrap(ctx context.Context, o options) (status int, err error) {
	command.OutlivePipes()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, command.Ending...)
	starting, handOver := command.CancelOn(ctx, signals)

	dir := o.dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "quickstart-"); err != nil {
			return 1, errors.New("no temporary directory")
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	h, err := open(starting, dir, nil)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, h.close()) }()

	swept, err := h.service.Sweep(starting, operator) // what an earlier, killed one left
	if err != nil {
		return 1, err
	}
	if swept.Removed > 0 {
		fmt.Fprintf(os.Stderr, "quickstart: removed what %d earlier run(s) had left\n", swept.Ended)
	}
	for _, g := range o.workspace {
		if err := h.keep(starting, workspace, g); err != nil {
			return 1, err
		}
	}
	for _, g := range o.user {
		if err := h.keep(starting, secrets.Scope{Kind: secrets.User, ID: me.User}, g); err != nil {
			return 1, err
		}
	}
	if len(o.command) == 0 {
		fmt.Fprintf(os.Stderr, "quickstart: %d secret(s) stored\n", len(o.workspace)+len(o.user))
		return 0, nil
	}
	if err := handOver(); err != nil {
		return 1, err
	}
	return h.run(ctx, o.command, signals) // ctx: a signal does not end Complete
}

// keep stores a secret, or a new version of it.
func (h *house) keep(ctx context.Context, scope secrets.Scope, g command.Given) error {
	value, err := g.Read(ctx)
	if err != nil {
		return err
	}
	defer value.Destroy()
	_, err = upsert.Secret(ctx, h.service, me, scope, g.Name, value)
	if err != nil {
		return fmt.Errorf("%s: %w", g.Name, err)
	}
	return nil
}

// run launches, runs the command, and completes, whatever happens to the command.
// A signal ends the command, and us only after it.
func (h *house) run(ctx context.Context, args []string, signals <-chan os.Signal) (status int, err error) {
	id, err := secrets.ParseRunID("run-" + strings.ToLower(rand.Text()))
	if err != nil {
		return 1, err
	}
	release, err := h.lockRun(id)
	if err != nil {
		return 1, err
	}
	defer release()
	launch, err := h.service.Launch(ctx, me, pipesecrets.LaunchRequest{
		Run: id, Workspace: workspace,
		All: []secrets.Kind{secrets.Organization, secrets.Workspace, secrets.User},
	})
	if err != nil {
		return 1, err
	}
	defer func() {
		receipt, failed := h.complete(ctx, me, id, fmt.Sprint("exit-", status))
		if failed == nil && !receipt.Gone() {
			failed = errors.New("something is still staged")
		}
		err = errors.Join(err, failed, launch.Redactor.Close())
	}()
	for _, name := range launch.Redactor.Short() {
		fmt.Fprintf(os.Stderr, "quickstart: %s is too short to be masked\n", name)
	}
	stop := h.heartbeat(ctx, id)
	defer stop()
	cmd := exec.Command("sh", append([]string{"-c", loader, "sh"}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = h.environment(launch.References)
	return command.Execute(cmd, launch.Redactor, signals)
}

// complete ends a run. A sweep of another process may be faster to remove what the
// run had once it has ended: then it asks again until that is done, at most for as
// long as a dead process would keep its lease.
func (h *house) complete(ctx context.Context, c rbac.Caller, id secrets.RunID, outcome string) (stage.Receipt, error) {
	for deadline := time.Now().Add(3 * time.Minute); ; {
		receipt, err := h.service.Complete(ctx, c, id, pipesecrets.Ending{Outcome: outcome})
		if !errors.Is(err, pipesecrets.ErrBusy) || time.Now().After(deadline) {
			return receipt, err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// heartbeat renews the run until it is stopped.
func (h *house) heartbeat(ctx context.Context, id secrets.RunID) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_, err := h.service.Renew(ctx, me, id)
				if err != nil && ctx.Err() == nil {
					fmt.Fprintln(os.Stderr, "quickstart: the run could not be renewed:", err)
				}
				if errors.Is(err, stage.ErrEnded) {
					return // nothing renews it any more
				}
			}
		}
	}()
	return func() { cancel(); <-done }
}

// environment is ours with the paths of what was staged for this run, and without
// those of an outer run's: with no secrets here, its would be sourced.
func (h *house) environment(refs []provider.Reference) []string {
	env := slices.DeleteFunc(os.Environ(), func(s string) bool {
		return strings.HasPrefix(s, "NXF_SECRETS_FILE=") || strings.HasPrefix(s, "PIPESECRETS_")
	})
	for name, path := range h.driver.Environment(refs) {
		env = append(env, name+"="+path)
	}
	return env
}

// loader sources what was staged and becomes the command, so that the values are
// in the command's environment and in nobody's arguments.
const loader = `[ -z "${PIPESECRETS_ENV-}" ] || . "$PIPESECRETS_ENV" || exit 125; exec "$@"`
