package nextflow_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/pipesecrets/pipesecrets/provider/nextflow"
)

// shape is a pipeline and what is to be found in it. A file of testdata/shapes
// says what the pipeline is, and then, a line each:
//
//	files main.nf nextflow.config        what to scan; all by default
//	use main.nf:3 NAME declared          or read, or tested; with "optional", and "profile NAME"
//	unknown main.nf:7 declares           and the beginning of the reason
//
// and then the files, each after a line "-- NAME --".
type shape struct {
	files    []string
	uses     []string
	unknown  []string
	pipeline fstest.MapFS
}

func readShape(t testing.TB, path string) shape {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := shape{pipeline: fstest.MapFS{}}
	file := ""
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(line, "-- "); ok {
			file = strings.TrimSuffix(strings.TrimSpace(name), " --")
			s.pipeline[file] = &fstest.MapFile{Mode: 0o644}
			continue
		}
		if file != "" {
			s.pipeline[file].Data = append(s.pipeline[file].Data, line...)
			continue
		}
		what, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch what {
		case "files":
			s.files = strings.Fields(rest)
		case "use":
			s.uses = append(s.uses, rest)
		case "unknown":
			s.unknown = append(s.unknown, rest)
		}
	}
	return s
}

func show(u nextflow.Use) string {
	s := fmt.Sprintf("%s %s %s", u.Place, u.Name, u.How)
	if u.Optional {
		s += " optional"
	}
	if u.Profile != "" {
		s += " profile " + u.Profile
	}
	return s
}

func TestTheScannerFindsExactlyTheNamesOfEachShapeAndWhichAreOptional(t *testing.T) {
	paths, err := filepath.Glob("testdata/shapes/*")
	if err != nil || len(paths) < 15 {
		t.Fatalf("%d shapes, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			s := readShape(t, path)
			got, err := nextflow.Scan(s.pipeline, s.files...)
			if err != nil {
				t.Fatal(err)
			}
			var uses []string
			for _, u := range got.Uses {
				uses = append(uses, show(u))
			}
			if diff := cmp.Diff(s.uses, uses); diff != "" {
				t.Errorf("uses, wanted (-) and found (+):\n%s", diff)
			}
			unknown := map[int]bool{}
			for _, want := range s.unknown {
				hit := false
				for i, u := range got.Unknown {
					place, why, _ := strings.Cut(want, " ")
					if !unknown[i] && u.Place.String() == place && strings.HasPrefix(u.Why, why) {
						unknown[i], hit = true, true
						break
					}
				}
				if !hit {
					t.Errorf("is not told: %s", want)
				}
			}
			for i, u := range got.Unknown {
				if !unknown[i] {
					t.Errorf("is told: %s", u)
				}
			}
		})
	}
}
