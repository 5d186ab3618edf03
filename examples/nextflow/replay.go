package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/examples/internal/command"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// left tells what is left of a run.
func (l *launcher) left(receipt stage.Receipt) string {
	if receipt.Gone() {
		return "nothing is left"
	}
	return fmt.Sprintf("they are kept until %s\n%s a task is run again by   -dir %s -replay %s -- TASKDIR\n%[2]s they are removed by      -dir %[3]s -end %[4]s",
		receipt.Run.Kept.Local().Format(time.DateTime), say, l.dir, receipt.Run.ID)
}

// errNoReplay says that a task can't be run again.
var errNoReplay = errors.New("the run's secrets are gone, or it had none: there is nothing to run a task again with; run the pipeline again")

// loader sources what was staged, so that a task has its secrets whatever became of
// Nextflow's own copy of the store, and becomes the task's wrapper.
const loader = `. "$PIPESECRETS_ENV" && exec bash .command.run`

// again runs a task of a run again, and returns its exit status.
func (l *launcher) again(ctx context.Context, signals <-chan os.Signal) (status int, err error) {
	task := l.path(l.task)
	if info, err := os.Stat(filepath.Join(task, ".command.run")); err != nil || !info.Mode().IsRegular() {
		return statusWrongUse, errors.New("there is no .command.run: give the work directory of a task, which Nextflow tells when it fails")
	}
	launch, err := l.house.service.Attach(ctx, me, l.replay)
	switch {
	case errors.Is(err, stage.ErrEnded):
		return 1, errNoReplay
	case errors.Is(err, secrets.ErrNotFound):
		return 1, errNoRun
	case err != nil:
		return 1, err
	}
	defer func() { err = errors.Join(err, launch.Redactor.Close()) }()
	staged := l.house.driver.Environment(launch.References)
	if len(staged) == 0 {
		return 1, errNoReplay
	}
	cmd := exec.Command("bash", "-c", loader)
	cmd.Dir = task
	cmd.Stdin, cmd.Stdout, cmd.Stderr = l.stdin, l.stdout, l.stderr
	cmd.Env = slices.DeleteFunc(slices.Clone(l.environ), func(s string) bool {
		return strings.HasPrefix(s, "PIPESECRETS_") || strings.HasPrefix(s, "NXF_SECRETS_FILE=")
	})
	for name, path := range staged {
		cmd.Env = append(cmd.Env, name+"="+path)
	}
	return command.Execute(cmd, launch.Redactor, signals)
}

// forget removes what is kept of a run.
func (l *launcher) forget(ctx context.Context) (status int, err error) {
	alive, err := l.house.alive(ctx, l.end)
	switch {
	case err != nil:
		return 1, errors.New("it can't be told whether the run is under way")
	case alive:
		return 1, errors.New("the run is under way: it is its launcher that ends it, by a signal if need be")
	}
	receipt, err := l.house.complete(ctx, me, l.end, pipesecrets.Ending{})
	switch {
	case errors.Is(err, secrets.ErrNotFound):
		return 1, errNoRun
	case err != nil:
		return 1, err
	case !receipt.Gone():
		return 1, errors.New("something is still staged")
	}
	l.say("nothing is left of the run")
	return 0, nil
}

var errNoRun = errors.New("there is no such run in the directory")
