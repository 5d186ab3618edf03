package nextflow_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pipesecrets/pipesecrets/provider/nextflow"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestAScanHoldsNoMoreThanAMillionReferences(t *testing.T) {
	file := &fstest.MapFile{Mode: 0o644, Data: []byte(strings.Repeat("secrets.AB\n", 370_000))}
	pipeline := fstest.MapFS{}
	for i := range 3 {
		pipeline[fmt.Sprintf("m%d.nf", i)] = file
	}
	_, err := nextflow.Scan(pipeline)
	if invalid := new(secrets.InvalidError); !errors.As(err, &invalid) || invalid.Field != "pipeline" {
		t.Errorf("a scan of 1,110,000 references: %v", err)
	}
}
