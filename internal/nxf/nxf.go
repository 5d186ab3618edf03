// Package nxf runs Nextflow for a test: the program itself, which says better than
// any text of ours what it reads and what it hands to a task.
package nxf

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/internal/component"
)

// Command is nextflow with these arguments, to be run in dir. It is offline, has a
// home of its own and none of the NXF_ variables that the tests were started with,
// so that no configuration, plugin or secret of the user's comes in; add
// NXF_SECRETS_FILE to its Env. It is killed at the end of the test if it runs on.
// Where nextflow is not on PATH the test ends by [component.Missing].
func Command(t testing.TB, dir string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), component.Command(t, "nextflow", "nextflow"), args...)
	cmd.Dir = dir
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "NXF_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, "NXF_HOME="+t.TempDir(), "NXF_OFFLINE=true", "NXF_ANSI_LOG=false")
	// A task outlives a Nextflow that was killed, and may hold its output open.
	cmd.WaitDelay = 10 * time.Second
	return cmd
}
