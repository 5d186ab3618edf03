package nextflow_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pipesecrets/pipesecrets/provider/nextflow"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// nextflowFile does what Nextflow does with a store: it reads the JSON, and writes a
// line for each secret with nothing but the dollar signs escaped
// (LocalSecretsProvider.makeTempSecretsFile, Escape.variable).
func nextflowFile(t testing.TB, store []byte) []byte {
	t.Helper()
	var entries []struct{ Name, Value string }
	if err := json.Unmarshal(store, &entries); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	for _, e := range entries {
		file.WriteString("export " + e.Name + `="` + strings.ReplaceAll(e.Value, "$", `\$`) + "\"\n")
	}
	return file.Bytes()
}

// task is the part of a task's wrapper that concerns secrets (command-run.txt,
// LocalSecretsProvider.getSecretsEnv).
func task(names []string, file string) string {
	var filter strings.Builder
	for _, n := range names {
		filter.WriteString(" -e '" + n + "=.*'")
	}
	return "set -e; set -u\nsource /dev/stdin <<<\"$(cat <(grep -w" + filter.String() + " " + file + "))\"\n"
}

// locales are those of tasks: the one of minimal images, and a UTF-8 one.
var locales = []string{"C", "C.UTF-8"}

// throughTask stages the plain values in one store and has a task of stock
// Nextflow print them, for each locale.
func throughTask(t testing.TB, s nextflow.Store, plain []string) {
	all := map[string]string{}
	names := make([]string, len(plain))
	var print strings.Builder
	for i, p := range plain {
		names[i] = fmt.Sprintf("ARRIVES_%d", i) // which is in no value, as V0= may be by chance
		all[names[i]] = p
		fmt.Fprintf(&print, "printf '%%s\\0' \"$%s\"\n", names[i])
	}
	var store bytes.Buffer
	if err := s.Write(&store, values(t, all)); err != nil {
		t.Error(err)
		return
	}
	for _, locale := range locales {
		cwd := t.TempDir()
		write(t, cwd+"/file", nextflowFile(t, store.Bytes()))
		write(t, cwd+"/run", []byte(task(names, "file")+print.String()))
		cmd := exec.Command("bash", "run")
		cmd.Dir = cwd
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=" + locale}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil || stderr.Len() > 0 {
			t.Errorf("%s: %v: %d bytes of complaints", locale, err, stderr.Len())
			return
		}
		got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		if len(got) != len(plain) {
			t.Errorf("%s: %d values arrived of %d", locale, len(got), len(plain))
			return
		}
		for i, want := range plain {
			if got[i] != want {
				t.Errorf("%s: a value of %d bytes arrived as %d other bytes", locale, len(want), len(got[i]))
			}
		}
		if entries, _ := os.ReadDir(cwd); len(entries) != 2 {
			t.Errorf("%s: a value was executed: there is a file beside the script", locale)
		}
	}
}

func write(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// throughTasks is throughTask for many values, some hundred in each store, on two
// processors.
func throughTasks(t *testing.T, s nextflow.Store, plain []string) {
	const perStore = 400
	start := time.Now()
	var running sync.WaitGroup
	room := make(chan struct{}, 2)
	for from := 0; from < len(plain); from += perStore {
		room <- struct{}{}
		running.Go(func() {
			defer func() { <-room }()
			throughTask(t, s, plain[from:min(from+perStore, len(plain))])
		})
	}
	running.Wait()
	t.Logf("%d values in %d locales, %v", len(plain), len(locales), time.Since(start).Round(time.Second))
}

// strung returns all strings of 1 to n letters of an alphabet.
func strung(alphabet string, n int) []string {
	all := []string{""}
	for last := all; n > 0; n-- {
		var longer []string
		for _, s := range last {
			for _, letter := range alphabet {
				longer = append(longer, s+string(letter))
			}
		}
		all, last = append(all, longer...), longer
	}
	return all[1:]
}

// hostile are values that stock Nextflow cuts, changes or executes. Each that could
// be executed would leave a file named sentinel.
var hostile = []string{
	"a$HOME$(touch sentinel)", "`touch sentinel`", "\"; touch sentinel; X=\"", "'; touch sentinel; X='",
	"\\`touch sentinel\\`", "\\\"; touch sentinel; \\\"", "\\$(touch sentinel)", "\\\\$(touch sentinel)", "\\\\`touch sentinel`",
	"${IFS}$(touch${IFS}sentinel)", "$[`touch sentinel`]", "$((x[$(touch sentinel)0]))", "\"$(touch sentinel)\"", "\"`touch sentinel`\"",
	"a\"b", "a\"b\"c", "abc\\", "a\\\\b", "a\\$b", " lead and trail ", "\t", "!history !! !$", "-n", "%s%n\\n\\0", "*", "~", "~root",
	"#comment", "a;b|c&d>e<f(g)h{i}j", "'", "''", "\\'", "\\", "\\\\", "$'\\n'", "EOF", "x FOO=bar", "=", "V0", "p@ss:w\"o$r`d'\\",
	"\x01\x02\x7f\x1b[31m", "\x01", "\x7f", "\x01\x01\x7f\x7f", "\\\x01", "\\\x7f", "ünï€😀\u2028\u0085\ufeff\ufffe\U0010ffff", "é=", "\"é", "é\\", "\\é",
}

// large are values of the largest size.
var large = []string{
	strings.Repeat("\\", 65536), strings.Repeat("\"", 65536), strings.Repeat("$`\\\"", 16384), strings.Repeat("😀", 16384),
}

// randomText is valid UTF-8 of up to 48 characters without a line feed, carriage
// return or NUL, where what shells care for comes more often than by chance.
func randomText() string {
	const special = "'\"\\$`\t !#&*()[]{};|<>?~%=\x01\x7f"
	var text []rune
	for range 1 + rand.IntN(48) {
		r := rune(special[rand.IntN(len(special))])
		switch rand.IntN(4) {
		case 0:
			r = rune(rand.IntN(utf8.MaxRune + 1))
		case 1:
			r = rune(rand.IntN(0x800))
		}
		if !utf8.ValidRune(r) || r == 0 || r == '\n' || r == '\r' {
			r = 'a'
		}
		text = append(text, r)
	}
	return string(text)
}

func one(t testing.TB, plain string) secrets.Value {
	t.Helper()
	v, err := secrets.NewValue([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func name(t testing.TB, s string) secrets.Name {
	t.Helper()
	n, err := secrets.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
