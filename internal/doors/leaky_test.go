package doors_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestEachKindOfDoorIsSeen walks testdata/leaky, which has one of each.
func TestEachKindOfDoorIsSeen(t *testing.T) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "testdata/leaky/leaky.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	l := list(t)
	config := types.Config{Importer: l.types()}
	p, err := config.Check(module+"/leaky", files, []*ast.File{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := newWalk(append(l.packages, p.Path())...)
	w.pkg(p)
	for what, c := range map[string]struct {
		found map[string]bool
		want  string
	}{
		"a secrets.Value": {w.values, `
			leaky.Alias leaky.Alias
			leaky.Anonymous returns.V secrets.Value
			leaky.ByOpener returns provider.Opener
			leaky.ByStruct returns *leaky.Struct
			leaky.Callback(use)(v) secrets.Value
			leaky.Channel(c) chan<- secrets.Value
			leaky.Channels returns <-chan secrets.Value
			leaky.Interface.Implemented(v) secrets.Value
			leaky.Map map[secrets.Name]secrets.Value
			leaky.Method(m).Take(v) secrets.Value
			leaky.Nested returns map[string][]*secrets.Value
			leaky.Pointer(v) *secrets.Value
			leaky.Result returns secrets.Value
			leaky.Sequence returns iter.Seq2[int, secrets.Value]
			leaky.Sequence returns(yield)(1) secrets.Value
			leaky.Struct.Call returns secrets.Value
			leaky.Struct.Field secrets.Value
			leaky.Struct.Self *leaky.Struct
			leaky.Twice(outer)(inner) returns secrets.Value
			leaky.Variable secrets.Value
			leaky.concealed.Seen secrets.Value
			leaky.shy.Given chan secrets.Value`},
		"bytes": {w.bytes, `
			leaky.Blob []byte
			leaky.Buffer returns *bytes.Buffer
			leaky.Buffered.Promoted returns []byte
			leaky.Bytes returns []byte
			leaky.GivenReader(0).Read(p) []byte
			leaky.Interface.Implemented returns []byte
			leaky.Interface.WriteTo(w).Write(p) []byte
			leaky.Open(key) []byte
			leaky.Open returns leaky.Blob
			leaky.Reader returns.Read fills p []byte
			leaky.Smaller.Small(plain) []byte
			leaky.Struct.Call(given) []byte
			leaky.Struct.Fields.Deep []byte
			leaky.Struct.Method returns []byte
			leaky.Struct.Read fills p []byte
			leaky.Struct.Shown returns []byte
			leaky.Writer(to).Write(p) []byte
			leaky.concealed.Shown returns []byte`},
	} {
		var want []string
		for line := range strings.Lines(strings.TrimSpace(c.want)) {
			want = append(want, strings.TrimSpace(line))
		}
		found := slices.Sorted(maps.Keys(c.found))
		for _, place := range found {
			if !slices.Contains(want, place) {
				t.Errorf("%s: %s is no door, or not expected", what, place)
			}
		}
		for _, place := range want {
			if !slices.Contains(found, place) {
				t.Errorf("%s: %s was not seen", what, place)
			}
		}
	}
}
