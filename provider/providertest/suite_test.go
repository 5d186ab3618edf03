package providertest_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/providertest"
)

// harness is the platform in memory under test, each of its drivers changed if
// change is not nil.
func harness(c providertest.Config, change func(*providertest.Platform, provider.Provider) provider.Provider) providertest.Harness {
	return providertest.Harness{Synctest: true, Open: func(*testing.T) providertest.Place {
		p := providertest.New(c)
		return providertest.Place{
			Driver: func() provider.Provider {
				if change == nil {
					return p.Driver()
				}
				return change(p, p.Driver())
			},
			Left: func() (names []string) {
				for _, o := range p.Objects() {
					names = append(names, fmt.Sprintf("%s %x", o.Name, o.Mark[:2]))
				}
				return names
			},
			Holds:       p.Holds,
			Exposed:     func() []byte { return fmt.Appendf(nil, "%+v", p.Objects()) },
			Plant:       func(o provider.Object) { p.Plant(providertest.Object{Object: provider.Object{Name: o.Name}}) },
			Unreachable: p.Unreachable,
			Refuse:      func(all bool) { p.Refuse(func(string) bool { return all }) },
		}
	}}
}

func TestThePlatformInMemoryKeepsTheContract(t *testing.T) {
	for _, joint := range []bool{false, true} {
		for _, horizon := range []time.Duration{0, 10 * time.Minute} {
			t.Run(fmt.Sprintf("Joint %t, horizon %v", joint, horizon), func(t *testing.T) {
				providertest.Run(t, harness(providertest.Config{Joint: joint, Horizon: horizon, Concurrency: 4}, nil))
			})
		}
	}
}

func TestThePlatformInMemoryKeepsTheContractWhateverItIsFreeToDo(t *testing.T) {
	seeds := uint64(12)
	if testing.Short() {
		seeds = 4
	}
	used := map[providertest.Freedom]int{} // guarded by the platform that asks; one test runs at a time
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0)) // the same choices with every seed
			choose := func(f providertest.Freedom, n int) int {
				choice := random.IntN(n)
				if choice == n-1 {
					used[f]++
				}
				return choice
			}
			providertest.Run(t, harness(providertest.Config{Joint: seed%2 == 1, Horizon: 10 * time.Minute, Choose: choose}, nil))
		})
	}
	for _, f := range []providertest.Freedom{
		providertest.LandLate, providertest.Twice, providertest.StaleProbe, providertest.StaleList,
		providertest.StaleRemove, providertest.RemoveLater, providertest.StillShown,
	} {
		if used[f] == 0 {
			t.Errorf("%q was never used", f)
		}
	}
	t.Logf("seeds=%d used=%v", seeds, used)
}

func TestTheSuiteNeedsNoBubble(t *testing.T) {
	h := harness(providertest.Config{Joint: true, Concurrency: 4}, nil)
	h.Synctest = false
	providertest.Run(t, h)
}
