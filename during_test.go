package pipesecrets_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestARunKeepsTheVersionsItWasLaunchedWith(t *testing.T) {
	h := newHouse(t)
	s, old := h.put(ada, genomics, "TOKEN")
	launch := h.launch(lin, "r1", genomics, "TOKEN")
	h.change(ada, s)
	h.reads(launch, "TOKEN", old)
	attached, err := h.again().Attach(t.Context(), lin, runOf(t, "r1"))
	h.must(err)
	h.reads(attached, "TOKEN", old)
	if got := attached.Redactor.String("x " + string(old) + " y"); got != "x [secret:TOKEN] y" {
		t.Error("its log is not masked by the version that it has")
	}
	if got := attached.Resolution.Choices[0].Winner.Version; got != 1 {
		t.Errorf("it says version %d", got)
	}
}

func TestDeleteStopsNewUseAtOnce(t *testing.T) {
	h := newHouse(t)
	s, old := h.put(ada, genomics, "TOKEN")
	running := h.launch(lin, "r1", genomics, "TOKEN")
	h.must(h.Delete(t.Context(), ada, s.ID))
	_, err := h.Launch(t.Context(), lin, h.request("r2", genomics, "TOKEN"))
	if !errors.Is(err, pipesecrets.ErrRefused) || !strings.Contains(err.Error(), "TOKEN: missing") {
		t.Errorf("a new run: %v", err)
	}
	h.reads(running, "TOKEN", old)
}

func TestSealedBytesGoWithTheLastRunThatPinsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		s, old := h.put(ada, genomics, "TOKEN")
		h.launch(lin, "r1", genomics, "TOKEN")
		h.launch(lin, "r2", genomics, "TOKEN")
		h.must(h.Delete(t.Context(), ada, s.ID))
		kept := func(want bool) {
			t.Helper()
			_, err := h.backend.Pinned(t.Context(), []secrets.Pin{s.Pin})
			if kept := err == nil; kept != want || err != nil && !errors.Is(err, secrets.ErrNotFound) {
				t.Errorf("the sealed bytes are kept: %t, want %t (%v)", kept, want, err)
			}
		}
		for _, run := range []string{"r1", "r2"} {
			kept(true)
			_, err := h.Complete(t.Context(), lin, runOf(t, run), pipesecrets.Ending{})
			h.must(err)
			attached, err := h.Attach(t.Context(), lin, runOf(t, run))
			h.must(err)
			if strings.Contains(attached.Redactor.String(string(old)), string(old)) {
				t.Error("a late log line is not masked")
			}
			if len(attached.References) != 0 {
				t.Error("an ended run has references")
			}
			time.Sleep(time.Hour + time.Second) // MaskFor; no time passes in a bubble
			if _, err := h.Attach(t.Context(), lin, runOf(t, run)); !errors.Is(err, stage.ErrEnded) {
				t.Errorf("after its time, and before a sweep, attach says %v", err)
			}
			_, err = h.Sweep(t.Context(), operator)
			h.must(err)
			if _, err := h.Attach(t.Context(), lin, runOf(t, run)); !errors.Is(err, stage.ErrEnded) {
				t.Errorf("after that, attach says %v", err)
			}
		}
		kept(false)
	})
}

func TestRevokePullsTheSecretFromLiveRunsAndSaysWhich(t *testing.T) {
	h := newHouse(t)
	s, gone := h.put(ada, genomics, "TOKEN")
	_, stays := h.put(ada, genomics, "OTHER")
	one := h.launch(lin, "r1", genomics, "TOKEN", "OTHER")
	two := h.launch(lin, "r2", genomics, "TOKEN")
	three := h.launch(lin, "r3", genomics, "OTHER")
	ended := h.launch(lin, "r4", genomics, "TOKEN")
	_, err := h.Complete(t.Context(), lin, runOf(t, "r4"), pipesecrets.Ending{})
	h.must(err)

	runs, err := h.Revoke(t.Context(), ada, s.ID)
	h.must(err)
	slices.SortFunc(runs, func(a, b secrets.RunID) int { return strings.Compare(a.String(), b.String()) })
	if want := []secrets.RunID{runOf(t, "r1"), runOf(t, "r2")}; !slices.Equal(runs, want) {
		t.Errorf("it says %v, want %v", runs, want)
	}
	for _, l := range []*pipesecrets.Launch{one, two, ended} {
		h.reads(l, "TOKEN", nil)
	}
	h.reads(one, "OTHER", stays)
	h.reads(three, "OTHER", stays)
	attached, err := h.Attach(t.Context(), lin, runOf(t, "r1"))
	h.must(err)
	if len(attached.References) != 1 || attached.References[0].Name != nameOf(t, "OTHER") {
		t.Errorf("references after it: %v", attached.References)
	}
	if strings.Contains(attached.Redactor.String(string(gone)), string(gone)) {
		t.Error("what the run has read already is not masked any more")
	}
	if _, err := h.Launch(t.Context(), lin, h.request("r5", genomics, "TOKEN")); !errors.Is(err, pipesecrets.ErrRefused) {
		t.Errorf("a new run: %v", err)
	}
	h.told(1, secrets.ActionRevoke, secrets.Done, ada)
	h.told(2, secrets.ActionRemove, secrets.Done, ada) // from each run
}

func TestRevokeOfADeletedSecretPullsItAllTheSame(t *testing.T) {
	h := newHouse(t)
	s, _ := h.put(ada, genomics, "TOKEN")
	launch := h.launch(lin, "r1", genomics, "TOKEN")
	h.must(h.Delete(t.Context(), ada, s.ID))
	if _, err := h.Revoke(t.Context(), lin, s.ID); !errors.Is(err, secrets.ErrDenied) {
		t.Errorf("who may not: %v", err)
	}
	runs, err := h.Revoke(t.Context(), ada, s.ID)
	h.must(err)
	if len(runs) != 1 {
		t.Errorf("it says %v", runs)
	}
	h.reads(launch, "TOKEN", nil)
}

func TestAResumeIsANewRunThatResolvesAfresh(t *testing.T) {
	h := newHouse(t)
	s, _ := h.put(ada, genomics, "TOKEN")
	h.launch(lin, "r1", genomics, "TOKEN")
	_, err := h.Complete(t.Context(), lin, runOf(t, "r1"), pipesecrets.Ending{Outcome: "failed"})
	h.must(err)
	_, fresh := h.change(ada, s)
	h.reads(h.launch(lin, "r1-resumed", genomics, "TOKEN"), "TOKEN", fresh)
}

func TestARelaunchByAnotherPersonUsesThatPersonsOwnSecrets(t *testing.T) {
	h := newHouse(t)
	h.put(ada, genomics, "TOKEN")
	_, lins := h.put(lin, own(lin), "TOKEN")
	_, mias := h.put(mia, own(mia), "TOKEN")
	h.reads(h.launch(lin, "r1", genomics, "TOKEN"), "TOKEN", lins)
	h.reads(h.launch(mia, "r2", genomics, "TOKEN"), "TOKEN", mias)
}

func TestAServiceHasNoSecretsOfItsOwn(t *testing.T) {
	h := newHouse(t)
	_, theirs := h.put(ada, genomics, "TOKEN")
	h.put(lin, own(lin), "TOKEN")
	h.reads(h.launch(robot, "r1", genomics, "TOKEN"), "TOKEN", theirs)
	for _, scope := range []secrets.Scope{own(lin), {Kind: secrets.User, ID: robot.Label}, {Kind: secrets.User, ID: robot.Name()}} {
		_, err := h.Create(t.Context(), robot, secrets.Secret{Name: nameOf(t, "OTHER"), Scope: scope}, valueOf(t, canary()))
		if !errors.Is(err, secrets.ErrNotFound) {
			t.Errorf("%v: %v", scope, err)
		}
	}
}

func TestASharedPipelineUsesTheWorkspaceThatItRunsIn(t *testing.T) {
	h := newHouse(t)
	_, a := h.put(ada, genomics, "TOKEN")
	_, b := h.put(ada, imaging, "TOKEN")
	shared := func(run string, in secrets.Scope) *pipesecrets.Launch {
		r := h.request(run, in, "TOKEN")
		r.Pipeline = "nf-core/sarek@91bc"
		l, err := h.Launch(t.Context(), lin, r)
		h.must(err)
		return l
	}
	h.reads(shared("r1", genomics), "TOKEN", a)
	h.reads(shared("r2", imaging), "TOKEN", b)
}

func TestRunIDsAreNeverReused(t *testing.T) {
	h := newHouse(t)
	h.put(ada, genomics, "TOKEN")
	h.put(ada, genomics, "OTHER")
	request := h.request("r1", genomics, "TOKEN")
	first, err := h.Launch(t.Context(), lin, request)
	h.must(err)

	again, err := h.again().Launch(t.Context(), lin, request)
	h.must(err)
	if !slices.Equal(again.References, first.References) {
		t.Error("the same request does not answer the same launch")
	}
	different := map[string]pipesecrets.LaunchRequest{
		"other names":     h.request("r1", genomics, "OTHER"),
		"more names":      h.request("r1", genomics, "TOKEN", "OTHER"),
		"other workspace": h.request("r1", imaging, "TOKEN"),
	}
	pipeline := request
	pipeline.Pipeline = "x"
	different["other pipeline"] = pipeline
	all := request
	all.All = []secrets.Kind{secrets.Workspace}
	different["all too"] = all
	targets := request
	targets.Targets = map[string][]secrets.Name{"cluster": nil}
	different["targets named"] = targets
	for what, r := range different {
		if _, err := h.Launch(t.Context(), lin, r); !errors.Is(err, pipesecrets.ErrRunUsed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := h.Launch(t.Context(), mia, request); !errors.Is(err, pipesecrets.ErrRunUsed) {
		t.Errorf("another person: %v", err)
	}
	_, err = h.Complete(t.Context(), lin, runOf(t, "r1"), pipesecrets.Ending{})
	h.must(err)
	if _, err := h.Launch(t.Context(), lin, request); !errors.Is(err, pipesecrets.ErrRunUsed) {
		t.Errorf("after its end: %v", err)
	}
	h.nothingStaged()

	_, err = h.Complete(t.Context(), operator, runOf(t, "r2"), pipesecrets.Ending{})
	h.must(err)
	if _, err := h.Launch(t.Context(), lin, h.request("r2", genomics, "TOKEN")); !errors.Is(err, pipesecrets.ErrRunUsed) {
		t.Errorf("a run that was completed before it began: %v", err)
	}
}
