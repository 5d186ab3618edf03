// Awsbatch is a launcher for AWS Batch in small: secrets go into AWS Secrets Manager
// for one run, into the environment of its job, and are gone when it ends.
//
//	awsbatch
//
// needs nothing: it plays on this project's fake of Secrets Manager, and tells what
// it does as it goes. But where ~/.aws or AWS_* is configured this uses that account:
// the first line says which account, Region and endpoint. A configuration that is not
// whole is an error, and never ends on the fake.
//
//	awsbatch [-layout secrets|map] [-secret NAME=FILE]... [-hours N] [-account ID]
//	         [-role ARN] [-policies] [-dir DIR] [-wait] [-- COMMAND ARG...]
//
// stores the content of each FILE ("-" for standard input) in place of the story's
// random secrets, and runs COMMAND in place of its script: with the values in the
// environment, what it prints masked, and its exit status at the end. The story is
// told on standard error then. The exit status is that of a built program: go run
// ends with 1 whatever it was.
//
// With the SDK's ordinary configuration, from the environment or profile files, it
// runs unchanged on AWS or on an emulator:
//
//	AWS_ENDPOINT_URL=http://127.0.0.1:5000 AWS_REGION=eu-west-1 AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x awsbatch
//
// A launcher keeps its database, and its sweeps prove 16 minutes later that
// nothing is left at AWS. So does this one with -dir; any call with the same DIR goes
// on where an earlier one was killed, and fails while something of an earlier run was
// not removed. A DIR is for one endpoint, account and Region; the fake, which ends with
// the program, takes none. Without -dir the database is in a temporary directory, and
// -wait waits for the proof; after a SIGKILL that directory stays, and is what to give
// as DIR.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/pipesecrets/pipesecrets"
)

func main() {
	o, err := parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(0)
	case err != nil:
		os.Exit(report(err))
	}
	t := teller{os.Stdout}
	if len(o.command) > 0 {
		t.out = os.Stderr // standard output is the command's
	}
	ctx := onSignal(context.Background())
	status, err := story(ctx, o, t)
	failed := report(err)
	var ended *signalled
	if err != nil && errors.As(context.Cause(ctx), &ended) {
		failed = ended.status() // whatever else came of it
	}
	if status == 0 {
		status = failed
	}
	os.Exit(status)
}

// wrongInput is an error that whoever called the program can mend.
type wrongInput struct{ text string }

func (e *wrongInput) Error() string { return e.text }

var errNoCommand = errors.New("the command after the flags is not found")

// report prints err, if it is one, and returns an exit status: 2 for wrong input, and
// as a shell's 127 for a command that is not there, and 128 and the signal's number
// where one ended the program; else 1.
func report(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "awsbatch:", err)
	var wrong *wrongInput
	var ended *signalled
	switch {
	case errors.Is(err, errNoCommand):
		return 127
	case errors.As(err, &ended):
		return ended.status()
	case errors.As(err, &wrong), errors.Is(err, pipesecrets.ErrRefused):
		return 2
	}
	return 1
}
