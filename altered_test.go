package pipesecrets_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"testing"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestARunThatWasAlteredInTheDatabaseIsStagedWithNothing(t *testing.T) {
	type alter = func(*stage.Run, []stage.Row)
	for name, change := range map[string]alter{
		"another's secret in the run": func(r *stage.Run, _ []stage.Row) { r.Items[0].Pin.ID++ },
		"another version":             func(r *stage.Run, _ []stage.Row) { r.Items[0].Pin.Version++ },
		"another name":                func(r *stage.Run, _ []stage.Row) { r.Items[0].Name = r.Items[1].Name },
		"another scope":               func(r *stage.Run, _ []stage.Row) { r.Items[0].Scope = imaging },
		"an item more":                func(r *stage.Run, _ []stage.Row) { r.Items = append(r.Items, r.Items[0]) },
		"another workspace":           func(r *stage.Run, _ []stage.Row) { r.Workspace = imaging },
		"another caller":              func(r *stage.Run, _ []stage.Row) { r.Caller = "user:ada" },
		"no digest":                   func(r *stage.Run, _ []stage.Row) { r.Chosen = nil },
		"another's secret in an object": func(_ *stage.Run, rows []stage.Row) {
			rows[0].Object.Items = slices.Clone(rows[0].Object.Items)
			rows[0].Object.Items[1].Pin.ID += 2
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			mine, _ := h.put(ada, genomics, "AA")
			h.put(ada, genomics, "BB")
			_, third := h.put(ada, imaging, "CC")
			_, fourth := h.put(ada, imaging, "DD")
			launch := h.launch(lin, "r1", genomics, "AA", "BB")
			altered := h.again(func(c *pipesecrets.Config) { c.Backend = alteredBackend{c.Backend, change} })
			if _, err := altered.Attach(t.Context(), operator, runOf(t, "r1")); err == nil && name != "another's secret in an object" {
				t.Error("it is attached")
			}
			_, _ = altered.Revoke(t.Context(), ada, mine.Pin.ID) // which stages the rest of it anew
			env, err := os.ReadFile(h.driver.Environment(launch.References)["PIPESECRETS_ENV"])
			if err != nil && !errors.Is(err, fs.ErrNotExist) || bytes.Contains(env, third) || bytes.Contains(env, fourth) {
				t.Errorf("another workspace's secret is staged, or %v", err)
			}
		})
	}
}

// alteredBackend is a database in which somebody has altered a run.
type alteredBackend struct {
	pipesecrets.Backend
	change func(*stage.Run, []stage.Row)
}

func (b alteredBackend) Load(ctx context.Context, id secrets.RunID) (stage.Run, []stage.Row, error) {
	r, rows, err := b.Backend.Load(ctx, id)
	if err == nil {
		b.change(&r, rows)
	}
	return r, rows, err
}
