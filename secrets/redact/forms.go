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

// formsOf returns the forms of a value, in memory of their own: plain is only
// lent.
//
// That is the value without the white space around it, or the value as it is if
// less than short bytes would be left. Secrets are kept in files that end in a
// line break; a shell drops it from "$(cat file)" and from an unquoted $NAME, and
// a log keeps its lines apart by it.
func formsOf(plain []byte, short int) [][]byte {
	if trimmed := bytes.Trim(plain, " \t\r\n"); len(trimmed) >= short && len(trimmed) > 0 {
		plain = trimmed
	}
	return [][]byte{bytes.Clone(plain)}
}
