// Package moto starts moto for a test: an emulator of AWS that others wrote, and so
// an opinion on what AWS does that is not our own.
package moto

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/internal/component"
)

// patience is how long moto may take to start, on a machine that is busy with other
// things.
const patience = time.Minute

// Start starts moto and returns its endpoint. It is stopped at the end of the test.
// Where moto_server is not on PATH the test ends by [component.Missing].
func Start(t testing.TB) string {
	t.Helper()
	program := component.Command(t, "moto", "moto_server")
	address := free(t)
	var output bytes.Buffer
	cmd := exec.Command(program, "-H", "127.0.0.1", "-p", port(t, address))
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatalf("moto: %v", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait() // it is killed in the end
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
	})
	endpoint := "http://" + address
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for !answers(ctx, endpoint) {
		select {
		case <-ended:
			t.Fatalf("moto ended before it answered:\n%s", output.String())
		case <-ctx.Done():
			t.Fatalf("moto did not answer within %v", patience)
		case <-poll.C:
		}
	}
	return endpoint
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

func answers(ctx context.Context, endpoint string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/moto-api/data.json", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// free is an address that nobody listens at. Another may take it before moto does;
// then moto ends, and says so.
func free(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func port(t testing.TB, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}
