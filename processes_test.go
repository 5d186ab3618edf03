package pipesecrets_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/crypto"
	"github.com/pipesecrets/pipesecrets/precedence"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/sqlstore/sqlite"
)

// Each step below runs in a process of its own, on a SQLite file, a key file and
// a staging root in one directory; the test binary starts itself for it.

const (
	stepEnv = "PIPESECRETS_TEST_STEP" // which step
	dirEnv  = "PIPESECRETS_TEST_DIR"  // where

	tracedStep = "traced-" // begins the steps that a tracer looks at
)

func TestMain(m *testing.M) {
	if step := os.Getenv(stepEnv); step != "" {
		if err := runStep(context.Background(), step, os.Getenv(dirEnv)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	syscall.Umask(0o022) // as a staging root may be writable by nobody else
	os.Exit(m.Run())
}

var token = func() secrets.Name {
	n, err := secrets.ParseName("TOKEN")
	if err != nil {
		panic(err)
	}
	return n
}()

// runStep opens the house in dir and does one step. Values come on standard
// input, what is to be masked too; answers go to standard output.
func runStep(ctx context.Context, step, dir string) error {
	database, key := filepath.Join(dir, "db", "p.db"), filepath.Join(dir, "kek", "key")
	backend, err := sqlite.Open(ctx, database)
	if err != nil {
		return err
	}
	in, err := backend.Installation(ctx, "")
	if err != nil {
		return err
	}
	if step == "create" {
		if err := crypto.CreateFileKEK(key, database); err != nil {
			return err
		}
	}
	kek, err := crypto.FileKEK(key, database)
	if err != nil {
		return err
	}
	if step == "create" {
		if _, err := crypto.Create(ctx, backend, kek, in, crypto.XChaCha20Poly1305); err != nil {
			return err
		}
	}
	keyring, err := crypto.Load(ctx, backend, kek, in)
	if err != nil {
		return err
	}
	driver, err := hpc.New(hpc.Config{Root: filepath.Join(dir, "stage")})
	if err != nil {
		return err
	}
	var target provider.Provider = driver
	if step == "launch-half" {
		target = halfWay{driver}
	}
	var lease time.Duration // the usual one, which no slow machine outlasts
	if step == "launch-half" {
		lease = 3 * time.Second // it is killed, and nobody is to wait for long
	}
	service, err := pipesecrets.New(ctx, pipesecrets.Config{
		Backend: backend, Keyring: keyring, Home: "here", Policy: rbac.Default(), Parent: parent,
		Targets: map[string]provider.Provider{"cluster": target},
		Lease:   lease,
	})
	if err != nil {
		return err
	}
	run, err := secrets.ParseRunID("r1")
	if err != nil {
		return err
	}
	switch step {
	case "create":
		plain, err := io.ReadAll(os.Stdin)
		if err != nil {
			return err
		}
		value, err := secrets.NewValue(plain)
		if err != nil {
			return err
		}
		_, err = service.Create(ctx, ada, secrets.Secret{Name: token, Scope: genomics}, value)
		return err
	case "launch", "launch-half":
		launch, err := service.Launch(ctx, lin, pipesecrets.LaunchRequest{Run: run, Workspace: genomics})
		if err != nil {
			return err
		}
		fmt.Println(launch.References[0].Locator)
		return dieHere()
	case "attach":
		launch, err := service.Attach(ctx, lin, run)
		if err != nil {
			return err
		}
		w := launch.Redactor.Writer(os.Stdout)
		_, err = io.Copy(w, os.Stdin)
		return errors.Join(err, w.Close())
	case "complete":
		receipt, err := service.Complete(ctx, lin, run, pipesecrets.Ending{Outcome: "succeeded"})
		if err == nil {
			fmt.Println(receipt.Run.Phase, receipt.Rows[0].State)
		}
		return err
	case "sweep":
		report, err := service.Sweep(ctx, operator)
		fmt.Println(report.Removed)
		return err
	case "receipt":
		receipt, err := service.Receipt(ctx, lin, run)
		if err == nil {
			fmt.Println(receipt.Run.Phase, receipt.Rows[0].State)
		}
		return err
	}
	if rest, ok := strings.CutPrefix(step, tracedStep); ok {
		what, secrets, _ := strings.Cut(rest, "-")
		n, err := strconv.Atoi(secrets)
		if err != nil {
			return err
		}
		return traced(ctx, service, dir, what, run, n)
	}
	return errors.New("no such step")
}

// traced creates n secrets and launches a run with them, ends it or revokes the last
// one: what it is to do between two marks, which are attempts to open files that are
// not there. Another process may have removed the files before, and have crashed.
func traced(ctx context.Context, service *pipesecrets.Service, dir, what string, run secrets.RunID, n int) error {
	request := pipesecrets.LaunchRequest{Run: run, Workspace: genomics}
	var last secrets.ID
	for i := range n {
		name, err := secrets.ParseName(fmt.Sprint("N", i))
		if err != nil {
			return err
		}
		value, err := secrets.NewValue(canary())
		if err != nil {
			return err
		}
		created, err := service.Create(ctx, ada, secrets.Secret{Name: name, Scope: genomics}, value)
		if err != nil {
			return err
		}
		last = created.ID
		request.Wants = append(request.Wants, precedence.Want{Name: name})
	}
	file := "" // of the last one
	launch := func() error {
		launched, err := service.Launch(ctx, lin, request)
		if err == nil {
			file = launched.References[n-1].Locator
		}
		return err
	}
	complete := func() error {
		_, err := service.Complete(ctx, lin, run, pipesecrets.Ending{Outcome: "succeeded"})
		return err
	}
	revoke := func() error {
		_, err := service.Revoke(ctx, ada, last)
		return err
	}
	pass := func() error { return nil }
	steps := map[string]struct{ before, crashed, do func() error }{
		"launch":         {pass, pass, launch},
		"complete":       {launch, pass, complete},
		"revoke":         {launch, pass, revoke},
		"complete again": {launch, func() error { return os.RemoveAll(filepath.Dir(filepath.Dir(file))) }, complete},
		"revoke again":   {launch, func() error { return os.Remove(file) }, revoke},
	}
	step := steps[what]
	if err := step.before(); err != nil {
		return err
	}
	if err := step.crashed(); err != nil {
		return err
	}
	mark(dir, "begin")
	err := step.do()
	mark(dir, "end")
	return err
}

func mark(dir, what string) {
	if f, err := os.Open(filepath.Join(dir, "mark-"+what)); err == nil {
		_ = f.Close() // there is none
	}
}

// halfWay stops after it has created, before anything is recorded.
type halfWay struct{ provider.Provider }

func (d halfWay) Create(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
	if _, err := d.Provider.Create(ctx, o, open); err != nil {
		return "", err
	}
	fmt.Println("half-way")
	return "", dieHere()
}

// dieHere waits to be killed, or for the parent to be gone.
func dieHere() error {
	_, _ = io.Copy(io.Discard, os.Stdin)
	return errors.New("nobody killed it")
}

func command(t *testing.T, step, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), stepEnv+"="+step, dirEnv+"="+dir)
	return cmd
}

// inProcess runs a step to its end and returns what it printed.
func inProcess(t *testing.T, step, dir string, stdin []byte) string {
	t.Helper()
	cmd := command(t, step, dir)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", step, err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// killed runs a step until it prints a line, kills it by SIGKILL, and returns the
// line.
func killed(t *testing.T, step, dir string) string {
	t.Helper()
	cmd := command(t, step, dir)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
	if err != nil {
		t.Fatalf("%s: %v: %s", step, err, stderr.String())
	}
	return strings.TrimSpace(line)
}

func newDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"db", "kek", "stage"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// clean fails the test if a file under dir holds the value, or anything is staged.
func clean(t *testing.T, dir string, plain []byte) {
	t.Helper()
	if n := stagedIn(t, filepath.Join(dir, "stage")); n > 0 {
		t.Errorf("%d directories are staged", n)
	}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, plain) || bytes.Contains(content, []byte(hex.EncodeToString(plain))) {
			t.Errorf("the value is in a file under %s", filepath.Dir(path)[len(dir):])
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestLaunchAttachCompleteAndReceiptInAProcessEach(t *testing.T) {
	dir, plain := newDir(t), canary()
	inProcess(t, "create", dir, plain)
	path := killed(t, "launch", dir) // after it had launched
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, plain) {
		t.Errorf("a task does not read what was staged (%v)", err)
	}
	if got := inProcess(t, "attach", dir, append([]byte("token is "), plain...)); got != "token is [secret:TOKEN]" {
		t.Error("another process does not mask the run's log")
	}
	if got := inProcess(t, "complete", dir, nil); got != "closed gone" {
		t.Errorf("complete says %s", got)
	}
	clean(t, dir, plain)
	if got := inProcess(t, "attach", dir, plain); got != "[secret:TOKEN]" {
		t.Error("a late log line is not masked")
	}
	if got := inProcess(t, "complete", dir, nil) + ", " + inProcess(t, "receipt", dir, nil); got != "closed gone, closed gone" {
		t.Errorf("again: %s", got)
	}
}

func TestAProcessThatSweepsFinishesForOneThatWasKilledWhileLaunching(t *testing.T) {
	dir, plain := newDir(t), canary()
	inProcess(t, "create", dir, plain)
	killed(t, "launch-half", dir)
	if n := stagedIn(t, filepath.Join(dir, "stage")); n != 1 {
		t.Fatalf("the killed launcher left %d directories", n)
	}
	deadline := time.Now().Add(5 * time.Minute)
	for inProcess(t, "sweep", dir, nil) != "1" { // until the dead one's lease is over
		if time.Now().After(deadline) {
			t.Fatal("no sweep removed it")
		}
	}
	clean(t, dir, plain)
	if got := inProcess(t, "receipt", dir, nil); got != "closed gone" {
		t.Errorf("the receipt says %s", got)
	}
}
