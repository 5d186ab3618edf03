// Package pipesecretsbench lends the masker of GitLab's runner, as published, to a
// benchmark. It is a module of its own, with a path below the one of the runner's
// package that may use the masker, because that is internal there.
package pipesecretsbench

import (
	"io"

	"gitlab.com/gitlab-org/gitlab-runner/common/buildlogger/internal/masker"
)

// Mark is what stands for a phrase. It can't be chosen.
const Mark = "[MASKED]"

// New returns a writer that passes on to w what is written to it, with Mark for
// each phrase.
func New(w io.Writer, phrases []string) io.WriteCloser {
	all := make([][]byte, len(phrases))
	for i, p := range phrases {
		all[i] = []byte(p)
	}
	return masker.New(open{w}, all)
}

// open does not close what it writes to.
type open struct{ io.Writer }

func (open) Close() error { return nil }
