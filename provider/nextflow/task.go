package nextflow

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/pipesecrets/pipesecrets/internal/shell"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Form is how values stand in a store file.
type Form uint8

const (
	AsIs     Form = iota // any valid UTF-8, as it is, whatever a task's shell makes of it
	Unharmed             // as it is, and only if a task gets it byte for byte
	Escaped              // like Unharmed, with backslashes where these make a task get it byte for byte
)

// Store is how a store file is written. The zero Store writes every value as it
// is.
type Store struct {
	Form Form

	// Read names secrets that the pipeline itself reads, as secrets.NAME in a
	// script or in configuration, and would read with the backslashes of Escaped.
	// See References.Needs.
	Read []secrets.Name
}

// The refusals of what does not reach a task byte for byte, the same for every
// value.
var (
	errNUL        = &secrets.InvalidError{Field: "value", Rule: "may hold no NUL byte: Nextflow's store would then give no task any secret"}
	errLine       = &secrets.InvalidError{Field: "value", Rule: "may hold no line feed to reach a task through Nextflow's store"}
	errReturn     = &secrets.InvalidError{Field: "value", Rule: "may hold no carriage return to reach a task through Nextflow's store"}
	errQuoting    = &secrets.InvalidError{Field: "value", Rule: "holds a quote, backtick or backslash that a task's shell would take for its own; stage it escaped, or by a file"}
	errRead       = &secrets.InvalidError{Field: "value", Rule: "must be escaped for a task's shell, and the pipeline reads it as secrets.NAME too, which would see the escapes"}
	errOther      = &secrets.InvalidError{Field: "value", Rule: "holds NAME= of another staged secret: Nextflow would hand it to the tasks that ask for that one"}
	errShellOwned = &secrets.InvalidError{Field: "name", Rule: "is a variable that shells keep for themselves"}
)

// Carries returns nil if the file can hold the value and, unless the form is AsIs,
// a task that declares the secret gets it byte for byte, by bash in a UTF-8 locale
// or the C locale, and no task that declares only others of the run gets it; or an
// InvalidError for the field "value" or "name".
func (s Store) Carries(name secrets.Name, v secrets.Value, others ...secrets.Name) error {
	var staged map[secrets.Name]bool // made if it is asked, since most values hold no NAME= at all
	return v.Reveal(func(plain []byte) error {
		return s.carries(name, plain, func(n secrets.Name) bool {
			if staged == nil {
				staged = make(map[secrets.Name]bool, len(others))
				for _, other := range others {
					staged[other] = true
				}
			}
			return staged[n]
		})
	})
}

func (s Store) carries(name secrets.Name, plain []byte, staged func(secrets.Name) bool) error {
	if !utf8.Valid(plain) {
		return errUTF8
	}
	if s.Form == AsIs {
		return nil
	}
	if shell.Owns(name) {
		return errShellOwned
	}
	switch harm := harmOf(plain); {
	case harm == nil:
	case harm != errQuoting || s.Form == Unharmed:
		return harm
	case slices.Contains(s.Read, name):
		return errRead
	}
	if selects(name, plain, staged) {
		return errOther
	}
	return nil
}

// Check returns nil if all values of a run can stand in one file, each beside the
// others as [Store.Carries] says. It joins what it refuses, in the order of the
// names, each an InvalidError with the secret's name before it.
func (s Store) Check(values map[secrets.Name]secrets.Value) error {
	staged := func(n secrets.Name) bool { _, is := values[n]; return is }
	var refused []error
	for _, name := range slices.SortedFunc(maps.Keys(values), secrets.Name.Compare) {
		err := values[name].Reveal(func(plain []byte) error { return s.carries(name, plain, staged) })
		if err != nil {
			refused = append(refused, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(refused...)
}

// harmOf returns what keeps valid UTF-8 from reaching a task byte for byte if it
// is written as it is, or nil.
//
// Between double quotes bash takes a quote, a backtick and a dollar sign for its
// own, and a backslash before one of these, a backslash or a line feed (bash(1),
// Double Quotes). Of these Nextflow escapes the dollar sign. So a backslash is
// harmless unless it stands at the end, before a backslash, or before a dollar
// sign, whose escape it may take away; or before a control character: bash 5.2
// loses a DEL and mistakes what follows a SOH, which are marks of its own. A
// carriage return does reach bash on Linux; it is refused since other systems'
// shells drop it.
func harmOf(plain []byte) *secrets.InvalidError {
	switch {
	case bytes.IndexByte(plain, 0) >= 0:
		return errNUL
	case bytes.IndexByte(plain, '\n') >= 0:
		return errLine
	case bytes.IndexByte(plain, '\r') >= 0:
		return errReturn
	case bytes.ContainsAny(plain, "\"`"):
		return errQuoting
	}
	for i, b := range plain {
		if b != '\\' {
			continue
		}
		if i+1 == len(plain) || plain[i+1] == '\\' || plain[i+1] == '$' || plain[i+1] < ' ' || plain[i+1] == 0x7f {
			return errQuoting
		}
	}
	return nil
}

// selects reports whether grep -w 'NAME=.*' finds another name in the value of a
// secret. What stands before must not be part of a word; only ASCII counts as
// that, since a locale may or may not count other letters. So what stands before an
// equals sign and is all letters, digits and underscores is either a name or none.
// Escapes change nothing of it: they add no letter, and stand inside no name.
func selects(own secrets.Name, plain []byte, staged func(secrets.Name) bool) bool {
	start := 0
	for i, b := range plain {
		if wordByte(b) {
			continue
		}
		if b == '=' && i-start <= secrets.MaxName {
			if name, err := secrets.ParseName(string(plain[start:i])); err == nil && name != own && staged(name) {
				return true
			}
		}
		start = i + 1
	}
	return false
}

func wordByte(b byte) bool {
	return b == '_' || '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'z'
}
