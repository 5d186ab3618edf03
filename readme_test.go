package pipesecrets_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheReadmeShowsTheExampleAsItRuns(t *testing.T) {
	between := func(file, from, to string) string {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, ok := strings.Cut(string(text), from)
		body, _, closed := strings.Cut(rest, to)
		if !ok || !closed {
			t.Fatalf("%s has no %q or no %q", file, from, to)
		}
		return body
	}
	const first = "database := "
	want := strings.ReplaceAll("\n"+between("example_test.go", first, "\t// Output:"), "\n\t", "\n")
	if diff := cmp.Diff(want, "\n"+between("README.md", "```go\n"+first, "```")); diff != "" {
		t.Error(diff)
	}
}
