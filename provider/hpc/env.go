//go:build unix

package hpc

import (
	"bytes"
	"io"
	"maps"
	"slices"

	"github.com/pipesecrets/pipesecrets/internal/shell"
	"github.com/pipesecrets/pipesecrets/secrets"
)

var errShell = &secrets.InvalidError{Field: "name", Rule: "is a variable that shells keep for themselves"}

// writeEnv writes the values as a file for a POSIX shell to source. Between
// single quotes a shell expands nothing and takes every byte but NUL and the
// quote itself as it is, line breaks included (POSIX, Shell Command Language
// 2.2.2), so that no value is executed, cut or changed.
func writeEnv(w io.Writer, values map[secrets.Name]secrets.Value) error {
	for _, name := range slices.SortedFunc(maps.Keys(values), secrets.Name.Compare) {
		if shell.Owns(name) {
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
