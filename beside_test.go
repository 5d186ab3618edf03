package pipesecrets_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/provider/nextflow"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestAValueThatIsInTheWayOfAnotherIsRefusedByPreflight(t *testing.T) {
	escaped := func(root string) provider.Provider {
		d, err := hpc.New(hpc.Config{Root: root, Store: nextflow.Store{Form: nextflow.Escaped}})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	h := newHouse(t)
	h = h.again(func(c *pipesecrets.Config) {
		c.Targets = map[string]provider.Provider{"cluster": escaped(h.root), "second": escaped(t.TempDir())}
	})
	h.put(ada, genomics, "FIRST")
	value := valueOf(t, append([]byte("x FIRST="), canary()...))
	_, err := h.Create(t.Context(), ada, secrets.Secret{Name: nameOf(t, "TELLTALE"), Scope: genomics}, value)
	h.must(err)

	first, telltale := nameOf(t, "FIRST"), nameOf(t, "TELLTALE")
	r := h.request("r1", genomics, "FIRST", "TELLTALE")
	r.Targets = map[string][]secrets.Name{"cluster": nil}
	for _, launch := range []func() error{
		func() error { _, err := h.Preflight(t.Context(), lin, r); return err },
		func() error { _, err := h.Launch(t.Context(), lin, r); return err },
	} {
		var refused *pipesecrets.RequestError
		want := []pipesecrets.Problem{{Name: telltale, Target: "cluster",
			Rule: "value: holds NAME= of another staged secret: Nextflow would hand it to the tasks that ask for that one"}}
		if err := launch(); !errors.As(err, &refused) || !cmp.Equal(refused.Problems, want, cmp.AllowUnexported(secrets.Name{})) {
			t.Errorf("together: %v", err)
		}
	}
	h.nothingStaged()

	r.Targets = map[string][]secrets.Name{"cluster": {first}, "second": {telltale}}
	_, err = h.Launch(t.Context(), lin, r)
	h.must(err)
}
