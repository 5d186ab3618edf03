package providertest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
)

// Harness is what the suite must know of a driver under test.
type Harness struct {
	// Open returns another, empty place on the platform, and leaves cleaning up to
	// t.Cleanup. One that takes fewer than 30 objects says Quota.
	Open func(t *testing.T) Place

	// Synctest runs each test in a bubble of testing/synctest, where waiting takes
	// no time: for a platform that is reached without a network. Without it the
	// suite never waits by itself, which suits a platform that is at once what it
	// was told to be, such as most emulators.
	Synctest bool
}

// Place is a place on the platform, and how to see it past the driver. Without
// one of the functions that may be nil, what needs it is not tested.
type Place struct {
	// Driver opens another driver of the place, as another process does.
	Driver func() provider.Provider

	// Left returns what is at the place, whosever it is, one name each: the truth,
	// by other means than the driver's. What the platform deletes by itself, so that
	// Probe calls it Pending, may be left out; if it is not, the name that is
	// returned has the object's Name in it.
	Left func() []string

	// Holds, if not nil, reports whether what is referred to is there and holds
	// exactly this value, as a task would read it.
	Holds func(r provider.Reference, plain []byte) bool

	// Plant, if not nil, makes what somebody else would make under the name of this
	// object, which is not the driver's.
	Plant func(o provider.Object)

	// Exposed, if not nil, returns what the platform shows to who may look but may
	// not read values: names, tags, descriptions, a log of requests.
	Exposed func() []byte

	// Unreachable, if not nil, keeps the driver from its platform, or lets it reach
	// it again.
	Unreachable func(bool)

	// Refuse, if not nil, makes the platform forbid the driver to remove anything, or
	// allows it again.
	Refuse func(bool)

	// Wait, if not nil, makes time pass at the place. If nil, it passes by
	// time.Sleep in a bubble, and else for the ledger only.
	Wait func(time.Duration)
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, s := range g.tests {
				t.Run(s.name, func(t *testing.T) {
					test := func(t *testing.T) { s.test(newFixture(t, h)) }
					if h.Synctest {
						synctest.Test(t, test)
					} else {
						test(t)
					}
				})
			}
		})
	}
}

// group is what the contract says of one method, or of one matter.
type group struct {
	name  string
	tests []sentence
}

// sentence is one sentence of the contract, and the test that proves it.
type sentence struct {
	name string
	test func(*fixture)
}

var groups = []group{
	{"Location", locationTests},
	{"Plan", planTests},
	{"Create", createTests},
	{"Probe", probeTests},
	{"Remove", removeTests},
	{"List", listTests},
	{"Withdraw", withdrawTests},
	{"Values", valueTests},
	{"Errors", errorTests},
	{"Concurrency", concurrencyTests},
	{"Protocol", protocolTests},
}
