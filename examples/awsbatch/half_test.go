package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

func TestTheUsualFilesOfAnotherProfileAreHalfAConfiguration(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, text, says string }{
		{"credentials", "[work]\naws_access_key_id = key\naws_secret_access_key = key\n", "the AWS credentials file is there, but no"},
		{"config", "[sso-session work]\nsso_region = eu-west-1\n", "the AWS config file is there, but no"},
	} {
		cmd, _ := awsbatch(t)
		home := t.TempDir()
		cmd.Env = append(cmd.Env, "HOME="+home)
		if err := os.Mkdir(filepath.Join(home, ".aws"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(home, ".aws", c.file), []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, stdout, stderr := outcome(t, cmd); code != 2 || !strings.Contains(stderr, c.says) || stdout != "" {
			t.Errorf("%s: it ended with %d\n%s%s", c.file, code, stdout, stderr)
		}
	}
}

func TestARegionAloneIsNoConfiguration(t *testing.T) {
	t.Parallel()
	cmd, _ := awsbatch(t)
	cmd.Env = append(cmd.Env, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"AWS_CONFIG_FILE="+write(t, []byte("# mine\n[default]\nregion = us-west-2\noutput=json\ncli_pager =\n")))
	if code, stdout, stderr := outcome(t, cmd); code != 0 || !strings.Contains(stdout, "so a fake of Secrets Manager in this process it is; account 123456789012, Region us-west-2") {
		t.Errorf("it ended with %d\n%s%s", code, stdout, stderr)
	}
}

func TestACallThatIsNeverAnsweredEnds(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "key",
	} {
		t.Setenv(name, value)
	}
	c, err := reach(t.Context(), "123456789012")
	if err != nil {
		t.Fatal(err)
	}
	client, ok := c.launcher.Options().HTTPClient.(*awshttp.BuildableClient)
	if !ok || client.GetTimeout() <= 0 {
		t.Errorf("the client (%T) waits for ever", c.launcher.Options().HTTPClient)
	}
}
