package nextflow

import (
	"slices"
	"strings"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// Route is the way of secrets to processes by a file that their wrappers source,
// instead of by Nextflow's store: byte for byte, for any value without a NUL. It
// is for executors whose tasks see the file: the local one and those of grids.
type Route struct {
	// Env is the absolute path of a file that exports the secrets, such as
	// provider/hpc's PIPESECRETS_ENV. All that it exports goes to each process.
	Env string

	// Secrets are the names that containers are given; those of Env, all or some.
	Secrets []secrets.Name

	// Names and Labels select processes as withName and withLabel do: a pattern
	// each. Without any, all processes are meant. What a pipeline's configuration
	// sets by withName stands above all that is set by a label, and what it sets for
	// an alias or a name with its workflows above what is set for the plain name of
	// the process: where it sets beforeScript or secret so, select by that name.
	Names, Labels []string

	// Pass names further variables that containers are given: those of the
	// pipeline's own lists, which Config replaces.
	Pass []string
}

// engines are the scopes of container engines that have a list of variables to
// pass on (Nextflow: docs/reference/config). Only the one that is enabled counts.
var engines = []string{"apptainer", "charliecloud", "docker", "podman", "sarus", "shifter", "singularity"}

// Config returns configuration text, for a file that Nextflow is given with -c. It
// holds paths and names, and never a value. For the processes that it selects
//
//   - it replaces beforeScript, wherever that was set, by [Route.Script]. A process
//     that needs a beforeScript of its own is left out, and has that line in it.
//   - it takes back "secret" directives: their delivery comes later in a task's
//     wrapper, and would put what the store makes of a value over it. So Nextflow
//     does not look for these secrets any more, and Scan has to.
//
// For all containers it replaces envWhitelist, by the names of the secrets and
// Pass; a name that a process does not have is not passed. What Nextflow itself
// writes for Singularity and Apptainer shows values if it is traced (NXF_DEBUG=2).
//
// It fails with a *secrets.InvalidError for the field "path", "process" or
// "variable" if one could be taken for something else where it stands.
func (r Route) Config() (string, error) {
	line, err := r.Script()
	if err != nil {
		return "", err
	}
	var selectors []string
	for _, p := range slices.Concat(r.Names, r.Labels) {
		if p == "" || !plain(p) {
			return "", errProcess
		}
	}
	for _, p := range r.Names {
		selectors = append(selectors, byName(p))
	}
	for _, p := range r.Labels {
		selectors = append(selectors, "withLabel: '"+last(p)+"'")
	}
	if len(selectors) == 0 {
		selectors = []string{byName(".*")}
	}
	variables := slices.Clone(r.Pass)
	for _, v := range variables {
		if !variable(v) {
			return "", errVariable
		}
	}
	for _, n := range r.Secrets {
		if n.IsZero() {
			return "", errVariable
		}
		variables = append(variables, n.String())
	}
	slices.Sort(variables)
	variables = slices.Compact(variables)

	var b strings.Builder
	b.WriteString("process {\n")
	for _, s := range selectors {
		b.WriteString("    " + s + " {\n        beforeScript = '''" + line + "'''\n        secret = []\n    }\n")
	}
	b.WriteString("}\n")
	if len(variables) > 0 {
		for _, engine := range engines {
			b.WriteString(engine + ".envWhitelist = '" + strings.Join(variables, ",") + "'\n")
		}
	}
	return b.String(), nil
}

// last returns a pattern that selects the same as another one, and that a pipeline's
// configuration will not have. Of the selectors that match the last one counts, and
// one that is written twice stays where it was first.
func last(pattern string) string {
	if rest, ok := strings.CutPrefix(pattern, "!"); ok {
		return "!(?:" + strings.TrimSpace(rest) + ")"
	}
	return "(?:" + pattern + ")"
}

// byName returns a selector of names. A plain name matches with its workflows before
// it too, since what matches so counts for more.
func byName(pattern string) string {
	if variable(pattern) {
		return "withName: '(?:.*:)?" + pattern + "'"
	}
	return "withName: '" + last(pattern) + "'"
}

// Script returns the line of shell that takes the secrets from the file: it says so and
// ends the task if the file is not there, as when a task of a run that has ended is run
// again, and keeps values out of a trace ("set -x",
// which NXF_DEBUG=2 turns on). It holds no backslash and no three quotes in a row,
// so that it can stand between those in Groovy.
func (r Route) Script() (string, error) {
	if !strings.HasPrefix(r.Env, "/") || !plain(r.Env) {
		return "", errPath
	}
	file := "'" + r.Env + "'"
	return "[ -r " + file + " ] || { echo pipesecrets: there is no " + file + " here: the secrets of a run are removed when it has ended >&2; exit 1; }; " +
		"{ case $- in *x*) set +x; . " + file + "; set -x;; *) . " + file + ";; esac; } 2>/dev/null", nil
}

var (
	errPath     = &secrets.InvalidError{Field: "path", Rule: "must be absolute, and hold no quotes, backslashes, dollar signs, backticks or control characters"}
	errProcess  = &secrets.InvalidError{Field: "process", Rule: "must be a pattern without quotes, backslashes, dollar signs, backticks or control characters"}
	errVariable = &secrets.InvalidError{Field: "variable", Rule: "must be the name of a variable"}
)

// plain reports whether text means itself between single or double quotes, in
// Groovy and in a shell.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == '\uFFFD' || r == '\u0085' || r == '\u2028' || r == '\u2029' || strings.ContainsRune("'\"\\$`", r)
	})
}

func variable(s string) bool {
	for i := range len(s) {
		if !wordByte(s[i]) || i == 0 && '0' <= s[i] && s[i] <= '9' {
			return false
		}
	}
	return s != ""
}
