package secrets_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/internal/leak"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// inChild tells this test binary to be the child that panics: the way, and the
// value in hexadecimal digits.
const inChild = "PIPESECRETS_TEST_PANIC"

// TestAPanicShowsNoValue has the runtime print what a program panicked with,
// and the stacks of all goroutines, in a process of its own.
func TestAPanicShowsNoValue(t *testing.T) {
	if way, digits, ok := strings.Cut(os.Getenv(inChild), "="); ok {
		canary, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		panicBy(t, way, canary)
		return
	}
	ways := []string{"reader", "out of range", "lent"}
	for _, s := range leak.Shapes(secrets.Value{}) {
		ways = append(ways, "shape "+s.Name, "formatted "+s.Name, "error of "+s.Name)
	}
	for _, way := range append(ways, "string", "stringer") {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			// As in leak.Search, only what shows both of two values shows them.
			first, second := leak.Canary(), leak.Canary()
			a := crash(t, way, first)
			_, leaked := leak.Find(a, first)
			if leaked {
				_, leaked = leak.Find(crash(t, way, second), second)
			}
			if control := way == "string" || way == "stringer"; leaked != control {
				t.Errorf("leaked %v; want %v:\n%s", leaked, control, a)
			}
		})
	}
}

// crash returns all that a child wrote that panicked in the given way.
func crash(t *testing.T, way string, canary []byte) []byte {
	cmd := exec.Command(os.Args[0], "-test.run=^TestAPanicShowsNoValue$")
	cmd.Env = append(os.Environ(), inChild+"="+way+"="+hex.EncodeToString(canary), "GOTRACEBACK=system")
	out, err := cmd.CombinedOutput()
	if _, exited := errors.AsType[*exec.ExitError](err); !exited || !strings.Contains(string(out), "panic: ") {
		t.Fatalf("the child did not panic: %v\n%s", err, out)
	}
	return out
}

func panicBy(t *testing.T, way string, canary []byte) {
	v := value(t, canary)
	switch way {
	case "string":
		panic(string(canary))
	case "stringer":
		panic(shown(canary))
	case "reader":
		_ = v.Reveal(func([]byte) error { panic("reader") })
	case "lent":
		_ = v.Reveal(func(plain []byte) error { panic(fmt.Errorf("%d bytes, %v", len(plain), v)) })
	case "out of range":
		_ = v.Reveal(func(plain []byte) error {
			plain[len(plain)] = 0
			return nil
		})
	}
	for _, s := range leak.Shapes(v) {
		switch way {
		case "shape " + s.Name:
			panic(s.It)
		case "formatted " + s.Name:
			panic(fmt.Sprintf("%+v", s.It))
		case "error of " + s.Name:
			panic(fmt.Errorf("outer: %v", s.It))
		}
	}
}

// shown is a type that shows its text in a panic.
type shown string

func (s shown) String() string { return string(s) }
