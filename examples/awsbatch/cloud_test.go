package main

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/pipesecrets/pipesecrets/internal/moto"
)

// configured gives the program an ordinary configuration of the SDK.
func configured(cmd *exec.Cmd, endpoint string, more ...string) *exec.Cmd {
	cmd.Env = append(cmd.Env, "AWS_ENDPOINT_URL="+endpoint, "AWS_REGION=eu-west-1",
		"AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=key")
	cmd.Env = append(cmd.Env, more...)
	return cmd
}

// there answers how many secrets an emulator has.
func there(t *testing.T, endpoint string) int {
	t.Helper()
	client := secretsmanager.New(secretsmanager.Options{
		Region: "eu-west-1", BaseEndpoint: &endpoint,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "key", SecretAccessKey: "key"}, nil
		}),
	})
	list, err := client.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{IncludePlannedDeletion: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	return len(list.SecretList)
}

func TestItRunsUnchangedOnMoto(t *testing.T) {
	t.Parallel()
	endpoint := moto.Start(t)
	for _, c := range []struct {
		name string
		args []string
		env  []string
		code int
		says []string
	}{
		{"the account by STS", nil, nil, 0, []string{endpoint + "; account 123456789012, Region eu-west-1", "sha256 equal", "3 absent-once", "fetch: not found: "}},
		{"one map", []string{"-layout", "map"}, nil, 0, []string{":NCBI_API_KEY::", "sha256 equal", "1 absent-once", "fetch: not found: "}},
		{"the account by its variable", nil, []string{"AWS_ENDPOINT_URL_STS=http://127.0.0.1:1", "AWS_ACCOUNT_ID=123456789012"}, 0, []string{"absent-once"}},
		{"the endpoint of this service alone", []string{"-account", "123456789012"}, []string{"AWS_ENDPOINT_URL=", "AWS_ENDPOINT_URL_SECRETS_MANAGER=" + endpoint}, 0, []string{endpoint}},
		{"another account", []string{"-account", "999999999999"}, nil, 1, []string{"create: elsewhere (the credentials are of another account than 999999999999", "failed: 3 absent-once"}},
		{"no STS", nil, []string{"AWS_ENDPOINT_URL_STS=http://127.0.0.1:1"}, 2, []string{"the account is not known, since STS does not answer: give -account"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd, tmp := awsbatch(t, c.args...)
			code, stdout, stderr := outcome(t, configured(cmd, endpoint, c.env...))
			if code != c.code {
				t.Errorf("it ended with %d, want %d\n%s%s", code, c.code, stdout, stderr)
			}
			for _, says := range c.says {
				if !strings.Contains(stdout+stderr, says) {
					t.Errorf("it does not say %q:\n%s%s", says, stdout, stderr)
				}
			}
			if n := there(t, endpoint); n > 0 {
				t.Errorf("%d secrets are left", n)
			}
			empty(t, tmp)
		})
	}
}

func TestTheNextCallWithADirectoryCleansUpAfterOneThatWasKilled(t *testing.T) {
	t.Parallel()
	endpoint, dir := moto.Start(t), t.TempDir()
	cmd, _ := awsbatch(t, "-dir", dir, "--", "sh", "-c", `echo ready; while read -r line; do :; done`)
	stdin, err := configured(cmd, endpoint).StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Errorf("it printed %q (%v)", line, err)
	}

	second, _ := awsbatch(t, "-dir", dir)
	if code, _, stderr := outcome(t, configured(second, endpoint)); code != 1 || !strings.Contains(stderr, "another awsbatch uses this directory") {
		t.Errorf("beside the first it ended with %d: %s", code, stderr)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if n := there(t, endpoint); n != 3 {
		t.Fatalf("%d secrets are there after the kill", n)
	}
	due(t, dir)
	next, _ := awsbatch(t, "-dir", dir)
	code, said, stderr := outcome(t, configured(next, endpoint))
	if code != 0 || !strings.Contains(said, "ended 1 run(s) that an earlier call had left") || !strings.Contains(said, "version 2") {
		t.Errorf("it ended with %d\n%s%s", code, said, stderr)
	}
	if n := there(t, endpoint); n > 0 {
		t.Errorf("%d secrets are left", n)
	}
}

// due waits until the time of a run that nobody renews is over.
func due(t *testing.T, dir string) {
	t.Helper()
	d, err := fake("", "").driver(0)
	if err != nil {
		t.Fatal(err)
	}
	place, err := os.ReadFile(filepath.Join(dir, "place"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := open(t.Context(), dir, string(place), d)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(5 * time.Minute); ; {
		runs, err := h.backend.Due(t.Context(), time.Now(), 10)
		if err == nil && len(runs) == 1 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%d runs are due (%v)", len(runs), err)
		}
	}
}

func TestAConfigurationThatIsNotWholeNeverEndsOnTheFake(t *testing.T) {
	t.Parallel()
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>words of AWS</Message></Error></ErrorResponse>`))
	}))
	defer refuses.Close()
	for _, c := range []struct {
		name string
		env  []string
		code int
		says string
	}{
		{"half a key", []string{"AWS_ACCESS_KEY_ID=key", "AWS_REGION=eu-west-1"}, 2, "AWS_ACCESS_KEY_ID is there, but no AWS credentials are"},
		{"the other half", []string{"AWS_SECRET_ACCESS_KEY=key"}, 2, "AWS_SECRET_ACCESS_KEY is there, but no"},
		{"a session alone", []string{"AWS_SESSION_TOKEN=key"}, 2, "AWS_SESSION_TOKEN is there, but no"},
		{"a role alone", []string{"AWS_ROLE_ARN=arn:aws:iam::123456789012:role/ecs"}, 2, "AWS_ROLE_ARN is there, but no"},
		{"an account alone", []string{"AWS_ACCOUNT_ID=123456789012"}, 2, "AWS_ACCOUNT_ID is there, but no"},
		{"another default profile that is not there", []string{"AWS_DEFAULT_PROFILE=nobody"}, 2, "AWS_DEFAULT_PROFILE"},
		{"a credentials file that is not there", []string{"AWS_SHARED_CREDENTIALS_FILE=" + t.TempDir() + "/none"}, 2, "AWS_SHARED_CREDENTIALS_FILE is there, but no"},
		{"a config file that is not there", []string{"AWS_CONFIG_FILE=" + t.TempDir() + "/none"}, 2, "AWS_CONFIG_FILE is there, but no"},
		{"a credentials file of another profile", []string{"AWS_SHARED_CREDENTIALS_FILE=" + write(t, []byte("[work]\naws_access_key_id = key\naws_secret_access_key = key\n"))}, 2, "AWS_SHARED_CREDENTIALS_FILE is there, but no"},
		{"a config file of another profile", []string{"AWS_CONFIG_FILE=" + write(t, []byte("[profile work]\nregion = eu-west-1\n"))}, 2, "AWS_CONFIG_FILE is there, but no"},
		{"an endpoint in a file alone", []string{"AWS_CONFIG_FILE=" + write(t, []byte("[default]\nendpoint_url = http://127.0.0.1:1\n"))}, 2, "AWS_CONFIG_FILE is there, but no"},
		{"the endpoint of another service", []string{"AWS_ENDPOINT_URL_STS=http://127.0.0.1:1"}, 2, "AWS_ENDPOINT_URL_STS is there, but no"},
		{"no Region", []string{"AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=key"}, 2, "AWS_REGION: must be set"},
		{"an endpoint alone", []string{"AWS_ENDPOINT_URL=http://127.0.0.1:1", "AWS_REGION=eu-west-1"}, 2, "AWS_ENDPOINT_URL is there, but no AWS credentials are"},
		{"a profile that is not there", []string{"AWS_PROFILE=nobody"}, 2, "AWS_PROFILE: must name a profile"},
		{"no Region of AWS", []string{"AWS_ENDPOINT_URL=http://127.0.0.1:1", "AWS_REGION=here", "AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=key", "AWS_ACCOUNT_ID=123456789012"}, 2, "region: must be the name of a Region"},
		{"STS refuses", []string{"AWS_ENDPOINT_URL=" + refuses.URL, "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=key"}, 2, "STS refuses to tell: give -account"},
		{"nobody listens", []string{"AWS_ENDPOINT_URL=http://127.0.0.1:1", "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=key", "AWS_ACCOUNT_ID=123456789012"}, 1, "unavailable (the endpoint does not answer)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd, tmp := awsbatch(t)
			cmd.Env = append(cmd.Env, c.env...)
			code, stdout, stderr := outcome(t, cmd)
			if code != c.code || !strings.Contains(stderr, c.says) || strings.Contains(stderr, "words of AWS") || strings.Contains(stdout, "a fake") {
				t.Errorf("it ended with %d\n%s%s", code, stdout, stderr)
			}
			empty(t, tmp)
		})
	}
}
