//go:build unix

package nextflow_test

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/provider/nextflow"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// failing is a pipeline whose tasks fail as long as something of theirs is missing.
const failing = `
process declares {
  errorStrategy 'ignore'
  secret 'TOKEN'
  script:
  '''
  test -e $SAID/repaired
  proof TOKEN
  '''
}
process routed {
  errorStrategy 'ignore'
  script:
  '''
  test -e $SAID/repaired
  proof LINES
  '''
}
workflow { declares(); routed() }
`

func TestATaskThatFailedIsReplayedAsLongAsWhatIsStagedStands(t *testing.T) {
	needsNextflow(t)
	said := t.TempDir()
	canaries := []string{rand.Text(), rand.Text()}
	plain := map[string]string{"TOKEN": "\"`$(" + canaries[0], "LINES": "\n" + canaries[1] + "\n"}
	staged := stage(t, hpc.Config{}, plain)
	config, err := nextflow.Route{
		Env: staged.env["PIPESECRETS_ENV"], Secrets: []secrets.Name{name(t, "LINES")}, Names: []string{"routed"},
	}.Config()
	if err != nil {
		t.Fatal(err)
	}
	r := newRun(t, map[string]string{"main.nf": failing, "route.config": config}, staged.env, "-c", "route.config")
	r.Env = append(r.Env, "SAID="+said)
	if err := r.Run(); err != nil {
		t.Fatalf("%v:\n%s", err, r.output.String())
	}
	tasks, err := filepath.Glob(filepath.Join(r.dir, "work", "*", "*"))
	if err != nil || len(tasks) != 2 || len(r.proofs()) != 0 {
		t.Fatalf("%d tasks, %d that did not fail (%v)", len(tasks), len(r.proofs()), err)
	}
	write(t, filepath.Join(said, "repaired"), nil)

	// replay runs a task again, with the secrets in the environment or without, as
	// Nextflow's own copy of the store may be gone with Nextflow.
	replay := func(task, line string) (proof, said string) {
		cmd := exec.Command("bash", "-c", line)
		cmd.Dir, cmd.Env = task, r.Env
		out, _ := cmd.CombinedOutput() // what it did shows in what it said
		for _, m := range proofLine.FindAllStringSubmatch(string(out), -1) {
			proof = m[2]
		}
		return proof, string(out)
	}
	const sourced, plainly = `. "$PIPESECRETS_ENV" && bash .command.run`, `bash .command.run`
	taskOf := func(secret string) string {
		for _, task := range tasks {
			if script, err := os.ReadFile(filepath.Join(task, ".command.sh")); err == nil && strings.Contains(string(script), "proof "+secret) {
				return task
			}
		}
		t.Fatalf("no task has %s", secret)
		return ""
	}
	for secret, line := range map[string]string{"TOKEN": sourced, "LINES": plainly} {
		if proof, said := replay(taskOf(secret), line); proof != digest(plain[secret]) {
			t.Errorf("%s: the task was replayed with other bytes:\n%s", secret, said)
		}
	}
	if proof, said := replay(taskOf("LINES"), sourced); proof != digest(plain["LINES"]) {
		t.Errorf("with the secrets in its environment too, it had other bytes:\n%s", said)
	}
	if leaks := r.leaks(t, canaries); len(leaks) > 0 {
		t.Errorf("values stand in %q", leaks)
	}

	staged.remove(t)
	for _, task := range tasks {
		proof, said := replay(task, sourced)
		if proof != "" || !strings.Contains(said, "env.sh: No such file") {
			t.Errorf("after the end it was replayed, or does not say why it can't be:\n%s", said)
		}
	}
	if proof, said := replay(taskOf("LINES"), plainly); proof != "" || !strings.Contains(said, "the secrets of a run are removed when it has ended") {
		t.Errorf("after the end it was replayed, or does not say why it can't be:\n%s", said)
	}
}
