package nextflow_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/nextflow"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func scanned(t testing.TB, files map[string]string) nextflow.References {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	got, err := nextflow.Scan(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestWhatIsNoTextOrTooLongIsToldAndNotRead(t *testing.T) {
	got := scanned(t, map[string]string{
		"binary.nf":   "a = secrets.NOT_A\x00",
		"long.config": "a = secrets.NOT_A\n" + strings.Repeat(" ", 4<<20),
		"ok.nf":       strings.Repeat(" ", 4<<20-17) + "a = secrets.REAL_A"[1:],
		"bad.nf":      "a = 'caf\xe9' + secrets.REAL_B",
	})
	want := []string{"binary.nf:0: is no text", "long.config:0: is longer than 4 MiB, and not read"}
	if fmt.Sprint(got.Unknown[0]) != want[0] || fmt.Sprint(got.Unknown[1]) != want[1] || len(got.Unknown) != 2 || len(got.Uses) != 2 {
		t.Errorf("%d uses, %v", len(got.Uses), got.Unknown)
	}
}

func TestAPipelineOfTooManyFilesIsRefused(t *testing.T) {
	fsys := fstest.MapFS{}
	for i := range 20_001 {
		fsys[fmt.Sprintf("%d.nf", i)] = &fstest.MapFile{}
	}
	var invalid *secrets.InvalidError
	if _, err := nextflow.Scan(fsys); !errors.As(err, &invalid) || invalid.Field != "pipeline" {
		t.Error(err)
	}
	delete(fsys, "0.nf")
	if _, err := nextflow.Scan(fsys); err != nil {
		t.Error(err)
	}

	clear(fsys)
	large := &fstest.MapFile{Data: []byte(strings.Repeat(" ", 4<<20))}
	for i := range 65 {
		fsys[fmt.Sprintf("%d.nf", i)] = large
	}
	if _, err := nextflow.Scan(fsys); !errors.As(err, &invalid) || invalid.Field != "pipeline" {
		t.Error(err)
	}
}

func TestAScanFollowsNoLinkInCirclesNorOutOfItsRoot(t *testing.T) {
	dir := t.TempDir()
	outside := t.TempDir()
	write(t, outside+"/x.nf", []byte("a = secrets.NOT_A"))
	write(t, dir+"/real.txt", []byte("a = secrets.REAL_A"))
	if err := os.MkdirAll(dir+"/sub/.git", 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/sub/.git/x.nf", []byte("a = secrets.NOT_B"))
	for link, to := range map[string]string{
		"sub/loop": "..", "self.nf": "self.nf", "linked.nf": "real.txt", "out.nf": outside + "/x.nf", "dir.nf": "sub",
		"gone.nf": "nowhere", "device.nf": "/dev/zero",
	} {
		if err := os.Symlink(to, dir+"/"+link); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(dir+"/adir.nf", 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	got, err := nextflow.Scan(root.FS())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Uses) != 1 || got.Uses[0].Name.String() != "REAL_A" {
		t.Errorf("%d uses", len(got.Uses))
	}
	told := fmt.Sprint(got.Unknown)
	for _, want := range []string{"sub/loop:0: is a link to a directory", "self.nf:0", "out.nf:0", "dir.nf:0", "gone.nf:0", "device.nf:0"} {
		if !strings.Contains(told, want) {
			t.Errorf("%s is not told: %s", want, told)
		}
	}
}

func TestIncludesInCirclesEnd(t *testing.T) {
	got := scanned(t, map[string]string{
		"a.nf":            "include { B } from './b'\na = secrets.REAL_A",
		"b.nf":            "include { A } from './a'",
		"nextflow.config": "includeConfig 'nextflow.config'\nincludeConfig './c.conf'",
		"c.conf":          "includeConfig 'nextflow.config'\na = secrets.REAL_B",
	})
	if len(got.Uses) != 2 || len(got.Unknown) != 0 {
		t.Errorf("%d uses, %v", len(got.Uses), got.Unknown)
	}
}

func TestAFileThatIsNamedMustBeThere(t *testing.T) {
	if _, err := nextflow.Scan(fstest.MapFS{}, "main.nf"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if got, err := nextflow.Scan(fstest.MapFS{}); err != nil || !reflect.DeepEqual(got, nextflow.References{}) {
		t.Error(got, err)
	}
}

// knots are texts that would take a careless scanner for ever, or to the end of its
// stack.
func knots() map[string]string {
	n := 1 << 16
	texts := map[string]string{}
	for _, piece := range []string{
		"{", "(", "[", "}", "\"${", "\"\"\"${", "/${", "$/${", "a?", "a?b:", "(a?", "?:", ":", "!", "!(", "if(a)", "if(a){", "else ", "else if(a)",
		"/\\", "/", " / ", "/*", "//", "'", "\"", "'''", "\\", "$", "$/", "/$", ";", ",", "=", "a=", "->", "a->", "&&", "a&&", "||", "a||(",
		"secrets", "secrets.", "secrets?", "secrets[", "secrets?[", "secrets,", "process X{", "process X{secret ", "secret ", "secret 'AB'?",
		"process{", "includeConfig ", "include{", "tuple(", "tuple (tuple (", "a\n?", "a\n.", "x:", "script:", "\r\n", "\"$a.", "assert ", "assert(",
		"for(secrets in ", "def(", "def a(secrets){", "{secrets->", "template ", "profiles{", "'AB' in secrets?", "return ",
	} {
		texts[piece] = strings.Repeat(piece, n/len(piece))
	}
	return texts
}

func TestNoTextTakesLongOrDeep(t *testing.T) {
	slowest, of := time.Duration(0), ""
	for piece, knot := range knots() {
		for _, name := range []string{"main.nf", "nextflow.config"} {
			start := time.Now()
			for _, before := range []string{"", "process X {\n", "a = secrets.REAL_A ? "} {
				scanned(t, map[string]string{name: before + knot})
			}
			if took := time.Since(start); took > slowest {
				slowest, of = took, fmt.Sprintf("%q in %s", piece, name)
			}
		}
	}
	t.Logf("the slowest took %v: %s", slowest.Round(time.Millisecond), of)
	if slowest > 20*time.Second { // some 100 times what it takes
		t.Errorf("%v for %s", slowest, of)
	}
}

func TestTextThatIsNestedTooDeeplyIsTold(t *testing.T) {
	for _, open := range []string{"(", "{", "[", "\"${", "(a ? "} {
		for n, want := range map[int]bool{50: false, 300: true} {
			got := scanned(t, map[string]string{"main.nf": "a = secrets.REAL_A\n" + strings.Repeat(open, n)})
			if told := strings.Contains(fmt.Sprint(got.Unknown), "is nested too deeply"); told != want || len(got.Uses) != 1 {
				t.Errorf("%d times %s: %d uses, told: %t", n, open, len(got.Uses), told)
			}
		}
	}
}

// FuzzScan scans any text as a script, as configuration and as a template. What
// begins with a comment or a string over all of it says nothing.
func FuzzScan(f *testing.F) {
	shapes, err := filepath.Glob("testdata/shapes/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range shapes {
		for _, file := range readShape(f, path).pipeline {
			f.Add(string(file.Data))
		}
	}
	for piece := range knots() {
		f.Add(strings.Repeat(piece, 40))
	}
	f.Fuzz(func(t *testing.T, text string) {
		files := map[string]string{
			"main.nf": text, "nextflow.config": text, "templates/t": text, "use.nf": "process X {\n script:\n template 't'\n}\n",
		}
		got := scanned(t, files)
		for _, u := range got.Uses {
			lines := strings.Count(files[u.File], "\n") + 1
			if u.Line < 1 || u.Line > lines || u.How == 0 {
				t.Errorf("%s of %d lines: %v", u.Place, lines, u.How)
			}
			if !strings.Contains(text, u.Name.String()) && !strings.Contains(text, "\\") {
				t.Errorf("%s does not stand in the text", u.Name)
			}
		}
		if again := scanned(t, files); !reflect.DeepEqual(got, again) {
			t.Error("another scan finds something else")
		}
		for _, silent := range []string{
			"/*" + strings.ReplaceAll(text, "*/", "") + "*/",
			"a = '''" + strings.NewReplacer("'", "", "\\", "").Replace(text) + "'''",
			"a = \"\"\"" + strings.NewReplacer("\"", "", "\\", "", "$", "").Replace(text) + "\"\"\"",
			"// " + strings.NewReplacer("\n", " ").Replace(text),
		} {
			if got := scanned(t, map[string]string{"main.nf": silent}); len(got.Uses) > 0 {
				t.Errorf("%d uses in a comment or a string", len(got.Uses))
			}
		}
	})
}
