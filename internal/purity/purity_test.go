package purity_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "github.com/pipesecrets/pipesecrets"
	root   = "../.."
)

// pkg is a package that is not of the standard library.
type pkg struct{ path, dir string }

// deps returns the packages of the patterns and all that they import, but for the
// standard library.
func deps(t *testing.T, patterns ...string) []pkg {
	t.Helper()
	args := []string{"list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}\t{{.Dir}}{{end}}"}
	cmd := exec.Command("go", append(args, patterns...)...)
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var found []pkg
	for line := range strings.Lines(string(out)) {
		path, dir, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if path == "" {
			continue
		}
		found = append(found, pkg{path, dir})
		if ours(path) {
			sources(t, dir) // go test sees that this test depends on them, and does not answer from its cache
		}
	}
	return found
}

func ours(path string) bool { return path == module || strings.HasPrefix(path, module+"/") }

// sources returns the files of a directory that are not tests, whatever system or
// build they are for.
func sources(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]byte{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "_test.go") {
			found[name] = text
		}
	}
	return found
}

func TestThePureRoomsImportOnlyTheStandardLibraryAndThisModule(t *testing.T) {
	rooms := []string{module + "/precedence", module + "/rbac", module + "/secrets"}
	found := deps(t, "./secrets", "./precedence", "./rbac")
	for _, p := range found {
		if !ours(p.path) {
			t.Errorf("%s is linked", p.path)
		}
	}
	for _, room := range rooms {
		if !slices.ContainsFunc(found, func(p pkg) bool { return p.path == room }) {
			t.Errorf("%s was not looked at", room)
		}
	}
}

func TestThePureRoomsDoNoIOReadNoClockAndStartNoGoroutine(t *testing.T) {
	files := 0
	for _, p := range deps(t, "./secrets", "./precedence", "./rbac") {
		if !ours(p.path) {
			continue // the other test's business
		}
		for name, text := range sources(t, p.dir) {
			files++
			for _, found := range impurities(t, name, text) {
				t.Errorf("%s/%s", p.path, found)
			}
		}
	}
	if files < 10 {
		t.Errorf("looked at %d files only", files)
	}
}

// What a pure package may not name: functions that read a clock, or start a timer
// or a goroutine.
var banned = map[string][]string{
	"time":    {"Now", "Since", "Until", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Sleep"},
	"context": {"WithTimeout", "WithTimeoutCause", "WithDeadline", "WithDeadlineCause", "WithCancel", "WithCancelCause", "AfterFunc"},
}

// And what it may not import: packages that do I/O.
var bannedImports = []string{"os", "net", "syscall", "io/ioutil", "database/sql", "plugin"}

// impurities returns what of the above a source file holds, as file:line and what.
func impurities(t *testing.T, name string, text []byte) []string {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	add := func(pos token.Pos, what string) {
		at := set.Position(pos)
		found = append(found, fmt.Sprintf("%s:%d: %s", filepath.Base(at.Filename), at.Line, what))
	}

	imported := map[string]string{} // local name: path
	for _, i := range file.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		for _, ban := range bannedImports {
			if path == ban || strings.HasPrefix(path, ban+"/") {
				add(i.Pos(), "imports "+path)
			}
		}
		local := path[strings.LastIndex(path, "/")+1:]
		if i.Name != nil {
			local = i.Name.Name
		}
		if local == "." && banned[path] != nil {
			add(i.Pos(), "imports "+path+" without its name")
		}
		imported[local] = path
	}

	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			add(n.Pos(), "starts a goroutine")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && slices.Contains(banned[imported[x.Name]], n.Sel.Name) {
				add(n.Pos(), "uses "+imported[x.Name]+"."+n.Sel.Name)
			}
		}
		return true
	})
	return found
}

func TestImpuritiesAreFound(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{`import "time"; var x = time.Now()`, "f.go:1: uses time.Now"},
		{`import "time"; var now = time.Now`, "f.go:1: uses time.Now"}, // not called here, but by another
		{`import clock "time"; var x = clock.Since(clock.Time{})`, "f.go:1: uses time.Since"},
		{`import . "time"; var x = Now()`, "f.go:1: imports time without its name"},
		{"import \"time\"\nfunc f() { <-time.After(1) }", "f.go:2: uses time.After"},
		{`import "time"; func f() { for range time.Tick(1) {} }`, "f.go:1: uses time.Tick"},
		{`import "time"; func f() { time.NewTimer(1) }`, "f.go:1: uses time.NewTimer"},
		{`import "time"; func f() { (func() { go f() })() }`, "f.go:1: starts a goroutine"},
		{`import "context"; var f = context.WithTimeout`, "f.go:1: uses context.WithTimeout"},
		{`import "os/exec"`, "f.go:1: imports os/exec"},
		{`import "net"`, "f.go:1: imports net"},

		{`import "time"; func f(t time.Time) bool { return t.After(time.Time{}) && t.Before(time.Unix(1, 0)) }`, ""},
		{`type clock struct{ Now int }; func f(time clock) int { return time.Now }`, ""},
		{`import "context"; func f(ctx context.Context) { /* time.Now() in a comment, go f() too */ }`, ""},
		{`const s = "go f(); time.Now()"`, ""},
	} {
		got := strings.Join(impurities(t, "f.go", []byte("package f; "+c.source)), ", ")
		if got != c.want {
			t.Errorf("%s\ngot  %q\nwant %q", c.source, got, c.want)
		}
	}
}

// What only a program that asks for it may link.
var adapters = []string{
	module + "/provider/awssm",
	module + "/provider/hpc",
	module + "/secrets/sqlstore/sqlite",
	"modernc.org",
	"github.com/jackc",
	"github.com/aws",
}

func isAdapter(path string) bool {
	return slices.ContainsFunc(adapters, func(a string) bool { return path == a || strings.HasPrefix(path, a+"/") })
}

func TestTheRootLinksNoAdapterNoDriverAndNoSDK(t *testing.T) {
	found := deps(t, module)
	if !slices.ContainsFunc(found, func(p pkg) bool { return p.path == module }) {
		t.Error("the root was not looked at")
	}
	for _, p := range found {
		if isAdapter(p.path) {
			t.Errorf("the root links %s", p.path)
		}
	}
}

func TestAdaptersAreTold(t *testing.T) {
	for path, want := range map[string]bool{
		module + "/provider/awssm":                            true,
		module + "/provider/awssm/fetch":                      true,
		module + "/provider/hpc":                              true,
		module + "/secrets/sqlstore/sqlite":                   true,
		"modernc.org/sqlite":                                  true,
		"modernc.org/sqlite/lib":                              true,
		"github.com/jackc/pgx/v5/stdlib":                      true,
		"github.com/aws/aws-sdk-go-v2/service/secretsmanager": true,
		"github.com/aws/smithy-go":                            true,

		module:                              false,
		module + "/provider":                false,
		module + "/provider/stage":          false,
		module + "/secrets":                 false,
		"github.com/tink-crypto/tink-go/v2": false,
		"github.com/awslabs/something":      false,
		"example.org/modernc.org":           false,
	} {
		if isAdapter(path) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}
