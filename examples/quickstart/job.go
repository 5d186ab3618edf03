package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/examples/internal/search"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// script is the job: it sources what was staged, tells the digest of each value
// as it has it in its environment and as a file, and then prints them all.
const script = `set -eu
. "$PIPESECRETS_ENV"
for name in "$@"; do
	printf 'sha256 %s %s %s\n' "$name" \
		"$(printf %s "${!name}" | sha256sum | cut -c1-64)" \
		"$(sha256sum < "$PIPESECRETS_DIR/$name" | cut -c1-64)"
done
for name in "$@"; do printf '%s=%s\n' "$name" "${!name}"; done
`

// job runs the script with its output masked, and checks that the digests are
// right and that no value is in what it printed.
func (t teller) job(ctx context.Context, h *house, launch *pipesecrets.Launch, v *cabinet) error {
	var printed bytes.Buffer
	masked := launch.Redactor.Writer(&printed)
	args := []string{"-c", script, "job"}
	for _, name := range v.names() {
		args = append(args, name.String())
	}
	cmd := exec.CommandContext(ctx, "bash", args...)
	cmd.Stdout, cmd.Stderr = masked, masked
	cmd.Env = h.environment(launch.References)
	err := cmd.Run()
	if err := errors.Join(err, masked.Close()); err != nil {
		return fmt.Errorf("the job failed: %w", err)
	}
	for name, value := range v.staged() {
		var digest string
		err := value.Reveal(func(plain []byte) error {
			sum := sha256.Sum256(plain)
			digest = hex.EncodeToString(sum[:])
			if bytes.Contains(printed.Bytes(), plain) {
				return fmt.Errorf("the value of %s was printed", name)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if !strings.Contains(printed.String(), fmt.Sprintf("sha256 %s %s %s\n", name, digest, digest)) {
			return fmt.Errorf("the job did not get the bytes of %s", name)
		}
	}
	for line := range strings.Lines(printed.String()) {
		if name, ok := strings.CutPrefix(line, "sha256 "); ok {
			t.say("  %s: sha256 equal, in the environment and as a file", name[:strings.IndexByte(name, ' ')])
		} else {
			t.say("  %s", strings.TrimSuffix(line, "\n"))
		}
	}
	hits := launch.Redactor.Hits()
	for _, name := range v.names() {
		if hits[name] == 0 {
			return fmt.Errorf("%s was not seen by the redactor", name)
		}
	}
	return nil
}

// leftovers returns an error if a run's directory is still staged, or if a file
// of the house holds a value in the clear, in base64 or in hexadecimal.
func leftovers(h *house, values map[secrets.Name]secrets.Value) error {
	staged, err := h.count()
	if err != nil {
		return err
	}
	if staged > 0 {
		return fmt.Errorf("%d directories are still staged", staged)
	}
	return search.Walk(h.dir, func(_ string, content []byte) error {
		for name, value := range values {
			err := value.Reveal(func(plain []byte) error {
				if search.Holds(content, plain) {
					return fmt.Errorf("a file holds the value of %s", name)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// count returns how many runs' directories are staged. The staging directory also
// has a file of the driver's own.
func (h *house) count() (int, error) {
	entries, err := os.ReadDir(h.stage())
	n := 0
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "psec-") {
			n++
		}
	}
	return n, err
}
