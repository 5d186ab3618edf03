package sim

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pipesecrets/pipesecrets/secrets/sqlstore/sqlite"
	"github.com/pipesecrets/pipesecrets/secrets/storetest"
)

var hashing = flag.Bool("hashes", false, "print the hash of each history, and nothing else")

// hashes are those of the histories of n seeds.
func hashes(t *testing.T, n uint64, place func(*world) map[string]platform) (all string) {
	t.Helper()
	for from := *first; from < *first+n; from += 100 {
		t.Run(fmt.Sprint("from ", from), func(t *testing.T) {
			for seed := from; seed < min(from+100, *first+n); seed++ {
				all += fmt.Sprintf("%d %016x\n", seed, history(t, seed, memory, place).hash)
			}
		})
	}
	return all
}

func TestASeedIsOneHistoryInEveryRunOnAnyNumberOfProcessors(t *testing.T) {
	replay(t, wanted()/20, models)
}

func TestASeedIsOneHistoryOnAWSToo(t *testing.T) {
	replay(t, min(wanted(), max(wanted()/400, 50)), awsAccounts)
}

// replay plays n seeds again: in this process, and in others.
func replay(t *testing.T, n uint64, place func(*world) map[string]platform) {
	if *hashing {
		_, _ = os.Stdout.WriteString(hashes(t, *seeds, place))
		return
	}
	want := hashes(t, n, place)
	if again := hashes(t, n, place); again != want {
		t.Error("another run in the same process differs")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, processors := range []string{"1", "2"} {
		cmd := exec.Command(self, "-test.run", "^"+t.Name()+"$", "-hashes", "-seed", fmt.Sprint(*first), "-seeds", fmt.Sprint(n))
		cmd.Env = append(os.Environ(), "GOMAXPROCS="+processors)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("with %s processors: %v: %s", processors, err, out)
		}
		if got := string(out[:min(len(out), len(want))]); got != want { // what follows is the test's own result
			t.Errorf("with %s processors the histories differ", processors)
		}
	}
}

func TestHistoriesOnSQLite(t *testing.T) {
	n := wanted() / 100
	for seed := *first; seed < *first+n && !t.Failed(); seed++ {
		path := filepath.Join(t.TempDir(), "p.db")
		history(t, seed, func(t *testing.T) storetest.Backend {
			store, err := sqlite.Open(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := store.Close(); err != nil {
					t.Error(err)
				}
			})
			return store
		}, models)
	}
}
