package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mainEnv makes the test binary be the program.
const mainEnv = "AWSBATCH_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" {
		main()
		return
	}
	for _, variable := range os.Environ() { // nothing of AWS is configured but by a test
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			os.Unsetenv(name)
		}
	}
	os.Setenv("AWS_CONFIG_FILE", os.DevNull)
	os.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	os.Exit(m.Run())
}

// awsbatch returns the program, for which nothing is configured, and the directory
// that its temporary one will be in.
func awsbatch(t *testing.T, args ...string) (cmd *exec.Cmd, tmp string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(self, args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "AWS_") })
	tmp = t.TempDir()
	cmd.Env = append(cmd.Env, mainEnv+"=1", "HOME="+t.TempDir(), "TMPDIR="+tmp)
	return cmd, tmp
}

// outcome runs the program and returns its exit status and what it printed.
func outcome(t *testing.T, cmd *exec.Cmd) (code int, stdout, stderr string) {
	t.Helper()
	return start(t, cmd)()
}

// start starts the program, whose outcome wait answers.
func start(t *testing.T, cmd *exec.Cmd) (wait func() (code int, stdout, stderr string)) {
	t.Helper()
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() (int, string, string) {
		t.Helper()
		var exit *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), out.String(), complaints.String()
	}
}

func empty(t *testing.T, dir string) {
	t.Helper()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%d entries are left (%v)", len(entries), err)
	}
}

func write(t *testing.T, content []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// hostile is a value with what breaks other deliveries, and a random part.
func hostile() []byte {
	return append([]byte("'\"`touch sentinel`$(touch sentinel)\\ \r\n<!x>\u2028 -n "), (rand.Text() + "\n\n")...)
}

func TestTheStoryEndsWithNothingLeft(t *testing.T) {
	t.Parallel()
	for _, layout := range []string{"secrets", "map"} {
		t.Run(layout, func(t *testing.T) {
			cmd, tmp := awsbatch(t, "-layout", layout)
			code, stdout, stderr := outcome(t, cmd)
			for _, says := range []string{
				"nothing is configured", "account 123456789012, Region eu-west-1", "(the workspace's is overridden)",
				"NCBI_API_KEY               sha256 equal", "SNOWFLAKE_PRIVATE_KEY_RAW=[secret:SNOWFLAKE_PRIVATE_KEY_RAW]",
				" gone\n", "fetch: not found: NCBI_API_KEY, SENTIEON_LICENSE_BASE64, SNOWFLAKE_PRIVATE_KEY_RAW", "The fake has none at all",
			} {
				if !strings.Contains(stdout, says) {
					t.Errorf("it does not say %q", says)
				}
			}
			if keyed := strings.Contains(stdout, ":NCBI_API_KEY::"); keyed != (layout == "map") {
				t.Error("it is the other layout")
			}
			if code != 0 || stderr != "" {
				t.Errorf("it ended with %d\n%s%s", code, stdout, stderr)
			}
			empty(t, tmp)
		})
	}
}

func TestTheCommandSeesTheUsersBytesExactlyAndNothingIsLeft(t *testing.T) {
	t.Parallel()
	for _, layout := range []string{"secrets", "map"} {
		t.Run(layout, func(t *testing.T) {
			value := hostile()
			cmd, tmp := awsbatch(t, "-layout", layout, "-secret", "TOKEN=-", "--", "sh", "-c",
				`printf %s "$TOKEN" > env; echo "it is $TOKEN"; echo "$TOKEN" >&2; env | grep ^AWS_; exit 7`)
			cmd.Dir, cmd.Stdin = t.TempDir(), bytes.NewReader(value)
			cmd.Env = append(cmd.Env, "AWS_PAGER=none") // no more the job's business than credentials
			code, stdout, stderr := outcome(t, cmd)
			if code != 7 {
				t.Errorf("it ended with %d, want the command's 7: %s", code, stderr)
			}
			if got, err := os.ReadFile(filepath.Join(cmd.Dir, "env")); err != nil || !bytes.Equal(got, value) {
				t.Errorf("not the user's bytes (%v)", err)
			}
			if entries, _ := os.ReadDir(cmd.Dir); len(entries) != 1 {
				t.Error("a value was executed")
			}
			if strings.TrimSpace(stdout) != "it is [secret:TOKEN]" || strings.Contains(stderr, string(bytes.TrimSpace(value))) {
				t.Errorf("its output is not masked, or not alone on standard output")
			}
			if !strings.Contains(stderr, "exit-7: 1 gone") || !strings.Contains(stderr, "The fake has none at all") {
				t.Errorf("something is left: %s", stderr)
			}
			empty(t, tmp)
		})
	}
}

func TestNothingIsLeftHoweverTheCommandEnds(t *testing.T) {
	t.Parallel()
	value := write(t, hostile())
	for _, c := range []struct {
		name, script string
		code         int
	}{
		{"success", "exit 0", 0},
		{"failure", "exit 3", 3},
		{"killed", "kill -9 $$", 128 + 9},
		{"terminated", "kill -15 $$", 128 + 15},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd, tmp := awsbatch(t, "-secret", "TOKEN="+value, "--", "sh", "-c", c.script)
			code, _, stderr := outcome(t, cmd)
			if code != c.code || !strings.Contains(stderr, ": 1 gone") || !strings.Contains(stderr, "The fake has none at all") {
				t.Errorf("it ended with %d, want %d: %s", code, c.code, stderr)
			}
			empty(t, tmp)
		})
	}
}

func TestAValueThatIsTooShortToBeMaskedIsToldAndNotPrinted(t *testing.T) {
	t.Parallel()
	long := write(t, hostile())
	for _, value := range []string{"~", "~~~"} {
		for _, args := range [][]string{nil, {"-secret", "LONG=" + long}, {"--", "sh", "-c", "echo $TOKEN"}} {
			cmd, tmp := awsbatch(t, append([]string{"-secret", "TOKEN=" + write(t, []byte(value))}, args...)...)
			code, stdout, stderr := outcome(t, cmd)
			if code != 0 || !strings.Contains(stdout+stderr, "TOKEN is too short to be masked") {
				t.Errorf("%d bytes, %v: it ended with %d\n%s%s", len(value), args, code, stdout, stderr)
			}
			// A command of the user's prints what it likes.
			if printed := strings.Contains(stdout, value); printed != (len(args) > 2) || strings.Contains(stdout, "LONG=[secret:LONG]") != (len(args) == 2) {
				t.Errorf("%d bytes, %v: it prints\n%s", len(value), args, stdout)
			}
			empty(t, tmp)
		}
	}
}

func TestAJobThatHasOtherBytesFailsTheStory(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "sha256sum"), []byte("#!/bin/sh\necho 0000\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd, tmp := awsbatch(t)
	cmd.Env = append(cmd.Env, "PATH="+bin+":"+os.Getenv("PATH"))
	code, stdout, stderr := outcome(t, cmd)
	if code != 1 || !strings.Contains(stderr, "the job did not get the bytes of NCBI_API_KEY") || !strings.Contains(stdout, "failed: 3 gone") {
		t.Errorf("it ended with %d\n%s%s", code, stdout, stderr)
	}
	empty(t, tmp)
}

func TestThePoliciesArePrintedOnRequest(t *testing.T) {
	t.Parallel()
	cmd, _ := awsbatch(t, "-policies", "-role", "arn:aws:iam::210987654321:role/ecs", "-account", "210987654321", "-hours", "0.5")
	code, stdout, stderr := outcome(t, cmd)
	if code != 0 || strings.Count(stdout, `"Version": "2012-10-17"`) != 4 {
		t.Errorf("it ended with %d\n%s%s", code, stdout, stderr)
	}
	for _, says := range []string{`"executionRoleArn": "arn:aws:iam::210987654321:role/ecs"`, "secret:tower-*", "lasts 0.5 hours"} {
		if !strings.Contains(stdout, says) {
			t.Errorf("it does not say %q", says)
		}
	}
}

func TestWrongInputIsRefusedWithoutQuotingIt(t *testing.T) {
	t.Parallel()
	mark := rand.Text()
	value, nul, long := write(t, hostile()), write(t, []byte("a\x00b")), write(t, bytes.Repeat([]byte("x"), 65537))
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"-secret", mark}, 2, "-secret: a secret is given as NAME=FILE"},
		{[]string{"-secret", "A-B=" + mark}, 2, "-secret: name: may hold only"},
		{[]string{"-secret", "TOKEN=" + mark}, 2, "-secret: TOKEN: the file can't be opened"},
		{[]string{"-secret", "TOKEN=/dev/null"}, 2, "-secret: TOKEN: value: must be 1 to 65,536 bytes"},
		{[]string{"-secret", "TOKEN=" + long}, 2, "-secret: TOKEN: value: must be 1 to 65,536 bytes"},
		{[]string{"-secret", "TOKEN=" + t.TempDir()}, 2, "-secret: TOKEN: the file can't be read"},
		{[]string{"-secret", "PATH=" + value}, 2, "-secret: PATH is reserved"},
		{[]string{"-secret", "TOKEN=" + value, "-secret", "TOKEN=" + value}, 2, "-secret: TOKEN is given twice"},
		{[]string{"-secret", "AB=-", "-secret", "CD=-"}, 2, "-secret: "},
		{[]string{"-secret", "TOKEN=" + nul}, 2, "TOKEN: target batch: value: may hold no NUL byte"},
		{[]string{"-secret", "TOKEN=" + value, "--", mark}, 127, "the command after the flags is not found"},
		{[]string{"-layout", mark}, 2, "-layout: must be secrets or map"},
		{[]string{"-hours", mark}, 2, "-hours: must be a number of hours"},
		{[]string{"-hours", "NaN"}, 2, "-hours: must be a number of hours"},
		{[]string{"-hours", "721"}, 2, "-hours: must be a number of hours"},
		{[]string{"-account", mark}, 2, "-account: must be 12 digits"},
		{[]string{"-role", mark}, 2, "-role: must be the ARN of an IAM role"},
		{[]string{"-dir", ""}, 2, "-dir: must name a directory"},
		{[]string{"-wait=" + mark}, 2, "-wait: must stand alone"},
		{[]string{"-policies=" + mark}, 2, "-policies: must stand alone"},
		{[]string{"-no-such-flag"}, 2, "not defined: -no-such-flag"},
		{[]string{"-secret"}, 2, "needs an argument: -secret"},
		{[]string{"-=" + mark}, 2, "an argument is no flag"},
		{[]string{"-h"}, 0, "usage"},
	} {
		cmd, tmp := awsbatch(t, c.args...)
		code, stdout, stderr := outcome(t, cmd)
		if code != c.code || !strings.Contains(stderr, c.says) || strings.Contains(stdout+stderr, mark) {
			t.Errorf("%d arguments beginning with %s: ended with %d: %s", len(c.args), c.args[0], code, stderr)
		}
		empty(t, tmp)
	}
}
