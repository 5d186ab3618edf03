package broken

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// edit is what a break changes: text that stands in a file exactly once.
type edit struct{ file, old, new string }

const (
	staging   = "provider/stage/stage.go"
	acting    = "provider/stage/actor.go"
	remove    = "provider/stage/remove.go"
	finding   = "provider/stage/found.go"
	sweeping  = "provider/stage/sweep.go"
	ledger    = "secrets/storetest/memory_ledger.go"
	files     = "provider/hpc/create.go"
	sqlite    = "secrets/sqlstore/sqlite/sqlite.go"
	awsRemove = "provider/awssm/remove.go"
)

// The proofs.
var (
	simulation = []string{"./internal/sim", "-run", "^TestSimulation$", "-seeds", "4000"}
	onAWS      = []string{"./internal/sim", "-run", "^TestSimulationOnAWS$", "-seeds", "400"}
	onFiles    = []string{"./internal/sim", "-run", "^TestSimulationOnAFilesystem$", "-seeds", "400"}
	durability = []string{".", "-run", "^TestALaunchIsDurable"}
)

var breaks = []struct {
	name  string
	edits []edit
	proof []string
	says  string // what the proof says is broken
}{
	{"intent after create", []edit{
		{staging, "	a, err := e.begin(ctx, run, rows, begun)\n	if err != nil {\n		return nil, err\n	}\n",
			"	a := e.actorSince(time.Now(), Run{ID: run.ID, Epoch: 1, Phase: Staging, Actor: time.Now().Add(e.config.Lease), Items: run.Items})\n	var err error\n"},
		{staging, "	if err = e.createAll(ctx, &a, rows); err == nil {\n",
			"	if err = e.createAll(ctx, &a, rows); err == nil {\n		a, err = e.begin(ctx, run, rows, begun)\n	}\n	if err == nil {\n"},
		{acting, "	if err != nil {\n		return nil, err\n	}\n	// Whoever takes over", "	if errors.Is(err, ErrNoRun) {\n		stored, err = a.run, nil\n	}\n	// Whoever takes over"},
	}, simulation, "intent"},
	{"no fence", []edit{{acting, "if stored.Epoch != a.run.Epoch || stored.Phase != a.run.Phase || a.over() {", "if stored.Epoch == 0 {"}}, simulation, "fence"},
	{"no epoch at takeover", []edit{{ledger, "	r.Epoch++\n	r.Actor", "	r.Actor"}}, simulation, "epoch"},
	{"no epoch at the end", []edit{{ledger, "stage.Ending, r.Epoch+1, now", "stage.Ending, r.Epoch, now"}}, simulation, "epoch"},
	{"no tombstone", []edit{{ledger, "		r = stage.Run{ID: id, Phase: stage.Closed, Epoch: 1}\n",
		"		return stage.Run{ID: id, Phase: stage.Closed, Epoch: 1}, nil, nil\n"}}, simulation, "tombstone"},
	{"no fence but the ledger's", []edit{{acting, "	stored, _, err := e.config.Ledger.Load(ctx, a.run.ID)\n",
		"	if a.over() {\n		return nil, ErrFenced\n	}\n	a.lease = time.Hour\n	stored, _, err := e.config.Ledger.Load(ctx, a.run.ID)\n"}}, simulation, "fence"},
	{"horizon off", []edit{{remove, "!row.Absent.IsZero() && looked.Sub(row.Absent) >= horizon:", "!row.Absent.IsZero() && !looked.IsZero():"}}, simulation, "gone for ever"},
	{"one look instead of two", []edit{{remove, "case horizon == 0 || !row.Absent.IsZero() && looked.Sub(row.Absent) >= horizon:",
		"case presence == provider.Absent && !looked.IsZero():"}}, simulation, "gone for ever"},
	{"mark not checked", []edit{{finding, "			if o.Mark == mark {\n", "			if o.Name != \"\" {\n"},
		{finding, "	if err != nil || presence != provider.Present {\n", "	if err != nil || presence == provider.Absent {\n"},
		{remove, "if !lookFirst || presence == provider.Present || horizon == 0 && presence != provider.Foreign {", "if presence != provider.Absent {"},
	}, simulation, "foreign delete"},
	{"delete by name instead of id", []edit{{remove, "driver.Remove(ctx, object, row.ID)", "driver.Remove(ctx, object, \"\")"}}, simulation, "by id"},
	{"published before all are created", []edit{{staging, "		todo = todo[n:]\n	}\n	return nil\n", "		todo = nil\n	}\n	return nil\n"}}, simulation, "publish"},
	{"references after a failed record", []edit{{staging, "		err = ErrRevoked\n	}\n	return refs, err\n", "		err = ErrRevoked\n	}\n	return refs, nil\n"}}, simulation, "publish"},
	{"quarantine off", []edit{{finding, "	err = e.config.Ledger.Found(", "	_ = driver.Remove(ctx, o, id)\n	err = e.config.Ledger.Found("}}, simulation, "quarantine"},
	{"pins not in the commit", []edit{{ledger, "Needed: micro(now.Add(t.Need)), Pinned: true,", "Needed: micro(now.Add(t.Need)),"}}, simulation, "pins"},
	{"a failed launch is not cleaned up", []edit{{staging, "	return nil, errors.Join(err, e.abandon(ctx, a.run, closing))", "	_ = closing\n	return nil, err"},
		{sweeping, "		return false, nil // its launcher's lease was a matter of minutes\n", "		return true, nil\n"}}, simulation, "bound"},
	{"what is refused is not stuck", []edit{{remove, "		row.State = Stuck\n", ""}}, simulation, "stuck stays visible"},
	{"what is found is not removed", []edit{{finding, "	s.receipt, s.err = e.resume(ctx, run, w.caller)\n", ""}}, simulation, "lost ledger"},
	{"what is revoked is not pulled", []edit{{remove, "		return len(a.left(row.Object.Items)) < len(row.Object.Items)\n", "		return false\n"}}, simulation, "revocation"},
	{"the rest is pulled, too", []edit{{remove, "can && len(rest) > 0 {", "can && len(rest) > 99 {"}}, simulation, "early delete"},
	{"what is kept for replay is removed at the end", []edit{{remove, "|| !run.Kept.IsZero() && (c.Keep > 0 || c.Overdue || c.Staging != 0) {", "|| c.Keep < 0 {"}}, simulation, "early delete"},
	{"renewals are forgotten", []edit{{ledger, "		r.Needed = until\n", "		r.Needed = r.Needed.Add(0)\n"}}, simulation, "early end"},
	{"mark not checked on AWS", []edit{{awsRemove, "	case value[tagMark] != hex.EncodeToString(o.Mark[:]):", "	case value[tagMark] == hex.EncodeToString(nil):"}}, onAWS, "foreign delete"},
	{"a withdrawn file stays", []edit{{files, "			return err == nil && !values[parsed].IsZero()\n", "			return err == nil && parsed.String() != \"\"\n"}}, onFiles, "revocation"},
	{"a value in an error", []edit{{staging, "		o.destroy()\n		if err == nil && o.err == nil {", "		for _, v := range o.values {\n			_ = v.Reveal(func(b []byte) error {\n				if err != nil {\n					err = errors.New(string(b))\n				}\n				return nil\n			})\n		}\n" +
		"		o.destroy()\n		if err == nil && o.err == nil {"}}, simulation, "no plaintext"},
	{"staged files not synced", []edit{{files, "	return f.Sync()\n", "	return nil\n"}}, durability, "not synced|is synced"},
	{"directories not synced", []edit{{files, "	return errors.Join(dir.Sync(), dir.Close())", "	return dir.Close()"}}, durability, "not synced|is synced"},
	{"commits not synced", []edit{{sqlite, "synchronous(FULL)", "synchronous(OFF)"}}, durability, "durable commits"},
	{"files that are there are opened", []edit{{files, "os.O_WRONLY|os.O_CREATE|os.O_EXCL", "os.O_WRONLY|os.O_CREATE"}}, durability, "is opened with"},
}

var seed = regexp.MustCompile(`seed (\d+) breaks a promise: ([a-z ]+):`)

func TestEachBreakOfTheProtocolIsFoundAndNamed(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range breaks {
		t.Run(b.name, func(t *testing.T) {
			overlay := overlaid(t, root, b.edits)
			cmd := exec.Command("go", append([]string{"test", "-overlay", overlay, "-count=1"}, b.proof...)...)
			cmd.Dir = root
			out, err := cmd.CombinedOutput()
			if strings.Contains(string(out), "[build failed]") || strings.Contains(string(out), "[setup failed]") {
				t.Fatalf("it does not build:\n%s", out)
			}
			if err == nil {
				t.Fatalf("nothing failed:\n%s", out)
			}
			if m := seed.FindStringSubmatch(string(out)); m != nil {
				t.Logf("seed %s: %s", m[1], m[2])
				if m[2] != b.says {
					t.Errorf("it is not named as %q", b.says)
				}
			} else if !regexp.MustCompile(b.says).Match(out) {
				t.Errorf("it does not say %q:\n%.2000s", b.says, out)
			}
		})
	}
}

// overlaid writes the edited files beside the real ones, and returns the file that
// tells the go command of them.
func overlaid(t *testing.T, root string, edits []edit) string {
	t.Helper()
	dir, text, replace := t.TempDir(), map[string]string{}, map[string]string{}
	for _, e := range edits {
		if text[e.file] == "" {
			content, err := os.ReadFile(filepath.Join(root, e.file))
			if err != nil {
				t.Fatal(err)
			}
			text[e.file] = string(content)
		}
		if n := strings.Count(text[e.file], e.old); n != 1 {
			t.Fatalf("%s has %d times\n%s", e.file, n, e.old)
		}
		text[e.file] = strings.Replace(text[e.file], e.old, e.new, 1)
	}
	for file, content := range text {
		edited := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(edited, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(root, file)] = edited
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return list
}
