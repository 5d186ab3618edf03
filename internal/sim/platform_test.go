package sim

import (
	"fmt"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/providertest"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// platform is what a world needs of a platform, beside what its driver does.
type platform interface {
	driver(*process) provider.Provider // as a process has it
	cuts() bool                        // whether its driver is a provider.Withdrawer
	named(run, rest string) string     // of an object, as its driver would list it

	objects() []object                   // what is there in truth, in the order of names
	changes() uint64                     // a number that grows with every change of these
	plant(provider.Object)               // past the protocol, with a name, a mark and perhaps a stage
	plantOld(provider.Object) time.Time  // as well; answers from when on every list shows it
	refuse(these func(name string) bool) // to remove them; nil: none
	count(sum *totals)                   // what it was free to do and did
}

// object is what is on a platform. Its Items are those that it holds in truth.
type object struct {
	provider.Object
	Going bool   // it was removed, and is still there
	shown string // all that can be seen of it without reading its value
	holds func(secrets.Name, []byte) bool
}

// model is the platform in memory that the conformance suite brings along.
type model struct {
	*providertest.Platform
	joint bool
}

// models are a platform that is late in every way, and one that never is.
func models(w *world) map[string]platform {
	choose := func(_ providertest.Freedom, n int) int { return w.rng.IntN(n) }
	return map[string]platform{
		"cloud": model{providertest.New(providertest.Config{
			Location: provider.Location{Kind: "cloud"}, Horizon: horizon, Concurrency: 2, Choose: choose}), false},
		"cluster": model{providertest.New(providertest.Config{
			Location: provider.Location{Kind: "cluster"}, Joint: true, Choose: choose}), true},
	}
}

func (m model) driver(*process) provider.Provider { return m.Driver() }
func (m model) cuts() bool                        { return m.joint }
func (m model) named(run, rest string) string     { return run + "/" + rest }
func (m model) changes() uint64                   { return m.Changes() }
func (m model) refuse(these func(string) bool)    { m.Refuse(these) }
func (m model) plant(o provider.Object)           { m.Plant(providertest.Object{Object: o}) }

func (m model) plantOld(o provider.Object) time.Time {
	m.Plant(providertest.Object{Object: o, Asked: time.Now().Add(-horizon)})
	return time.Now()
}

func (m model) objects() (all []object) {
	for _, o := range m.Objects() {
		all = append(all, object{o.Object, o.Going, fmt.Sprintf("%+v", o.Object), o.Holds})
	}
	return all
}

func (m model) count(sum *totals) {
	st := m.Stats()
	sum.late += st.LateCreates + st.DuplicateCreates
	sum.stale += st.StaleLists
}
