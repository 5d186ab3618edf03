package providertest_test

import (
	"testing"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/providertest"
)

// All that the author of a driver writes. Here the platform is the one in memory;
// an author starts an emulator, or makes a directory, and looks into it directly.
func ExampleRun() {
	testDriver := func(t *testing.T) { // TestDriver, in a file of its own
		providertest.Run(t, providertest.Harness{Synctest: true, Open: func(*testing.T) providertest.Place {
			platform := providertest.New(providertest.Config{})
			return providertest.Place{
				Driver: func() provider.Provider { return platform.Driver() },
				Left: func() (names []string) {
					for _, o := range platform.Objects() {
						names = append(names, o.Name)
					}
					return names
				},
				Holds: platform.Holds,
			}
		}})
	}
	_ = testDriver // go test calls it
}
