//go:build unix

package hpc_test

import (
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/provider/providertest"
)

func TestTheDriverKeepsTheContract(t *testing.T) {
	configs := map[string]hpc.Config{"all": {}, "files only": {NoEnv: true, NoStore: true}}
	if os.Geteuid() == 0 {
		configs["handed to another user"] = hpc.Config{JobUID: jobUser}
	}
	for name, c := range configs {
		t.Run(name, func(t *testing.T) {
			providertest.Run(t, providertest.Harness{Synctest: true, Open: func(t *testing.T) providertest.Place { return place(t, c) }})
		})
	}
}

// place is a staging root of its own.
func place(t *testing.T, c hpc.Config) providertest.Place {
	c.Root = filepath.Join(t.TempDir(), "root")
	check := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	check(os.Mkdir(c.Root, 0o700))
	if c.JobUID != 0 {
		check(os.Chmod(c.Root, 0o711))
	}
	var refuse func(bool)
	if os.Geteuid() != 0 { // nothing is forbidden to root
		refuse = func(all bool) {
			mode := fs.FileMode(0o700)
			if all {
				mode = 0o500
			}
			check(os.Chmod(c.Root, mode))
		}
	}
	return providertest.Place{
		Refuse: refuse,
		Driver: func() provider.Provider { d, _ := newDriver(t, c); return d },
		Left:   func() []string { return entries(t, c.Root) },
		Holds: func(r provider.Reference, plain []byte) bool {
			got, err := os.ReadFile(r.Locator)
			return err == nil && string(got) == string(plain)
		},
		Exposed: func() []byte {
			var shown []byte
			check(filepath.WalkDir(c.Root, func(path string, _ fs.DirEntry, err error) error {
				shown = append(shown, path+"\n"...)
				return err
			}))
			return shown
		},
		Plant: func(o provider.Object) {
			check(os.WriteFile(filepath.Join(c.Root, "psec-"+hex.EncodeToString(o.Mark[:])+"-"+o.Name), nil, 0o600))
		},
		Unreachable: func(down bool) {
			if down {
				check(os.Rename(c.Root, c.Root+".away"))
			} else {
				check(os.Rename(c.Root+".away", c.Root))
			}
		},
	}
}
