//go:build unix

package hpc

import (
	"bytes"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/pipesecrets/pipesecrets/secrets"
)

var errShell = &secrets.InvalidError{Field: "name", Rule: "is a variable that shells keep for themselves"}

// shellOwned reports whether a shell gives the variable a meaning or a value of
// its own (bash(1), Shell Variables). An assignment to one is lost, fails, or,
// where the variable is an integer to bash, is evaluated as arithmetic, which can
// run commands: quoting does not help.
func shellOwned(name secrets.Name) bool {
	switch name.String() {
	case "RANDOM", "SRANDOM", "SECONDS", "LINENO", "HISTCMD", "EPOCHSECONDS", "EPOCHREALTIME",
		"UID", "EUID", "PPID", "BASHPID", "GROUPS", "FUNCNAME", "DIRSTACK", "PIPESTATUS",
		"BASHOPTS", "SHELLOPTS", "OPTIND", "OPTARG", "OPTERR", "COMP_WORDBREAKS", "IFS", "POSIXLY_CORRECT":
		return true
	}
	return strings.HasPrefix(name.String(), "BASH_")
}

// writeEnv writes the values as a file for a POSIX shell to source. Between
// single quotes a shell expands nothing and takes every byte but NUL and the
// quote itself as it is, line breaks included (POSIX, Shell Command Language
// 2.2.2), so that no value is executed, cut or changed.
func writeEnv(w io.Writer, values map[secrets.Name]secrets.Value) error {
	for _, name := range slices.SortedFunc(maps.Keys(values), secrets.Name.Compare) {
		if shellOwned(name) {
			return errShell
		}
		err := values[name].Reveal(func(plain []byte) error {
			if bytes.IndexByte(plain, 0) >= 0 {
				return errNUL
			}
			line := appendExport(make([]byte, 0, len("export =''\n")+len(name.String())+4*len(plain)), name, plain)
			defer clear(line)
			_, err := w.Write(line)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// appendExport appends a line that exports plain as name. dst has room for the
// worst case, so that no grown-out-of copy stays behind.
func appendExport(dst []byte, name secrets.Name, plain []byte) []byte {
	dst = append(dst, "export "...)
	dst = append(dst, name.String()...)
	dst = append(dst, "='"...)
	for _, b := range plain {
		if b == '\'' {
			dst = append(dst, `'\''`...)
		} else {
			dst = append(dst, b)
		}
	}
	return append(dst, "'\n"...)
}
