package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// names are those of a pipeline's secrets, as the launcher finds them out.
func names(t *testing.T, l *launcher, words ...string) (found string, known bool) {
	t.Helper()
	var err error
	if l.nextflow, err = parseInvocation(append([]string{"nextflow"}, words...)); err != nil {
		t.Fatal(err)
	}
	refs, known, err := l.scan()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, need := range refs.Needs(l.nextflow.profiles...) {
		all = append(all, need.Name.String())
	}
	for _, u := range refs.Unknown {
		all = append(all, "?"+u.File)
	}
	return strings.Join(all, " "), known
}

func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTheSourcesAreThoseThatNextflowReads(t *testing.T) {
	reads := func(name string) string { return "println secrets." + name + "\n" }
	config := func(name string) string { return "params.x = secrets." + name + "\n" }
	dir := tree(t, map[string]string{
		"p/main.nf":              "include { X } from './modules/x'\n" + reads("MAIN"),
		"p/other.nf":             reads("SCRIPT"),
		"p/modules/x.nf":         reads("MODULE"),
		"p/modules/unused.nf":    reads("UNUSED"),
		"p/nextflow.config":      config("PROJECT"),
		"m/nextflow.config":      "/* mainScript = 'main.nf' */ manifest {\n  homePage = 'https://host.example/*'\n  mainScript = 'start.nf'\n  // mainScript = 'main.nf'\n}\n",
		"m/start.nf":             reads("START"),
		"m/main.nf":              reads("MAIN"),
		"n/some.nf":              reads("SOME"),
		"launch/nextflow.config": config("LOCAL"),
		"launch/other.nf":        reads("HERE"),
		"launch/own.config":      config("OWN"),
		"launch/a.config":        config("ALPHA"),
		"home/config":            config("HOME_CONFIG"),
	})
	l := &launcher{workdir: filepath.Join(dir, "launch"), environ: []string{"NXF_HOME=" + filepath.Join(dir, "home")}}
	for _, c := range []struct{ args, want string }{
		{"run ../p", "HOME_CONFIG LOCAL MAIN MODULE PROJECT"},
		{"run ../p/main.nf", "HOME_CONFIG LOCAL MAIN MODULE PROJECT"},
		{"run ../p/other.nf", "HOME_CONFIG LOCAL PROJECT SCRIPT"},
		{"run ../p -main-script ../p/other.nf", "HOME_CONFIG LOCAL PROJECT SCRIPT"},
		{"run ../p -main-script other.nf", "HERE HOME_CONFIG LOCAL"},
		{"run ../m", "HOME_CONFIG LOCAL START"},
		{"run ../n", "HOME_CONFIG LOCAL SOME"},
		{"-c own.config run ../p -c a.config", "ALPHA HOME_CONFIG LOCAL MAIN MODULE OWN PROJECT"},
		{"run ../p -c own.config,a.config", "ALPHA HOME_CONFIG LOCAL MAIN MODULE OWN PROJECT"},
		{"run ../p -c none.config", "HOME_CONFIG LOCAL MAIN MODULE PROJECT ?none.config"},
		{"-C own.config run ../p -c a.config", "MAIN MODULE OWN"},
	} {
		if found, known := names(t, l, strings.Fields(c.args)...); !known || found != c.want {
			t.Errorf("%s: it finds %s, want %s", c.args, found, c.want)
		}
	}
	l.environ = append(l.environ, "NXF_CONFIG_FILE=own.config")
	if found, _ := names(t, l, "run", "../m"); found != "HOME_CONFIG OWN START" {
		t.Errorf("with a variable it finds %s", found)
	}
}

func TestOfAPipelineFromElsewhereTheCopyIsReadThatWillRun(t *testing.T) {
	const sha, other = "0123456789abcdef0123456789abcdef01234567", "89abcdef0123456789abcdef0123456789abcdef"
	main := "println secrets.TOKEN\n"
	dir := tree(t, map[string]string{
		"assets/lab/at-branch/main.nf":   main,
		"assets/lab/at-branch/.git/HEAD": "ref: refs/heads/dev\n",
		"assets/lab/at-tag/main.nf":      main,
		"assets/lab/at-tag/.git/HEAD":    sha + "\n",
		"assets/lab/at-tag/.git/packed-refs": "# pack-refs with: peeled fully-peeled sorted\n" +
			sha + " refs/tags/1.0\n" + other + " refs/tags/2.0\n^" + sha + "\n" + other + " refs/tags/3.0\n" + sha + " refs/remotes/origin/master\n",
		"assets/lab/at-tag/.git/refs/tags/1.1": sha + "\n",
		"assets/lab/at-tag/.git/refs/tags/1.2": other + "\n",
	})
	l := &launcher{workdir: t.TempDir(), environ: []string{"HOME=/none", "NXF_ASSETS=" + filepath.Join(dir, "assets")}}
	for args, want := range map[string]bool{
		"run lab/at-branch":                        true,
		"run at-branch":                            true,
		"run https://host.example/lab/at-branch":   true,
		"run https://host.example/lab/at-tag.git/": true,
		"run git@host.example:lab/at-tag.git":      true,
		"run lab/at-branch -r dev":                 true,
		"run lab/at-branch -r master":              false,
		"run lab/at-branch -latest":                false,
		"run lab/at-tag -r 1.0":                    true,
		"run lab/at-tag -r 1.1":                    true,
		"run lab/at-tag -r 2.0":                    true,
		"run lab/at-tag -r master":                 true,
		"run lab/at-tag -r 0123456":                true,
		"run lab/at-tag -r 012345":                 false,
		"run lab/at-tag -r 1.2":                    false,
		"run lab/at-tag -r 3.0":                    false,
		"run lab/at-tag -r ../1.1":                 false,
		"run lab/none":                             false,
		"run ../assets/lab/at-tag":                 false,
		"run -":                                    false,
	} {
		found, known := names(t, l, strings.Fields(args)...)
		if known != want || known && found != "TOKEN" {
			t.Errorf("%s: known %t, %q", args, known, found)
		}
	}
}

func TestWhereSourcesCanNotBeReadAllIsStagedAndThatIsSaid(t *testing.T) {
	p := newPlace(t, "")
	p.write("script", declares("ONE")) // which has not the name of one
	p.fake(`grep -c '"name"' "$NXF_SECRETS_FILE"`)
	args := append(p.secret("ONE", canary()), p.secret("TWO", canary())...)
	for _, pipeline := range []string{"lab/elsewhere", "script"} {
		code, stdout, stderr := status(t, p.run(args, "run", pipeline))
		if code != 0 || stdout != "2\n" || !strings.Contains(stderr, "sources can't be read here") {
			t.Errorf("%s: it ended with %d\n%s%s", pipeline, code, stdout, stderr)
		}
	}
}

func TestACommandLineIsReadAsNextflowReadsIt(t *testing.T) {
	for _, c := range []struct{ args, pipeline, command string }{
		{"run x", "x", "-log RAW run -c ROUTE x"},
		{"-q -log l -c a run -c b x -c c --y -c d e", "x", "-log RAW -q -c a run -c b x -c c --y -c d -c ROUTE e"},
		{"run -resume x -profile a,b", "x", "-log RAW run -c ROUTE -resume x -profile a,b"},
		{"run -resume last x", "x", "-log RAW run -c ROUTE -resume last x"},
		{"run -resume 01234567-89ab-cdef-0123-456789abcdef x", "x", "-log RAW run -c ROUTE -resume 01234567-89ab-cdef-0123-456789abcdef x"},
		{"run -with-docker image x", "x", "-log RAW run -c ROUTE -with-docker image x"},
		{"run -with-docker -w work x", "x", "-log RAW run -c ROUTE -with-docker -w work x"},
		{"run --flag --n -1 --name y -process.cpus 2 -e.K=V x z", "x", "-log RAW run -c ROUTE --flag --n -1 --name y -process.cpus 2 -e.K=V x z"},
		{"run --y=z x", "x", "-log RAW run -c ROUTE --y=z x"},
		{"-Dx=y run - arg", "-", "-log RAW -Dx=y run - -c ROUTE arg"},
	} {
		inv, err := parseInvocation(append([]string{"/bin/nextflow"}, strings.Fields(c.args)...))
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		if diff := cmp.Diff(c.command, strings.Join(inv.command("RAW", "ROUTE"), " ")); diff != "" || inv.pipeline != c.pipeline {
			t.Errorf("%s: runs %s\n%s", c.args, inv.pipeline, diff)
		}
	}
	inv, err := parseInvocation(strings.Fields("nextflow -log l run x"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(inv.command("", ""), " "); got != "-log l run x" {
		t.Errorf("with nothing to mask it is %s", got)
	}
}
