package redact_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

// printing is a command that prints its standard input on both streams.
func printing(t *testing.T, input, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	cmd.Stdin = strings.NewReader(input)
	return cmd
}

func TestACommandIsMaskedOnBothItsStreams(t *testing.T) {
	plain := canary()
	r := newRedactor(t, defaults, "AA="+plain)
	var out, errs bytes.Buffer
	cmd := printing(t, plain, `v=$(cat); printf '%s' "out $v"; printf '%s' "err $v" >&2; exit 3`)
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := r.Run(cmd); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("it says %v", err)
	}
	if out.String() != "out <AA>" || errs.String() != "err <AA>" {
		t.Errorf("got %q and %q", out.String(), errs.String())
	}
	if cmd.Stdout != &out || cmd.Stderr != &errs {
		t.Error("the command has other writers than before")
	}
}

// A value of which each half is written to another stream is whole in the end.
func TestOneWriterForBothStreamsIsOneStream(t *testing.T) {
	plain := canary()
	r := newRedactor(t, defaults, "AA="+plain)
	var out bytes.Buffer
	cmd := printing(t, plain, `v=$(cat); printf '%s' "${v%????????????????}"; printf '%s' "${v#????????????????????????????????????????????????}" >&2`)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := r.Run(cmd); err != nil || out.String() != "<AA>" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

func TestACommandWithoutWritersRuns(t *testing.T) {
	r := newRedactor(t, defaults)
	if err := r.Run(printing(t, "", "echo lost")); err != nil {
		t.Error(err)
	}
	var errs bytes.Buffer
	cmd := printing(t, "", "echo lost; echo kept >&2")
	cmd.Stderr = &errs
	if err := r.Run(cmd); err != nil || errs.String() != "kept\n" {
		t.Errorf("got %q, %v", errs.String(), err)
	}
}

// uncomparable is a writer that == panics on.
type uncomparable struct{ all []*bytes.Buffer }

func (u uncomparable) Write(p []byte) (int, error) { return u.all[0].Write(p) }

func TestWritersThatCanNotBeCompared(t *testing.T) {
	var out bytes.Buffer
	cmd := printing(t, "", "echo one; echo two >&2")
	cmd.Stdout, cmd.Stderr = uncomparable{[]*bytes.Buffer{&out}}, uncomparable{[]*bytes.Buffer{new(bytes.Buffer)}}
	if err := newRedactor(t, defaults).Run(cmd); err != nil || out.String() != "one\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

func TestAWriterThatFailsIsTold(t *testing.T) {
	full := errors.New("the disk is full")
	cmd := printing(t, "", "echo line")
	cmd.Stdout = refusing{full}
	if err := newRedactor(t, defaults).Run(cmd); !errors.Is(err, full) {
		t.Errorf("it says %v", err)
	}
	held := printing(t, "", "printf abc")
	held.Stdout = refusing{full}
	if err := newRedactor(t, angled, "AA=abcd").Run(held); !errors.Is(err, full) {
		t.Errorf("of what was held it says %v", err)
	}
}

type refusing struct{ err error }

func (f refusing) Write([]byte) (int, error) { return 0, f.err }

func TestAClosedRedactorStartsNothing(t *testing.T) {
	r := newRedactor(t, defaults)
	_ = r.Close()
	file := t.TempDir() + "/ran"
	if err := r.Run(exec.Command("touch", file)); !errors.Is(err, redact.ErrClosed) {
		t.Errorf("it says %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("it was started")
	}
}

func TestAReaderIsMaskedAlikeHoweverItIsRead(t *testing.T) {
	for _, c := range streamCases {
		r := newRedactor(t, angled, c.secrets...)
		whole := strings.ReplaceAll(c.in, "|", "")
		for how, from := range map[string]func(io.Reader) io.Reader{
			"at once":          func(r io.Reader) io.Reader { return r },
			"by bytes":         iotest.OneByteReader,
			"by halves":        iotest.HalfReader,
			"with its error":   iotest.DataErrReader,
			"empty in between": func(r io.Reader) io.Reader { return io.MultiReader(strings.NewReader(""), r) },
		} {
			got, err := io.ReadAll(r.Reader(from(strings.NewReader(whole))))
			if string(got) != c.want || err != nil {
				t.Errorf("%s, %s: got %q, %v; want %q", c.why, how, got, err, c.want)
			}
			if err := iotest.TestReader(r.Reader(from(strings.NewReader(whole))), []byte(c.want)); err != nil {
				t.Errorf("%s, %s: %v", c.why, how, err)
			}
		}
	}
}

func TestAReaderPassesWhatIsHeldBeforeAnError(t *testing.T) {
	broken := errors.New("the pipe broke")
	r := newRedactor(t, angled, "AA=abcd")
	got, err := io.ReadAll(r.Reader(io.MultiReader(strings.NewReader("x abcd abc"), iotest.ErrReader(broken))))
	if string(got) != "x <AA> abc" || err != broken {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAReaderOfAClosedRedactorFails(t *testing.T) {
	r := newRedactor(t, angled, "AA=abcd")
	reader := r.Reader(strings.NewReader("x abcd and more"))
	if n, err := reader.Read(make([]byte, 2)); n != 2 || err != nil {
		t.Errorf("Read = %d, %v", n, err)
	}
	_ = r.Close()
	var zero redact.Reader
	for _, reader := range []*redact.Reader{reader, r.Reader(strings.NewReader("x")), &zero} {
		if n, err := reader.Read(make([]byte, 100)); n != 0 || !errors.Is(err, redact.ErrClosed) {
			t.Errorf("Read = %d, %v", n, err)
		}
	}
}
