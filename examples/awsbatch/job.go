package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/pipesecrets/pipesecrets/examples/internal/command"
	"github.com/pipesecrets/pipesecrets/provider/awssm/fetch"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

// script is the container's command, unless there is another: it tells the digest of
// each value as it has it, and then prints those that its first argument names.
const script = `set -eu
shown=$1
shift
for name in "$@"; do
	eval "value=\$$name"
	printf 'sha256 %s %s\n' "$name" "$(printf %s "$value" | sha256sum | cut -c1-64)"
done
for name in $shown; do
	eval "value=\$$name"
	printf '%s=%s\n' "$name" "$value"
done
`

// grace is what a command that was told to end gets before it is killed: what ECS
// gives a container (stopTimeout), if nothing else is said.
const grace = 30 * time.Second

// job does what the ECS agent does with a job definition: it reads what the list of
// secrets refers to, and starts the command with it. It returns the command's exit
// status, 128 and the signal's number if one ended it.
func (p *play) job(ctx context.Context, definition []byte, redactor *redact.Redactor) (status int, err error) {
	p.chapter("The ECS agent reads the definition's secrets and starts the job")
	var d struct {
		ContainerProperties struct {
			Secrets json.RawMessage `json:"secrets"`
		} `json:"containerProperties"`
	}
	if err := json.Unmarshal(definition, &d); err != nil {
		return 0, errors.New("the job definition is no JSON")
	}
	references, err := fetch.Parse(d.ContainerProperties.Secrets)
	if err != nil {
		return 0, err
	}
	var values map[secrets.Name]secrets.Value
	err = patiently(ctx, func() (again bool, err error) { // what was just created can't always be seen yet
		values, err = fetch.Values(ctx, p.cloud.job, references)
		return missing(err) > 0, err
	})
	if err != nil {
		return 0, cause(ctx, p.explained(err))
	}
	p.read = references
	// The credentials that the launcher has are none of the job's business.
	environ := slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "AWS_") })
	environ, err = fetch.Environ(environ, values)
	for _, v := range values {
		v.Destroy()
	}
	if err != nil {
		return 0, err
	}
	for _, name := range redactor.Short() {
		p.say("%s is too short to be masked", name)
	}
	if len(p.options.command) > 0 {
		seen := p.window(redactor)
		status, err = p.execute(ctx, p.options.command, environ, redactor, os.Stdout, os.Stderr, seen)
		if err == nil {
			err = seen.err()
		}
		return status, err
	}
	return p.proof(ctx, environ, redactor)
}

// proof runs the script, and checks that it had the right bytes and that what came
// out of it holds no value.
func (p *play) proof(ctx context.Context, environ []string, redactor *redact.Redactor) (int, error) {
	staged := p.values.staged()
	var all, shown []string
	for _, name := range sorted(staged) {
		all = append(all, name.String())
		if !slices.Contains(redactor.Short(), name) { // which nothing would mask
			shown = append(shown, name.String())
		}
	}
	command := append([]string{"sh", "-c", script, "job", strings.Join(shown, " ")}, all...)
	var printed bytes.Buffer
	seen := p.window(redactor)
	status, err := p.execute(ctx, command, environ, redactor, &printed, &printed, seen)
	if err == nil {
		err = seen.err()
	}
	if err != nil || status != 0 {
		return status, err
	}
	for _, name := range sorted(staged) {
		var line string
		err := staged[name].Reveal(func(plain []byte) error {
			line = fmt.Sprintf("sha256 %s %x\n", name, sha256.Sum256(plain))
			return nil
		})
		if err != nil {
			return 0, err
		}
		if !strings.Contains(printed.String(), line) {
			return 0, fmt.Errorf("the job did not get the bytes of %s", name)
		}
		p.say("%-26s sha256 equal, in the job's environment", name)
	}
	if len(shown) == 0 {
		return 0, nil
	}
	p.say("Then it prints the values on purpose, and the log shows:")
	for line := range strings.Lines(printed.String()) {
		if !strings.HasPrefix(line, "sha256 ") && line != "\n" {
			p.say("  %s", strings.TrimSuffix(line, "\n"))
		}
	}
	return 0, nil
}

// execute runs the command with its output masked.
func (p *play) execute(ctx context.Context, args, environ []string, redactor *redact.Redactor, stdout, stderr io.Writer, seen *window) (int, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, seen.on(stdout), seen.on(stderr)
	cmd.Env = environ
	cmd.SysProcAttr = command.DieWithUs()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.WaitDelay = p.grace
	cmd.Cancel = func() error { // it hears the signal that we have heard
		var ended *signalled
		if errors.As(context.Cause(ctx), &ended) {
			return cmd.Process.Signal(ended.signal)
		}
		return cmd.Process.Kill()
	}
	err := redactor.Run(cmd)
	var exit *exec.ExitError
	switch {
	case cmd.ProcessState == nil && ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case cmd.ProcessState == nil:
		return 127, errors.New("the command can't be started")
	case errors.As(err, &exit), err == nil, ctx.Err() != nil, errors.Is(err, exec.ErrWaitDelay):
		return command.Status(cmd.ProcessState), nil
	}
	return 1, errors.New("the command's output could not be passed on")
}

// patiently calls try until it does not ask to be called again, for ten seconds at
// most.
func patiently(ctx context.Context, try func() (again bool, err error)) error {
	deadline := time.Now().Add(10 * time.Second)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		again, err := try()
		if !again || time.Now().After(deadline) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// missing answers how many could not be read, if that is since they are not there.
func missing(err error) int {
	var failed *fetch.Error
	if !errors.As(err, &failed) {
		return 0
	}
	for _, code := range failed.Failed {
		if code != fetch.NotFound {
			return 0
		}
	}
	return len(failed.Failed)
}
