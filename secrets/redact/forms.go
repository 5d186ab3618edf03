package redact

import (
	"bytes"
	"sync/atomic"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// form is one sequence of bytes that gives a secret away.
type form struct {
	name  secrets.Name
	bytes []byte         // never empty; wiped by Redactor.Close
	mark  string         // of the name
	hits  *atomic.Uint64 // of the name
}

// formsOf returns the forms of a value that have at least short bytes, in memory
// of their own: plain is only lent.
//
// Beside the value itself that is the value without the white space around it.
// Secrets are kept in files that end in a line break, and a shell drops it:
// "$(cat file)" and an unquoted $NAME print the rest.
func formsOf(plain []byte, short int) [][]byte {
	forms := [][]byte{bytes.Clone(plain)}
	if trimmed := bytes.Trim(plain, " \t\r\n"); len(trimmed) >= short && len(trimmed) < len(plain) {
		forms = append(forms, bytes.Clone(trimmed))
	}
	return forms
}
