//go:build unix

package hpc_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/pipesecrets/pipesecrets/internal/component"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// shells are the shells that jobs run under, with how to call them.
var shells = map[string][]string{
	"dash":    {"dash"},
	"bash":    {"bash"},
	"busybox": {"busybox", "sh"},
}

// hostile are values that some known delivery cuts, changes or executes. Each
// that could be executed would leave a file named sentinel.
func hostile() [][]byte {
	values := [][]byte{
		[]byte("a$HOME$(touch sentinel)"), []byte("`touch sentinel`"), []byte("\"; touch sentinel; X=\""),
		[]byte("'; touch sentinel; X='"), []byte("'\\''; touch sentinel; '"), []byte("${IFS}$(touch${IFS}sentinel)"),
		[]byte("\n touch sentinel\n"), []byte("\r\ntouch sentinel\r\n"), []byte("x' \n touch sentinel #"),
		[]byte("a\"b"), []byte("a\"b\"c"), []byte("abc\\"), []byte("a\\\\b"), []byte("a\\$b"), []byte("l1\nl2"),
		[]byte("ends in newline\n"), []byte("ends in newlines\n\n\n"), []byte("\n"), []byte("\n\n"), []byte(" lead and trail "),
		[]byte("!history !! !$"), []byte("cr\rcr\r"), []byte("-n"), []byte("-----BEGIN X-----\nab\n-----END X-----\n"),
		[]byte("%s%n%d\\n\\0"), []byte("*"), []byte("~"), []byte("~root"), []byte("#comment"), []byte("a;b|c&d>e<f(g)h{i}j"),
		[]byte("'"), []byte("''"), []byte("'''"), []byte("\\'"), []byte("\\"), []byte("$'\\n'"), []byte("EOF\n"), []byte("x FOO=bar"),
		[]byte("p@ss:w\"o$r`d'\\"), []byte("\xff\xfe\x80 not UTF-8"), []byte("\x01\x02\x7f\x1b[31m"), []byte("ünï€😀\u2028"),
	}
	for b := 1; b < 256; b++ {
		values = append(values, []byte{byte(b)}, []byte{'a', byte(b), 'b'}, []byte{byte(b), byte(b), '\n'})
	}
	all := make([]byte, 255)
	for i := range all {
		all[i] = byte(i + 1)
	}
	return append(values, all, bytes.Repeat([]byte("'"), 65536), bytes.Repeat(all, 258)[:65536])
}

func TestEveryValueArrivesByteForByteInEveryShellAndNoneIsExecuted(t *testing.T) {
	random := 100_000
	if testing.Short() {
		random = 5_000
	}
	values := hostile()
	rng := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	const special = "'\"\\$`\n\r !#&*()[]{};|<>?~%\x01\x7f"
	for range random {
		v := make([]byte, 1+rng.IntN(48))
		for i := range v {
			v[i] = byte(1 + rng.IntN(255))
			if rng.IntN(3) == 0 { // what shells care for, more often than chance
				v[i] = special[rng.IntN(len(special))]
			}
		}
		values = append(values, v)
	}
	for _, argv := range shells {
		component.Command(t, "shells", argv[0])
	}
	const perScript = 2000
	for start := 0; start < len(values); start += perScript {
		throughShells(t, values[start:min(start+perScript, len(values))])
	}
}

// throughShells stages the values, has each shell source them and print each with
// a NUL after it, and compares.
func throughShells(t *testing.T, values [][]byte) {
	t.Helper()
	plain := map[string][]byte{}
	var script strings.Builder
	script.WriteString(". \"$PIPESECRETS_ENV\" || exit 1\n")
	for i, v := range values {
		plain[fmt.Sprintf("V%d", i)] = v
		fmt.Fprintf(&script, "printf '%%s\\0' \"$V%d\"\n", i)
	}
	root, err := os.MkdirTemp(memory(), "hpc-quoting-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(root)
	d, _ := newDriver(t, hpc.Config{Root: root, NoStore: true}) // values need not be UTF-8 here
	o, open := staged(t, plain)
	id, err := d.Create(t.Context(), o, open)
	if err != nil {
		t.Fatal(err)
	}
	env := d.Environment(d.References(o, id))
	for n, want := range plain {
		if got, err := os.ReadFile(env["PIPESECRETS_DIR"] + "/" + n); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("the file of %s is not what was staged (%v)", n, err)
		}
	}
	var running sync.WaitGroup
	for shell, argv := range shells {
		running.Go(func() { throughShell(t, shell, argv, script.String(), env["PIPESECRETS_ENV"], values) })
	}
	running.Wait()
	if err := d.Remove(t.Context(), o, id); err != nil {
		t.Fatal(err)
	}
}

// memory is where the many files of this test cost no disk writes, if there is
// such a place.
func memory() string {
	dir, err := os.MkdirTemp("/dev/shm", "hpc-test-")
	if err != nil || os.Remove(dir) != nil {
		return ""
	}
	return "/dev/shm"
}

func throughShell(t *testing.T, shell string, argv []string, script, env string, values [][]byte) {
	cwd := t.TempDir()
	if err := os.WriteFile(cwd+"/script", []byte(script), 0o600); err != nil {
		t.Error(err)
		return
	}
	cmd := exec.Command(argv[0], append(argv[1:], "-c", ". ./script")...)
	cmd.Dir = cwd
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "PIPESECRETS_ENV=" + env}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Errorf("%s: %v: %d bytes of complaints", shell, err, stderr.Len())
		return
	}
	got := bytes.Split(bytes.TrimSuffix(out, []byte{0}), []byte{0})
	if len(got) != len(values) {
		t.Errorf("%s: %d values arrived of %d", shell, len(got), len(values))
		return
	}
	for i, want := range values {
		if !bytes.Equal(got[i], want) {
			t.Errorf("%s: value %d of %d bytes arrived as %d other bytes", shell, i, len(want), len(got[i]))
		}
	}
	if entries, _ := os.ReadDir(cwd); len(entries) != 1 {
		t.Errorf("%s: a value was executed: there is a file beside the script", shell)
	}
}

// TestWhatAShellKeepsForItselfIsRefused asks bash which variables it has, and
// which of them take what a file assigns to them.
func TestWhatAShellKeepsForItselfIsRefused(t *testing.T) {
	bash := component.Command(t, "shells", "bash")
	listed, err := exec.Command(bash, "--norc", "-c", "compgen -v; declare -p | sed -nE 's/^declare -[a-zA-Z-]+ ([A-Za-z_]+).*/\\1/p'").Output()
	if err != nil {
		t.Fatal(err)
	}
	d, _ := newDriver(t, hpc.Config{NoStore: true})
	kept := 0
	seen := map[string]bool{}
	for variable := range strings.FieldsSeq(string(listed) + " PS1 PS2") {
		n, err := secrets.ParseName(variable)
		if err != nil || seen[variable] {
			continue
		}
		seen[variable] = true
		const value = "x[$(touch sentinel)0]"
		cwd := t.TempDir()
		cmd := exec.Command(bash, "--norc", "-c", "export "+variable+"='"+value+"' 2>/dev/null; printf %s \"$"+variable+"\"")
		cmd.Dir = cwd
		out, _ := cmd.Output()    // to fail is an answer, too
		if string(out) == value { // and what does a bash see that the shell starts?
			cmd := exec.Command(bash, "--norc", "-c", "export "+variable+"='"+value+"'; "+bash+" --norc -c 'printf %s \"$"+variable+"\"'")
			cmd.Dir = cwd
			out, _ = cmd.Output()
		}
		ran, err := os.ReadDir(cwd)
		if err != nil {
			t.Fatal(err)
		}
		if string(out) == value && len(ran) == 0 {
			continue
		}
		kept++
		v, err := secrets.NewValue([]byte(value))
		if err != nil {
			t.Fatal(err)
		}
		if d.Carries(n, v) == nil {
			t.Errorf("%s is carried, and bash executes it: %t", variable, len(ran) > 0)
		}
		if _, reserved := n.Reserved(); !reserved {
			t.Errorf("%s is not reserved", variable)
		}
	}
	if kept < 10 {
		t.Errorf("bash kept %d of %d variables for itself: the test asks wrongly", kept, len(seen))
	}
	t.Logf("bash keeps %d of %d variables for itself", kept, len(seen))
}
