package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// childEnv tells this program to be the launcher that gets killed, in the
// directory that it names.
const childEnv = "QUICKSTART_DOOMED_LAUNCHER"

// halfWay is a driver that gets no further than creating: the process waits there
// to be killed, after the files are written and before anybody has recorded it.
type halfWay struct{ provider.Provider }

func (d halfWay) Create(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
	if _, err := d.Provider.Create(ctx, o, open); err != nil {
		return "", err
	}
	fmt.Println("created", o.Run)
	_, _ = io.Copy(io.Discard, os.Stdin) // until killed, or until the parent is gone
	os.Exit(1)
	return "", nil
}

// doomedLauncher launches and never finishes.
func doomedLauncher(ctx context.Context, dir string) error {
	h, err := open(ctx, dir, func(c *pipesecrets.Config) {
		shortLease(c)
		for name, driver := range c.Targets {
			c.Targets[name] = halfWay{driver}
		}
	})
	if err != nil {
		return err
	}
	r, err := request()
	if err != nil {
		return err
	}
	_, err = h.service.Launch(ctx, lin, r)
	return errors.Join(errors.New("the launch came to an end"), err)
}

func (t teller) killed(ctx context.Context, h *house, _ *cabinet) error {
	t.chapter("A second launcher is killed half-way, by SIGKILL")
	self, err := os.Executable()
	if err != nil {
		return errors.New("this program can't be found")
	}
	child := exec.CommandContext(ctx, self)
	child.Env = append(os.Environ(), childEnv+"="+h.dir)
	child.Stderr = os.Stderr
	stdin, err := child.StdinPipe()
	if err != nil {
		return err
	}
	defer stdin.Close()
	stdout, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return errors.New("the second launcher can't be started")
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	killed := errors.Join(child.Process.Kill(), ignoreExit(child.Wait()))
	if err != nil || killed != nil {
		return errors.Join(errors.New("the second launcher did not get half-way"), err, killed)
	}
	run, err := secrets.ParseRunID(strings.TrimSpace(strings.TrimPrefix(line, "created ")))
	if err != nil {
		return err
	}
	staged, err := h.count()
	if err != nil || staged != 1 {
		return errors.Join(errors.New("the dead launcher should have left one directory"), err)
	}
	t.say("It left its files behind, and no record of having made them.")

	receipt, err := h.sweepUntilGone(ctx, run)
	if err != nil {
		return err
	}
	t.say("Another process swept once the dead one's lease was over: %s.", receipt.Run.Outcome)
	return t.receipt(receipt)
}

// ignoreExit drops the error of a process that ended badly, as a killed one does.
func ignoreExit(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}

// sweepUntilGone sweeps as a host does, on a ticker, until the run is closed.
func (h *house) sweepUntilGone(ctx context.Context, run secrets.RunID) (stage.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := h.service.Sweep(ctx, operator); err != nil {
			return stage.Receipt{}, err
		}
		receipt, err := h.service.Receipt(ctx, lin, run)
		if err != nil || receipt.Gone() {
			return receipt, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return receipt, errors.New("the sweep did not remove it")
		}
	}
}

func (t teller) gone(ctx context.Context, h *house, v *cabinet) error {
	t.chapter("Nothing is left")
	health, err := h.service.Health(ctx, operator)
	if err != nil {
		return err
	}
	if health.Staged != 0 || health.Stuck != 0 || health.LastSweep.IsZero() {
		return fmt.Errorf("health says: %d staged, %d stuck, last sweep %v", health.Staged, health.Stuck, health.LastSweep)
	}
	t.say("health: %d staged, %d stuck, swept %s ago", health.Staged, health.Stuck, time.Since(health.LastSweep).Round(time.Millisecond))
	if err := leftovers(h, v.staged()); err != nil {
		return err
	}
	if err := leftovers(h, v.workspace); err != nil {
		return err
	}
	t.say("no staged file, and no value in any file of the state directory: raw, base64 or hex")
	events := 0
	for _, err := range h.backend.Entries(ctx, 0) {
		if err != nil {
			return err
		}
		events++
	}
	t.say("audit: %d events tell who did what, and hold no value", events)
	return nil
}
