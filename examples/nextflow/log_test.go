package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

func TestEarlierLogsAreSetAsideUpToNine(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	for i := range 12 {
		f, err := newLog(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprint(f, i); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	for i := range 10 {
		name := path
		if i > 0 {
			name = fmt.Sprintf("%s.%d", path, i)
		}
		if content, err := os.ReadFile(name); err != nil || string(content) != fmt.Sprint(11-i) {
			t.Errorf("%s holds %q (%v)", filepath.Base(name), content, err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 10 {
		t.Errorf("%d files (%v)", len(entries), err)
	}
}

func TestWhatHoldsNothingIsNotSetAside(t *testing.T) {
	dir := t.TempDir()
	empty, link := filepath.Join(dir, "empty"), filepath.Join(dir, "link")
	if err := os.WriteFile(empty, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(empty, link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{empty: false, fifo: false, link: true} {
		if err := rotate(path); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path + ".1"); (err == nil) != want {
			t.Errorf("%s was set aside: %t", filepath.Base(path), !want)
		}
	}
}

func TestALogThatIsANamedPipeIsWrittenIfSomebodyReadsIt(t *testing.T) {
	p := newPlace(t, declares("TOKEN"))
	p.fake(`echo "logged $(values)" >"$log"`)
	fifo := p.path("fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	token := canary()
	unread, over := context.WithTimeout(t.Context(), time.Minute)
	defer over()
	cmd := p.run(p.secret("TOKEN", token), "-log", "fifo", "run", "main.nf")
	alone := exec.CommandContext(unread, cmd.Path, cmd.Args[1:]...)
	alone.Dir, alone.Env = cmd.Dir, cmd.Env
	if code, _, stderr := status(t, alone); code != 1 || !strings.Contains(stderr, "the log can't be written") || p.has("ran") {
		t.Errorf("with nobody to read, it ended with %d: %s", code, stderr)
	}
	if staged := p.staged(); len(staged) > 0 {
		t.Errorf("%d directories are staged", len(staged))
	}
	reader, err := os.OpenFile(fifo, os.O_RDWR, 0) // which waits for nobody
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if code, _, stderr := status(t, cmd); code != 0 {
		t.Errorf("it ended with %d: %s", code, stderr)
	}
	if line, err := bufio.NewReader(reader).ReadString('\n'); err != nil || line != "logged [secret:TOKEN]\n" {
		t.Errorf("the reader gets %q (%v)", line, err)
	}
}

func TestALogThatNobodyReadsAnyMoreDoesNotKeepTheRunFromCompleting(t *testing.T) {
	p := newPlace(t, declares("TOKEN"))
	p.fake(`yes | head -c 1000000 >"$log"`)
	fifo := p.path("fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(fifo, os.O_RDWR, 0) // which reads nothing
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	stalled, over := context.WithTimeout(t.Context(), time.Minute)
	defer over()
	cmd := p.run(p.secret("TOKEN", canary()), "-log", "fifo", "run", "main.nf")
	bounded := exec.CommandContext(stalled, cmd.Path, cmd.Args[1:]...)
	bounded.Dir, bounded.Env = cmd.Dir, cmd.Env
	if code, _, stderr := status(t, bounded); code != 1 || !strings.Contains(stderr, "the log can't be written") {
		t.Errorf("it ended with %d: %s", code, stderr)
	}
	if staged := p.staged(); len(staged) > 0 {
		t.Errorf("%d directories are staged", len(staged))
	}
}

func TestALogThatHasNoRoomIsAnError(t *testing.T) {
	p := newPlace(t, declares("TOKEN"))
	p.fake(`echo "logged $(values)" >"$log"`)
	code, _, stderr := status(t, p.run(p.secret("TOKEN", canary()), "-log", "/dev/full", "run", "main.nf"))
	if code != 1 || !strings.Contains(stderr, "the log can't be written") {
		t.Errorf("it ended with %d: %s", code, stderr)
	}
	p.clean(nil)
}

func TestNextflowsOwnLogGoesWhenNextflowEnds(t *testing.T) {
	p := newPlace(t, declares("TOKEN"))
	p.fake(`values >"$log"; exit 3`)
	token := canary()
	if code, _, stderr := status(t, p.run(append(p.secret("TOKEN", token), "-replay-for", "1h"), "run", "main.nf")); code != 3 {
		t.Errorf("it ended with %d: %s", code, stderr)
	}
	staged := p.staged()
	if len(staged) != 1 {
		t.Fatalf("%d directories are staged for a replay", len(staged))
	}
	if _, err := os.Lstat(filepath.Join(staged[0], "nextflow.log")); err == nil {
		t.Error("the unmasked log is kept")
	}
}

// steps is a writer that can be waited for.
type steps struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *steps) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *steps) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func TestTheLogIsFollowedMaskedInPiecesAndToItsEnd(t *testing.T) {
	plain := canary()
	name, err := secrets.ParseName("TOKEN")
	if err != nil {
		t.Fatal(err)
	}
	value, err := secrets.NewValue(plain)
	if err != nil {
		t.Fatal(err)
	}
	redactor, err := redact.New(map[secrets.Name]secrets.Value{name: value}, redact.Options{})
	if err != nil {
		t.Fatal(err)
	}
	raw := filepath.Join(t.TempDir(), "raw")
	var masked steps
	stop := follow(raw, redactor, &masked)
	padding := strings.Repeat(".", redactor.MaxHold())
	write := func(text string, flags int) {
		t.Helper()
		f, err := os.OpenFile(raw, os.O_CREATE|os.O_WRONLY|flags, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	write("one "+padding+string(plain[:10]), os.O_APPEND)
	until(t, func() bool { return strings.Contains(masked.String(), "one") })
	write(string(plain[10:])+padding, os.O_APPEND)
	until(t, func() bool { return strings.Contains(masked.String(), "[secret:TOKEN]") })
	write("two"+padding, os.O_TRUNC) // as one who withdraws a secret of the run does
	until(t, func() bool { return strings.Contains(masked.String(), "two") })
	write("the end "+string(plain), os.O_APPEND)
	if err := stop(); err != nil || !strings.HasSuffix(masked.String(), "the end [secret:TOKEN]") {
		t.Errorf("the end is lost (%v)", err)
	}
	if strings.Contains(masked.String(), string(plain)) {
		t.Error("the value is in the log")
	}
}

func TestALogThatCannotBeWrittenIsAnErrorInTheEnd(t *testing.T) {
	redactor, err := redact.New(nil, redact.Options{})
	if err != nil {
		t.Fatal(err)
	}
	raw := filepath.Join(t.TempDir(), "raw")
	if err := os.WriteFile(raw, canary(), 0o600); err != nil {
		t.Fatal(err)
	}
	closed, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	if err := follow(raw, redactor, closed)(); err == nil {
		t.Error("it says nothing")
	}
}

func TestTheUsersOwnLogIsWhereItIsSaid(t *testing.T) {
	for _, c := range []struct{ name, variable, option, want string }{
		{"usual", "", "", ".nextflow.log"},
		{"by variable", "logs/variable", "", "logs/variable"},
		{"by option", "variable", "logs/option", "logs/option"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t, declares("TOKEN"))
			p.fake(`echo "logged $(values)" >"$log"; case $log in *stage/psec-*) ;; *) exit 9;; esac`)
			if c.variable != "" {
				p.env = append(p.env, "NXF_LOG_FILE="+c.variable)
			}
			args := []string{"run", "main.nf"}
			if c.option != "" {
				args = append([]string{"-log", c.option}, args...)
			}
			token := canary()
			code, stdout, stderr := status(t, p.run(p.secret("TOKEN", token), args...))
			if code != 0 || p.read(c.want) != "logged [secret:TOKEN]\n" || !strings.Contains(stderr, "log is "+c.want) {
				t.Errorf("it ended with %d\n%s%s", code, stdout, stderr)
			}
			p.clean(nil, token)
			f, err := os.OpenFile(filepath.Join(t.TempDir(), "any"), os.O_CREATE|os.O_WRONLY, 0o666)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			any, err := f.Stat()
			if err != nil {
				t.Fatal(err)
			}
			if log, err := os.Stat(p.path(c.want)); err != nil || log.Mode() != any.Mode() {
				t.Errorf("the log has not the mode of any file that is made here (%v)", err)
			}
		})
	}
}

func TestAKilledLaunchersLogIsMaskedAndALaterCallCleansUp(t *testing.T) {
	p := newPlace(t, declares("TOKEN"))
	p.fake(`printf '%s\n%9999s\n' "$(values)" "" >"$log"; while read -r line; do :; done`)
	token := canary()
	cmd := p.run(p.secret("TOKEN", token), "run", "main.nf")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool {
		return p.has(".nextflow.log") && strings.HasPrefix(p.read(".nextflow.log"), "[secret:TOKEN]\n")
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	staged := p.staged()
	if len(staged) != 1 {
		t.Fatalf("%d directories are staged after the kill", len(staged))
	}
	if raw, err := os.ReadFile(filepath.Join(staged[0], "nextflow.log")); err != nil || !bytes.Contains(raw, token) {
		t.Errorf("Nextflow's own log has no value that could be masked (%v)", err)
	}
	h, err := open(t.Context(), p.dir, hpc.Config{})
	if err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { // the run's time is over, which nobody renews any more
		due, err := h.backend.Due(t.Context(), time.Now(), 10)
		return err == nil && len(due) == 1
	})
	if err := h.close(); err != nil {
		t.Error(err)
	}
	code, _, stderr := status(t, p.program("-dir", p.dir))
	if code != 0 || !strings.Contains(stderr, "removed what earlier runs had left") {
		t.Errorf("it ended with %d: %s", code, stderr)
	}
	p.clean(nil, token)
}
