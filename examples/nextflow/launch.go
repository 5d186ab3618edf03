package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/examples/internal/command"
	"github.com/pipesecrets/pipesecrets/examples/internal/upsert"
	"github.com/pipesecrets/pipesecrets/provider/nextflow"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// me is who runs the pipeline: an owner of the workspace.
var me = rbac.Caller{User: "me", Grants: []rbac.Grant{{Scope: workspace, Role: rbac.Owner}}}

// operator is who sweeps and completes.
var operator = rbac.Operator("nextflow")

// launcher is one call of the program.
type launcher struct {
	options
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
	workdir        string // "" for that of the process

	house  *house
	logged string // what is to be told of the log
}

func (l *launcher) say(format string, a ...any) { fmt.Fprintf(l.stderr, say+" "+format+"\n", a...) }

// run stores what was given, runs Nextflow with what its pipeline needs, and returns
// Nextflow's exit status.
func (l *launcher) run(ctx context.Context) (status int, err error) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, command.Ending...)
	starting, handOver := command.CancelOn(ctx, signals)

	w := wants{}
	program := ""
	if l.nextflow != nil {
		if program, err = find(l.nextflow.program); err != nil {
			return statusNoNextflow, err
		}
		if w, err = l.wants(); err != nil {
			return 1, err
		}
	}
	dir := l.dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "nextflow-"); err != nil {
			return 1, errors.New("no temporary directory")
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	if l.house, err = open(starting, dir, w.staged(l.route)); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, l.house.close()) }()

	swept, err := l.house.service.Sweep(starting, operator) // what an earlier, killed one left
	if err != nil {
		return 1, err
	}
	if swept.Removed > 0 {
		l.say("removed what earlier runs had left")
	}
	health, err := l.house.service.Health(starting, operator)
	if err != nil {
		return 1, err
	}
	if health.Stuck > 0 {
		l.say("of earlier runs %d thing(s) are staged that can't be removed: was the directory moved? They are in %s", health.Stuck, l.house.stage())
	}
	if err := l.keep(starting); err != nil {
		return 1, err
	}
	switch {
	case !l.end.IsZero():
		return l.forget(starting)
	case !l.replay.IsZero():
		if err := handOver(); err != nil {
			return 1, err
		}
		return l.again(ctx, signals)
	case l.nextflow == nil:
		l.say("%d secret(s) stored", len(l.workspace)+len(l.user))
		return 0, nil
	}
	if err := handOver(); err != nil {
		return 1, err
	}
	return l.launch(ctx, program, w, signals) // ctx: a signal does not end Complete
}

// find returns the path of Nextflow's program.
func find(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		if strings.Contains(name, "/") {
			return "", errors.New("there is no program nextflow where the command line says")
		}
		return "", errors.New("there is no program nextflow in the directories of PATH; .ci/nextflow DIR installs one into DIR")
	}
	if self, err := os.Executable(); err == nil && same(self, path) {
		return "", errors.New("the nextflow that is found first is this program itself: put Nextflow's own before it on PATH, or give its path")
	}
	return path, nil
}

// keep stores the secrets of the command line, or new versions of them.
func (l *launcher) keep(ctx context.Context) error {
	for _, g := range l.workspace {
		if err := l.house.keep(ctx, workspace, g); err != nil {
			return err
		}
	}
	for _, g := range l.user {
		if err := l.house.keep(ctx, secrets.Scope{Kind: secrets.User, ID: me.User}, g); err != nil {
			return err
		}
	}
	return nil
}

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

// launch stages, runs Nextflow, and completes, whatever happens to Nextflow. A signal
// ends Nextflow, and us only after it.
func (l *launcher) launch(ctx context.Context, program string, w wants, signals <-chan os.Signal) (status int, err error) {
	id, err := secrets.ParseRunID("run-" + strings.ToLower(rand.Text()))
	if err != nil {
		return 1, err
	}
	release, err := l.house.lockRun(id)
	if err != nil {
		return 1, err
	}
	defer release()
	launch, err := l.house.service.Launch(ctx, me, w.request(id))
	if err != nil {
		return 1, w.explained(err, l.route)
	}
	defer func() {
		ending := pipesecrets.Ending{Outcome: fmt.Sprint("exit-", status)}
		if status != 0 && len(launch.References) > 0 {
			ending.ReplayFor = l.replayFor
		}
		receipt, failed := l.house.complete(ctx, me, id, ending)
		if failed == nil && !receipt.Gone() && receipt.Run.Kept.IsZero() {
			failed = errors.New("something is still staged")
		}
		if failed == nil {
			hits := uint64(0)
			for _, n := range launch.Redactor.Hits() {
				hits += n
			}
			l.say("%d secret(s) were staged and %d occurrence(s) of them masked%s; %s", len(launch.References), hits, l.logged, l.left(receipt))
		}
		err = errors.Join(err, failed, launch.Redactor.Close())
	}()
	for _, name := range launch.Redactor.Short() {
		l.say("%s is too short to be masked", name)
	}
	stop := l.house.heartbeat(ctx, id, l.say)
	defer stop()
	return l.execute(program, launch, signals)
}

// execute runs Nextflow with its output and its log masked.
func (l *launcher) execute(program string, launch *pipesecrets.Launch, signals <-chan os.Signal) (status int, err error) {
	cmd := exec.Command(program)
	cmd.Dir = l.workdir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = l.stdin, l.stdout, l.stderr
	var store, raw, config string
	if staged := l.house.driver.Environment(launch.References); len(staged) > 0 {
		run := filepath.Dir(staged["PIPESECRETS_DIR"]) // where what lies beside the secrets goes with them
		store, raw = staged["NXF_SECRETS_FILE"], filepath.Join(run, "nextflow.log")
		if l.route {
			config = filepath.Join(run, "route.config")
			if err := writeRoute(config, staged["PIPESECRETS_ENV"], launch); err != nil {
				return 1, err
			}
		}
		var masked *os.File
		if masked, err = newLog(l.path(l.logFile())); err != nil {
			return 1, err
		}
		l.logged = " (Nextflow's log is " + l.logFile() + ")" // it names the staged one itself
		stop := follow(raw, launch.Redactor, masked)
		defer func() {
			_ = masked.SetWriteDeadline(time.Now().Add(logPatience)) // what never waits, such as a file, has none
			err = errors.Join(err, stop(), masked.Close())
			_ = os.Remove(raw) // a long one may have filled the disk, on which the end of the run is to be written
		}()
	}
	cmd.Args = append(cmd.Args, l.nextflow.command(raw, config)...)
	cmd.Env = l.environment(store)
	return command.Execute(cmd, launch.Redactor, signals)
}

// logFile is where Nextflow would write its log.
func (l *launcher) logFile() string {
	for _, said := range []string{l.nextflow.log, l.getenv("NXF_LOG_FILE")} {
		if said != "" {
			return said
		}
	}
	return ".nextflow.log"
}

// writeRoute writes the configuration by which all processes take the secrets from
// what is staged.
func writeRoute(path, env string, launch *pipesecrets.Launch) error {
	if strings.Contains(path, ",") {
		return errors.New("-route: the directory may have no comma in its path, at which Nextflow would cut it")
	}
	route := nextflow.Route{Env: env}
	for _, choice := range launch.Resolution.Choices {
		route.Secrets = append(route.Secrets, choice.Winner.Name)
	}
	text, err := route.Config()
	if err != nil {
		return fmt.Errorf("-route: the directory: %w", err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return errors.New("-route: the configuration can't be written")
	}
	return nil
}

// environment is ours with the path of Nextflow's store file, and without those of an
// outer run's. Where nothing is staged in a store it names a file that is not there,
// which to Nextflow is an empty one: its own store in the user's home has no part in
// this, since nothing masks what is there.
func (l *launcher) environment(store string) []string {
	env := slices.DeleteFunc(slices.Clone(l.environ), func(s string) bool { return strings.HasPrefix(s, "PIPESECRETS_") })
	if store == "" {
		store = filepath.Join(l.house.dir, "no-store.json")
	}
	if l.getenv("NXF_ANSI_LOG") == "" { // Nextflow writes to a pipe, where no line can be drawn again
		env = append(env, "NXF_ANSI_LOG=false")
	}
	return append(env, "NXF_SECRETS_FILE="+store)
}

// complete ends a run. A sweep of another process may be faster to remove what the
// run had once it has ended: then it asks again until that is done, at most for as
// long as a dead process would keep its lease.
func (h *house) complete(ctx context.Context, c rbac.Caller, id secrets.RunID, ending pipesecrets.Ending) (stage.Receipt, error) {
	for deadline := time.Now().Add(3 * time.Minute); ; {
		receipt, err := h.service.Complete(ctx, c, id, ending)
		if !errors.Is(err, pipesecrets.ErrBusy) || time.Now().After(deadline) {
			return receipt, err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// heartbeat renews the run until it is stopped.
func (h *house) heartbeat(ctx context.Context, id secrets.RunID, say func(string, ...any)) (stop func()) {
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
					say("the run could not be renewed: %v", err)
				}
				if errors.Is(err, stage.ErrEnded) {
					return // nothing renews it any more
				}
			}
		}
	}()
	return func() { cancel(); <-done }
}
