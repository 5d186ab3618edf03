package stage_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// byAnotherPath is the same platform, reached by another path.
type byAnotherPath struct{ *listing }

func (byAnotherPath) Location() provider.Location {
	return provider.Location{Kind: "fake", Account: "1", Place: "/another/path"}
}

func TestALiveRunKeepsWhatIsFoundByAnotherPath(t *testing.T) {
	for name, targets := range map[string]func(*listing) map[string]provider.Provider{
		"instead of its own": func(l *listing) map[string]provider.Provider {
			return map[string]provider.Provider{"cloud": byAnotherPath{l}}
		},
		"beside its own": func(l *listing) map[string]provider.Provider {
			return map[string]provider.Provider{"cloud": l, "alias": byAnotherPath{l}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := staged(t, 2)
				l := &listing{platform: f.platform, mark: ours}
				e := f.with(t, l, intact, func(c *stage.Config) { c.Targets = targets(l) })
				for range 3 {
					if r := sweep(t, e); r != (stage.Report{}) {
						t.Errorf("%+v", r)
					}
				}
				if len(l.made) != 2 || len(l.removes) != 0 {
					t.Errorf("%d of 2 objects are there, %d removals were sent", len(l.made), len(l.removes))
				}
				// Its references are told where it was staged, and nowhere else.
				want := 0
				if name == "beside its own" {
					want = 2
				}
				if refs := e.References(f.receipt(t).Rows); len(refs) != want {
					t.Errorf("%+v", refs)
				}
			})
		})
	}
}

func TestRowsThatWerePlannedForAnotherLocationAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1, &platform{})
		moved := f.with(t, byAnotherPath{&listing{platform: f.platform}})
		absent := f.with(t, f.platform, func(c *stage.Config) { delete(c.Targets, "cloud") })
		for name, e := range map[string]*stage.Engine{"moved": moved, "absent": absent} {
			if _, err := e.Stage(t.Context(), f.run, f.rows, nil, nil); !errors.Is(err, secrets.ErrInvalid) {
				t.Errorf("%s: it says %v", name, err)
			}
		}
		if _, _, err := f.ledger.Load(t.Context(), f.run.ID); !errors.Is(err, stage.ErrNoRun) || len(f.platform.made) != 0 {
			t.Errorf("something was begun: %v", err)
		}
	})
}
