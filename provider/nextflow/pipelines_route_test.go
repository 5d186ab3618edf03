//go:build unix

package nextflow_test

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/internal/nxf"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/provider/nextflow"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// routed is a pipeline whose configuration has settings of its own for all that the
// route sets, by all that selects a process.
const routed = `
include { module; module as renamed } from './module.nf'
process direct {
  secret 'LINES'
  secret 'NOWHERE'
  beforeScript 'export DIRECT=lost'
  output: stdout
  script:
  '''
  proof LINES RETURNS
  '''
}
process labelled {
  label 'large'
  output: stdout
  script:
  '''
  proof ENDS BYTES
  '''
}
process named {
  secret 'SHELL'
  output: stdout
  script:
  '''
  proof SHELL LARGE
  '''
}
workflow inner {
  main:
  renamed('RENAMED')
  emit:
  renamed.out
}
workflow {
  direct() | view
  labelled() | view
  named() | view
  module('MODULE') | view
  inner() | view
}
`

const routedModule = `
process module {
  secret 'NOWHERE'
  input: val which
  output: stdout
  script:
  """
  proof $which
  """
}
`

const routedConfig = `
process {
  withName: '.*' { beforeScript = 'export ALL=lost' }
  withLabel: 'large' { beforeScript = 'export LABEL=lost'; secret = ['NOWHERE'] }
  withName: 'named' { beforeScript = 'export NAME=lost'; secret = ['NOWHERE'] }
  withName: 'inner:renamed' { beforeScript = 'export QUALIFIED=lost'; secret = ['NOWHERE'] }
  withName: 'module|renamed' { beforeScript = 'export SEVERAL=lost' }
}
`

func TestTheRouteReachesAllProcessesWhateverTheirConfigurationAndCarriesAnyValue(t *testing.T) {
	needsNextflow(t)
	newByRoute(t, "").arrive(t)
}

// byRoute is a traced run of the routed pipeline.
type byRoute struct {
	*run
	plain    map[string]string // what its tasks prove that they had
	canaries []string
	sentinel string // a file that is there if a value was executed
}

// newByRoute stages values that no other way carries. Settings are configuration
// text: where the tasks run.
func newByRoute(t *testing.T, settings string) *byRoute {
	t.Helper()
	sentinel := filepath.Join(t.TempDir(), "sentinel")
	canaries := []string{rand.Text(), rand.Text(), rand.Text(), rand.Text(), rand.Text(), rand.Text()}
	plain := map[string]string{
		"LINES":   "\n\n" + canaries[0] + "\nNOWHERE=x\nexport PATH=/nowhere\n\n",
		"RETURNS": "\r\n" + canaries[1] + "\r\n\r",
		"ENDS":    " '" + canaries[2] + "\\",
		"BYTES":   "\xff\xfe\x80" + canaries[3] + "\xc3(\x01\x7f\x1b",
		"SHELL":   strings.ReplaceAll(strings.Join(hostile, "\n"), "sentinel", sentinel) + canaries[4],
		"LARGE":   strings.Repeat("'\n", 32700) + canaries[5],
		"MODULE":  pem(),
		"RENAMED": pem(),
	}
	canaries = append(canaries, plain["MODULE"], plain["RENAMED"])
	staged := stage(t, hpc.Config{NoStore: true}, plain)
	route := nextflow.Route{Env: staged.env["PIPESECRETS_ENV"]}
	for n := range plain {
		route.Secrets = append(route.Secrets, name(t, n))
	}
	config, err := route.Config()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"main.nf": routed, "module.nf": routedModule, "nextflow.config": routedConfig, "route.config": config + settings}
	r := newRun(t, files, staged.env, "-c", "route.config")
	r.Env = append(r.Env, "NXF_DEBUG=2") // traces the wrapper
	return &byRoute{r, plain, canaries, sentinel}
}

// arrive runs it, and looks whether every task had what it should have, and whether
// anything of it is left.
func (r *byRoute) arrive(t *testing.T) {
	t.Helper()
	r.succeed(t, r.plain)
	if _, err := os.Stat(r.sentinel); err == nil {
		t.Error("a value was executed")
	}
	if leaks := r.leaks(t, r.canaries); len(leaks) > 0 {
		t.Errorf("values stand in %q", leaks)
	}
	traces, err := filepath.Glob(filepath.Join(r.dir, "work", "*", "*", ".command.log"))
	if err != nil || len(traces) == 0 {
		t.Fatal(err, "there is no trace")
	}
	for _, path := range traces {
		if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), "nxf_main") {
			t.Errorf("a wrapper was not traced (%v)", err)
		}
	}
}

// sparse declares one secret that is there and one that is not, and does without
// two.
const sparse = `
process optional {
  secret secrets.OPTIONAL ? 'OPTIONAL' : ''
  output: stdout
  script:
  def also = secrets.ALSO_OPTIONAL ?: 'none'
  """
  proof OPTIONAL - ${also}
  """
}
process required {
  secret 'REQUIRED'
  input: val before
  script:
  '''
  proof REQUIRED
  '''
}
workflow { optional() | view | required }
`

func TestNextflowDemandsWhatTheScanSaysIsNeededAndNoMore(t *testing.T) {
	needsNextflow(t)
	r := newRun(t, map[string]string{"main.nf": sparse}, nil)
	references, err := nextflow.Scan(os.DirFS(r.dir), "main.nf")
	if err != nil || len(references.Unknown) > 0 {
		t.Fatal(err, references.Unknown)
	}
	for _, need := range references.Needs() {
		if need.Optional != (need.Name != name(t, "REQUIRED")) {
			t.Errorf("%s: optional is %v", need.Name, need.Optional)
		}
	}
	store := storeFile(t, nil)
	r.Env = append(r.Env, "NXF_SECRETS_FILE="+store)
	if err := r.Run(); err == nil {
		t.Error("it ran without a secret that a process declares")
	}
	said := r.output.String()
	if !strings.Contains(said, "Required secret is missing: 'REQUIRED'") || !strings.Contains(said, "proof OPTIONAL none") {
		t.Errorf("it failed for another reason:\n%s", said)
	}
}

func TestNextflowReadsAStoreFileOfMode0600Only(t *testing.T) {
	needsNextflow(t)
	ab := values(t, map[string]string{"AB": rand.Text()})
	for _, c := range []struct {
		staged map[secrets.Name]secrets.Value
		mode   os.FileMode
		said   string
	}{
		{ab, 0o600, "\nAB\n"},
		{ab, 0o400, "Invalid permissions for secret store file"},
		{nil, 0o600, "no secrets available"},
	} {
		store := storeFile(t, c.staged)
		if err := os.Chmod(store, c.mode); err != nil {
			t.Fatal(err)
		}
		list := nxf.Command(t, t.TempDir(), "secrets", "list")
		list.Env = append(list.Env, "NXF_SECRETS_FILE="+store)
		said, err := list.CombinedOutput()
		if (err == nil) != (c.mode == 0o600) || !strings.Contains("\n"+string(said), c.said) {
			t.Errorf("mode %04o, %d secrets: %v:\n%s", c.mode, len(c.staged), err, said)
		}
	}
}

// storeFile is a store file of this content, as the package writes it.
func storeFile(t *testing.T, values map[secrets.Name]secrets.Value) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.json")
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := nextflow.WriteStore(file, values); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}
