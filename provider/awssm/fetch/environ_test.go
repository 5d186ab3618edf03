package fetch_test

import (
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipesecrets/pipesecrets/provider/awssm/fetch"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func valuesOf(t *testing.T, plain map[string]string) map[secrets.Name]secrets.Value {
	t.Helper()
	values := map[secrets.Name]secrets.Value{}
	for n, p := range plain {
		v, err := secrets.NewValue([]byte(p))
		if err != nil {
			t.Fatal(err)
		}
		values[parseName(t, n)] = v
	}
	return values
}

func TestAnEnvironmentHasEachNameOnceAndTheRestAsItWas(t *testing.T) {
	canary := rand.Text()
	before := []string{"Z=1", "TOKEN=old", "TOKENS=2", "A=TOKEN=3", "TOKEN", "TOKEN=older", "=C:=x", "", "B_2=old", "token=4", "Z=5"}
	kept := append([]string(nil), before...)
	got, err := fetch.Environ(before, valuesOf(t, map[string]string{"TOKEN": canary + "=\n$x", "B_2": "b", "B_10": "\xff"}))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"Z=1", "TOKENS=2", "A=TOKEN=3", "=C:=x", "", "token=4", "Z=5", "B_10=\xff", "B_2=b", "TOKEN=" + canary + "=\n$x"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(kept, before); diff != "" {
		t.Errorf("the argument was written to: %s", diff)
	}
}

func TestAnEnvironmentOfNothingIsThatOfThisProcess(t *testing.T) {
	got, err := fetch.Environ(os.Environ(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(os.Environ(), got); diff != "" {
		t.Error("differs")
	}
}

func TestAChildProcessReadsWhatWasStaged(t *testing.T) {
	for what, plain := range map[string]string{
		"lines":   rand.Text() + "\r\n'\"`$(x)\\\n",
		"bytes":   rand.Text() + "\xff\xfe\x01",
		"longest": strings.Repeat("x", secrets.MaxValue),
	} {
		environ, err := fetch.Environ(os.Environ(), valuesOf(t, map[string]string{"TOKEN": plain}))
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
		cmd.Env = append(environ, "FETCH_TEST_CHILD=1")
		out, err := cmd.Output()
		if err != nil || string(out) != plain {
			t.Errorf("%s: %d bytes came back: %v", what, len(out), err)
		}
	}
}

// TestChild is no test but the process that the test above starts.
func TestChild(t *testing.T) {
	if os.Getenv("FETCH_TEST_CHILD") == "" {
		return
	}
	_, _ = os.Stdout.WriteString(os.Getenv("TOKEN"))
	os.Exit(0)
}

func TestAnEnvironmentRefusesANULByteByName(t *testing.T) {
	canary := rand.Text()
	got, err := fetch.Environ(nil, valuesOf(t, map[string]string{"GOOD": "x", "TOKEN": canary + "\x00"}))
	var invalid *secrets.InvalidError
	if got != nil || !errors.As(err, &invalid) || invalid.Field != "value of TOKEN" || strings.Contains(err.Error(), canary) {
		t.Errorf("got %v", err)
	}
}

func TestAnEnvironmentOfDestroyedValuesIsRefused(t *testing.T) {
	values := valuesOf(t, map[string]string{"TOKEN": "x"})
	values[parseName(t, "TOKEN")].Destroy()
	if got, err := fetch.Environ(nil, values); got != nil || !errors.Is(err, secrets.ErrDestroyed) {
		t.Errorf("got %v", err)
	}
}
