package main

import (
	"crypto/rand"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/awssm"
	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
	"github.com/pipesecrets/pipesecrets/provider/awssm/fetch"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

// The fake on a socket stands for AWS here, so that a test sees what is there in
// truth, and lets calls go wrong.

func TestASignalWhileSecretsAreStagedLeavesNothing(t *testing.T) {
	t.Parallel()
	fake := awssmtest.New(awssmtest.Config{})
	server := httptest.NewServer(fake)
	defer server.Close()
	ran := filepath.Join(t.TempDir(), "ran")
	cmd, tmp := awsbatch(t, "-account", "123456789012", "--", "touch", ran)
	var once sync.Once
	started := make(chan struct{})
	fake.Intercept(func(c awssmtest.Call) awssmtest.Fault {
		if c.Op == "CreateSecret" {
			once.Do(func() {
				<-started
				_ = cmd.Process.Signal(syscall.SIGTERM)
			})
			return awssmtest.HangBefore // so that the signal is heard before anything is staged
		}
		return awssmtest.None
	})
	wait := start(t, configured(cmd, server.URL))
	close(started)
	code, _, stderr := wait()
	if _, err := os.Stat(ran); err == nil {
		t.Error("the command ran all the same")
	}
	if code != 143 || !strings.Contains(stderr, "ended by a signal: terminated") {
		t.Errorf("it ended with %d: %s", code, stderr)
	}
	if n := len(fake.Secrets()); n > 0 {
		t.Errorf("%d secrets are left", n)
	}
	empty(t, tmp)
}

func TestWhatCanNotBeRemovedIsToldAndItsStateIsKept(t *testing.T) {
	t.Parallel()
	fake := awssmtest.New(awssmtest.Config{})
	server := httptest.NewServer(fake)
	defer server.Close()
	fake.Refuse(func(name string) bool { return strings.HasSuffix(name, "/NCBI_API_KEY") })
	cmd, tmp := awsbatch(t, "-account", "123456789012")
	code, stdout, stderr := outcome(t, configured(cmd, server.URL))
	dirs, err := filepath.Glob(filepath.Join(tmp, "awsbatch-*"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("%d directories are kept (%v)", len(dirs), err)
	}
	if code != 1 || !strings.Contains(stderr, "something may still be at AWS: remove: forbidden (") || !strings.Contains(stderr, "awsbatch -dir "+dirs[0]) {
		t.Errorf("it ended with %d\n%s%s", code, stdout, stderr)
	}
	if n := len(fake.Secrets()); n != 1 {
		t.Errorf("%d secrets are there", n)
	}
}

func TestAJobThatMayNotReadIsToldWhichPolicyIsMissing(t *testing.T) {
	t.Parallel()
	fake := awssmtest.New(awssmtest.Config{})
	server := httptest.NewServer(fake)
	defer server.Close()
	d, err := (&cloud{launcher: fake.Client("key"), account: "123456789012", region: "eu-west-1"}).driver(awssm.PerSecret)
	if err != nil {
		t.Fatal(err)
	}
	if err := fake.Allow("key", string(d.IAMPolicy(awssm.Launcher)), string(d.IAMPolicy(awssm.Sweeper))); err != nil {
		t.Fatal(err)
	}
	cmd, tmp := awsbatch(t, "-account", "123456789012")
	code, _, stderr := outcome(t, configured(cmd, server.URL))
	if code != 1 || !strings.Contains(stderr, "fetch: forbidden: NCBI_API_KEY, ") || !strings.Contains(stderr, "(the reader's policy is missing: see -policies)") {
		t.Errorf("it ended with %d: %s", code, stderr)
	}
	if n := len(fake.Secrets()); n > 0 {
		t.Errorf("%d secrets are left", n)
	}
	empty(t, tmp)
}

func TestALaunchThatIsForbiddenEndsWithoutWaitingForWhatNoTimeMends(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, actions, says string
	}{
		{"creating", `["secretsmanager:ListSecrets", "secretsmanager:DescribeSecret", "secretsmanager:DeleteSecret"]`, "create: forbidden"},
		{"all but the sweep's list", `["secretsmanager:ListSecrets"]`, "something may still be at AWS: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fake := awssmtest.New(awssmtest.Config{})
			server := httptest.NewServer(fake)
			defer server.Close()
			if err := fake.Allow("key", `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": `+c.actions+`, "Resource": "*"}]}`); err != nil {
				t.Fatal(err)
			}
			cmd, _ := awsbatch(t, "-account", "123456789012")
			began := time.Now()
			code, stdout, stderr := outcome(t, configured(cmd, server.URL))
			if code != 1 || !strings.Contains(stderr, c.says) || !strings.Contains(stderr, "(the launcher's policy is missing: see -policies)") {
				t.Errorf("it ended with %d\n%s%s", code, stdout, stderr)
			}
			if took := time.Since(began); took > time.Minute { // of the two that waiting would take
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestWhatIsStillThereAtTheEndIsSeen(t *testing.T) {
	t.Parallel()
	c := fake("", "")
	c.fake.Plant(awssmtest.Secret{Name: "tower-r/TOKEN"}, []byte(rand.Text()))
	p := &play{teller: teller{io.Discard}, cloud: c}
	if err := p.looked(t.Context()); err == nil || err.Error() != "the fake still has 1 secret(s)" {
		t.Errorf("%v", err)
	}
}

func TestOutputThatIsNotMaskedFailsTheRun(t *testing.T) {
	c := fake("", "")
	name, err := secrets.ParseName("TOKEN")
	if err != nil {
		t.Fatal(err)
	}
	plain := rand.Text()
	value, err := secrets.NewValue([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	arn := c.fake.Plant(awssmtest.Secret{Name: "tower-r/TOKEN"}, []byte(plain))
	definition, err := awssm.JobDefinition([]provider.Reference{{Name: name, Kind: fetch.Kind, Locator: arn}}, "arn:aws:iam::123456789012:role/ecs")
	if err != nil {
		t.Fatal(err)
	}
	redactor, err := redact.New(nil, redact.Options{}) // which masks nothing
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{nil, {"sh", "-c", `echo "$TOKEN"`}} {
		p := &play{teller: teller{io.Discard}, cloud: c, options: options{command: command}}
		p.values.workspace = map[secrets.Name]secrets.Value{name: value}
		if _, err := p.job(t.Context(), definition, redactor); err == nil || err.Error() != "came through unmasked: TOKEN" {
			t.Errorf("%v: %v", command, err)
		}
	}
}

func TestOneSecretThatCanStillBeReadIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := fake("", "")
		p := &play{teller: teller{io.Discard}, cloud: c}
		var refs []provider.Reference
		for _, text := range []string{"AB", "CD"} {
			name, err := secrets.ParseName(text)
			if err != nil {
				t.Fatal(err)
			}
			arn := c.fake.Plant(awssmtest.Secret{Name: "tower-r/" + text}, []byte(rand.Text()))
			if text == "CD" {
				arn = arn[:len(arn)-6] + "XXXXXX" // another one, that is gone
			}
			refs = append(refs, provider.Reference{Name: name, Kind: fetch.Kind, Locator: arn})
		}
		for _, some := range [][]provider.Reference{refs, refs[:1]} {
			p.read = some
			if err := p.looked(t.Context()); err == nil || !strings.Contains(err.Error(), "can still read") {
				t.Errorf("%d references: %v", len(some), err)
			}
		}
	})
}
