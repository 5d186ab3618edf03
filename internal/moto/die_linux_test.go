package moto_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/internal/component"
	"github.com/pipesecrets/pipesecrets/internal/moto"
)

// held is set where this test is the one that is killed.
const held = "PIPESECRETS_TEST_HOLDS_MOTO"

func TestMotoDoesNotOutliveATestThatIsKilled(t *testing.T) {
	if os.Getenv(held) != "" {
		fmt.Println(moto.Start(t))
		io.Copy(io.Discard, os.Stdin) // till it is killed
		return
	}
	component.Command(t, "moto", "moto_server")
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), held+"=1")
	stdin, err := cmd.StdinPipe() // which ends with this test
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	address, is := strings.CutPrefix(strings.TrimSpace(line), "http://")
	if !is {
		t.Fatalf("the test that starts moto: %q, %v", line, err)
	}
	connection, err := net.Dial("tcp", address) // which the kernel ends with moto
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	cmd.Process.Kill()
	cmd.Wait() // it was killed
	connection.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := connection.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("moto is there a minute after the test that started it: %v", err)
	}
}

func TestTwoMotosAreNeverOne(t *testing.T) {
	one, two := moto.Start(t), moto.Start(t)
	if one == two {
		t.Errorf("both are at %s", one)
	}
}
