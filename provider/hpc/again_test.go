//go:build unix

package hpc_test

import (
	"os"
	"os/exec"
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
	line := append(front, self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=100s")
	cmd := exec.CommandContext(t.Context(), line[0], line[1:]...)
	cmd.Env = append(os.Environ(), inChild+"="+told)
	return cmd
}

// told is what a child process was told, "" in another.
func told() string { return os.Getenv(inChild) }
