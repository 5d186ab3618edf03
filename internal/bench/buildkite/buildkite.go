// Package pipesecretsbench lends the replacer of Buildkite's agent, as published,
// to a benchmark. It is a module of its own, with a path below the agent's, because
// the replacer is internal there.
package pipesecretsbench

import (
	"io"

	"github.com/buildkite/agent/v3/internal/replacer"
)

// Writer replaces needles in one stream.
type Writer struct{ *replacer.Replacer }

// New returns a Writer that passes on to w what is written to it, with the mark
// for each run of needles.
func New(w io.Writer, needles []string, mark string) Writer {
	m := []byte(mark)
	return Writer{replacer.New(w, needles, func([]byte) []byte { return m })}
}

// Close passes on what is held.
func (w Writer) Close() error { return w.Flush() }
