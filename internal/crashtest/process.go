package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// The environment by which this program knows that it is one of its own children.
const (
	roleEnv   = "CRASHTEST_ROLE"
	dirEnv    = "CRASHTEST_DIR"
	favourEnv = "CRASHTEST_FAVOUR"
)

// Roles.
const (
	workerRole   = "worker"
	platformRole = "platform"
	calmRole     = "calm platform" // uses none of its freedoms
)

// process is a child.
type process struct {
	cmd    *exec.Cmd
	stdin  io.Closer // open as long as we live
	stdout *bufio.Reader
	stderr strings.Builder
}

// start starts this program again, in a role.
func start(ctx context.Context, role, dir string, favour kind) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.CommandContext(ctx, self)}
	p.cmd.Env = append(os.Environ(), roleEnv+"="+role, dirEnv+"="+dir, favourEnv+"="+string(favour))
	p.cmd.Stderr = &p.stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.stdout = bufio.NewReader(out)
	return p, p.cmd.Start()
}

// ready waits for a first line.
func (p *process) ready() error {
	if _, err := p.stdout.ReadString('\n'); err != nil {
		_ = p.kill()
		return fmt.Errorf("a process did not start: %s", p.stderr.String())
	}
	return nil
}

// kill sends SIGKILL and waits. It is an error if that is not what the process
// died of: one that ended by itself can be sent a signal until it is waited for.
func (p *process) kill() error {
	killed := p.cmd.Process.Kill()
	_, _ = io.Copy(io.Discard, p.stdout) // Wait closes it
	_ = p.cmd.Wait()                     // its status tells more
	_ = p.stdin.Close()
	var status syscall.WaitStatus
	if state := p.cmd.ProcessState; state != nil {
		status, _ = state.Sys().(syscall.WaitStatus)
	}
	if killed != nil || !status.Signaled() || status.Signal() != syscall.SIGKILL || p.stderr.Len() > 0 {
		return fmt.Errorf("a process ended by itself (%v): %s", p.cmd.ProcessState, p.stderr.String())
	}
	return nil
}
