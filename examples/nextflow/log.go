package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

// Nextflow writes its log itself, all of it unmasked, so it is given a file in what is
// staged for the run, which goes with the run. A masked copy of it grows where the log
// would have been.

const (
	logLooks = 200 * time.Millisecond // between two looks at what was logged
	logFiles = 9                      // that are kept of earlier runs (Nextflow: LoggerHelper)

	// logPatience is how long we wait, once Nextflow has ended, for one who reads the log
	// from a pipe: the run's secrets stay staged meanwhile.
	logPatience = 5 * time.Second
)

var (
	errRotate = errors.New("the log of an earlier run can't be set aside")
	errLog    = errors.New("the log can't be written")
)

// newLog makes the log of a run, once an earlier one is set aside as Nextflow does: as
// .1, which becomes .2, up to .9.
func newLog(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, errLog
	}
	if err := rotate(path); err != nil {
		return nil, errRotate
	}
	// A named pipe that nobody reads is an error at once: what waits in open(2) hears no
	// signal, and the run's secrets stay staged meanwhile.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND|syscall.O_NONBLOCK, 0o666) // which the umask cuts, as it does Nextflow's
	if err != nil {
		return nil, errLog
	}
	return f, nil
}

func rotate(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().IsRegular() && info.Size() == 0, info.Mode()&(fs.ModeDevice|fs.ModeNamedPipe|fs.ModeSocket) != 0:
		return nil // there is nothing to keep
	}
	name := func(i int) string { return fmt.Sprintf("%s.%d", path, i) }
	for i := logFiles; i > 1; i-- {
		if err := os.Rename(name(i-1), name(i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Rename(path, name(1))
}

// follow copies what is written to the file raw, masked, until it is stopped, and then
// the rest of it. stop returns an error if something of it could not be copied.
func follow(raw string, redactor *redact.Redactor, to io.Writer) (stop func() error) {
	over, done := make(chan struct{}), make(chan error)
	go func() {
		f := &follower{raw: raw, to: redactor.Writer(to)}
		tick := time.NewTicker(logLooks)
		defer tick.Stop()
		for open := true; open; {
			select {
			case <-tick.C:
			case <-over:
				open = false
			}
			f.look()
		}
		done <- f.close()
	}()
	return func() error {
		close(over)
		return <-done
	}
}

type follower struct {
	raw  string
	from *os.File // once it is there
	at   int64
	to   *redact.Writer
	err  error
}

// look copies what is new. The file is kept open: who withdraws a secret of the run
// removes and empties what Nextflow has put beside it.
func (f *follower) look() {
	if f.from == nil {
		from, err := os.Open(f.raw)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) && f.err == nil {
				f.err = errLog
			}
			return
		}
		f.from = from
	}
	info, err := f.from.Stat()
	if err == nil {
		if info.Size() < f.at {
			f.at = 0 // it was emptied
		}
		var n int64
		n, err = io.Copy(f.to, io.NewSectionReader(f.from, f.at, info.Size()-f.at))
		f.at += n
	}
	if err != nil && f.err == nil {
		f.err = errLog
	}
}

func (f *follower) close() error {
	if f.from != nil {
		_ = f.from.Close()
	}
	if f.to.Close() != nil && f.err == nil {
		f.err = errLog
	}
	return f.err
}
