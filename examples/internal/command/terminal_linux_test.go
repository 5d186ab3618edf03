package command_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/pipesecrets/pipesecrets/examples/internal/command"
	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

// executeEnv makes the test binary one that executes the script that it holds.
const executeEnv = "COMMAND_TEST_EXECUTE"

func TestMain(m *testing.M) {
	if script := os.Getenv(executeEnv); script != "" {
		signals := make(chan os.Signal, 8)
		signal.Notify(signals, command.Ending...)
		cmd := exec.Command("sh", "-c", script)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		r, err := redact.New(nil, redact.Options{})
		if err != nil {
			panic(err)
		}
		status, err := command.Execute(cmd, r, signals)
		if err != nil {
			panic(err)
		}
		os.Exit(status)
	}
	os.Exit(m.Run())
}

func ioctl(t *testing.T, f *os.File, request uintptr, arg *int32) {
	t.Helper()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(unsafe.Pointer(arg))); errno != 0 {
		t.Fatal(errno)
	}
}

func TestAKeyOfTheTerminalReachesTheCommandOnce(t *testing.T) {
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	var locked, n int32
	ioctl(t, keys, syscall.TIOCSPTLCK, &locked)
	ioctl(t, keys, syscall.TIOCGPTN, &n)
	tty, err := os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), executeEnv+`=trap 'echo signal' INT; echo ready; until read -r line; [ "$line" = end ]; do :; done`)
	cmd.Stdin, cmd.Stderr = tty, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	// A signal that comes between the shell's look for one and its read waits for the
	// end of the read.
	for _, c := range []struct{ line, key string }{{"ready\n", "\x03\n"}, {"signal\n", "end\n"}} {
		if line, err := lines.ReadString('\n'); err != nil || line != c.line {
			t.Fatalf("it printed %q (%v)", line, err)
		}
		if _, err := keys.WriteString(c.key); err != nil {
			t.Fatal(err)
		}
	}
	rest, err := io.ReadAll(lines)
	if err != nil || strings.Contains(string(rest), "signal") {
		t.Errorf("it printed %q more (%v)", rest, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
