package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	buildkite "github.com/buildkite/agent/v3/pipesecretsbench"
	gitlab "gitlab.com/gitlab-org/gitlab-runner/common/buildlogger/pipesecretsbench"

	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

// mark stands for a value in what any contender passes on: the one that can't be
// chosen.
const mark = gitlab.Mark

// contender is a way to mask a stream.
type contender struct {
	key   string // in the figures
	label string // for people
	open  func(needles []string, to io.Writer) (io.WriteCloser, error)
}

// ours and those that it is compared with, all with the needles as they are.
var (
	ours = contender{"ours", "pipesecrets", func(needles []string, to io.Writer) (io.WriteCloser, error) {
		return ourStream(needles, to, []redact.Form{})
	}}
	oursAllForms = contender{"allforms", "pipesecrets, all forms", func(needles []string, to io.Writer) (io.WriteCloser, error) { return ourStream(needles, to, nil) }}
	theBuildkite = contender{"buildkite", "buildkite agent", func(needles []string, to io.Writer) (io.WriteCloser, error) {
		return buildkite.New(to, needles, mark), nil
	}}
	theGitlab     = contender{"gitlab", "gitlab-runner", func(needles []string, to io.Writer) (io.WriteCloser, error) { return gitlab.New(to, needles), nil }}
	theReplacer   = contender{"stringsreplacer", "strings.Replacer", replacerStream}
	theReplaceAll = contender{"replaceall", "bytes.ReplaceAll", replaceAllStream}

	contenders = []contender{ours, oursAllForms, theBuildkite, theGitlab, theReplacer, theReplaceAll}
)

// ourWriter closes the Redactor with its one stream.
type ourWriter struct {
	*redact.Writer
	of *redact.Redactor
}

func (w ourWriter) Close() error {
	defer w.of.Close()
	return w.Writer.Close()
}

func ourStream(needles []string, to io.Writer, forms []redact.Form) (io.WriteCloser, error) {
	values, err := valuesOf(needles)
	if err != nil {
		return nil, err
	}
	r, err := redact.New(values, redact.Options{Forms: forms, Mark: func(secrets.Name) string { return mark }})
	if err != nil {
		return nil, err
	}
	return ourWriter{r.Writer(to), r}, nil
}

// replacer masks each piece for itself.
type replacer struct {
	*strings.Replacer
	to io.Writer
}

func replacerStream(needles []string, to io.Writer) (io.WriteCloser, error) {
	var pairs []string
	for _, n := range needles {
		pairs = append(pairs, n, mark)
	}
	return replacer{strings.NewReplacer(pairs...), to}, nil
}

func (r replacer) Write(p []byte) (int, error) {
	if _, err := r.WriteString(r.to, string(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (replacer) Close() error { return nil }

// replaceAll masks each piece for itself, one needle after the other.
type replaceAll struct {
	needles [][]byte
	mark    []byte
	to      io.Writer
}

func replaceAllStream(needles []string, to io.Writer) (io.WriteCloser, error) {
	r := replaceAll{mark: []byte(mark), to: to}
	for _, n := range needles {
		r.needles = append(r.needles, []byte(n))
	}
	return r, nil
}

func (r replaceAll) Write(p []byte) (int, error) {
	out := p
	for _, n := range r.needles {
		out = bytes.ReplaceAll(out, n, r.mark)
	}
	if _, err := r.to.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (replaceAll) Close() error { return nil }

// output returns what a contender makes of a text that is written in pieces.
func (c contender) output(needles []string, pieces [][]byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := c.open(needles, &out)
	if err != nil {
		return nil, err
	}
	for _, p := range pieces {
		if _, err := w.Write(p); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// masks fails unless the contender masks just what it should, so that none is
// measured that does nothing.
func (c contender) masks(needles []string, pieces [][]byte, want []byte) error {
	got, err := c.output(needles, pieces)
	if err != nil {
		return fmt.Errorf("%s: %w", c.label, err)
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%s with %d needles: masked %d times, not %d, or elsewhere", c.label, len(needles),
			bytes.Count(got, []byte(mark)), bytes.Count(want, []byte(mark)))
	}
	return nil
}
