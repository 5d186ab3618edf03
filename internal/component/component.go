// Package component is how a test asks for something that a machine may lack: a
// shell, a database server, a scheduler, a right.
//
// Where it is missing the test is skipped with one line that says so. With the
// environment variable PIPESECRETS_REQUIRE set to "all", or to a comma-separated
// list that names the component, it fails instead.
package component

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Missing ends the test: skipped, or failed if the component is required.
func Missing(t testing.TB, component, what string) {
	t.Helper()
	required := strings.Split(os.Getenv("PIPESECRETS_REQUIRE"), ",")
	if slices.Contains(required, "all") || slices.Contains(required, component) {
		t.Fatalf("%s is required and missing: %s", component, what)
	}
	t.Skipf("skipped: %s is missing: %s", component, what)
}

// Command returns the path of a program on PATH, or ends the test by [Missing].
func Command(t testing.TB, component, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, component, name+" is not on PATH")
	}
	return path
}

// Root ends the test by [Missing] unless it runs as root.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Missing(t, "root", "only root can act as several users")
	}
}
