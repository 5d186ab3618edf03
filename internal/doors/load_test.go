package doors_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// listing is what `go list` tells of the module's packages and of all that they
// import.
type listing struct {
	packages []string          // those that a program outside can import
	broken   map[string]string // which of them don't compile, and why
	exports  map[string]string // files of export data
}

// list asks for the packages as they are. It also opens the sources, so that
// the go command sees what the result depends on, and doesn't answer from its
// cache after a change.
func list(t *testing.T) listing {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata") {
			return fs.SkipDir
		}
		if !d.IsDir() && (filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go")) {
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return f.Close()
	})
	if err != nil {
		t.Fatal(err)
	}

	cmd := exec.Command("go", "list", "-e", "-export", "-deps", "-json=ImportPath,Name,Export,DepOnly,GoFiles,Error,DepsErrors", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	l := listing{broken: map[string]string{}, exports: map[string]string{}}
	for d := json.NewDecoder(bytes.NewReader(output)); ; {
		var p struct {
			ImportPath, Name, Export string
			DepOnly                  bool
			GoFiles                  []string
			Error                    *struct{ Err string }
			DepsErrors               []*struct{ Err string }
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Export != "" {
			l.exports[p.ImportPath] = p.Export
		}
		inside := strings.TrimPrefix(p.ImportPath, module)
		if p.DepOnly || p.Name == "main" || len(p.GoFiles) == 0 && p.Error == nil ||
			strings.Contains(inside+"/", "/internal/") || strings.HasPrefix(inside, "/examples/") {
			continue
		}
		l.packages = append(l.packages, p.ImportPath)
		switch {
		case p.Error != nil:
			l.broken[p.ImportPath] = p.Error.Err
		case len(p.DepsErrors) > 0:
			l.broken[p.ImportPath] = p.DepsErrors[0].Err
		case p.Export == "":
			l.broken[p.ImportPath] = "it does not compile:\n" + stderr.String()
		}
	}
	return l
}

// types returns an importer of the listed packages from their export data.
func (l listing) types() types.Importer {
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		file, ok := l.exports[path]
		if !ok {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(file)
	})
}

// doors walks the packages that load, and returns with them why the others don't.
func (l listing) doors() (*walk, map[string]string) {
	w := newWalk(l.packages...)
	broken := map[string]string{}
	imported := l.types()
	for _, path := range l.packages {
		if why := l.broken[path]; why != "" {
			broken[path] = why
			continue
		}
		p, err := imported.Import(path)
		if err != nil {
			broken[path] = err.Error()
			continue
		}
		w.pkg(p)
	}
	return w, broken
}

func newWalk(packages ...string) *walk {
	w := &walk{
		listed: map[string]bool{}, values: map[string]bool{}, bytes: map[string]bool{},
		declared: map[*types.TypeName]bool{},
	}
	for _, path := range packages {
		w.listed[path] = true
	}
	return w
}
