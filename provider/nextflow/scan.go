package nextflow

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// The limits of a scan. They are far above what pipelines have: the largest of
// nf-core has a thousand files, of which few reach 100 kB.
const (
	maxFile  = 4 << 20 // bytes of one file; a longer one is unknown
	maxFiles = 20_000
	maxBytes = 256 << 20 // of all files together
	maxFound = 1_000_000 // uses and unknowns together
)

var errTooMuch = &secrets.InvalidError{Field: "pipeline", Rule: "may hold no more than 20,000 source files, 256 MiB of them, and a million references to secrets"}

// scan is a scan under way.
type scan struct {
	fsys  fs.FS
	found References
	queue []source
	seen  map[source]bool
	bytes int
}

// source is a file to read.
type source struct {
	path string
	as   language

	at      at     // where in a configuration it is included
	profile string // in which
}

type language uint8

const (
	script   language = iota // *.nf
	config                   // *.config, and whatever is included as configuration
	template                 // text with interpolations
)

// Scan reads the sources of a pipeline and returns what they say of secrets.
//
// Without further arguments it reads all *.nf and *.config files below the root of
// fsys, but for directories whose names begin with a dot, and what these include
// under other names. With names of files, such as "main.nf" and "nextflow.config",
// it reads these and what they include, so that modules and tests which the
// pipeline does not use do not count; one that does not end in .nf is read as
// configuration, also if a script stands in it. Includes are followed where their path
// is written out, from the file's own directory or by projectDir, baseDir or
// moduleDir.
//
// A secret is found where a process or the configuration declares it (secret
// 'NAME') and where a script, a configuration or a template reads or tests it
// (secrets.NAME, secrets['NAME']), also within interpolations; $NAME in a task's
// script is the task's own affair. Comments and other strings say nothing. What
// only the run knows, and what can't be read, is listed as [Unknown]: pipelines of
// nf-core have such lines, since they include configuration by a parameter. The
// classes of lib/ are not read: they see no secrets but what they are passed.
//
// The scan reads Groovy by its tokens and does not understand all of it. It errs
// on the side of needing a secret: a test that it does not recognize makes
// nothing optional. A symbolic link to a file is followed as far as fsys does (an
// os.Root's FS keeps it inside), one to a directory is not.
//
// It fails with an error of fsys if a named file can't be opened or the root can't
// be read, and with a *secrets.InvalidError for the field "pipeline" if there are
// more than 20,000 files, 256 MiB, or a million references.
func Scan(fsys fs.FS, files ...string) (References, error) {
	s := &scan{fsys: fsys, seen: map[source]bool{}}
	for _, name := range files {
		if _, err := fs.Stat(fsys, name); err != nil {
			return References{}, err
		}
		s.follow(source{path: name, as: languageOf(name)})
	}
	if len(files) == 0 {
		if err := fs.WalkDir(fsys, ".", s.visit); err != nil {
			return References{}, err
		}
	}
	for len(s.queue) > 0 {
		next := s.queue[0]
		s.queue = s.queue[1:]
		if err := s.read(next); err != nil {
			return References{}, err
		}
		if len(s.found.Uses)+len(s.found.Unknown) > maxFound {
			return References{}, errTooMuch
		}
	}
	s.found.sort()
	return s.found, nil
}

func languageOf(name string) language {
	if strings.HasSuffix(name, ".nf") {
		return script
	}
	return config
}

// visit is called for each file below the root.
func (s *scan) visit(name string, entry fs.DirEntry, err error) error {
	switch {
	case err != nil && name == ".":
		return err
	case err != nil:
		s.unknown(name, "can't be read")
		return nil
	case entry.IsDir() && name != "." && strings.HasPrefix(entry.Name(), "."):
		return fs.SkipDir
	case strings.HasSuffix(name, ".nf") || strings.HasSuffix(name, ".config"):
		if !entry.IsDir() {
			s.follow(source{path: name, as: languageOf(name)})
		}
	case entry.Type()&fs.ModeSymlink != 0:
		if info, err := fs.Stat(s.fsys, name); err == nil && info.IsDir() {
			s.unknown(name, "is a link to a directory, which is not followed")
		}
	}
	if len(s.seen) > maxFiles {
		return errTooMuch
	}
	return nil
}

// follow queues a file, once.
func (s *scan) follow(to source) {
	if !s.seen[to] {
		s.seen[to] = true
		s.queue = append(s.queue, to)
	}
}

func (s *scan) unknown(name, why string) {
	s.found.Unknown = append(s.found.Unknown, Unknown{Place{File: name}, why})
}

// read reads a file. It fails only if the limits are reached.
func (s *scan) read(from source) error {
	if len(s.seen) > maxFiles {
		return errTooMuch
	}
	src, err := s.load(from.path)
	if err != nil {
		s.unknown(from.path, err.Error())
		return nil
	}
	if s.bytes += len(src); s.bytes > maxBytes {
		return errTooMuch
	}
	r := &reader{file: from.path, scan: s}
	l := &lexer{src: src, note: r.unknown}
	if from.as == template {
		for _, code := range l.text() {
			r.block(code.sub, scope{})
		}
		return nil
	}
	sc := scope{}
	if from.as == config {
		sc.mode, sc.at, sc.profile = inConfig, from.at, from.profile
	}
	r.block(l.code(), sc)
	return nil
}

// What makes a file unknown. What fsys says of it may quote anything.
var (
	errUnread  = errors.New("can't be read")
	errNoFile  = errors.New("is no regular file")
	errTooLong = errors.New("is longer than 4 MiB, and not read")
	errNoText  = errors.New("is no text")
)

// load returns a file's text.
func (s *scan) load(name string) ([]byte, error) {
	f, err := s.fsys.Open(name)
	if err != nil {
		return nil, errUnread
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errNoFile
	}
	src, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, errUnread
	case len(src) > maxFile:
		return nil, errTooLong
	case bytes.IndexByte(src, 0) >= 0:
		return nil, errNoText
	}
	return src, nil
}
