package nxf_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/pipesecrets/pipesecrets/internal/nxf"
	"github.com/pipesecrets/pipesecrets/provider/nextflow"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// hello has one task, which shows that it has its secret without showing it.
const hello = `
process hello {
  secret 'HELLO'
  output: stdout
  script:
  '''
  printf %s "$HELLO" | sha256sum
  '''
}
workflow { hello() | view }
`

func TestATaskGetsTheSecretThatTheStoreFileHolds(t *testing.T) {
	plain := rand.Text()
	value, err := secrets.NewValue([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	name, err := secrets.ParseName("HELLO")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.nf"), []byte(hello), 0o600); err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(dir, "store.json")
	file, err := os.OpenFile(store, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := nextflow.WriteStore(file, map[secrets.Name]secrets.Value{name: value}); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}

	cmd := nxf.Command(t, dir, "run", "main.nf")
	cmd.Env = append(cmd.Env, "NXF_SECRETS_FILE="+store)
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, output)
	}
	sum := sha256.Sum256([]byte(plain))
	if !bytes.Contains(output, []byte(hex.EncodeToString(sum[:]))) {
		t.Errorf("the task had another value:\n%s", output)
	}
	if bytes.Contains(output, []byte(plain)) {
		t.Errorf("the value stands in what was printed:\n%s", output)
	}
}
