package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/examples/internal/search"
)

// mainEnv makes the test binary be the program.
const mainEnv = "NEXTFLOW_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" {
		main()
		return
	}
	syscall.Umask(0o022) // a directory of a test may be writable by nobody else
	os.Exit(m.Run())
}

// place is where a test's program runs: what a user has of files.
type place struct {
	t      *testing.T
	launch string // the working directory
	dir    string // for -dir
	values string
	tmp    string
	env    []string
}

// newPlace is one with a pipeline.
func newPlace(t *testing.T, main string) *place {
	t.Helper()
	p := &place{t: t, launch: t.TempDir(), dir: filepath.Join(t.TempDir(), "state"), values: t.TempDir(), tmp: t.TempDir()}
	p.env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "NXF_") })
	p.env = append(p.env, mainEnv+"=1", "HOME="+t.TempDir(), "TMPDIR="+p.tmp)
	p.env = append(p.env, "GORACE=halt_on_error=1") // by which a race in the program shows in its status
	p.write("main.nf", main)
	return p
}

func (p *place) path(name string) string { return filepath.Join(p.launch, name) }

func (p *place) write(name, content string) {
	p.t.Helper()
	path := p.path(name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) read(name string) string {
	p.t.Helper()
	content, err := os.ReadFile(p.path(name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(content)
}

func (p *place) has(name string) bool {
	_, err := os.Lstat(p.path(name))
	return err == nil
}

// secret returns the arguments that give a secret.
func (p *place) secret(name string, plain []byte) []string {
	p.t.Helper()
	file := filepath.Join(p.values, name)
	if err := os.WriteFile(file, plain, 0o600); err != nil {
		p.t.Fatal(err)
	}
	return []string{"-secret", name + "=" + file}
}

// fake puts a nextflow that is a shell script on PATH. It finds the path of the log
// that it is given in $log, and the values of its store file, one a line, by "values".
func (p *place) fake(script string) {
	p.t.Helper()
	bin := p.t.TempDir()
	const head = `#!/bin/sh
log=.nextflow.log
if [ "$1" = -log ]; then log=$2; fi
values() { sed -n 's/.*"value": "\(.*\)"$/\1/p' "$NXF_SECRETS_FILE"; }
touch ran
`
	if err := os.WriteFile(filepath.Join(bin, "nextflow"), []byte(head+script), 0o700); err != nil {
		p.t.Fatal(err)
	}
	p.env = append(p.env, "PATH="+bin+":"+os.Getenv("PATH"))
}

// program is the program with these arguments.
func (p *place) program(args ...string) *exec.Cmd {
	p.t.Helper()
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.CommandContext(p.t.Context(), self, args...) // none is left running
	cmd.Dir, cmd.Env = p.launch, p.env
	return cmd
}

// run is the program with -dir, these arguments and a command line of nextflow's.
func (p *place) run(args []string, nextflow ...string) *exec.Cmd {
	p.t.Helper()
	return p.program(slices.Concat([]string{"-dir", p.dir}, args, []string{"--", "nextflow"}, nextflow)...)
}

// status runs the program and returns its exit status and what it printed.
func status(t *testing.T, cmd *exec.Cmd) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), complaints.String()
}

// clean fails the test if anything is staged, or if a file of the launcher's or the
// run's holds one of the values, but for what may has a right to.
func (p *place) clean(may func(path string) bool, values ...[]byte) {
	p.t.Helper()
	if staged := p.staged(); len(staged) > 0 {
		p.t.Errorf("%d directories are staged", len(staged))
	}
	files := 0
	for _, dir := range []string{p.dir, p.launch, p.tmp} {
		err := search.Walk(dir, func(path string, content []byte) error {
			files++
			for i, v := range values {
				if search.Holds(content, v) && (may == nil || !may(path)) {
					p.t.Errorf("value %d is in %s", i, filepath.Base(path))
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			p.t.Error(err)
		}
	}
	if files < 2 {
		p.t.Errorf("%d files were read", files)
	}
}

// staged returns the directories that are staged.
func (p *place) staged() []string {
	p.t.Helper()
	found, err := filepath.Glob(filepath.Join(p.dir, "stage", "psec-*"))
	if err != nil {
		p.t.Fatal(err)
	}
	return found
}

// until waits for something that another process brings about.
func until(t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(5 * time.Minute); !done(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it did not happen")
		}
	}
}

func canary() []byte { return []byte(rand.Text()) }

// hostile is a value with what a task's shell would trip over, and a random part.
func hostile() []byte {
	return []byte("\"'`touch sentinel`$(touch sentinel)\\ !x ${HOME} \\" + rand.Text() + "\\")
}

// declares is a pipeline with processes that have these secrets, one a line.
func declares(names ...string) string {
	var b strings.Builder
	b.WriteString("process P {\n")
	for _, n := range names {
		b.WriteString("    secret '" + n + "'\n")
	}
	return b.String() + "    script: 'true'\n}\nworkflow { P() }\n"
}
