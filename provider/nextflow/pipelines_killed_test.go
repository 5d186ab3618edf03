//go:build unix

package nextflow_test

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/hpc"
)

// blunt has tasks that get from the store what is written as it is, and one that
// waits until it is told to go on.
const blunt = `
process executed {
  errorStrategy 'ignore'
  secret 'EXECUTED'
  script:
  '''
  proof EXECUTED > $SAID/executed
  touch $SAID/executed.done
  '''
}
process changed {
  errorStrategy 'ignore'
  secret 'CHANGED'
  script:
  '''
  proof CHANGED > $SAID/changed
  touch $SAID/changed.done
  '''
}
process waits {
  secret 'TOKEN'
  script:
  '''
  proof TOKEN > $SAID/waits
  touch $SAID/waits.done
  while [ -e $SAID/waits.done ]; do sleep 0.2; done
  '''
}
workflow { executed(); changed(); waits() }
`

func TestAKilledRunLeavesACopyOfTheStoreThatIsRemovedWithIt(t *testing.T) {
	needsNextflow(t)
	said := t.TempDir()
	canaries := []string{rand.Text(), rand.Text(), rand.Text()}
	plain := map[string]string{
		"EXECUTED": "`touch " + said + "/sentinel`" + canaries[0],
		"CHANGED":  `a"b"` + canaries[1],
		"TOKEN":    canaries[2],
	}
	staged := stage(t, hpc.Config{}, plain)
	r := newRun(t, map[string]string{"main.nf": blunt}, staged.env)
	r.Env = append(r.Env, "SAID="+said)
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	there := func(file string) bool { _, err := os.Stat(filepath.Join(said, file)); return err == nil }
	ended := make(chan error, 1)
	go func() { ended <- r.Wait() }()
	defer func() { _ = os.Remove(filepath.Join(said, "waits.done")) }()
	deadline := time.After(5 * time.Minute)
	for !there("executed.done") || !there("changed.done") || !there("waits.done") {
		select {
		case <-deadline:
			t.Fatal("the tasks did not begin")
		case err := <-ended:
			t.Fatalf("it ended early: %v:\n%s", err, r.output.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	if err := r.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(said, "waits.done")); err != nil {
		t.Fatal(err)
	}
	<-ended

	got := map[string]string{}
	for _, file := range []string{"executed", "changed", "waits"} {
		text, err := os.ReadFile(filepath.Join(said, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range proofLine.FindAllStringSubmatch(string(text), -1) {
			got[m[1]] = m[2]
		}
	}
	if got["TOKEN"] != digest(plain["TOKEN"]) {
		t.Error("a harmless value did not arrive")
	}
	if !there("sentinel") || got["EXECUTED"] == digest(plain["EXECUTED"]) {
		t.Error("Nextflow did not execute a value between backticks: the escaped form is tested for nothing")
	}
	if got["CHANGED"] != digest(strings.ReplaceAll(plain["CHANGED"], `"`, "")) {
		t.Error("Nextflow did not lose the quotes of a value: the escaped form is tested for nothing")
	}

	copies := staged.copies(t)
	if len(copies) != 1 {
		t.Fatalf("%d copies of the store after the kill", len(copies))
	}
	if text, err := os.ReadFile(copies[0]); err != nil || !strings.Contains(string(text), `export TOKEN="`+plain["TOKEN"]+`"`) {
		t.Errorf("Nextflow's copy of the store does not hold the secret (%v)", err)
	}
	if leaks := r.leaks(t, canaries); len(leaks) > 0 {
		t.Errorf("values stand in %q", leaks)
	}
	staged.remove(t)
	if len(staged.copies(t)) != 0 {
		t.Error("Nextflow's copy of the store is left")
	}

	// A task that begins only now, as on a grid, is not told that it has no secret.
	for _, path := range glob(t, r.dir, "work/*/*/.command.run") {
		if !strings.Contains(string(read(t, path)), "CHANGED=") {
			continue
		}
		late := exec.Command("bash", path)
		late.Dir, late.Env = filepath.Dir(path), r.Env
		if told, err := late.CombinedOutput(); err != nil || !strings.Contains(string(told), "grep: "+copies[0]) {
			t.Errorf("a task without its store: %v: %s", err, told)
		}
	}
	if text := read(t, filepath.Join(said, "changed")); string(text) != "proof CHANGED none\n" {
		t.Errorf("a task without its store had %s", text)
	}
}

func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
