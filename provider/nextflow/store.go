package nextflow

import (
	"io"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// errUTF8 refuses what JSON text can't hold: an encoder would silently replace
// the bytes, and the task would get another value than was stored.
var errUTF8 = &secrets.InvalidError{Field: "value", Rule: "must be valid UTF-8 to stand in Nextflow's store file"}

// Carries returns nil if the store file can hold the value, or an InvalidError
// for the field "value". The file holds any valid UTF-8; what stock Nextflow then
// hands to a task is for [Store.Carries] to say.
func Carries(v secrets.Value) error {
	return v.Reveal(func(plain []byte) error {
		if !utf8.Valid(plain) {
			return errUTF8
		}
		return nil
	})
}

// WriteStore writes the values [AsIs]: it is the zero [Store]'s Write.
func WriteStore(w io.Writer, values map[secrets.Name]secrets.Value) error {
	return Store{}.Write(w, values)
}

// Write writes the values as a store file, in the order of their names. If
// [Store.Check] refuses any, nothing is written. An error of w is returned as it
// is.
func (s Store) Write(w io.Writer, values map[secrets.Name]secrets.Value) error {
	if err := s.Check(values); err != nil {
		return err
	}
	if len(values) == 0 {
		_, err := io.WriteString(w, "[]") // as Nextflow writes it
		return err
	}
	opening := "[\n"
	for _, name := range slices.SortedFunc(maps.Keys(values), secrets.Name.Compare) {
		if _, err := io.WriteString(w, opening+"  {\n    \"name\": \""+name.String()+"\",\n    \"value\": "); err != nil {
			return err
		}
		err := values[name].Reveal(func(plain []byte) error {
			quoted := appendJSON(make([]byte, 0, 6*len(plain)+2), plain, s.Form == Escaped && harmOf(plain) == errQuoting)
			defer clear(quoted)
			_, err := w.Write(quoted)
			return err
		})
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, "\n  }"); err != nil {
			return err
		}
		opening = ",\n"
	}
	_, err := io.WriteString(w, "\n]")
	return err
}

// appendJSON appends plain, valid UTF-8, as a JSON string, escaped for the shell
// first if it is to be. encoding/json would need a Go string of it, which can't be
// wiped. dst has room for the worst case, so that no grown-out-of copy stays behind.
func appendJSON(dst, plain []byte, forShell bool) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, b := range plain {
		if forShell && (b == '"' || b == '\\' || b == '`') {
			dst = append(dst, '\\', '\\') // the shell's backslash, as JSON has it
		}
		switch {
		case b == '"' || b == '\\':
			dst = append(dst, '\\', b)
		case b < 0x20 || b == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&0xf])
		default:
			dst = append(dst, b)
		}
	}
	return append(dst, '"')
}
