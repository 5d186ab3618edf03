// Package shell knows which variables a shell will not take as they are given.
package shell

import (
	"strings"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// Owns reports whether a shell gives the variable a meaning or a value of
// its own (bash(1), Shell Variables). An assignment to one is lost, fails, or,
// where the variable is an integer to bash, is evaluated as arithmetic, which can
// run commands: quoting does not help.
func Owns(name secrets.Name) bool {
	switch name.String() {
	case "RANDOM", "SRANDOM", "SECONDS", "LINENO", "HISTCMD", "EPOCHSECONDS", "EPOCHREALTIME",
		"UID", "EUID", "PPID", "BASHPID", "GROUPS", "FUNCNAME", "DIRSTACK", "PIPESTATUS",
		"BASH", "SHLVL", "PS1", "PS2", "PS4", "PWD", "OLDPWD", // a bash that starts sets or unsets them, whatever it is given
		"BASHOPTS", "SHELLOPTS", "OPTIND", "OPTARG", "OPTERR", "COMP_WORDBREAKS", "IFS", "POSIXLY_CORRECT":
		return true
	}
	return strings.HasPrefix(name.String(), "BASH_")
}
