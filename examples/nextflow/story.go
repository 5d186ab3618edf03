package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"

	"github.com/pipesecrets/pipesecrets/examples/internal/command"
	"github.com/pipesecrets/pipesecrets/examples/internal/search"
)

// pipeline is the story's: one process tells digests of what it was given, one prints
// its secret, and the script reads one itself.
const pipeline = `process PROVE {
    debug true
    secret 'LICENCE'
    secret 'PASSPHRASE'

    script:
    '''
    for name in LICENCE PASSPHRASE; do
        echo "sha256 $name $(printf %s "${!name}" | sha256sum | cut -c1-64)"
    done
    '''
}

process SHOW {
    debug true
    secret 'API_TOKEN'

    script:
    '''
    echo "the token is $API_TOKEN"
    '''
}

workflow {
    log.info "the script reads ${secrets.API_TOKEN}"
    PROVE()
    SHOW()
}
`

// cast are the story's secrets, made anew at each start.
func cast() map[string][]byte {
	random := func(n int) []byte {
		b := make([]byte, n)
		_, _ = rand.Read(b) // never fails
		return b
	}
	return map[string][]byte{
		"API_TOKEN":  []byte(hex.EncodeToString(random(18))),
		"LICENCE":    []byte(base64.StdEncoding.EncodeToString(random(1050))),
		"PASSPHRASE": fmt.Appendf(nil, "\"`$(%s)`\\'${HOME} %s\\", rand.Text(), rand.Text()), // for a shell to trip over
		"UNUSED":     []byte(rand.Text()),
	}
}

// story runs the pipeline by the same code as any other, and returns an error unless
// its tasks had the right bytes, nobody was shown a value, and nothing is left.
func story(ctx context.Context, out io.Writer) (status int, err error) {
	if _, err := find("nextflow"); err != nil {
		return statusNothingHere, err
	}
	signal.Notify(make(chan os.Signal, 1), command.Ending...) // they are the run's to hear
	dir, err := os.MkdirTemp("", "nextflow-story-")
	if err != nil {
		return 1, errors.New("no temporary directory")
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	launchDir := filepath.Join(dir, "launch")
	l := &launcher{
		options: options{
			dir:      filepath.Join(dir, "state"),
			nextflow: &invocation{program: "nextflow", args: []string{"run", "main.nf"}, afterRun: 1, pipeline: "main.nf"},
		},
		environ: append(os.Environ(), "NXF_LOG_FILE="), workdir: launchDir,
	}
	values := cast()
	if err := os.Mkdir(launchDir, 0o700); err != nil {
		return 1, errors.New("the pipeline can't be written")
	}
	if err := os.WriteFile(filepath.Join(launchDir, "main.nf"), []byte(pipeline), 0o600); err != nil {
		return 1, errors.New("the pipeline can't be written")
	}
	for name, plain := range values {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, plain, 0o600); err != nil {
			return 1, errors.New("a value can't be written")
		}
		g, err := command.ParseGiven(name + "=" + file)
		if err != nil {
			return 1, err
		}
		l.workspace = append(l.workspace, g)
	}

	fmt.Fprintf(out, "== A workspace has %d secrets; a pipeline refers to 3 of them, and shows one\n\n", len(values))
	fmt.Fprintln(out, "   "+strings.ReplaceAll(strings.TrimSpace(pipeline), "\n", "\n   "))
	fmt.Fprint(out, "\n== It is run by the nextflow on PATH\n\n")
	shown := &transcript{out: out}
	l.stdout, l.stderr = shown, shown
	status, err = l.run(ctx)
	if status != 0 || err != nil {
		return status, err
	}
	fmt.Fprint(out, "\n== What came of it\n\n")
	return 0, looked(out, shown.text, dir, values)
}

// transcript keeps what it passes on. Nextflow's two streams and what we say come to it
// at the same time.
type transcript struct {
	out  io.Writer
	mu   sync.Mutex
	text []byte
}

func (t *transcript) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	return t.out.Write(b)
}

// looked checks what the story says of itself.
func looked(out io.Writer, printed []byte, dir string, values map[string][]byte) error {
	for _, name := range []string{"LICENCE", "PASSPHRASE"} {
		line := fmt.Sprintf("sha256 %s %x", name, sha256.Sum256(values[name]))
		if !bytes.Contains(printed, []byte(line)) {
			return fmt.Errorf("a task did not get the bytes of %s", name)
		}
	}
	fmt.Fprintln(out, "   the tasks had the bytes of LICENCE and PASSPHRASE: their sha256 is right")
	const mark = "[secret:API_TOKEN]"
	log, err := os.ReadFile(filepath.Join(dir, "launch", ".nextflow.log"))
	if err != nil {
		return errors.New("there is no log")
	}
	if bytes.Count(printed, []byte(mark)) < 2 || !bytes.Contains(log, []byte(mark)) {
		return errors.New("the token was not masked where it is shown")
	}
	for name, plain := range values {
		if search.Holds(printed, plain) {
			return fmt.Errorf("the value of %s was printed", name)
		}
	}
	fmt.Fprintln(out, "   the token is masked in what was printed, and in .nextflow.log")
	files := 0
	err = search.Walk(dir, func(path string, content []byte) error {
		files++
		for name, plain := range values {
			given := path == filepath.Join(dir, name)
			// What a task prints Nextflow keeps in its work directory, which is the pipeline's own.
			task := name == "API_TOKEN" && (filepath.Base(path) == ".command.out" || filepath.Base(path) == ".command.log")
			if !given && !task && search.Holds(content, plain) {
				return fmt.Errorf("%s of the run holds the value of %s", filepath.Base(path), name)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	left, err := filepath.Glob(filepath.Join(dir, "state", "stage", "psec-*"))
	if err != nil || len(left) > 0 {
		return fmt.Errorf("%d directories are still staged", len(left))
	}
	fmt.Fprintf(out, "   of %d files of the launcher and the run only those have a value into which the task printed it\n", files)
	fmt.Fprintln(out, "   nothing is staged any more")
	return nil
}
