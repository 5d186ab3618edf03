// Package slurm starts a Slurm cluster of one node for a test: the scheduler
// itself, which shows what becomes of a job, its environment and its files.
package slurm

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/internal/component"
)

// patience is how long a daemon may take to start or to stop and a job to get where
// it is awaited, on a machine that is busy with other things.
const patience = 2 * time.Minute

// A Cluster is one that [Start] started, as one user sees it.
type Cluster struct {
	Dir      string // all of the cluster: logs, state, spool and jobs
	StateDir string // what the controller knows of jobs, their scripts and environments included
	SpoolDir string // what the node keeps of the jobs that run on it
	JobsDir  string // where jobs start, which anyone may write to: slurm-ID.out comes to be here

	conf string
	user *syscall.Credential
}

// Start starts a cluster, whose node is idle when it returns, for root to use. At
// the end of the test what still runs on it is cancelled and it is stopped. Only
// root can start one, since jobs run as who submits them; for anybody else, and
// where a program is missing, the test ends by [component.Missing].
func Start(t testing.TB) *Cluster {
	t.Helper()
	if os.Geteuid() != 0 {
		component.Missing(t, "slurm", "only root can start a cluster on which several users run jobs")
	}
	for _, client := range []string{"sbatch", "scancel", "scontrol", "sinfo", "squeue"} {
		component.Command(t, "slurm", client)
	}
	munged := component.Command(t, "slurm", "munged")
	slurmctld := component.Command(t, "slurm", "slurmctld")
	slurmd := component.Command(t, "slurm", "slurmd")

	c := layOut(t)
	munge := filepath.Join(c.Dir, "munge")
	daemon(t, c, "munged", exec.Command(munged, "--foreground",
		"--key-file", filepath.Join(munge, "key"),
		"--log-file", filepath.Join(munge, "log"),
		"--pid-file", filepath.Join(munge, "pid"),
		"--seed-file", filepath.Join(munge, "seed"),
		"--socket", c.socket(),
	), func() bool {
		connection, err := net.Dial("unix", c.socket())
		if err != nil {
			return false
		}
		connection.Close()
		return true
	})
	daemon(t, c, "slurmctld", exec.Command(slurmctld, "-D", "-i", "-f", c.conf), func() bool {
		return c.Command(t, "scontrol", "ping").Run() == nil
	})
	daemon(t, c, "slurmd", exec.Command(slurmd, "-D", "-N", "localhost", "-f", c.conf), func() bool {
		state, err := c.Command(t, "sinfo", "-h", "-o", "%t").Output()
		return err == nil && strings.TrimSpace(string(state)) == "idle"
	})
	t.Cleanup(func() { c.drain(t) })
	return c
}

// layOut makes the directory of a cluster, its configuration and its key. The
// directory is in /tmp, whatever TMPDIR says: a socket's path can't be long, and every
// user must come to what is in it for everybody. All else is root's alone.
func layOut(t testing.TB) *Cluster {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "slurm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	c := &Cluster{
		Dir:      dir,
		StateDir: filepath.Join(dir, "state"),
		SpoolDir: filepath.Join(dir, "spool"),
		JobsDir:  filepath.Join(dir, "jobs"),
		conf:     filepath.Join(dir, "slurm.conf"),
	}
	for _, d := range []struct {
		path string
		mode os.FileMode
	}{
		{c.Dir, 0o755},
		{c.StateDir, 0o700},
		{c.SpoolDir, 0o755}, // a job reads its script here
		{c.JobsDir, 0o777 | os.ModeSticky},
		{filepath.Join(dir, "munge"), 0o700},
	} {
		if err := os.MkdirAll(d.path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(d.path, d.mode); err != nil { // whatever the umask is
			t.Fatal(err)
		}
	}
	key := make([]byte, 1024)
	rand.Read(key)
	if err := os.WriteFile(filepath.Join(dir, "munge", "key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.conf, []byte(c.configuration(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(c.conf, 0o644); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *Cluster) socket() string { return filepath.Join(c.Dir, "munge.socket") }

// configuration is slurm.conf. Nothing in it needs control groups, accounting or a
// host name, so that it holds in a container too; the node is what it says, however
// small the machine is, has room for 32 jobs at a time, and stays up, however long
// the machine stands still.
func (c *Cluster) configuration(t testing.TB) string {
	t.Helper()
	ports := freePorts(t, 2)
	return fmt.Sprintf(`ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=%[2]d
SlurmdPort=%[3]d
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=%[1]s/munge.socket
StateSaveLocation=%[1]s/state
SlurmdSpoolDir=%[1]s/spool
SlurmctldPidFile=%[1]s/slurmctld.pid
SlurmdPidFile=%[1]s/slurmd.pid
SlurmctldSyslogDebug=quiet
SlurmdSyslogDebug=quiet
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1
SlurmdParameters=config_overrides
SlurmdTimeout=0
ReturnToService=2
MailProg=/bin/true
NodeName=localhost NodeAddr=127.0.0.1 CPUs=32 RealMemory=2000
PartitionName=test Nodes=localhost Default=YES MaxTime=INFINITE State=UP
`, c.Dir, ports[0], ports[1])
}

// freePorts are ports that nobody listens at, below those that systems give to who
// asks for any: so that nobody is given one before the cluster listens there.
func freePorts(t testing.TB, n int) []int {
	t.Helper()
	const lowest, above = 12_000, 32_000
	var ports []int
	for tries := 0; len(ports) < n; tries++ {
		port := lowest + mathrand.IntN(above-lowest)
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
		switch {
		case err == nil:
			defer l.Close() // once all are found, so that they differ
			ports = append(ports, port)
		case tries > 1000:
			t.Fatal(err)
		}
	}
	return ports
}

// daemon starts a daemon and waits until it is ready. It is stopped at the end of
// the test, before those that were started earlier.
func daemon(t testing.TB, c *Cluster, name string, cmd *exec.Cmd, ready func() bool) {
	t.Helper()
	log, err := os.Create(c.logFile(name))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Dir, cmd.Env = c.Dir, c.Env()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait() // how it ends matters only before it is ready, and then its log tells
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(patience):
			t.Errorf("%s did not stop within %v", name, patience)
			cmd.Process.Kill()
			<-ended
		}
	})
	if !poll(func() bool {
		select {
		case <-ended:
			t.Fatalf("%s ended before it was ready:\n%s", name, c.log(name))
		default:
		}
		return ready()
	}) {
		t.Fatalf("%s was not ready within %v:\n%s", name, patience, c.log(name))
	}
}

func (c *Cluster) logFile(daemon string) string { return filepath.Join(c.Dir, daemon+".log") }

// log is what a daemon has told, for the message of a failure.
func (c *Cluster) log(daemon string) string {
	text, err := os.ReadFile(c.logFile(daemon))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// poll asks until the answer is yes, or patience is at its end.
func poll(done func() bool) bool {
	deadline := time.Now().Add(patience)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for !done() {
		if time.Now().After(deadline) {
			return false
		}
		<-again.C
	}
	return true
}

// drain cancels all jobs and waits until they are gone: they are not the node
// daemon's to end, and would go on without it.
func (c *Cluster) drain(t testing.TB) {
	var left []string
	if !poll(func() bool {
		output, err := c.Command(t, "squeue", "-h", "-o", "%A").CombinedOutput()
		left = strings.Fields(string(output))
		if err == nil && len(left) > 0 {
			c.Command(t, "scancel", left...).Run() // squeue says whether it did
		}
		return err == nil && len(left) == 0
	}) {
		t.Errorf("slurm: still in the queue after %v: %q", patience, left)
	}
}

// As is the cluster as another user sees it, who must be one that the machine knows
// by name: for nobody else Slurm starts a job.
func (c *Cluster) As(uid, gid uint32) *Cluster {
	as := *c
	as.user = &syscall.Credential{Uid: uid, Gid: gid}
	return &as
}

// Env is the environment of a program that uses the cluster: that of the test, but
// for what else tells Slurm's programs what to do.
func (c *Cluster) Env() []string { return c.env(os.Environ()) }

func (c *Cluster) env(of []string) []string {
	env := slices.DeleteFunc(slices.Clone(of), func(variable string) bool {
		for _, prefix := range []string{"SBATCH_", "SCANCEL_", "SCONTROL_", "SINFO_", "SLURM_", "SQUEUE_"} {
			if strings.HasPrefix(variable, prefix) {
				return true
			}
		}
		return false
	})
	return append(env, "SLURM_CONF="+c.conf)
}

// Command is a program that uses the cluster as its user does, in JobsDir.
func (c *Cluster) Command(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(component.Command(t, "slurm", name), args...)
	cmd.Dir = c.JobsDir
	c.Use(cmd)
	return cmd
}

// Use has a program that submits jobs by itself, and is not started yet, use the
// cluster as its user does, with the environment that it has.
func (c *Cluster) Use(cmd *exec.Cmd) {
	cmd.Env = c.env(cmd.Environ())
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.user}
}

// Submit submits the text of a batch script, with further options of sbatch, and
// returns the job's id.
func (c *Cluster) Submit(t testing.TB, script string, options ...string) (id string) {
	t.Helper()
	cmd := c.Command(t, "sbatch", append([]string{"--parsable"}, options...)...)
	cmd.Stdin = strings.NewReader(script)
	var told strings.Builder
	cmd.Stderr = &told
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("sbatch: %v: %s", err, told.String())
	}
	return strings.TrimSpace(string(output))
}

// State is what Slurm calls the state of a job: PENDING, RUNNING, COMPLETED, FAILED,
// CANCELLED and the like.
func (c *Cluster) State(t testing.TB, id string) string {
	t.Helper()
	output, err := c.Command(t, "scontrol", "--oneliner", "show", "job", id).CombinedOutput()
	if err != nil {
		t.Fatalf("scontrol show job %s: %v: %s", id, err, output)
	}
	for field := range strings.FieldsSeq(string(output)) {
		if state, found := strings.CutPrefix(field, "JobState="); found {
			return state
		}
	}
	t.Fatalf("scontrol shows no state of job %s:\n%s", id, output)
	return ""
}

// passing are the states in which a job does not stay. In all others it has ended.
var passing = []string{"CONFIGURING", "COMPLETING", "PENDING", "REQUEUED", "RESIZING", "RUNNING", "SIGNALING", "STAGE_OUT", "STOPPED", "SUSPENDED"}

// Wait waits until a job has ended and returns its state.
func (c *Cluster) Wait(t testing.TB, id string) (state string) {
	t.Helper()
	if !poll(func() bool {
		state = c.State(t, id)
		return !slices.Contains(passing, state)
	}) {
		t.Fatalf("job %s has not ended within %v: %s\n%s", id, patience, state, c.log("slurmctld"))
	}
	return state
}

// Cancel cancels a job. It has not ended yet when Cancel returns: one that SIGTERM
// does not end is killed 30 s later.
func (c *Cluster) Cancel(t testing.TB, id string) {
	t.Helper()
	if output, err := c.Command(t, "scancel", id).CombinedOutput(); err != nil {
		t.Fatalf("scancel %s: %v: %s", id, err, output)
	}
}

// Holding returns the files under a directory of the cluster that hold a text. Files
// may come and go meanwhile.
func Holding(t testing.TB, dir string, text []byte) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			var content []byte
			if content, err = os.ReadFile(path); bytes.Contains(content, text) {
				files = append(files, path)
			}
		}
		if errors.Is(err, fs.ErrNotExist) && path != dir {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
