package main

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"
)

func TestNextflowDiesWithTheProgram(t *testing.T) {
	open, held, err := os.Pipe() // whose other end the program and Nextflow hold
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	defer held.Close()
	p := newPlace(t, declares("TOKEN"))
	p.fake("while read -r line; do :; done")
	cmd := p.run(p.secret("TOKEN", canary()), "run", "main.nf")
	cmd.ExtraFiles = []*os.File{held}
	stdin, err := cmd.StdinPipe() // which stays open: Nextflow has no reason to end
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := held.Close(); err != nil {
		t.Error(err)
	}
	until(t, func() bool { return p.has("ran") })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := open.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := open.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("Nextflow lives on (%v)", err)
	}
	_ = stdin.Close()
	_ = cmd.Wait() // it was killed
}
