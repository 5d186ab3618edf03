package main

import (
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/pipesecrets/pipesecrets/examples/internal/command"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// options is what the command line says.
type options struct {
	dir       string
	workspace []command.Given
	user      []command.Given
	route     bool
	replayFor time.Duration // how long a run that fails keeps what it has staged
	nextflow  *invocation   // nil if there is none

	replay secrets.RunID // of which a task is run again
	task   string        // its work directory
	end    secrets.RunID // which is kept no longer
}

const afterKill = `After a SIGKILL without -dir the temporary directory stays, with what was staged.
With -dir, any later call with the same one, from some seconds on, cleans up after
a killed one; from two minutes on, if it was killed while it staged.
`

// parse reads the command line, and never quotes it.
func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("nextflow", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: nextflow [-dir DIR] [-secret NAME=FILE]... [-user-secret NAME=FILE]... [-route] [-replay-for TIME] -- nextflow [OPTION...] run PIPELINE [ARG...]")
		fmt.Fprintln(flags.Output(), "       nextflow -dir DIR -replay RUN -- TASKDIR")
		fmt.Fprintln(flags.Output(), "       nextflow -dir DIR -end RUN")
		fmt.Fprintln(flags.Output(), "Without arguments it plays a short story; with -dir and secrets alone it stores them.")
		flags.PrintDefaults()
		fmt.Fprint(flags.Output(), afterKill)
	}
	flags.StringVar(&o.dir, "dir", "", "keep the state in this `directory`, made if need be")
	flags.BoolVar(&o.route, "route", false, "have all processes take the secrets from a file: any value but one with a NUL byte")
	flags.DurationVar(&o.replayFor, "replay-for", 0, "keep what is staged for so long `time`, such as 8h, if Nextflow fails, so that its tasks can be run again")
	var replay, end []string
	flags.Func("replay", "run a task of this `run` again; its work directory comes after the options", command.Collect(&replay))
	flags.Func("end", "remove what is kept of this `run`", command.Collect(&end))
	var workspace, user []string
	flags.Func("secret", "a secret of the workspace, as `NAME=FILE`; - for standard input", command.Collect(&workspace))
	flags.Func("user-secret", "a secret of the user, as `NAME=FILE`; it overrides the workspace's", command.Collect(&user))
	if err := command.Parse(flags, args); err != nil {
		return o, err
	}
	lists, err := command.Givens(workspace, user)
	if err != nil {
		return o, err
	}
	o.workspace, o.user = lists[0], lists[1]
	if len(replay)+len(end) > 0 {
		return o, o.later(replay, end, flags.Args())
	}
	switch {
	case o.replayFor < 0:
		return o, errors.New("-replay-for: the time may not be negative")
	case o.replayFor > 0 && o.dir == "":
		return o, errors.New("-replay-for needs a -dir to keep what is staged in")
	}
	if flags.NArg() == 0 {
		if o.dir == "" {
			return o, errors.New("give a nextflow command line to run, or a -dir to keep the secrets in")
		}
		return o, nil
	}
	if o.nextflow, err = parseInvocation(flags.Args()); err != nil {
		return o, err
	}
	if o.route && len(o.nextflow.only) > 0 {
		return o, errors.New("-route needs a configuration file of its own, which nextflow's -C would keep out: use -c, or do without -route")
	}
	return o, nil
}

// later reads what is said of a run that has ended.
func (o *options) later(replay, end, args []string) (err error) {
	switch {
	case o.dir == "":
		return errors.New("-replay and -end need the -dir of the run")
	case len(replay)+len(end) > 1 || o.route || o.replayFor != 0 || len(o.workspace)+len(o.user) > 0:
		return errors.New("-replay and -end go with no other option than -dir, and once")
	case len(replay) == 1 && len(args) != 1:
		return errors.New("-replay needs one argument: the work directory of a task")
	case len(end) == 1 && len(args) > 0:
		return errors.New("-end takes no further argument")
	}
	if len(end) == 1 {
		o.end, err = secrets.ParseRunID(end[0])
		return err
	}
	o.task = args[0]
	o.replay, err = secrets.ParseRunID(replay[0])
	return err
}
