//go:build unix

package sim

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// cluster is a staging root of provider/hpc on a filesystem, beside a cloud that is
// late in every way.
type cluster struct {
	w       *world
	root    string
	known   map[string]provider.Object // what was planned or planted, by its name
	calls   uint64                     // each may have changed something
	refused func(name string) bool
}

func clusters(dir string) func(*world) map[string]platform {
	return func(w *world) map[string]platform {
		all := models(w)
		root := filepath.Join(dir, fmt.Sprint("seed-", w.seed))
		if err := os.Mkdir(root, 0o700); err != nil {
			panic(err)
		}
		c := &cluster{w: w, root: root, known: map[string]provider.Object{}}
		_ = c.driver(nil) // which marks the root
		all["cluster"] = c
		return all
	}
}

func (c *cluster) driver(*process) provider.Provider {
	d, err := hpc.New(hpc.Config{Root: c.root})
	if err != nil {
		panic(err) // the root is always a good one
	}
	return onCluster{d, c}
}

// onCluster is the driver, whose calls are counted. Nothing is late here: what a call
// does it does while no other process runs, but for what comes before its Opener.
type onCluster struct {
	*hpc.Driver
	c *cluster
}

func (d onCluster) changed() { d.c.calls++ }

func (d onCluster) opener(open provider.Opener) provider.Opener {
	return func(ctx context.Context) (map[secrets.Name]secrets.Value, error) {
		d.changed()
		return open(ctx)
	}
}

func (d onCluster) Create(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
	defer d.changed()
	d.c.known[o.Name] = o
	return d.Driver.Create(ctx, o, d.opener(open))
}

func (d onCluster) Withdraw(ctx context.Context, o provider.Object, id string, open provider.Opener) error {
	defer d.changed()
	return d.Driver.Withdraw(ctx, o, id, d.opener(open))
}

func (d onCluster) Remove(ctx context.Context, o provider.Object, id string) error {
	defer d.changed()
	if _, err := os.Lstat(d.c.path(o)); err == nil && d.c.refused != nil && d.c.refused(o.Name) {
		return &provider.Error{Op: "remove", Code: provider.Forbidden}
	}
	return d.Driver.Remove(ctx, o, id)
}

func (c *cluster) cuts() bool                     { return true }
func (c *cluster) named(run, rest string) string  { return run + "-" + rest }
func (c *cluster) changes() uint64                { return c.calls }
func (c *cluster) refuse(these func(string) bool) { c.refused = these }
func (c *cluster) count(*totals)                  {}

// path is where an object is, as the driver's package doc has it.
func (c *cluster) path(o provider.Object) string {
	return filepath.Join(c.root, "psec-"+hex.EncodeToString(o.Mark[:])+"-"+o.Name)
}

func (c *cluster) plant(o provider.Object) {
	c.calls++
	c.known[o.Name] = o
	if err := os.Mkdir(c.path(o), 0o700); err != nil {
		panic(err)
	}
}

func (c *cluster) plantOld(o provider.Object) time.Time {
	c.plant(o)
	return time.Now()
}

func (c *cluster) objects() (all []object) {
	dirs, err := filepath.Glob(filepath.Join(c.root, "psec-*"))
	if err != nil {
		panic(err)
	}
	for _, dir := range dirs {
		mark, name, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), "psec-"), "-")
		var o object
		o.Name, o.Stage, o.Run = name, c.known[name].Stage, c.known[name].Run
		if b, err := hex.DecodeString(mark); err == nil {
			copy(o.Mark[:], b)
		}
		files := contents(dir)
		o.shown = fmt.Sprint(dir, slices.Sorted(maps.Keys(files)))
		o.holds = func(name secrets.Name, plain []byte) bool {
			for path, text := range files {
				if path == "files/"+name.String() && bytes.Equal(text, plain) ||
					bytes.Contains(text, slices.Concat([]byte("export "+name.String()+"='"), plain, []byte("'\n"))) ||
					bytes.Contains(text, slices.Concat([]byte(`"`), plain, []byte(`"`))) {
					return true
				}
			}
			return false
		}
		o.Items = c.w.held(o)
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b object) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// contents are the files below a directory, by their paths.
func contents(dir string) map[string][]byte {
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, dir+"/")] = text
		return err
	})
	if err != nil {
		panic(err)
	}
	return files
}

func TestSimulationOnAFilesystem(t *testing.T) {
	n := min(wanted(), max(wanted()/100, 200))
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	sum := histories(t, n, clusters(dir))
	if n >= 200 && (sum.calls < 100*sum.seeds || min(sum.crashes, sum.takeovers, sum.stuck, sum.lost) == 0) {
		t.Error("something that is rare has not happened")
	}
}
