package main

import (
	"errors"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// invocation is a command line of Nextflow's, as far as it says what runs, with which
// configuration, and where the log goes (Nextflow: CliOptions, CmdRun, Launcher).
type invocation struct {
	program  string
	args     []string // without -log
	afterRun int      // where an option of "run" can be put that stands above the others of its kind

	pipeline   string
	mainScript string
	revision   string
	latest     bool
	configs    []string // -c
	only       []string // -C, beside which no other configuration counts
	profiles   []string
	log        string // "" for the usual one
}

var (
	errNotRun     = errors.New("the command must be: nextflow [OPTION...] run PIPELINE [ARG...]")
	errNoPipeline = errors.New("nextflow run needs a PIPELINE")
	errHalf       = errors.New("an option of nextflow's lacks its argument")
	errMisplaced  = errors.New("an option of nextflow's stands where it does not know it: -log and -C come before run, and those of run after it")
	errAtFile     = errors.New("a word of nextflow's that begins with @ is refused: it would read options from a file, which we don't see")
	errBackground = errors.New("nextflow's -bg is refused: the run would go on when we have ended, and removed its secrets")
	errSyslog     = errors.New("nextflow's -syslog is refused: it sends the log away, unmasked")
)

// arity says which arguments an option has.
type arity uint8

const (
	none    arity = iota
	one           // the next one, whatever it is
	maybe         // the next one unless it is an option
	session       // the next one if it names a session of Nextflow's
)

var sessionName = regexp.MustCompile(`^(last|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)

var globalOptions = map[string]arity{
	"-C": one, "-c": one, "-config": one, "-log": one, "-debug": one, "-trace": one,
}

var runOptions = map[string]arity{
	"-name": one, "-lib": one, "-cache": one, "-ps": one, "-pool-size": one, "-pi": one, "-poll-interval": one,
	"-qs": one, "-queue-size": one, "-w": one, "-work-dir": one, "-bucket-dir": one, "-o": one, "-output-dir": one,
	"-params-file": one, "-r": one, "-revision": one, "-d": one, "-deep": one, "-c": one, "-config": one,
	"-profile": one, "-entry": one, "-main-script": one, "-plugins": one, "-hub": one, "-user": one,

	"-resume": session, "-test": maybe, "-dump-hashes": maybe, "-dump-channels": maybe, "-ansi-log": maybe,
	"-stub": maybe, "-stub-run": maybe, "-N": maybe, "-with-notification": maybe,
	"-with-cloudcache": maybe, "-with-trace": maybe, "-with-report": maybe, "-with-timeline": maybe, "-with-dag": maybe,
	"-with-docker": maybe, "-with-podman": maybe, "-with-singularity": maybe, "-with-apptainer": maybe,
	"-with-charliecloud": maybe, "-with-conda": maybe, "-with-spack": maybe, "-with-weblog": maybe,
	"-with-tower": maybe, "-with-wave": maybe, "-with-fusion": maybe,
}

// parseInvocation reads a command line of Nextflow's, and never quotes it.
func parseInvocation(words []string) (*invocation, error) {
	if filepath.Base(words[0]) != "nextflow" {
		return nil, errNotRun
	}
	inv := &invocation{program: words[0]}
	rest, err := inv.options(words[1:], globalOptions, func(string) bool { return true })
	if err != nil {
		return nil, err
	}
	if len(rest) == 0 || rest[0] != "run" {
		return nil, errNotRun
	}
	inv.args = append(inv.args, "run")
	inv.afterRun = len(inv.args)
	if len(rest) > 1 && rest[1] == "-" {
		inv.afterRun++ // only right after "run" Nextflow takes it for standard input
	}
	_, err = inv.options(rest[1:], runOptions, func(word string) bool {
		if inv.pipeline == "" {
			inv.pipeline = word
		}
		return false
	})
	if err != nil {
		return nil, err
	}
	if inv.pipeline == "" {
		return nil, errNoPipeline
	}
	return inv, nil
}

// options reads options and what stands between them, up to a word at which stop
// answers true; it returns that word and what comes after it.
func (inv *invocation) options(words []string, known map[string]arity, stop func(word string) bool) (rest []string, err error) {
	for len(words) > 0 {
		word := words[0]
		if strings.HasPrefix(word, "@") {
			return nil, errAtFile
		}
		if word == "-" || !strings.HasPrefix(word, "-") {
			if stop(word) {
				return words, nil
			}
			inv.args, words = append(inv.args, word), words[1:]
			continue
		}
		takes := known[word]
		parameter := strings.HasPrefix(word, "--") || strings.HasPrefix(word, "-process.") ||
			strings.HasPrefix(word, "-executor.") || strings.HasPrefix(word, "-cluster.")
		if parameter && !strings.Contains(word, "=") {
			takes = maybe
		}
		n := 1
		switch {
		case takes == one && len(words) < 2:
			return nil, errHalf
		case takes == one,
			takes == maybe && len(words) > 1 && value(words[1], parameter),
			takes == session && len(words) > 1 && sessionName.MatchString(words[1]):
			n = 2
		}
		if n == 2 && !parameter && strings.HasPrefix(words[1], "@") {
			return nil, errAtFile // that of a parameter Nextflow joins to its name first
		}
		keep, err := inv.option(word, words[1:n])
		if err != nil {
			return nil, err
		}
		if keep {
			inv.args = append(inv.args, words[:n]...)
		}
		if _, run := known["-profile"]; run && (word == "-c" || word == "-config") {
			inv.afterRun = len(inv.args)
		}
		words = words[n:]
	}
	return nil, nil
}

// value reports whether a word is the value of the option before it. One of a
// parameter may be a number below zero, or hold blanks.
func value(word string, parameter bool) bool {
	return word != "" && (word[0] != '-' || parameter && (len(word) == 1 || strings.Contains(word, " ") || '0' <= word[1] && word[1] <= '9'))
}

// option notes what an option says, and reports whether Nextflow is to have it.
func (inv *invocation) option(name string, arg []string) (keep bool, err error) {
	switch name { // what the other part of the command line has
	case "-log", "-c", "-config", "-C", "-profile", "-main-script", "-r", "-revision":
		if len(arg) == 0 {
			return false, errMisplaced
		}
	}
	list := func(into *[]string) {
		*into = slices.Concat(*into, strings.Split(arg[0], ",")) // as Nextflow's parser splits it
	}
	switch name {
	case "-log":
		inv.log = arg[0]
		return false, nil
	case "-c", "-config":
		list(&inv.configs)
	case "-C":
		list(&inv.only)
	case "-profile":
		list(&inv.profiles)
	case "-main-script":
		inv.mainScript = arg[0]
	case "-r", "-revision":
		inv.revision = arg[0]
	case "-latest":
		inv.latest = true
	case "-bg":
		return false, errBackground
	case "-syslog":
		return false, errSyslog
	}
	return true, nil
}

// command returns the arguments for a run whose log goes to raw, and that has one more
// configuration file, which stands above the others, if config is not "".
func (inv *invocation) command(raw, config string) []string {
	args := slices.Clone(inv.args)
	if config != "" {
		args = slices.Insert(args, inv.afterRun, "-c", config)
	}
	if raw != "" {
		args = append([]string{"-log", raw}, args...)
	} else if inv.log != "" {
		args = append([]string{"-log", inv.log}, args...)
	}
	return args
}
