// Package moto starts moto for a test: an emulator of AWS that others wrote, and so
// an opinion on what AWS does that is not our own.
package moto

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/internal/component"
)

// patience is how long moto may take to start, on a machine that is busy with other
// things.
const patience = 5 * time.Minute

// Start starts moto and returns its endpoint, which no other test has: the system
// gives moto a free port. It is stopped at the end of the test; on Linux, whatever
// ends the test. Where moto_server is not on PATH the test ends by
// [component.Missing].
func Start(t testing.TB) string {
	t.Helper()
	program := component.Command(t, "moto", "moto_server")
	said := &output{endpoint: make(chan string, 1)}
	cmd := exec.Command(program, "-H", "127.0.0.1", "-p", "0")
	cmd.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "AWS_") })
	cmd.Stdout, cmd.Stderr = said, said
	cmd.SysProcAttr = dieWithUs()
	started, ended := make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // "with us" means with the thread that started it
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait() // it is killed in the end
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("moto: %v", err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
	})
	select {
	case endpoint := <-said.endpoint:
		return endpoint
	case <-ended:
		t.Fatalf("moto ended before it listened:\n%s", said.text.String())
	case <-time.After(patience):
		t.Fatalf("moto did not listen within %v", patience)
	}
	return ""
}

// Reset empties a moto that [Start] started.
func Reset(t testing.TB, endpoint string) {
	t.Helper()
	response, err := http.Post(endpoint+"/moto-api/reset", "", nil)
	if err != nil {
		t.Fatalf("moto: %v", err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("moto was not reset: %s", response.Status)
	}
}

// output is what moto says. It says where it listens once it does.
type output struct {
	text     bytes.Buffer
	endpoint chan string
	told     bool
}

var listening = regexp.MustCompile(`Running on (http://127\.0\.0\.1:[0-9]+)[^0-9]`)

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	if o.told {
		return len(b), nil // a line a request, which nobody reads
	}
	o.text.Write(b)
	if m := listening.FindSubmatch(o.text.Bytes()); m != nil {
		o.told = true
		o.endpoint <- string(m[1])
	}
	return len(b), nil
}
