package main

import (
	"errors"
	"flag"
	"fmt"

	"github.com/pipesecrets/pipesecrets/examples/internal/command"
)

// options is what the command line says.
type options struct {
	dir       string
	workspace []command.Given
	user      []command.Given
	route     bool
	nextflow  *invocation // nil if there is none
}

const afterKill = `After a SIGKILL without -dir the temporary directory stays, with what was staged.
With -dir, any later call with the same one, from some seconds on, cleans up after
a killed one.
`

// parse reads the command line, and never quotes it.
func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("nextflow", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: nextflow [-dir DIR] [-secret NAME=FILE]... [-user-secret NAME=FILE]... [-route] -- nextflow [OPTION...] run PIPELINE [ARG...]")
		fmt.Fprintln(flags.Output(), "Without arguments it plays a short story.")
		flags.PrintDefaults()
		fmt.Fprint(flags.Output(), afterKill)
	}
	flags.StringVar(&o.dir, "dir", "", "keep the state in this `directory`, made if need be")
	flags.BoolVar(&o.route, "route", false, "have all processes take the secrets from a file: any value but one with a NUL byte")
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
