package nextflow_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/internal/component"
	"github.com/pipesecrets/pipesecrets/provider/nextflow"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestTheConfigurationHoldsPathsAndNames(t *testing.T) {
	script := "[ -r '/run/psec/env.sh' ] || { echo pipesecrets: there is no '/run/psec/env.sh' here: the secrets of a run are removed when it has ended >&2; exit 1; }; " +
		"{ case $- in *x*) set +x; . '/run/psec/env.sh'; set -x;; *) . '/run/psec/env.sh';; esac; } 2>/dev/null"
	block := " {\n        beforeScript = '''" + script + "'''\n        secret = []\n    }\n"
	for _, c := range []struct {
		route nextflow.Route
		want  string
	}{
		{nextflow.Route{}, "process {\n    withName: '(?:.*)'" + block + "}\n"},
		{nextflow.Route{Names: []string{"FOO|BAR:.*", "!BAZ", "FOO"}, Labels: []string{"big", "! small"}},
			"process {\n    withName: '(?:FOO|BAR:.*)'" + block + "    withName: '!(?:BAZ)'" + block + "    withName: '(?:.*:)?FOO'" + block +
				"    withLabel: '(?:big)'" + block + "    withLabel: '!(?:small)'" + block + "}\n"},
		{nextflow.Route{Secrets: []secrets.Name{name(t, "KEY_B"), name(t, "KEY_A")}, Pass: []string{"TMPDIR", "KEY_A"}},
			"process {\n    withName: '(?:.*)'" + block + "}\n" +
				"apptainer.envWhitelist = 'KEY_A,KEY_B,TMPDIR'\ncharliecloud.envWhitelist = 'KEY_A,KEY_B,TMPDIR'\n" +
				"docker.envWhitelist = 'KEY_A,KEY_B,TMPDIR'\npodman.envWhitelist = 'KEY_A,KEY_B,TMPDIR'\n" +
				"sarus.envWhitelist = 'KEY_A,KEY_B,TMPDIR'\nshifter.envWhitelist = 'KEY_A,KEY_B,TMPDIR'\n" +
				"singularity.envWhitelist = 'KEY_A,KEY_B,TMPDIR'\n"},
	} {
		c.route.Env = "/run/psec/env.sh"
		if got, err := c.route.Config(); err != nil || got != c.want {
			t.Errorf("%v:\n%s", err, got)
		}
	}
}

func TestNothingThatCouldMeanSomethingElseGetsIntoTheConfiguration(t *testing.T) {
	for _, bad := range []string{"'", "\"", "\\", "$x", "`", "\n", "\r", "\x00", "\x7f", "\t", "\u2028", "\xff", "'''"} {
		for field, r := range map[string]nextflow.Route{
			"path":     {Env: "/a" + bad + "b"},
			"process":  {Env: "/a", Names: []string{"a" + bad + "b"}},
			"variable": {Env: "/a", Pass: []string{"a" + bad + "b"}},
		} {
			refuses(t, field, r)
		}
		refuses(t, "process", nextflow.Route{Env: "/a", Labels: []string{bad}})
	}
	for _, env := range []string{"", "a/b", "~/a", "./a"} {
		refuses(t, "path", nextflow.Route{Env: env})
	}
	for _, v := range []string{"", "1A", "A B", "A,B", "A-B", "é"} {
		refuses(t, "variable", nextflow.Route{Env: "/a", Pass: []string{v}})
	}
	refuses(t, "process", nextflow.Route{Env: "/a", Names: []string{""}})
	refuses(t, "variable", nextflow.Route{Env: "/a", Secrets: []secrets.Name{{}}})
}

func refuses(t *testing.T, field string, r nextflow.Route) {
	t.Helper()
	var invalid *secrets.InvalidError
	if text, err := r.Config(); text != "" || !errors.As(err, &invalid) || invalid.Field != field {
		t.Errorf("%s: %d bytes of configuration, %v", field, len(text), err)
	}
}

// wrapper is what Nextflow makes of a beforeScript (command-run.txt).
const wrapper = `set -e; set -u
[[ $NXF_DEBUG > 1 ]] && set -x
nxf_main() {
set +u
# beforeScript directive
%s
set -u
bash -c 'printf %%s "$KEY_A"' >out
case $- in *x*) echo traced >>trace;; esac
}
nxf_main
`

func TestTheRouteCarriesAnyValueAndLeavesItOutOfATrace(t *testing.T) {
	component.Command(t, "shells", "bash")
	for _, debug := range []string{"0", "2"} {
		cwd := t.TempDir()
		canary := rand.Text()
		value := "it's \"two\nlines\r\" \\ `x` $HOME " + canary + "\n\xff"
		dir := cwd + "/with space;and (more) é"
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, dir+"/env.sh", []byte("export KEY_A='"+strings.ReplaceAll(value, "'", `'\''`)+"'\n"))
		script, err := nextflow.Route{Env: dir + "/env.sh"}.Script()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("bash", "-c", fmt.Sprintf(wrapper, script))
		cmd.Dir = cwd
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "NXF_DEBUG=" + debug}
		said, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("debug %s: %v: %d bytes", debug, err, len(said))
		}
		if got, err := os.ReadFile(cwd + "/out"); err != nil || string(got) != value {
			t.Errorf("debug %s: %d bytes arrived of %d: %v", debug, len(got), len(value), err)
		}
		if bytes.Contains(said, []byte(canary)) {
			t.Errorf("debug %s: the trace tells the value", debug)
		}
		if _, err := os.Stat(cwd + "/trace"); (err == nil) != (debug == "2") {
			t.Errorf("debug %s: the trace is not as it was", debug)
		}
	}
}

func TestATaskWhoseSecretsAreGoneEndsAndSaysSo(t *testing.T) {
	component.Command(t, "shells", "bash")
	script, err := nextflow.Route{Env: t.TempDir() + "/env.sh"}.Script()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-c", fmt.Sprintf(wrapper, script))
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "NXF_DEBUG=0"}
	said, err := cmd.CombinedOutput()
	if _, exists := os.Stat(cmd.Dir + "/out"); err == nil || exists == nil || !strings.Contains(string(said), "env.sh here: the secrets of a run are removed when it has ended") {
		t.Errorf("%v: %s", err, said)
	}
}

func ExampleRoute() {
	key, _ := secrets.ParseName("SNOWFLAKE_PRIVATE_KEY_RAW")
	text, err := nextflow.Route{
		Env:     "/shared/psec/psec-4f2a-9c/env.sh", // the job's PIPESECRETS_ENV
		Secrets: []secrets.Name{key},
		Names:   []string{"SNOW.*"},
	}.Config()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(text)
	// Output:
	// process {
	//     withName: '(?:SNOW.*)' {
	//         beforeScript = '''[ -r '/shared/psec/psec-4f2a-9c/env.sh' ] || { echo pipesecrets: there is no '/shared/psec/psec-4f2a-9c/env.sh' here: the secrets of a run are removed when it has ended >&2; exit 1; }; { case $- in *x*) set +x; . '/shared/psec/psec-4f2a-9c/env.sh'; set -x;; *) . '/shared/psec/psec-4f2a-9c/env.sh';; esac; } 2>/dev/null'''
	//         secret = []
	//     }
	// }
	// apptainer.envWhitelist = 'SNOWFLAKE_PRIVATE_KEY_RAW'
	// charliecloud.envWhitelist = 'SNOWFLAKE_PRIVATE_KEY_RAW'
	// docker.envWhitelist = 'SNOWFLAKE_PRIVATE_KEY_RAW'
	// podman.envWhitelist = 'SNOWFLAKE_PRIVATE_KEY_RAW'
	// sarus.envWhitelist = 'SNOWFLAKE_PRIVATE_KEY_RAW'
	// shifter.envWhitelist = 'SNOWFLAKE_PRIVATE_KEY_RAW'
	// singularity.envWhitelist = 'SNOWFLAKE_PRIVATE_KEY_RAW'
}
