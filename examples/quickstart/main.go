// Quickstart is the whole life of a pipeline secret on the embedded default: a
// SQLite database, a key file, and a directory that jobs read.
//
//	quickstart
//
// plays the story in a temporary directory and tells it as it goes: secrets are
// stored, overridden, refused, checked, staged, used by a real bash job, masked in
// its output, and gone; one launcher is killed half-way and cleaned up after. It
// ends with 0 only if nothing is left.
//
//	quickstart [-dir DIR] [-secret NAME=FILE]... [-user-secret NAME=FILE]... [-- COMMAND ARG...]
//
// stores the content of each FILE ("-" for standard input) as a secret of the
// workspace or the user, runs COMMAND with all of them in its environment and as
// files in $PIPESECRETS_DIR, masks what it prints, removes what was staged, and
// ends with COMMAND's exit status. DIR keeps the state for another time; without
// it, it is temporary.
//
// Signals pass to COMMAND, and quickstart cleans up after it. Only SIGKILL leaves
// it no time for that: without -dir the temporary directory then stays, with what
// was staged. With -dir, any later call with the same DIR removes what a killed
// one left, from some seconds after its end, or two minutes if it was killed while it
// staged.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/pipesecrets/pipesecrets/examples/internal/command"
)

func main() {
	if os.Getenv(childEnv) != "" {
		os.Exit(report(doomedLauncher(context.Background(), os.Getenv(childEnv))))
	}
	if len(os.Args) == 1 {
		os.Exit(report(story(context.Background(), os.Stdout)))
	}
	options, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	if err != nil {
		os.Exit(2) // parse has said what is wrong
	}
	status, err := wrap(context.Background(), options)
	if failed := report(err); failed != 0 && status == 0 {
		status = failed
	}
	os.Exit(status)
}

// report prints err, if it is one, and returns an exit status.
func report(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "quickstart:", err)
	return 1
}

// options is what the command line says.
type options struct {
	dir       string
	workspace []command.Given
	user      []command.Given
	command   []string
}

const afterKill = `After a SIGKILL without -dir the temporary directory stays, with what was staged.
With -dir, any later call with the same one, from some seconds or two minutes on,
cleans up after a killed one.
`

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: quickstart [-dir DIR] [-secret NAME=FILE]... [-user-secret NAME=FILE]... [-- COMMAND ARG...]")
		fmt.Fprintln(flags.Output(), "Without arguments it plays the story of a secret's life.")
		flags.PrintDefaults()
		fmt.Fprint(flags.Output(), afterKill)
	}
	flags.StringVar(&o.dir, "dir", "", "keep the state in this `directory`, made if need be")
	var workspace, user []string
	flags.Func("secret", "a secret of the workspace, as `NAME=FILE`; - for standard input", command.Collect(&workspace))
	flags.Func("user-secret", "a secret of the user, as `NAME=FILE`; it overrides the workspace's", command.Collect(&user))
	if err := command.Parse(flags, args); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			report(err)
		}
		return o, err
	}
	o.command = flags.Args()
	problem := ""
	if lists, err := command.Givens(workspace, user); err != nil {
		problem = err.Error()
	} else {
		o.workspace, o.user = lists[0], lists[1]
	}
	switch {
	case problem != "":
	case len(o.command) == 0 && o.dir == "":
		problem = "give a COMMAND to run, or a -dir to keep the secrets in"
	}
	if problem != "" {
		fmt.Fprintln(flags.Output(), "quickstart:", problem)
		flags.Usage()
		return o, errors.New(problem)
	}
	return o, nil
}
