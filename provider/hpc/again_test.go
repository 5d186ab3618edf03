//go:build unix

package hpc_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// inChild is set in a process in which a test runs again.
const inChild = "PIPESECRETS_HPC_CHILD"

// again is this test in another process, under the programs in front of it. What
// it is told stands in its environment.
func again(t *testing.T, told string, front ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return process(t, append(front, self), told)
}

func process(t *testing.T, line []string, told string) *exec.Cmd {
	line = append(line, "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=500s")
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = append(os.Environ(), inChild+"="+told)
	return cmd
}

// told is what a child process was told, "" in another.
func told() string { return os.Getenv(inChild) }

func TestMain(m *testing.M) {
	syscall.Umask(0o022) // a staging root may be writable by nobody else
	os.Exit(m.Run())
}

// public is a temporary directory that other users can pass, wherever TMPDIR is.
func public(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "hpc-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// againAs is this test in a process of another user, in a directory of its own.
func againAs(t *testing.T, uid int, told string) *exec.Cmd {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir := public(t)
	binary := filepath.Join(dir, "hpc.test") // where the user can reach it
	home := filepath.Join(dir, "home")
	for _, err := range []error{os.WriteFile(binary, self, 0o755), os.Mkdir(home, 0o700), os.Chown(home, uid, uid), os.Chown(dir, 0, 0)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := process(t, []string{binary}, told)
	cmd.Dir = home
	cmd.Env = append(cmd.Env, "TMPDIR="+home)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	return cmd
}

// passes runs the process of a test, which must pass.
func passes(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("%v\n%s", err, out)
	}
}

// asUser runs this test again in a process of an ordinary user.
func asUser(t *testing.T, uid int) {
	t.Helper()
	passes(t, againAs(t, uid, "you are an ordinary user"))
}
