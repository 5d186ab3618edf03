package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/provider/nextflow"
)

func TestWhatCanNotBeGivenIsRefusedBeforeNextflowStarts(t *testing.T) {
	const hinted = "-route carries any value"
	reads := declares("TOKEN") + "println secrets.TOKEN\n"
	for _, c := range []struct {
		name  string
		main  string
		given string // the name of the secret
		value string // before its random part
		args  []string
		says  []string // nothing: it is run
		not   string
	}{
		{"missing", declares("TOKEN"), "OTHER", "", nil, []string{"TOKEN: missing (needed at main.nf:2)"}, hinted},
		{"missing in many places", strings.Repeat(declares("TOKEN"), 5), "OTHER", "", nil, []string{"TOKEN: missing (needed at main.nf:2, main.nf:7, main.nf:12, 2 more)"}, hinted},
		{"missing in a configuration file", declares(), "OTHER", "", []string{"-c", "x/y.config"}, []string{"YTOKEN: missing (needed at x/y.config:1)"}, hinted},
		{"a line break", declares("TOKEN"), "TOKEN", "a\n", nil, []string{"TOKEN: ", "line feed", "(needed at main.nf:2)", hinted}, ""},
		{"quotes that the pipeline reads", reads, "TOKEN", "\"`", nil, []string{"reads it as secrets.NAME too", hinted}, ""},
		{"no text", declares("TOKEN"), "TOKEN", "\xff", nil, []string{"UTF-8", hinted}, ""},
		{"a NUL byte by the route", declares("TOKEN"), "TOKEN", "\x00", []string{"-route"}, []string{"NUL"}, hinted},
		{"no text that the pipeline reads, by the route", reads, "TOKEN", "\xff", []string{"-route"}, []string{"UTF-8"}, hinted},

		{"another secret's name", declares("TOKEN", "OTHER"), "TOKEN", " OTHER=", nil, []string{"TOKEN: target cluster: value: holds NAME= of another staged secret", hinted}, ""},

		{"a line break by the route", declares("TOKEN"), "TOKEN", "a\n", []string{"-route"}, nil, ""},
		{"quotes that the pipeline reads, by the route", reads, "TOKEN", "\"`", []string{"-route"}, nil, ""},
		{"no text by the route", declares("TOKEN"), "TOKEN", "\xff", []string{"-route"}, nil, ""},
		{"another secret's name by the route", declares("TOKEN", "OTHER"), "TOKEN", " OTHER=", []string{"-route"}, nil, ""},
		{"quotes", declares("TOKEN"), "TOKEN", "\"`", nil, nil, ""},
		{"quotes where nobody needs them", declares(), "TOKEN", "a\n", nil, nil, ""},
		{"missing, and optional", "if( secrets.MAYBE ) println 'x'\n", "TOKEN", "", nil, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t, c.main)
			p.write("x/y.config", "params.y = secrets.YTOKEN\n")
			p.fake("")
			value := append([]byte(c.value), canary()...)
			args, run := p.secret(c.given, value), []string{"run", "main.nf"}
			if c.given == "TOKEN" && strings.Contains(c.main, "OTHER") {
				args = append(args, p.secret("OTHER", canary())...)
			}
			for _, a := range c.args {
				if a == "-route" {
					args = append(args, a)
				} else {
					run = append(run, a)
				}
			}
			code, stdout, stderr := status(t, p.run(args, run...))
			want := 0
			if c.says != nil {
				want = 1
			}
			if code != want || p.has("ran") != (want == 0) || p.has(".nextflow.log") && want != 0 {
				t.Errorf("it ended with %d\n%s%s", code, stdout, stderr)
			}
			for _, says := range c.says {
				if !strings.Contains(stderr, says) {
					t.Errorf("it does not say %q: %s", says, stderr)
				}
			}
			if c.not != "" && strings.Contains(stderr, c.not) {
				t.Errorf("it says %q", c.not)
			}
			p.clean(nil, value)
		})
	}
}

func TestWithoutNextflowItSaysWhatItLookedFor(t *testing.T) {
	p := newPlace(t, declares("TOKEN"))
	none := t.TempDir()
	p.env = append(p.env, "PATH="+none)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{nil, statusNothingHere, "no program nextflow in the directories of PATH; .ci/nextflow DIR"},
		{[]string{"--", "nextflow", "run", "main.nf"}, statusNoNextflow, "no program nextflow in the directories of PATH"},
		{[]string{"--", "./nextflow", "run", "main.nf"}, statusNoNextflow, "no program nextflow where the command line says"},
	} {
		if code, stdout, stderr := status(t, p.program(c.args...)); code != c.code || !strings.Contains(stderr, c.says) || stdout != "" {
			t.Errorf("it ended with %d\n%s%s", code, stdout, stderr)
		}
	}
}

func TestItDoesNotRunItself(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range []func(from, to string) error{os.Symlink, os.Link} {
		p := newPlace(t, declares("TOKEN"))
		bin := t.TempDir()
		if err := link(self, filepath.Join(bin, "nextflow")); err != nil {
			t.Fatal(err)
		}
		p.env = append(p.env, "PATH="+bin+":"+os.Getenv("PATH"))
		for args, want := range map[string]int{"": statusNothingHere, "-- nextflow run main.nf": statusNoNextflow} {
			if code, _, stderr := status(t, p.program(strings.Fields(args)...)); code != want || !strings.Contains(stderr, "is this program itself") {
				t.Errorf("it ended with %d: %s", code, stderr)
			}
		}
	}
}

func TestAWrongCommandLineIsRefusedWithoutQuotingIt(t *testing.T) {
	p := newPlace(t, declares())
	p.fake("")
	mark := string(canary())
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"-secret", mark, "--", "nextflow", "run", "main.nf"}, 2, "NAME=FILE"},
		{[]string{"-secret", "A-B=" + mark, "--", "nextflow", "run", "main.nf"}, 2, "name: may hold only"},
		{[]string{"-secret", "TOKEN=" + mark, "--", "nextflow", "run", "main.nf"}, 1, "TOKEN: the file can't be opened"},
		{[]string{"-secret", "TOKEN=/dev/null", "--", "nextflow", "run", "main.nf"}, 1, "TOKEN: value: must be 1 to"},
		{[]string{"-secret", "AB=-", "-user-secret", "CD=-", "--", "nextflow", "run", "main.nf"}, 2, "only one secret"},
		{[]string{"-secret", "AB=/dev/null"}, 2, "give a nextflow command line"},
		{[]string{"-no-such-flag"}, 2, "not defined"},
		{[]string{"-route=" + mark}, 2, "is not what its flag takes"},
		{[]string{"-dir", p.dir, "-replay-for", mark}, 2, "is not what its flag takes"},
		{[]string{"-route", "--", "nextflow", "-C", mark, "run", "main.nf"}, 2, "-route needs a configuration file"},
		{[]string{"--", mark}, 2, "the command must be: nextflow"},
		{[]string{"--", "nextflow", mark}, 2, "the command must be: nextflow"},
		{[]string{"--", "nextflow", "-log"}, 2, "lacks its argument"},
		{[]string{"--", "nextflow", "run", "-resume"}, 2, "needs a PIPELINE"},
		{[]string{"--", "nextflow", "-bg", "run", mark}, 2, "-bg is refused"},
		{[]string{"--", "nextflow", "run", mark, "-bg"}, 2, "-bg is refused"},
		{[]string{"--", "nextflow", "-syslog", mark, "run", "main.nf"}, 2, "-syslog is refused"},
		{[]string{"--", "nextflow", "-profile", mark, "run", "main.nf"}, 2, "where it does not know it"},
		{[]string{"--", "nextflow", "-main-script", mark, "run", "main.nf"}, 2, "where it does not know it"},
		{[]string{"--", "nextflow", "-r", mark, "run", "main.nf"}, 2, "where it does not know it"},
		{[]string{"--", "nextflow", "run", "main.nf", "-log", mark}, 2, "where it does not know it"},
		{[]string{"--", "nextflow", "run", "main.nf", "-C", mark}, 2, "where it does not know it"},
		{[]string{"--", "nextflow", "@" + mark, "run", "main.nf"}, 2, "begins with @"},
		{[]string{"--", "nextflow", "run", "main.nf", "@" + mark}, 2, "begins with @"},
		{[]string{"--", "nextflow", "run", "main.nf", "-profile", "@" + mark}, 2, "begins with @"},
		{[]string{"-h"}, 0, "After a SIGKILL"},
	} {
		code, stdout, stderr := status(t, p.program(c.args...))
		if code != c.code || !strings.Contains(stderr, c.says) || strings.Contains(stdout+stderr, mark) || p.has("ran") {
			t.Errorf("want %q: ended with %d: %s", c.says, code, stderr)
		}
	}
}

func TestAParametersValueMayBeginWithAnAt(t *testing.T) {
	p := newPlace(t, declares())
	p.fake(`[ "$*" = "run main.nf --handle @me" ]`)
	if code, stdout, stderr := status(t, p.run(nil, "run", "main.nf", "--handle", "@me")); code != 0 {
		t.Errorf("it ended with %d\n%s%s", code, stdout, stderr)
	}
}

func TestADirectoryThatTheRouteCanNotNameIsRefused(t *testing.T) {
	for _, name := range []string{"a,b", "a'b"} {
		p := newPlace(t, declares("TOKEN"))
		p.fake("")
		p.dir = filepath.Join(t.TempDir(), name)
		token := canary()
		args := p.secret("TOKEN", token)
		if code, _, stderr := status(t, p.run(append(args, "-route"), "run", "main.nf")); code != 1 || !strings.Contains(stderr, "-route: the directory") || p.has("ran") {
			t.Errorf("it ended with %d: %s", code, stderr)
		}
		p.clean(nil, token)
		if code, _, stderr := status(t, p.run(args, "run", "main.nf")); code != 0 {
			t.Errorf("without the route it ended with %d: %s", code, stderr)
		}
	}
}

func TestPlacesThatCanNotBeToldAreToldInBounds(t *testing.T) {
	p := newPlace(t, declares("TOKEN")+strings.Repeat("println secrets[params.x]\n", tellings+3))
	p.fake("")
	code, _, stderr := status(t, p.run(p.secret("TOKEN", canary()), "run", "main.nf"))
	if code != 0 || strings.Count(stderr, "may need a secret") != tellings || !strings.Contains(stderr, "main.nf:6: ") || !strings.Contains(stderr, "so do 3 more places") {
		t.Errorf("it ended with %d: %s", code, stderr)
	}
}

func TestWhereSourcesAreNotHereTheFormIsWhatEveryReaderUnderstands(t *testing.T) {
	if form := (wants{}).staged(false).Store.Form; form != nextflow.Unharmed {
		t.Errorf("it is %d", form)
	}
}
