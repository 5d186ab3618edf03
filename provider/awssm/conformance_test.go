package awssm_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/awssm"
	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
	"github.com/pipesecrets/pipesecrets/provider/providertest"
)

const (
	account = "123456789012"
	region  = "eu-west-1"
)

// config is a configuration for the fake.
func config(f *awssmtest.Fake) awssm.Config {
	return awssm.Config{Client: f.Client("AKLAUNCHER"), Account: account, Region: region}
}

func newDriver(t testing.TB, c awssm.Config) *awssm.Driver {
	t.Helper()
	d, err := awssm.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// place is an empty account, as the conformance suite sees it.
func place(t *testing.T, f *awssmtest.Fake, layout awssm.Layout) providertest.Place {
	refused := false
	return providertest.Place{
		Driver: func() provider.Provider {
			c := config(f)
			c.Layout, c.MaxJobDefinition = layout, -1
			return newDriver(t, c)
		},
		Left: func() (names []string) {
			for _, s := range f.Secrets() {
				names = append(names, s.Name)
			}
			return names
		},
		Holds: func(r provider.Reference, plain []byte) bool { return holds(f, r, plain) },
		Plant: func(o provider.Object) {
			f.Plant(awssmtest.Secret{Name: o.Name, Tags: map[string]string{"owner": "somebody"}}, []byte("theirs"))
		},
		Exposed: func() (shown []byte) {
			for _, s := range f.Secrets() {
				shown = fmt.Appendf(shown, "%+v\n", s)
			}
			for _, c := range f.Calls() {
				shown = fmt.Appendf(shown, "%+v\n", c)
			}
			return shown
		},
		Unreachable: f.Down,
		Refuse: func(on bool) {
			refused = on
			f.Refuse(func(string) bool { return refused })
		},
	}
}

// holds reports whether a task that is handed the reference reads this value.
func holds(f *awssmtest.Fake, r provider.Reference, plain []byte) bool {
	for _, s := range f.Secrets() {
		switch {
		case !s.DeletedDate.IsZero() || s.BeingDeleted:
		case r.Locator == s.ARN:
			return s.Holds(plain)
		case r.Locator == s.ARN+":"+r.Name.String()+"::":
			return s.HoldsEntry(r.Name.String(), plain)
		}
	}
	return false
}

func layouts(t *testing.T, test func(*testing.T, awssm.Layout)) {
	t.Run("PerSecret", func(t *testing.T) { test(t, awssm.PerSecret) })
	t.Run("JSONMap", func(t *testing.T) { test(t, awssm.JSONMap) })
}

func TestConformance(t *testing.T) {
	layouts(t, func(t *testing.T, layout awssm.Layout) {
		providertest.Run(t, providertest.Harness{
			Synctest: true,
			Open:     func(t *testing.T) providertest.Place { return place(t, awssmtest.New(awssmtest.Config{}), layout) },
		})
	})
}

// choose uses each freedom now and then, and less often those that fail a call: what
// fails six times in a row is tried once an hour only.
func choose(f awssmtest.Freedom, n int) int {
	switch f {
	case awssmtest.Throttle, awssmtest.InternalError, awssmtest.LostReply:
		if rand.N(8) != 0 {
			return 0
		}
	}
	return rand.N(n)
}

func TestConformanceWhereAWSUsesItsFreedoms(t *testing.T) {
	layouts(t, func(t *testing.T, layout awssm.Layout) {
		providertest.Run(t, providertest.Harness{
			Synctest: true,
			Open: func(t *testing.T) providertest.Place {
				return place(t, awssmtest.New(awssmtest.Config{
					Choose: choose, Quota: awssmtest.DefaultQuota(),
				}), layout)
			},
		})
	})
}
