package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"testing"
	"time"
)

func TestTheCommandDiesWithTheProgram(t *testing.T) {
	t.Parallel()
	open, held, err := os.Pipe() // whose other end the program and its command hold
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	defer held.Close()
	cmd, _ := awsbatch(t, "-secret", "TOKEN="+write(t, hostile()), "--", "sh", "-c", "echo ready; exec cat")
	cmd.ExtraFiles = []*os.File{held}
	stdin, err := cmd.StdinPipe() // which stays open: the command has no reason to end
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
	if err := held.Close(); err != nil {
		t.Error(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Errorf("it printed %q (%v)", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := open.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := open.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the command lives on (%v)", err)
	}
	_ = stdin.Close()
	_ = cmd.Wait() // it was killed
}
