package main

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/provider/awssm"
	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
)

func TestADirectoryIsOfOnePlaceAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	here, elsewhere := awssmtest.New(awssmtest.Config{}), awssmtest.New(awssmtest.Config{})
	first, second := httptest.NewServer(here), httptest.NewServer(elsewhere)
	defer first.Close()
	defer second.Close()
	for _, c := range []struct {
		name, endpoint, account, region string
		code                            int
	}{
		{"the first use", first.URL, "123456789012", "eu-west-1", 0},
		{"another endpoint", second.URL, "123456789012", "eu-west-1", 2},
		{"another account", first.URL, "999999999999", "eu-west-1", 2},
		{"another Region", first.URL, "123456789012", "us-east-1", 2},
		{"the same place", first.URL, "123456789012", "eu-west-1", 0},
	} {
		cmd, tmp := awsbatch(t, "-dir", dir, "-account", c.account)
		code, stdout, stderr := outcome(t, configured(cmd, c.endpoint, "AWS_REGION="+c.region))
		if code != c.code || strings.Contains(stderr, "-dir: the directory's secrets are at another endpoint") != (c.code == 2) {
			t.Errorf("%s: it ended with %d\n%s%s", c.name, code, stdout, stderr)
		}
		empty(t, tmp)
	}
	if n := len(elsewhere.Calls()); n > 0 {
		t.Errorf("%d calls went elsewhere", n)
	}
}

func TestTheFakeTakesNoDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd, tmp := awsbatch(t, "-dir", dir)
	if code, _, stderr := outcome(t, cmd); code != 2 || !strings.Contains(stderr, "-dir: nothing is configured") {
		t.Errorf("it ended with %d: %s", code, stderr)
	}
	empty(t, tmp)
	empty(t, dir)
}

func TestWhatIsNotGoneOfEarlierRunsIsTold(t *testing.T) {
	t.Parallel()
	var told strings.Builder
	p := &play{teller: teller{&told}, cloud: fake("", "")}
	var err error
	if p.values, err = cast(nil); err != nil {
		t.Fatal(err)
	}
	defer p.values.destroy()
	if p.driver, err = p.cloud.driver(awssm.PerSecret); err != nil {
		t.Fatal(err)
	}
	if err := p.cloud.enforce(p.driver); err != nil {
		t.Fatal(err)
	}
	if p.house, err = open(t.Context(), t.TempDir(), p.cloud.place(), p.driver); err != nil {
		t.Fatal(err)
	}
	defer p.house.close()
	if err := p.stored(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.checked(t.Context()); err != nil { // which chooses the run's id
		t.Fatal(err)
	}
	launch, err := p.house.service.Launch(t.Context(), lin, p.request())
	if err != nil {
		t.Fatal(err)
	}
	defer launch.Redactor.Close()
	if err := p.earlier(t.Context()); err != nil {
		t.Errorf("the run itself counts: %v", err)
	}

	before := p.run
	if err := p.checked(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.earlier(t.Context()); err == nil || err.Error() != "of earlier runs something is still at AWS: 3 created" {
		t.Errorf("a run that was not ended: %v", err)
	}
	if _, err := p.house.service.Complete(t.Context(), operator, before, pipesecrets.Ending{}); err != nil {
		t.Fatal(err)
	}
	told.Reset()
	if err := p.earlier(t.Context()); err != nil || told.String() != "   of earlier runs in this directory: 3 absent-once\n" {
		t.Errorf("a run that was ended: %q (%v)", told.String(), err)
	}
}
