// Nextflow runs a Nextflow pipeline with secrets that are staged for that one run:
// it finds out which ones the pipeline refers to, hands them over in the way that
// Nextflow reads, masks what Nextflow prints and logs, and leaves nothing behind.
//
//	nextflow
//
// plays a short story: a small pipeline with random secrets, run by the nextflow that
// is on PATH. Without one it says so and ends with 69.
//
//	nextflow [-dir DIR] [-secret NAME=FILE]... [-user-secret NAME=FILE]... [-route]
//	         [-replay-for TIME] -- nextflow [OPTION...] run PIPELINE [ARG...]
//
// stores the content of each FILE ("-" for standard input) as a secret of the
// workspace or the user, runs the command line after the two dashes, and ends with its
// exit status. The secrets that the pipeline's sources refer to are staged, and no
// others; one that is missing is refused before anything starts, with the places that
// need it. Where the sources are not here, as those of a pipeline that Nextflow has yet
// to fetch, all secrets are staged. DIR keeps the state for another time, without it it is
// temporary. It lies where tasks see it: for a cluster, on a shared filesystem.
//
// Tasks get what "secret" directives name through Nextflow's store, byte for byte; a
// value that can't take that way, such as one of several lines, is refused. With -route
// the wrappers of all processes take the secrets from a file instead, which carries any
// value without a NUL byte. That replaces beforeScript (see provider/nextflow, Route).
//
// The log is masked too: Nextflow writes its own into what is staged, and a masked
// copy goes where Nextflow would have written (-log, .nextflow.log). Not masked is what
// Nextflow and its tasks write elsewhere: work directories, reports, traces, and what
// they send away.
//
// With -replay-for, a run that fails keeps what it has staged for that time, until
//
//	nextflow -dir DIR -end RUN
//
// or, once the time is over, any other call with the same DIR. Until then
//
//	nextflow -dir DIR -replay RUN -- TASKDIR
//
// runs a task again in its work directory, as "bash .command.run" does, with the run's
// secrets in its environment and what it prints masked. Where Nextflow has removed its own
// copy of the store when it ended, the wrapper says that there is no .nf-*.secrets; the
// task has its secrets all the same.
//
// Signals pass to Nextflow, and the run is completed after it. Only SIGKILL leaves no
// time for that: without -dir the temporary directory then stays, with what was
// staged. With -dir, any later call with the same DIR removes what a killed one left,
// from some seconds after its end, or two minutes if it was killed while it staged.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/pipesecrets/pipesecrets/examples/internal/command"
)

// Exit statuses of our own; all others are Nextflow's.
const (
	statusWrongUse    = 2
	statusNoNextflow  = 127 // as a shell has it
	statusNothingHere = 69  // the story can't be played
)

func main() {
	command.OutlivePipes()
	if len(os.Args) == 1 {
		status, err := story(context.Background(), os.Stdout)
		os.Exit(report(status, err))
	}
	o, err := parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(0)
	case err != nil:
		os.Exit(report(statusWrongUse, err))
	}
	l := &launcher{options: o, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ()}
	os.Exit(report(l.run(context.Background())))
}

// report prints err, if it is one, and returns an exit status: never 0 with an error.
func report(status int, err error) int {
	if err == nil {
		return status
	}
	fmt.Fprintln(os.Stderr, say, err)
	if status == 0 {
		return 1
	}
	return status
}

// say is before each line of ours, by which it is told from Nextflow's.
const say = "pipesecrets:"
