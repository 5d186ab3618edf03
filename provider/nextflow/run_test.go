//go:build unix

package nextflow_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/internal/component"
	"github.com/pipesecrets/pipesecrets/internal/leak"
	"github.com/pipesecrets/pipesecrets/internal/nxf"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestMain(m *testing.M) {
	syscall.Umask(0o022) // a staging root may be writable by nobody else
	os.Exit(m.Run())
}

// staging is what provider/hpc has staged for a run.
type staging struct {
	driver *hpc.Driver
	object provider.Object
	id     string
	root   string
	env    map[string]string // see hpc.Driver.Environment
}

// stage stages values in a root of their own, which must be empty again after the
// test.
func stage(t *testing.T, c hpc.Config, plain map[string]string) *staging {
	t.Helper()
	c.Root = t.TempDir()
	s := &staging{root: c.Root, object: provider.Object{Name: strings.ToLower(rand.Text()), Mark: [16]byte{7}}}
	var err error
	if s.driver, err = hpc.New(c); err != nil {
		t.Fatal(err)
	}
	staged := values(t, plain)
	for n := range staged {
		s.object.Items = append(s.object.Items, provider.Item{Name: n})
	}
	open := func(context.Context) (map[secrets.Name]secrets.Value, error) { return staged, nil }
	if s.id, err = s.driver.Create(t.Context(), s.object, open); err != nil {
		t.Fatal(err)
	}
	s.env = s.driver.Environment(s.driver.References(s.object, s.id))
	t.Cleanup(func() { s.remove(t) })
	return s
}

// remove has the driver remove what it staged, and looks whether all is gone.
func (s *staging) remove(t *testing.T) {
	t.Helper()
	if err := s.driver.Remove(context.Background(), s.object, s.id); err != nil {
		t.Error(err)
	}
	err := filepath.WalkDir(s.root, func(path string, e fs.DirEntry, err error) error {
		if path != s.root && e.Name() != ".psec-root" {
			t.Errorf("%s is left in the staging root", e.Name())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// copies returns the files that Nextflow has made of the store, by the driver's
// root.
func (s *staging) copies(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(s.root + "/*/.nf-*.secrets")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// proof is a tool of the pipelines: it tells what variables its environment has, or
// its arguments after "-", without telling their values.
const proof = `#!/usr/bin/env bash
set -eu
tell() {
  read -r sum _ < <(printf %s "$2" | sha256sum)
  echo "proof $1 $sum"
}
if [ "$1" = - ]; then
  tell "$2" "$3"
  exit
fi
for name; do
  if [ -n "${!name+set}" ]; then tell "$name" "${!name}"; else echo "proof $name none"; fi
done
`

// run is a run of Nextflow. All that it writes, but for what is staged, lies below
// dir.
type run struct {
	*exec.Cmd
	dir    string
	output bytes.Buffer
}

// newRun is a run of a pipeline's files, with all the reports that Nextflow has.
func newRun(t *testing.T, files map[string]string, env map[string]string, args ...string) *run {
	t.Helper()
	r := &run{dir: t.TempDir()}
	for _, sub := range []string{"bin", "tmp", "home"} {
		if err := os.Mkdir(filepath.Join(r.dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for file, text := range files {
		write(t, filepath.Join(r.dir, file), []byte(text))
	}
	if err := os.WriteFile(filepath.Join(r.dir, "bin/proof"), []byte(proof), 0o700); err != nil {
		t.Fatal(err)
	}
	args = append([]string{"run", "main.nf", "-with-report", "report.html", "-with-timeline", "timeline.html", "-with-trace", "trace.txt"}, args...)
	r.Cmd = nxf.Command(t, r.dir, args...)
	// Nextflow writes in the encoding of its locale, unless its launcher says UTF-8.
	r.Env = append(r.Env, "LC_ALL=C.UTF-8", "TMPDIR="+r.dir+"/tmp", "NXF_HOME="+r.dir+"/home")
	for name, value := range env {
		r.Env = append(r.Env, name+"="+value)
	}
	r.Stdout, r.Stderr = &r.output, &r.output
	return r
}

var proofLine = regexp.MustCompile(`(?m)^proof (\S+) (\S+)$`)

// proofs are what the run's tasks have said of their variables.
func (r *run) proofs() map[string]string {
	found := map[string]string{}
	for _, m := range proofLine.FindAllStringSubmatch(r.output.String(), -1) {
		found[m[1]] = m[2]
	}
	return found
}

// succeed runs it, and looks whether its tasks had these values.
func (r *run) succeed(t *testing.T, want map[string]string) {
	t.Helper()
	start := time.Now()
	if err := r.Run(); err != nil {
		t.Fatalf("%v:\n%s", err, r.output.String())
	}
	found := r.proofs()
	for what, plain := range want {
		if got := found[what]; got != digest(plain) {
			t.Errorf("%s: a task had other bytes than the %d that were staged: %.8s", what, len(plain), got)
		}
	}
	t.Logf("%d values in %v", len(want), time.Since(start).Round(100*time.Millisecond))
}

func digest(plain string) string {
	sum := sha256.Sum256([]byte(plain))
	return hex.EncodeToString(sum[:])
}

// piece is how many bytes of a value count as leaked: shorter ones are in the base64
// and the hashes of reports by chance.
const piece = 14

// leaks returns the files below the run's directory in which any of the values
// stands, and what it printed as "output".
func (r *run) leaks(t *testing.T, canaries []string) []string {
	t.Helper()
	var plain [][]byte
	for _, c := range canaries {
		plain = append(plain, []byte(c))
	}
	var found []string
	if _, leaked := leak.FindAny(r.output.Bytes(), plain, piece); leaked {
		found = append(found, "output")
	}
	reports := 0
	err := filepath.WalkDir(r.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		if strings.HasPrefix(e.Name(), ".nf-") && strings.HasSuffix(e.Name(), ".secrets") {
			t.Errorf("%s is a copy of the store", path)
		}
		switch e.Name() {
		case "report.html", "timeline.html", "trace.txt", ".nextflow.log", ".command.run", ".command.sh", ".command.log":
			reports++
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if _, leaked := leak.FindAny(content, plain, piece); leaked {
			found = append(found, strings.TrimPrefix(path, r.dir+"/"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if reports < 5 {
		t.Errorf("of Nextflow's own files only %d were searched", reports)
	}
	return found
}

// needsNextflow ends the test where it can't run.
func needsNextflow(t *testing.T) {
	t.Helper()
	for _, program := range []string{"nextflow", "bash", "sha256sum", "base64", "python3"} {
		component.Command(t, "nextflow", program)
	}
}
