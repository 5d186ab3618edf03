//go:build unix

package hpc_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/pipesecrets/pipesecrets/internal/component"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// inEveryShell runs a test under each of the shells that jobs run under.
func inEveryShell(t *testing.T, test func(*testing.T, []string)) {
	for shell, argv := range shells {
		t.Run(shell, func(t *testing.T) {
			component.Command(t, "shells", argv[0])
			test(t, argv)
		})
	}
}

// prologue stages the values and returns the text for their job, and the directory
// that holds them.
func prologue(t *testing.T, c hpc.Config, plain map[string][]byte) (text, staged string) {
	t.Helper()
	d, root := newDriver(t, c)
	o, open := stagedIn(t, d, plain)
	text, err := d.Prologue(d.References(o, open))
	if err != nil {
		t.Fatal(err)
	}
	return text, only(t, root)
}

// stagedIn stages values and returns what they became.
func stagedIn(t *testing.T, d *hpc.Driver, plain map[string][]byte) (provider.Object, string) {
	t.Helper()
	o, open := staged(t, plain)
	id, err := d.Create(t.Context(), o, open)
	if err != nil {
		t.Fatal(err)
	}
	return o, id
}

// A job is a shell with a script of its own, in a process group of its own.
type job struct {
	cmd    *exec.Cmd
	input  io.Closer // at whose end a job goes on that reads
	output *bufio.Reader
	errors bytes.Buffer
	copied string // the copy of the run's directory
}

// jobPatience is how long a job may take on a machine that is busy with other things.
const jobPatience = "60"

// start starts a job that tells where its copy is and then does the rest.
func start(t *testing.T, argv []string, before, text, rest string) *job {
	t.Helper()
	j := launch(t, argv, before+text+"echo \"${PIPESECRETS_DIR%/files}\"\n"+rest)
	told, err := j.output.ReadString('\n')
	if err != nil {
		t.Fatalf("the job told nothing: %s", j.complaints())
	}
	j.copied = strings.TrimSuffix(told, "\n")
	t.Cleanup(func() {
		if err := os.RemoveAll(j.copied); err != nil {
			t.Error(err)
		}
	})
	return j
}

func launch(t *testing.T, argv []string, script string) *job {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "script")
	if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	j := &job{cmd: exec.CommandContext(t.Context(), argv[0], append(argv[1:], path)...)}
	j.cmd.Dir, j.cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir}
	j.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	j.cmd.Stderr = &j.errors
	input, err := j.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := j.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	j.input, j.output = input, bufio.NewReader(output)
	if err := j.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return j
}

// end lets the job go on and returns what it still told and how it ended.
func (j *job) end(t *testing.T) ([]byte, syscall.WaitStatus) {
	t.Helper()
	j.input.Close() // the job may have ended
	told, err := io.ReadAll(j.output)
	if err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := j.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return told, j.cmd.ProcessState.Sys().(syscall.WaitStatus)
}

// complaints are what the job said on standard error, once it has ended.
func (j *job) complaints() string {
	j.input.Close() // the job may have ended
	_ = j.cmd.Wait()
	return j.errors.String()
}

func gone(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the copy is still there (%v)", err)
	}
}

func TestAJobHasEveryValueByteForByteInItsNodesMemory(t *testing.T) {
	plain := map[string][]byte{}
	values := hostile()
	print := "echo \"$PIPESECRETS_ENV\"\n"
	for i, v := range values {
		plain[fmt.Sprintf("V%d", i)] = v
		print += fmt.Sprintf("printf '%%s\\0' \"$V%d\"\n", i)
	}
	// The path is as hostile as the values.
	root := filepath.Join(t.TempDir(), "it's $(touch sentinel) `touch sentinel` \"@LOAD@\" \\")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	text, original := prologue(t, hpc.Config{Root: root, NoStore: true}, plain)
	inEveryShell(t, func(t *testing.T, argv []string) {
		j := start(t, argv, "set -eu\numask 0\n", text, "umask\nread -r _ || :\n"+print)
		if memory() != "" && filepath.Dir(j.copied) != memory() {
			t.Error("the copy is not in memory")
		}
		if got, err := j.output.ReadString('\n'); err != nil || strings.Trim(got, "0\n") != "" {
			t.Errorf("the job's umask became %q (%v)", got, err)
		}
		count := 0
		err := filepath.WalkDir(j.copied, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := e.Info()
			count++
			switch {
			case err != nil:
			case e.IsDir():
				if info.Mode().Perm() != 0o700 {
					t.Errorf("%s has mode %04o", e.Name(), info.Mode().Perm())
				}
			case info.Mode().Perm() != 0o600:
				t.Errorf("%s has mode %04o", e.Name(), info.Mode().Perm())
			case e.Name() != "env.sh":
				if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, plain[e.Name()]) {
					t.Errorf("the file of %s is not what was staged (%v)", e.Name(), err)
				}
			}
			return err
		})
		if err != nil || count != len(plain)+3 {
			t.Errorf("%d files and directories, want %d (%v)", count, len(plain)+3, err)
		}
		told, status := j.end(t)
		if status != 0 || j.errors.Len() > 0 {
			t.Errorf("the job ended with %#x and %d bytes of complaints", status, j.errors.Len())
		}
		path, told, _ := bytes.Cut(told, []byte("\n"))
		if string(path) != j.copied+"/env.sh" {
			t.Errorf("PIPESECRETS_ENV is %q", path)
		}
		got := bytes.Split(bytes.TrimSuffix(told, []byte{0}), []byte{0})
		if !slices.EqualFunc(got, values, bytes.Equal) {
			t.Error("the variables are not what was staged")
		}
		if made, err := os.ReadDir(j.cmd.Dir); err != nil || len(made) != 1 {
			t.Errorf("something was executed: there is a file beside the script (%v)", err)
		}
		gone(t, j.copied)
		if _, err := os.Stat(original + "/env.sh"); err != nil {
			t.Errorf("what was staged is another's to remove: %v", err)
		}
	})
}

func TestTheCopyGoesHoweverAJobEnds(t *testing.T) {
	text, _ := prologue(t, hpc.Config{}, map[string][]byte{"TOKEN": canary()})
	for name, c := range map[string]struct {
		rest   string
		status []int // of dash, of others
	}{
		"at its end":                   {"cat >/dev/null\n", []int{0}},
		"by exit 3":                    {"exit 3\n", []int{3}},
		"by a failure":                 {"false\necho on\n", []int{1}},
		"by an unset variable":         {"echo $NO_SUCH\n", []int{1, 2, 127}},
		"in a function":                {"f() { exit 4; }\nf\n", []int{4}},
		"after a subshell":             {"(exit 0)\n(:) & wait\n[ -r \"$PIPESECRETS_ENV\" ] && exit 5\n", []int{5}},
		"after a removal of its own":   {"pipesecrets_remove\n[ ! -e \"$PIPESECRETS_ENV\" ] && exit 6\n", []int{6}},
		"with a trap of its own":       {"trap 'pipesecrets_remove; exit 7' EXIT\nexit 3\n", []int{7}},
		"elsewhere":                    {"cd /\nexit 8\n", []int{8}},
		"without path name expansion":  {"set -f\nexit 9\n", []int{9}},
		"with a variable of that name": {"pipesecrets=x\nexit 10\n", []int{10}},
	} {
		t.Run(name, func(t *testing.T) {
			inEveryShell(t, func(t *testing.T, argv []string) {
				j := start(t, argv, "set -eu\n", text, c.rest)
				told, status := j.end(t)
				if !slices.Contains(c.status, status.ExitStatus()) || len(told) > 0 {
					t.Errorf("it ended with %#x, and told %q", status, told)
				}
				gone(t, j.copied)
			})
		})
	}
}

func TestASignalTakesTheCopyAndEndsTheJobAsItWouldHave(t *testing.T) {
	text, _ := prologue(t, hpc.Config{}, map[string][]byte{"TOKEN": canary()})
	inEveryShell(t, func(t *testing.T, argv []string) {
		for _, sig := range []syscall.Signal{
			syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGXCPU,
			syscall.SIGPIPE, syscall.SIGALRM, syscall.SIGXFSZ,
		} {
			if signal.Ignored(sig) { // so it is to every child
				continue
			}
			j := start(t, argv, "set -eu\n", text, "sh -c 'echo; exec sleep "+jobPatience+"'\necho on\n")
			if _, err := j.output.ReadString('\n'); err != nil { // the command runs, and gets the signal too
				t.Fatal(err)
			}
			if err := syscall.Kill(-j.cmd.Process.Pid, sig); err != nil {
				t.Fatal(err)
			}
			told, status := j.end(t)
			if !status.Signaled() || status.Signal() != sig || len(told) > 0 {
				t.Errorf("%v: it ended with %#x, and told %q", sig, status, told)
			}
			gone(t, j.copied)
		}
	})
}

// What the doc says of a job whose shell has no say any more: it stays in memory,
// where the node's own cleaning finds it by its name.
func TestTheCopyOutlivesAKilledShellOnItsNode(t *testing.T) {
	text, _ := prologue(t, hpc.Config{}, map[string][]byte{"TOKEN": canary()})
	inEveryShell(t, func(t *testing.T, argv []string) {
		j := start(t, argv, "", text, "exec sleep "+jobPatience+"\n")
		if err := syscall.Kill(-j.cmd.Process.Pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		j.end(t)
		if _, err := os.Stat(j.copied + "/env.sh"); err != nil || !strings.HasPrefix(filepath.Base(j.copied), "pipesecrets.") {
			t.Errorf("the doc of Prologue is out of date (%v)", err)
		}
	})
}

func TestNothingIsShownByTheOptionsThatShowWhatAShellDoes(t *testing.T) {
	plain := map[string][]byte{"FIRST": canary(), "SECOND": append(canary(), "\nsecond line "+string(canary())...)}
	text, _ := prologue(t, hpc.Config{}, plain)
	inEveryShell(t, func(t *testing.T, argv []string) {
		j := start(t, argv, "set -xveu\n", text, "echo still traced\n[ \"$-\" ] && exit 3\n")
		if _, status := j.end(t); status.ExitStatus() != 3 {
			t.Errorf("it ended with %#x", status)
		}
		for _, v := range plain {
			for line := range bytes.SplitSeq(v, []byte("\n")) {
				if bytes.Contains(j.errors.Bytes(), line) {
					t.Error("a value is shown")
				}
			}
		}
		for _, option := range []string{"+ echo still traced", "\necho still traced"} {
			if !strings.Contains(j.errors.String(), option) {
				t.Errorf("%q is not shown: the options are not what they were", option)
			}
		}
	})
}

func TestAJobForWhichNothingCanBeCopiedEndsWith78(t *testing.T) {
	text, staged := prologue(t, hpc.Config{}, map[string][]byte{"TOKEN": canary()})
	if err := os.RemoveAll(staged + "/files"); err != nil {
		t.Fatal(err)
	}
	inEveryShell(t, func(t *testing.T, argv []string) {
		j := launch(t, argv, text+"echo on\n")
		told, status := j.end(t)
		if status.ExitStatus() != 78 || len(told) > 0 || strings.Count(j.errors.String(), "\n") != 1 || !strings.HasPrefix(j.errors.String(), "pipesecrets: ") {
			t.Errorf("it ended with %#x, told %q and said %q", status, told, j.errors.String())
		}
		if left, err := os.ReadDir(j.cmd.Dir); err != nil || len(left) != 1 {
			t.Errorf("something is left in TMPDIR (%v)", err)
		}
	})
}

// TestTheCopyIsInTMPDIRWhereMemoryCantTakeIt gives jobs a /dev/shm of their own.
func TestTheCopyIsInTMPDIRWhereMemoryCantTakeIt(t *testing.T) {
	component.Root(t)
	unshare := component.Command(t, "root", "unshare")
	if exec.Command(unshare, "-m", "true").Run() != nil {
		component.Missing(t, "mounts", "this process may not mount in a namespace of its own")
	}
	text, _ := prologue(t, hpc.Config{}, map[string][]byte{"TOKEN": canary()})
	for name, c := range map[string]struct {
		options, before string
		inTMPDIR        bool
	}{
		"writable":               {"size=1m", "", false},
		"read-only":              {"ro", "", true},
		"full":                   {"size=4k", "", true},
		"full, and no TMPDIR":    {"size=4k", "unset TMPDIR\n", false},
		"full, and TMPDIR is .":  {"size=4k", "TMPDIR=.\n", false},
		"read-only, TMPDIR gone": {"ro", "TMPDIR=/no-such\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			inEveryShell(t, func(t *testing.T, argv []string) {
				mounted := "mount -t tmpfs -o " + c.options + " none /dev/shm && exec \"$@\""
				argv = append([]string{unshare, "-m", "sh", "-c", mounted, "job"}, argv...)
				j := launch(t, argv, "set -eu\n"+c.before+text+"echo \"$PIPESECRETS_DIR\"\npipesecrets_remove\nls -A /dev/shm\n")
				told, status := j.end(t)
				in := "/dev/shm"
				if c.inTMPDIR {
					in = j.cmd.Dir
				}
				fails := c.options != "size=1m" && !c.inTMPDIR
				if fails && status.ExitStatus() != 78 || !fails && (status != 0 || filepath.Dir(filepath.Dir(string(told))) != in) {
					t.Errorf("it ended with %#x, told %q and said %q", status, told, j.errors.String())
				}
			})
		})
	}
}

// More than 2 MiB in its environment and a shell starts no program any more
// (execve(2), Limits on size of arguments and environment).
func TestTheCopyGoesThoughTheValuesLetNoProgramStart(t *testing.T) {
	plain := map[string][]byte{}
	for i := range 150 {
		plain[fmt.Sprintf("LARGE_%d", i)] = bytes.Repeat(canary(), secrets.MaxValue/len(canary()))
	}
	text, _ := prologue(t, hpc.Config{Root: t.TempDir()}, plain)
	inEveryShell(t, func(t *testing.T, argv []string) {
		j := start(t, argv, "set -f\n", text, "/bin/ls / && exit 4\nexit 3\n")
		if _, status := j.end(t); status.ExitStatus() != 3 {
			t.Errorf("it ended with %#x: the test shows nothing", status)
		}
		gone(t, j.copied)
	})
}

func TestWithoutEnvAJobHasTheFilesAlone(t *testing.T) {
	value := append(canary(), 0, 1)
	text, _ := prologue(t, hpc.Config{NoEnv: true}, map[string][]byte{"TOKEN": value})
	inEveryShell(t, func(t *testing.T, argv []string) {
		j := start(t, argv, "set -eu\n", text, "cat \"$PIPESECRETS_DIR/TOKEN\"\n[ -z \"${PIPESECRETS_ENV:-}${TOKEN:-}\" ]\n")
		if told, status := j.end(t); status != 0 || !bytes.Equal(told, value) || j.errors.Len() > 0 {
			t.Errorf("it ended with %#x and %q", status, j.errors.String())
		}
		gone(t, j.copied)
	})
}

func TestAPrologueHoldsPathsOnly(t *testing.T) {
	plain := map[string][]byte{"SOME_NAME": canary(), "OTHER_NAME": canary()}
	text, _ := prologue(t, hpc.Config{}, plain)
	for _, n := range slices.Sorted(maps.Keys(plain)) {
		if strings.Contains(text, n) || strings.Contains(text, string(plain[n])) {
			t.Errorf("it tells of %s", n)
		}
	}
	for line := range strings.Lines(text) {
		for _, directive := range []string{"#$", "#SBATCH", "#BSUB", "#PBS", "#MSUB", "@"} {
			if strings.HasPrefix(line, directive) {
				t.Errorf("a scheduler takes this for a directive: %q", line)
			}
		}
	}
}

func TestAPrologueIsForReferencesOfThisRootAndAPathOfOneLine(t *testing.T) {
	d, _ := newDriver(t, hpc.Config{})
	refused := func(what string, d *hpc.Driver, refs []provider.Reference) {
		t.Helper()
		text, err := d.Prologue(refs)
		var invalid *secrets.InvalidError
		if text != "" || !errors.As(err, &invalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("no references", d, nil)
	refused("another driver's", d, []provider.Reference{{Name: name(t, "TOKEN"), Kind: "other", Locator: "arn:x"}})
	root := filepath.Join(t.TempDir(), "two\n#SBATCH --export=ALL\nlines")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	broken, _ := newDriver(t, hpc.Config{Root: root})
	o, id := stagedIn(t, broken, map[string][]byte{"TOKEN": canary()})
	refused("line breaks", broken, broken.References(o, id))
}
