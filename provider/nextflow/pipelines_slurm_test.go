//go:build unix

package nextflow_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/internal/leak"
	"github.com/pipesecrets/pipesecrets/internal/slurm"
)

// observed is a cluster whose jobs copy what Slurm has of them while they run, most of
// which it drops when they end.
type observed struct {
	*slurm.Cluster
	seen string // a directory for each job
}

// settings is configuration text by which a run's tasks are jobs of the cluster.
func (o *observed) settings() string {
	return fmt.Sprintf(`
process.executor = 'slurm'
process.afterScript = 'mkdir %[1]s/$SLURM_JOB_ID; cp -r %[2]s %[3]s %[1]s/$SLURM_JOB_ID 2>/dev/null' // files of others come and go
executor { queueStatInterval = '1 sec'; pollInterval = '100 ms' }
`, o.seen, o.StateDir, o.SpoolDir)
}

// records are what the jobs have seen and what the cluster has now, logs included: the
// names of the files that have a content.
func (o *observed) records(t *testing.T) map[string][]string {
	t.Helper()
	records := map[string][]string{}
	for _, dir := range []string{o.seen, o.Dir} {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return err
			}
			if strings.HasPrefix(e.Name(), ".nf-") {
				t.Errorf("%s is a copy of the store", path)
			}
			content, err := os.ReadFile(path)
			records[string(content)] = append(records[string(content)], path)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return records
}

// holding returns the names of the files in which any of the values stands.
func holding(records map[string][]string, values ...string) []string {
	var plain [][]byte
	for _, v := range values {
		plain = append(plain, []byte(v))
	}
	// All at once first: a search for many values costs more than what it searches.
	all := []byte(strings.Join(slices.Collect(maps.Keys(records)), "\n"))
	if _, found := leak.FindAny(all, plain, piece); !found {
		return nil
	}
	var files []string
	for content, names := range records {
		if _, found := leak.FindAny([]byte(content), plain, piece); found {
			files = append(files, names...)
		}
	}
	return files
}

func TestTasksThatAreJobsOfSlurmGetTheirSecretsAndSlurmHasNothingOfThem(t *testing.T) {
	needsNextflow(t)
	c := &observed{slurm.Start(t), t.TempDir()}
	ofTheSubmitter := rand.Text()
	stock, routed := newInUse(t, c.settings()), newByRoute(t, c.settings())
	t.Run("the runs", func(t *testing.T) {
		for name, r := range map[string]struct {
			*run
			arrive func(*testing.T)
		}{"by the store": {stock.run, stock.arrive}, "by the route": {routed.run, routed.arrive}} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				c.Use(r.Cmd)
				r.Env = append(r.Env, "OF_THE_SUBMITTER="+ofTheSubmitter)
				r.arrive(t)
			})
		}
	})

	// Each task was a job, and saw what Slurm runs and records of it.
	jobs, tasks := glob(t, c.seen, "*"), append(glob(t, stock.dir, "work/*/*/.command.run"), glob(t, routed.dir, "work/*/*/.command.run")...)
	if len(jobs) != len(tasks) || len(jobs) < 18 {
		t.Errorf("%d tasks were %d jobs", len(tasks), len(jobs))
	}
	for _, job := range jobs {
		id := filepath.Base(job)
		for _, file := range []string{"spool/job" + strings.Repeat("0", 5-len(id)) + id + "/slurm_script", "state/*/job." + id + "/script"} {
			if found := glob(t, job, file); len(found) != 1 || !slices.ContainsFunc(tasks, same(t, found[0])) {
				t.Errorf("job %s saw of its script %q", id, found)
			}
		}
		environment := glob(t, job, "state/*/job."+id+"/environment")
		if len(environment) != 1 || !bytes.Contains(read(t, environment[0]), []byte(ofTheSubmitter)) {
			t.Errorf("job %s saw of its environment %q", id, environment)
		}
	}

	records := c.records(t)
	if found := holding(records, append(stock.canaries, routed.canaries...)...); found != nil {
		t.Errorf("values stand in %q", found)
	}
	// What the pipeline shows in the script of a task stays where that is. What it shows
	// in the environment of all is written into what is submitted: the search finds that.
	if found := holding(records, stock.shown["SENTIEON_READ_BASE64"]); found != nil {
		t.Errorf("a value that a task's script shows stands in %q", found)
	}
	found := holding(records, stock.shown["SENTIEON_AUTH_DATA"])
	if len(found) < 2*13 {
		t.Errorf("a value that all tasks' environments show is found %d times", len(found))
	}
	if found = slices.DeleteFunc(found, func(path string) bool {
		return slices.Contains([]string{"script", "slurm_script"}, filepath.Base(path))
	}); len(found) > 0 {
		t.Errorf("a value that all tasks' environments show stands in %q", found)
	}
}

// same reports whether another file is the same but for a NUL at its end, which Slurm
// keeps with a script.
func same(t *testing.T, path string) func(string) bool {
	content := bytes.TrimSuffix(read(t, path), []byte{0})
	return func(other string) bool { return bytes.Equal(content, read(t, other)) }
}
