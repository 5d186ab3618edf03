package redact

import (
	"errors"
	"io"
	"os/exec"
)

// Run runs cmd as its Run method does, and masks on its way to cmd.Stdout and
// cmd.Stderr what it prints. They are the same stream if they are the same writer,
// and are not touched if they are nil. What is held is passed on when cmd has ended.
//
// Files and terminals get pipes in their place: cmd sees no terminal, and its Wait
// lasts until all that inherited them have closed them, unless cmd.WaitDelay is set
// (package os/exec). Run masks no arguments, which other users of the machine see,
// and no error.
//
// It returns the error of cmd's Run, joined with those of the writers if they
// failed; and [ErrClosed], without having started anything, if the Redactor is
// closed.
func (r *Redactor) Run(cmd *exec.Cmd) error {
	if err := r.get().open(); err != nil {
		return err
	}
	stdout, stderr := cmd.Stdout, cmd.Stderr
	defer func() { cmd.Stdout, cmd.Stderr = stdout, stderr }()
	var masked []*Writer
	mask := func(to io.Writer) io.Writer {
		w := r.Writer(to)
		masked = append(masked, w)
		return w
	}
	if stdout != nil {
		cmd.Stdout = mask(stdout)
	}
	switch {
	case stderr == nil:
	case same(stdout, stderr):
		cmd.Stderr = cmd.Stdout
	default:
		cmd.Stderr = mask(stderr)
	}
	err := cmd.Run()
	var failures []error
	for _, w := range masked {
		if failed := w.Close(); failed != nil && !errors.Is(err, failed) {
			failures = append(failures, failed)
		}
	}
	if len(failures) == 0 {
		return err
	}
	return errors.Join(append(failures, err)...)
}

// same reports whether two writers are the same one; those that can't be compared
// are not.
func same(a, b io.Writer) (is bool) {
	defer func() { _ = recover() }()
	return a == b
}
