//go:build unix

package nextflow_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipesecrets/pipesecrets/internal/leak"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/provider/nextflow"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

func base64Of(n int) string { return base64.StdEncoding.EncodeToString(random(n)) }

func urlBase64Of(n int) string { return base64.RawURLEncoding.EncodeToString(random(n)) }

// pem is the text of a key as files have it.
func pem() string {
	var b strings.Builder
	b.WriteString("-----BEGIN PRIVATE KEY-----\n")
	for range 50 {
		b.WriteString(base64Of(48) + "\n")
	}
	return b.String() + "-----END PRIVATE KEY-----\n"
}

// found is a pipeline whose processes take secrets as pipelines that are in use do.
const found = `
// seqeralabs/nf-sentieon
process sentieon {
  secret 'SENTIEON_LICENSE_BASE64'
  output: stdout
  script:
  '''
  name=SENTIEON_LICENSE_BASE64
  SENTIEON_LICENSE=$(mktemp)
  echo -e "${!name}" | base64 -d > $SENTIEON_LICENSE
  echo "proof licence $(sha256sum < $SENTIEON_LICENSE | cut -c 1-64)"
  rm $SENTIEON_LICENSE
  proof $name
  '''
}
// nf-core/sarek: a licence or a server, told apart by the length
process sarek {
  secret 'SENTIEON_SERVER_BASE64'
  output: stdout
  script:
  '''
  if [ "${#SENTIEON_SERVER_BASE64}" -lt "1500" ]; then
    export SENTIEON_LICENSE=$(echo -e "$SENTIEON_SERVER_BASE64" | base64 -d)
  else
    exit 1
  fi
  proof - server "$SENTIEON_LICENSE"
  '''
}
// nf-core/modules: this one shows its secret, in the script and in the environment
process module_sentieon {
  output: stdout
  script:
  def absent = secrets.SENTIEON_ABSENT_BASE64 ? "exit 1; " : ""
  def license = secrets.SENTIEON_READ_BASE64 ? "export SENTIEON_LICENSE=\$(echo -e \"${secrets.SENTIEON_READ_BASE64}\" | base64 -d); " : ""
  """
  ${absent}${license}
  proof - read "\$SENTIEON_LICENSE"
  proof SENTIEON_AUTH_DATA
  """
}
// nf-core/mitohifi, with and without the secret
process mitohifi {
  secret secrets.NCBI_API_KEY ? "NCBI_API_KEY" : ""
  output: stdout
  script:
  '''
  proof - mitohifi "--ncbi-api-key $NCBI_API_KEY"
  '''
}
process mitohifi_without {
  secret secrets.NCBI_ABSENT ? "NCBI_ABSENT" : ""
  output: stdout
  script:
  '''
  proof NCBI_ABSENT
  '''
}
// what uses Entrez, in Python
process entrez {
  secret 'NCBI_EMAIL'
  secret 'NCBI_API_KEY'
  output: stdout
  script:
  '''
  #!/usr/bin/env python3
  import hashlib, os
  for name in ["NCBI_EMAIL", "NCBI_API_KEY"]:
      print("proof", "python_" + name, hashlib.sha256(os.environb[name.encode()]).hexdigest())
  '''
}
// nf-synapse
process synapse {
  secret 'SYNAPSE_AUTH_TOKEN'
  output: stdout
  script:
  '''
  proof SYNAPSE_AUTH_TOKEN NCBI_EMAIL
  '''
}
// seqeralabs/nf-dragen
process dragen {
  secret 'DRAGEN_USERNAME'
  secret 'DRAGEN_PASSWORD'
  output: stdout
  script:
  '''
  proof - dragen "--lic-server=$DRAGEN_USERNAME:$DRAGEN_PASSWORD@license.edicogenome.com"
  '''
}
// nf-core/mixcr
process mixcr {
  secret 'MI_LICENSE'
  output: stdout
  script:
  '''
  proof MI_LICENSE
  '''
}
// a key of several lines, which the store can't hold for a task
process snowflake {
  secret 'SNOWFLAKE_PRIVATE_KEY_RAW'
  output: stdout
  script:
  '''
  proof SNOWFLAKE_PRIVATE_KEY_RAW
  '''
}
process by_label {
  label 'keyed'
  output: stdout
  script:
  '''
  proof - by_label "$SNOWFLAKE_PRIVATE_KEY_RAW"
  '''
}
process by_label_and_name {
  label 'keyed'
  output: stdout
  script:
  '''
  proof - by_label_and_name "${SNOWFLAKE_PRIVATE_KEY_RAW-}$OWN"
  '''
}
workflow keys {
  main:
  snowflake()
  by_label()
  by_label_and_name()
  emit:
  snowflake.out.mix(by_label.out, by_label_and_name.out)
}
`

const foundWorkflow = `
workflow {
  println "proof athena ${params.athena}"
  sentieon() | view
  sarek() | view
  module_sentieon() | view
  mitohifi() | view
  mitohifi_without() | view
  entrez() | view
  synapse() | view
  dragen() | view
  mixcr() | view
  keys() | view
  shells() | view
}
`

// foundConfig reads secrets for the run itself, and for the environment of a task.
const foundConfig = `
sql { db { athena { user = secrets.ATHENA_USER; password = secrets.ATHENA_PASSWORD } } }
params.athena = java.security.MessageDigest.getInstance('SHA-256').digest("${secrets.ATHENA_USER}:${secrets.ATHENA_PASSWORD}".getBytes('UTF-8')).encodeHex().toString()
env { SENTIEON_AUTH_DATA = secrets.SENTIEON_AUTH_DATA }
process {
  withName: 'keys:snowflake' { beforeScript = 'export OWN=lost' }
  withLabel: 'keyed' { beforeScript = 'export OWN=lost' }
  withName: 'by_label_and_name' { beforeScript = 'export OWN=kept' }
}
`

// shells is a process with many hostile secrets, and these. Each of them that is
// long enough to be searched for has a part that is random, at its beginning or at
// its end.
func shells(sentinel string) (process string, plain map[string]string, canaries []string) {
	plain = map[string]string{}
	add := func(value string) { plain[fmt.Sprintf("SHELLS%03d", len(plain))] = value }
	for _, h := range hostile {
		h = strings.ReplaceAll(h, "sentinel", sentinel)
		canary, other := rand.Text(), rand.Text()
		add(h)
		add(canary + h)
		add(h + other)
		canaries = append(canaries, canary, other)
	}
	for range 100 {
		canary := rand.Text()
		add(randomText() + canary + randomText())
		canaries = append(canaries, canary)
	}
	add(large[mathrand.IntN(len(large))])
	var b strings.Builder
	b.WriteString("process shells {\n")
	for n := range plain {
		b.WriteString("  secret '" + n + "'\n")
	}
	b.WriteString("  output: stdout\n  script:\n  '''\n  proof")
	for n := range plain {
		b.WriteString(" " + n)
	}
	return b.String() + "\n  '''\n}\n", plain, canaries
}

func TestThePipelinesThatAreInUseGetTheirSecretsAndLeaveNoTrace(t *testing.T) {
	needsNextflow(t)
	newInUse(t, "").arrive(t)
}

// inUse is a run of the pipelines that are in use.
type inUse struct {
	*run
	expected map[string]string // what its tasks prove that they had
	canaries []string
	shown    map[string]string // values that the pipelines themselves write down
	sentinel string            // a file that is there if a value was executed
}

// newInUse stages what the pipelines need. Settings are configuration text: where the
// tasks run.
func newInUse(t *testing.T, settings string) *inUse {
	t.Helper()
	sentinel := filepath.Join(t.TempDir(), "sentinel")
	process, plain, canaries := shells(sentinel)
	license, server := random(1400), "12.12.12.12:8990 "+rand.Text()
	for n, value := range map[string]string{
		"SENTIEON_LICENSE_BASE64": base64.StdEncoding.EncodeToString(license),
		"SENTIEON_SERVER_BASE64":  base64.StdEncoding.EncodeToString([]byte(server)),
		"NCBI_API_KEY":            hex.EncodeToString(random(18)),
		"NCBI_EMAIL":              rand.Text() + "@example.org",
		"SYNAPSE_AUTH_TOKEN":      urlBase64Of(40) + "." + urlBase64Of(700) + "." + urlBase64Of(256),
		"DRAGEN_USERNAME":         rand.Text(),
		"DRAGEN_PASSWORD":         rand.Text() + "p@ss:w\"o$r`d'\\",
		"MI_LICENSE":              base64Of(4500),
		"ATHENA_USER":             rand.Text(),
		"ATHENA_PASSWORD":         rand.Text() + "$'@:/",
	} {
		plain[n] = value
		canaries = append(canaries, value)
	}
	canaries = append(canaries, string(license), server)
	key := pem()
	canaries = append(canaries, key)
	read := rand.Text()
	shown := map[string]string{"SENTIEON_READ_BASE64": base64.StdEncoding.EncodeToString([]byte(read)), "SENTIEON_AUTH_DATA": base64Of(60)}
	for n, value := range shown {
		plain[n] = value
	}

	// What is staged is what the scan says.
	files := map[string]string{"main.nf": found + process + foundWorkflow, "nextflow.config": foundConfig}
	sources := t.TempDir()
	for file, text := range files {
		write(t, filepath.Join(sources, file), []byte(text))
	}
	references, err := nextflow.Scan(os.DirFS(sources))
	if err != nil || len(references.Unknown) > 0 {
		t.Fatal(err, references.Unknown)
	}
	var needed, optional []string
	var reads []secrets.Name
	for _, need := range references.Needs() {
		if need.Read {
			reads = append(reads, need.Name)
		}
		if need.Optional {
			optional = append(optional, need.Name.String())
		} else {
			needed = append(needed, need.Name.String())
		}
	}
	want := []string{"SNOWFLAKE_PRIVATE_KEY_RAW"}
	for n := range plain {
		if n != "SENTIEON_READ_BASE64" {
			want = append(want, n)
		}
	}
	slices.Sort(want)
	slices.Sort(needed)
	if diff := cmp.Diff(want, needed); diff != "" {
		t.Error("needed (-want +got):", diff)
	}
	if diff := cmp.Diff([]string{"NCBI_ABSENT", "SENTIEON_ABSENT_BASE64", "SENTIEON_READ_BASE64"}, optional); diff != "" {
		t.Error("optional (-want +got):", diff)
	}

	inStore := stage(t, hpc.Config{Store: nextflow.Store{Form: nextflow.Escaped, Read: reads}, NoEnv: true}, plain)
	inEnv := stage(t, hpc.Config{NoStore: true}, map[string]string{"SNOWFLAKE_PRIVATE_KEY_RAW": key})
	route := nextflow.Route{
		Env: inEnv.env["PIPESECRETS_ENV"], Secrets: []secrets.Name{name(t, "SNOWFLAKE_PRIVATE_KEY_RAW")},
		Names: []string{"snowflake"}, Labels: []string{"keyed"},
	}
	if files["route.config"], err = route.Config(); err != nil {
		t.Fatal(err)
	}
	files["route.config"] += settings
	r := newRun(t, files, inStore.env, "-c", "route.config")
	expected := map[string]string{
		"licence": string(license), "server": server, "read": read, "athena": plain["ATHENA_USER"] + ":" + plain["ATHENA_PASSWORD"],
		"mitohifi": "--ncbi-api-key " + plain["NCBI_API_KEY"], "python_NCBI_EMAIL": plain["NCBI_EMAIL"], "python_NCBI_API_KEY": plain["NCBI_API_KEY"],
		"dragen":                    "--lic-server=" + plain["DRAGEN_USERNAME"] + ":" + plain["DRAGEN_PASSWORD"] + "@license.edicogenome.com",
		"SNOWFLAKE_PRIVATE_KEY_RAW": key, "by_label": key, "by_label_and_name": "kept", "SENTIEON_AUTH_DATA": plain["SENTIEON_AUTH_DATA"],
	}
	for _, n := range []string{"SENTIEON_LICENSE_BASE64", "SYNAPSE_AUTH_TOKEN", "MI_LICENSE"} {
		expected[n] = plain[n]
	}
	for n, value := range plain {
		if strings.HasPrefix(n, "SHELLS") {
			expected[n] = value
		}
	}
	return &inUse{r, expected, canaries, shown, sentinel}
}

// arrive runs it, and looks whether every task had what it should have, and whether
// anything of it is left.
func (r *inUse) arrive(t *testing.T) {
	t.Helper()
	r.succeed(t, r.expected)
	for _, absent := range []string{"NCBI_ABSENT", "NCBI_EMAIL"} {
		if got := r.proofs()[absent]; got != "none" {
			t.Errorf("%s: a task that has none of this name had one: %.8s", absent, got)
		}
	}
	if _, err := os.Stat(r.sentinel); err == nil {
		t.Error("a value was executed")
	}
	if leaks := r.leaks(t, r.canaries); len(leaks) > 0 {
		t.Errorf("values stand in %q", leaks)
	}
	// Values that the pipeline itself shows are found, which the search must do.
	for n, file := range map[string]string{"SENTIEON_READ_BASE64": ".command.sh", "SENTIEON_AUTH_DATA": ".command.run"} {
		shows, err := filepath.Glob(filepath.Join(r.dir, "work", "*", "*", file))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(shows, func(path string) bool {
			text, err := os.ReadFile(path)
			_, found := leak.FindAny(text, [][]byte{[]byte(r.shown[n])}, piece)
			return err == nil && found
		}) {
			t.Errorf("%s is not found in any of %d files %s", n, len(shows), file)
		}
	}
}
