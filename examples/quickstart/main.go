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
// one left, from some seconds after its end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/pipesecrets/pipesecrets/secrets"
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
	workspace []given
	user      []given
	command   []string
}

// given is a secret from the command line: its name, and the file that holds its
// value. Values are not taken from arguments, which any user of a machine can see.
type given struct {
	name secrets.Name
	file string
}

const afterKill = `After a SIGKILL without -dir the temporary directory stays, with what was staged.
With -dir, any later call with the same one, from some seconds on, cleans up after
a killed one.
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
	flags.Func("secret", "a secret of the workspace, as `NAME=FILE`; - for standard input", collect(&workspace))
	flags.Func("user-secret", "a secret of the user, as `NAME=FILE`; it overrides the workspace's", collect(&user))
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.command = flags.Args()
	problem := ""
	stdin := 0
	for _, list := range []struct {
		args []string
		into *[]given
	}{{workspace, &o.workspace}, {user, &o.user}} {
		for _, arg := range list.args {
			g, err := parseGiven(arg)
			if err != nil {
				problem = err.Error()
			}
			if g.file == "-" {
				stdin++
			}
			*list.into = append(*list.into, g)
		}
	}
	switch {
	case problem != "":
	case stdin > 1:
		problem = "only one secret can come from standard input"
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

// collect keeps a flag's argument for later: package flag would quote a refused
// one, which may be a value that somebody wrote in the wrong place.
func collect(into *[]string) func(string) error {
	return func(s string) error {
		*into = append(*into, s)
		return nil
	}
}

func parseGiven(s string) (given, error) {
	name, file, ok := strings.Cut(s, "=")
	if !ok || file == "" {
		return given{}, errors.New("a secret is given as NAME=FILE")
	}
	parsed, err := secrets.ParseName(name)
	if err != nil {
		return given{}, err
	}
	return given{parsed, file}, nil
}

// read returns the value that a file or standard input holds. It does not wait for
// a terminal or a pipe any longer than ctx lasts.
func (g given) read(ctx context.Context) (secrets.Value, error) {
	done := make(chan struct{})
	var value secrets.Value
	var err error
	go func() {
		defer close(done)
		value, err = g.readAll()
	}()
	select {
	case <-done:
		return value, err
	case <-ctx.Done():
		return secrets.Value{}, context.Cause(ctx)
	}
}

func (g given) readAll() (secrets.Value, error) {
	in := os.Stdin
	if g.file != "-" {
		f, err := os.Open(g.file)
		if err != nil {
			return secrets.Value{}, fmt.Errorf("%s: the file can't be opened", g.name)
		}
		defer f.Close()
		in = f
	}
	plain := make([]byte, secrets.MaxValue+1) // one more than fits, to tell that it is too long
	defer clear(plain)
	n, err := io.ReadFull(in, plain)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return secrets.Value{}, fmt.Errorf("%s: the file can't be read", g.name)
	}
	value, err := secrets.NewValue(plain[:n])
	if err != nil {
		return secrets.Value{}, fmt.Errorf("%s: %w", g.name, err)
	}
	return value, nil
}
