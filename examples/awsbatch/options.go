package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"github.com/pipesecrets/pipesecrets/examples/internal/command"
	"github.com/pipesecrets/pipesecrets/provider/awssm"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// options is what the command line says.
type options struct {
	layout   awssm.Layout
	values   map[secrets.Name]secrets.Value // of -secret; empty for random ones
	hours    float64
	account  string // "" to ask AWS
	role     string // "" for a made-up one
	policies bool
	dir      string // "" for a temporary one
	wait     bool
	command  []string
}

// parse reads the command line, and the files that it names. Values are not taken
// from arguments, which any user of a machine can see; and as one may have been
// written there by mistake, no argument is ever quoted.
func parse(args []string) (options, error) {
	o := options{layout: awssm.PerSecret, hours: 4, values: map[secrets.Name]secrets.Value{}}
	flags := flag.NewFlagSet("awsbatch", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: awsbatch [FLAG]... [-- COMMAND ARG...]")
		fmt.Fprintln(flags.Output(), "Without arguments it plays the story of a run on AWS Batch.")
		fmt.Fprintln(flags.Output(), "Where ~/.aws or AWS_* is configured this uses that account; else a fake.")
		flags.PrintDefaults()
	}
	// Package flag would quote what it refuses: our own rules are applied later.
	var problem error
	rule := func(name, usage string, apply func(string) error) {
		flags.Func(name, usage, func(s string) error {
			if err := apply(s); err != nil && problem == nil {
				problem = &wrongInput{"-" + name + ": " + err.Error()}
			}
			return nil
		})
	}
	rule("layout", "the `LAYOUT` at AWS: secrets, one AWS secret for each (the default), or map, one for all of the run", func(s string) error {
		layout, known := layouts[s]
		o.layout = layout
		return must(known, "must be secrets or map")
	})
	stdin := 0
	rule("secret", "a secret of the workspace, as `NAME=FILE`; - for standard input; may be repeated", func(s string) error {
		if strings.HasSuffix(s, "=-") {
			stdin++
		}
		if stdin > 1 {
			return errors.New("only one secret can come from standard input")
		}
		return o.read(s)
	})
	rule("hours", "tell the price of a run that lasts `N` hours (default 4)", func(s string) (err error) {
		o.hours, err = strconv.ParseFloat(s, 64)
		return must(err == nil && o.hours > 0 && o.hours <= 720, "must be a number of hours, over 0 and at most 720")
	})
	rule("account", "the AWS account, whose `ID` is 12 digits; else the one that the credentials or STS tell", func(s string) error {
		o.account = s
		return must(account.MatchString(s), "must be 12 digits")
	})
	rule("role", "the `ARN` of the execution role of the jobs", func(s string) error {
		o.role = s
		_, err := awssm.JobDefinition(nil, s)
		return must(err == nil, "must be the ARN of an IAM role")
	})
	rule("dir", "keep the launcher's state in `DIR`, which is made if need be, and is for one endpoint, account and Region", func(s string) error {
		o.dir = s
		return must(s != "", "must name a directory")
	})
	toggle := func(name, usage string, to *bool) {
		flags.BoolFunc(name, usage, func(s string) error {
			*to = s == "true"
			if problem == nil && s != "true" && s != "false" {
				problem = &wrongInput{"-" + name + ": must stand alone, or be true or false"}
			}
			return nil
		})
	}
	toggle("policies", "print the four IAM policies", &o.policies)
	toggle("wait", "wait until it is proven that nothing is left: 16 minutes on AWS", &o.wait)

	if err := command.Parse(flags, args); errors.Is(err, flag.ErrHelp) {
		return o, err
	} else if err != nil {
		return o, &wrongInput{err.Error()}
	}
	o.command = flags.Args()
	if problem == nil && len(o.command) > 0 {
		if _, err := exec.LookPath(o.command[0]); err != nil {
			problem = errNoCommand
		}
	}
	return o, problem
}

var (
	account = regexp.MustCompile(`^[0-9]{12}$`)
	layouts = map[string]awssm.Layout{"secrets": awssm.PerSecret, "map": awssm.JSONMap}
)

func must(holds bool, rule string) error {
	if holds {
		return nil
	}
	return errors.New(rule)
}

// read keeps the value that a file or standard input holds under its name.
func (o *options) read(s string) error {
	given, err := command.ParseGiven(s)
	if err != nil {
		return err
	}
	name := given.Name
	if why, reserved := name.Reserved(); reserved {
		return fmt.Errorf("%s is reserved: %s", name, why)
	}
	if _, twice := o.values[name]; twice {
		return fmt.Errorf("%s is given twice", name)
	}
	value, err := given.Read(context.Background())
	if err != nil {
		return err
	}
	o.values[name] = value
	return nil
}
