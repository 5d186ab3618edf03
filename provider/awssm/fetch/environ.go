package fetch

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// Environ returns the environment of a child process: environ without what it says
// of these names, then NAME=value for each, in the order of the names. It fails
// with a [secrets.InvalidError] for "value of NAME" if the value holds a NUL byte,
// which no environment can, and with [secrets.ErrDestroyed].
//
// The result holds the values as strings, which can't be wiped: they stay in the
// memory of this process until it is reused. And whoever may look into the child,
// as every process of the same user may, can read its environment.
func Environ(environ []string, values map[secrets.Name]secrets.Value) ([]string, error) {
	taken := make(map[string]bool, len(values))
	for name := range values {
		taken[name.String()] = true
	}
	all := make([]string, 0, len(environ)+len(values))
	for _, entry := range environ {
		if name, _, _ := strings.Cut(entry, "="); !taken[name] {
			all = append(all, entry)
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(values), secrets.Name.Compare) {
		err := values[name].Reveal(func(plain []byte) error {
			if bytes.IndexByte(plain, 0) >= 0 {
				return &secrets.InvalidError{Field: "value of " + name.String(), Rule: "may hold no NUL byte to stand in an environment"}
			}
			all = append(all, name.String()+"="+string(plain))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}
