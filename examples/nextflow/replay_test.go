package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// kept is what the program says of a run that is kept.
var kept = regexp.MustCompile(`they are kept until [-0-9: ]+\n.* -dir (\S+) -replay (\S+) -- TASKDIR`)

// taskFails puts a nextflow on PATH one of whose tasks fails as long as there is no file
// "repaired", as Nextflow's wrappers do it.
func (p *place) taskFails() {
	p.t.Helper()
	p.fake(`mkdir -p work/1
cat >work/1/.command.run <<'TASK'
[ -e ../../repaired ] || { echo "it was $TOKEN"; exit 3; }
printf %s "$TOKEN" | sha256sum
TASK
cp "$NXF_SECRETS_FILE" "$(dirname "$NXF_SECRETS_FILE")/.nf-0.secrets"
exit 7`)
}

func TestAFailedTaskIsReplayedUntilItsRunIsKeptNoLonger(t *testing.T) {
	p := newPlace(t, declares("TOKEN"))
	p.taskFails()
	token := hostile()
	code, stdout, stderr := status(t, p.run(append(p.secret("TOKEN", token), "-replay-for", "1h"), "run", "main.nf"))
	said := kept.FindStringSubmatch(stderr)
	if code != 7 || said == nil || len(p.staged()) != 1 {
		t.Fatalf("it ended with %d\n%s%s", code, stdout, stderr)
	}
	replay := func(task string) (int, string, string) {
		return status(t, p.program("-dir", said[1], "-replay", said[2], "--", task))
	}
	if code, stdout, stderr := replay("work/1"); code != 3 || stdout != "it was [secret:TOKEN]\n" {
		t.Errorf("replayed as it was it ended with %d\n%s%s", code, stdout, stderr)
	}
	p.write("repaired", "")
	if code, stdout, stderr := replay(p.path("work/1")); code != 0 || !strings.HasPrefix(stdout, digest(token)) {
		t.Errorf("replayed when it was repaired it ended with %d\n%s%s", code, stdout, stderr)
	}
	if code, _, stderr := replay("work"); code != statusWrongUse || !strings.Contains(stderr, "no .command.run") {
		t.Errorf("without a task it ended with %d: %s", code, stderr)
	}
	if code, _, stderr := status(t, p.program("-dir", p.dir, "-end", said[2])); code != 0 || !strings.Contains(stderr, "nothing is left") {
		t.Errorf("its end ended with %d: %s", code, stderr)
	}
	p.clean(nil, token)
	for name, id := range map[string]string{"ended": said[2], "unknown": "run-unknown"} {
		said[2] = id
		code, stdout, stderr := replay("work/1")
		if code != 1 || stdout != "" || !strings.Contains(stderr, map[string]string{"ended": "nothing to run a task again with", "unknown": "no such run"}[name]) {
			t.Errorf("%s: it ended with %d\n%s%s", name, code, stdout, stderr)
		}
	}
	if code, _, stderr := status(t, p.program("-dir", p.dir, "-end", "run-unknown")); code != 1 || !strings.Contains(stderr, "no such run") {
		t.Errorf("the end of an unknown run ended with %d: %s", code, stderr)
	}
}

func TestAnyLaterCallRemovesWhatIsKeptNoLonger(t *testing.T) {
	p := newPlace(t, declares("TOKEN"))
	p.taskFails()
	token := canary()
	if code, _, stderr := status(t, p.run(append(p.secret("TOKEN", token), "-replay-for", "1ms"), "run", "main.nf")); code != 7 || kept.FindString(stderr) == "" {
		t.Fatalf("it ended with %d: %s", code, stderr)
	}
	until(t, func() bool {
		code, _, stderr := status(t, p.program("-dir", p.dir))
		return code == 0 && strings.Contains(stderr, "removed what earlier runs had left")
	})
	p.clean(nil, token)
}

func TestARunThatSucceedsKeepsNothing(t *testing.T) {
	p := newPlace(t, declares("TOKEN"))
	p.fake("")
	if code, _, stderr := status(t, p.run(append(p.secret("TOKEN", canary()), "-replay-for", "1h"), "run", "main.nf")); code != 0 || !strings.Contains(stderr, "nothing is left") {
		t.Errorf("it ended with %d: %s", code, stderr)
	}
	p.clean(nil)
}

func TestAReplayIsRefusedWithoutQuotingWhatItWasGiven(t *testing.T) {
	p := newPlace(t, declares("TOKEN"))
	p.fake("")
	mark := string(canary())
	for name, args := range map[string][]string{
		"without a directory":   {"-replay", "run-1", "--", "work"},
		"without a task":        {"-dir", p.dir, "-replay", "run-1"},
		"of two":                {"-dir", p.dir, "-replay", "run-1", "-replay", "run-2", "--", "a", "b"},
		"and the end":           {"-dir", p.dir, "-replay", "run-1", "-end", "run-1", "--", "work"},
		"with a secret":         {"-dir", p.dir, "-secret", "TOKEN=" + mark, "-replay", "run-1", "--", "work"},
		"of no id":              {"-dir", p.dir, "-replay", mark + "/", "--", "work"},
		"the end of no id":      {"-dir", p.dir, "-end", mark + "/"},
		"the end of a task":     {"-dir", p.dir, "-end", "run-1", "--", "work"},
		"kept without a place":  {"-replay-for", "1h", "--", "nextflow", "run", "main.nf"},
		"kept for less than 0":  {"-dir", p.dir, "-replay-for", "-1h", "--", "nextflow", "run", "main.nf"},
		"kept for no time":      {"-dir", p.dir, "-replay-for", mark, "--", "nextflow", "run", "main.nf"},
		"replayed and also run": {"-dir", p.dir, "-replay", "run-1", "--", "nextflow", "run", "main.nf"},
	} {
		code, stdout, stderr := status(t, p.program(args...))
		if code != statusWrongUse || strings.Contains(stdout+stderr, mark) || p.has("ran") {
			t.Errorf("%s: it ended with %d\n%s%s", name, code, stdout, stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(p.dir, "stage")); err == nil {
		t.Error("something was made")
	}
}
