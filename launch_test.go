package pipesecrets_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// faulty is a driver that does as it is told.
type faulty struct {
	provider.Provider
	create error         // answered by Create, after its effect
	remove error         // answered by Remove, instead of its effect
	before func()        // called by Create before it does anything
	pause  chan struct{} // Create waits here before it asks for the values
}

func (f *faulty) Create(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
	if f.before != nil {
		f.before()
	}
	paused := open
	if f.pause != nil {
		paused = func(ctx context.Context) (map[secrets.Name]secrets.Value, error) {
			<-f.pause
			return open(ctx)
		}
	}
	id, err := f.Provider.Create(ctx, o, paused)
	if f.create != nil {
		return "", f.create
	}
	return id, err
}

func (f *faulty) Remove(ctx context.Context, o provider.Object, id string) error {
	if f.remove != nil {
		return f.remove
	}
	return f.Provider.Remove(ctx, o, id)
}

// withFaults puts a faulty driver in front of the house's own.
func withFaults(f *faulty) func(*pipesecrets.Config) {
	return func(c *pipesecrets.Config) {
		f.Provider = c.Targets["cluster"]
		c.Targets = map[string]provider.Provider{"cluster": f}
	}
}

func TestALaunchThatFailsLeavesNothing(t *testing.T) {
	for _, code := range []provider.Code{provider.Forbidden, provider.Quota, provider.Internal, provider.Unavailable} {
		synctest.Test(t, func(t *testing.T) {
			f := &faulty{create: &provider.Error{Op: "create", Code: code}}
			h := newHouse(t, withFaults(f))
			h.put(ada, genomics, "TOKEN")
			_, err := h.Launch(t.Context(), lin, h.request("r1", genomics, "TOKEN"))
			var failure *provider.Error
			if !errors.As(err, &failure) {
				t.Errorf("%s: got %v", code, err)
			}
			h.nothingStaged()
			receipt, err := h.Receipt(t.Context(), lin, runOf(t, "r1"))
			h.must(err)
			if !receipt.Gone() || receipt.Run.Outcome != "launch failed" {
				t.Errorf("%s: the receipt says %s, %s", code, receipt.Run.Phase, receipt.Run.Outcome)
			}
			h.told(1, secrets.ActionLaunch, secrets.Failed, lin)
		})
	}
}

func TestALaunchWhoseCallerGivesUpLeavesNothing(t *testing.T) {
	f := &faulty{}
	h := newHouse(t, withFaults(f))
	h.put(ada, genomics, "TOKEN")
	ctx, cancel := context.WithCancel(t.Context())
	f.before = cancel
	if _, err := h.Launch(ctx, lin, h.request("r1", genomics, "TOKEN")); err == nil {
		t.Error("launched")
	}
	h.nothingStaged()
	receipt, err := h.Receipt(t.Context(), lin, runOf(t, "r1"))
	h.must(err)
	if !receipt.Gone() {
		t.Errorf("the receipt says %s", receipt.Run.Phase)
	}
}

func TestAVersionThatMovesWhileItIsChosenIsChosenAgain(t *testing.T) {
	h := newHouse(t)
	s, _ := h.put(ada, genomics, "TOKEN")
	var fresh []byte
	m := &mover{Backend: h.backend, move: func() { _, fresh = h.change(ada, s) }}
	launch := h.again(func(c *pipesecrets.Config) { c.Backend = m }).launch(lin, "r1", genomics, "TOKEN")
	h.reads(launch, "TOKEN", fresh)
	if launch.Resolution.Choices[0].Winner.Version != 2 {
		t.Error("it says that the old version was chosen")
	}
}

// mover is a backend on which something happens just before a run begins.
type mover struct {
	pipesecrets.Backend
	move func()
}

func (m *mover) Begin(ctx context.Context, r stage.Run, rows []stage.Row, terms stage.Terms, ev ...secrets.Event) (stage.Run, error) {
	if move := m.move; move != nil {
		m.move = nil
		move()
	}
	return m.Backend.Begin(ctx, r, rows, terms, ev...)
}

// lossy is a backend that commits and loses the answer, once.
type lossy struct {
	pipesecrets.Backend
	lost bool
}

func (l *lossy) Begin(ctx context.Context, r stage.Run, rows []stage.Row, terms stage.Terms, ev ...secrets.Event) (stage.Run, error) {
	run, err := l.Backend.Begin(ctx, r, rows, terms, ev...)
	if !l.lost {
		l.lost = true
		return stage.Run{}, errors.New("connection lost")
	}
	return run, err
}

func TestACommitOfUnknownOutcomeIsReadAgain(t *testing.T) {
	h := newHouse(t)
	_, plain := h.put(ada, genomics, "TOKEN")
	l := &lossy{Backend: h.backend}
	launch := h.again(func(c *pipesecrets.Config) { c.Backend = l }).launch(lin, "r1", genomics, "TOKEN")
	if !l.lost {
		t.Error("nothing was lost")
	}
	h.reads(launch, "TOKEN", plain)
	_, err := h.Complete(t.Context(), lin, runOf(t, "r1"), pipesecrets.Ending{})
	h.must(err)
	h.nothingStaged()
}

func TestALauncherThatIsDeposedWhileItIsPausedGetsNoValuesAndLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faulty{pause: make(chan struct{})}
		h := newHouse(t, withFaults(f))
		h.put(ada, genomics, "TOKEN")
		failed := make(chan error)
		go func() {
			_, err := h.Launch(t.Context(), lin, h.request("r1", genomics, "TOKEN"))
			failed <- err
		}()
		synctest.Wait() // it has made its directory and is paused before the fence
		if _, err := h.Launch(t.Context(), lin, h.request("r1", genomics, "TOKEN")); !errors.Is(err, pipesecrets.ErrBusy) {
			t.Errorf("the same launch meanwhile: %v", err)
		}
		another := h.again() // a process that does not wait for what the paused one does
		report, err := another.Sweep(t.Context(), operator)
		h.must(err)
		if report.Runs != 0 {
			t.Error("a sweep took a run whose launcher's lease was not over")
		}
		time.Sleep(2*time.Minute + time.Second) // the lease
		report, err = another.Sweep(t.Context(), operator)
		h.must(err)
		if report.Ended != 1 || report.Removed != 1 {
			t.Errorf("the sweep says %+v", report)
		}
		h.nothingStaged()
		close(f.pause)
		if err := <-failed; !errors.Is(err, stage.ErrFenced) {
			t.Errorf("the paused launcher says %v", err)
		}
		h.nothingStaged()
		receipt, err := h.Receipt(t.Context(), lin, runOf(t, "r1"))
		h.must(err)
		if !receipt.Gone() || receipt.Run.Outcome != "launcher was lost" {
			t.Errorf("the receipt says %s, %s", receipt.Run.Phase, receipt.Run.Outcome)
		}
	})
}

func TestNothingThatALaunchReturnsShowsAValue(t *testing.T) {
	h := newHouse(t)
	_, plain := h.put(ada, genomics, "TOKEN")
	launch := h.launch(lin, "r1", genomics, "TOKEN")
	receipt, err := h.Receipt(t.Context(), lin, runOf(t, "r1"))
	h.must(err)
	encoded, err := json.Marshal(struct {
		*pipesecrets.Launch
		stage.Receipt
	}{launch, receipt})
	h.must(err)
	for _, shown := range []string{
		fmt.Sprintf("%v %+v %#v", launch, launch, launch), fmt.Sprintf("%+v %#v", *launch, *launch),
		fmt.Sprintf("%+v %#v", receipt, receipt), string(encoded), fmt.Sprintf("%+v", h.Service),
	} {
		if strings.Contains(shown, string(plain)) || strings.Contains(shown, fmt.Sprint(plain)[1:20]) || strings.Contains(shown, fmt.Sprintf("%x", plain)) {
			t.Error("a value is shown")
		}
	}
	if receipt.Run.Request != nil {
		t.Error("the receipt has the digest of the request")
	}
}

func TestABadRunIDOrOutcomeIsRefused(t *testing.T) {
	h := newHouse(t)
	var invalid *secrets.InvalidError
	for field, ask := range map[string]func() error{
		"run": func() error {
			_, err := h.Launch(t.Context(), lin, pipesecrets.LaunchRequest{Workspace: genomics})
			return err
		},
		"outcome": func() error {
			_, err := h.Complete(t.Context(), lin, runOf(t, "r1"), pipesecrets.Ending{Outcome: "two words"})
			return err
		},
	} {
		if err := ask(); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, id := range []string{"", ".", "..", "a/b", "../a", "/a", "a\x00", "a b", "-a", strings.Repeat("a", 65)} {
		if _, err := secrets.ParseRunID(id); !errors.As(err, &invalid) || invalid.Field != "run" {
			t.Errorf("%d bytes: %v", len(id), err)
		}
	}
}

func TestALaunchWhoseReplyIsLostKeepsWhatARepeatedLaunchWasGiven(t *testing.T) {
	h := newHouse(t)
	_, plain := h.put(ada, genomics, "TOKEN")
	twin := h.again()
	f := &fault{}
	var second *pipesecrets.Launch
	f.after = func(_ int, call string) error {
		if call != "Advance" || second != nil {
			return nil
		}
		second = twin.launch(lin, "r1", genomics, "TOKEN")
		return errFault
	}
	first, err := h.again(f.everywhere).Launch(t.Context(), lin, h.request("r1", genomics, "TOKEN"))
	h.must(err)
	h.reads(first, "TOKEN", plain)
	h.reads(second, "TOKEN", plain)
}

func TestACompletionThatComesJustAfterAnothersIsInTheLogToo(t *testing.T) {
	h := newHouse(t)
	h.put(ada, genomics, "TOKEN")
	h.launch(lin, "r1", genomics, "TOKEN")
	twin, f, first := h.again(), &fault{}, true
	f.after = func(_ int, call string) error {
		if call == "Load" && first { // the run is under way, as far as the one has read
			first = false
			_, err := twin.Complete(t.Context(), operator, runOf(t, "r1"), pipesecrets.Ending{Outcome: "swept"})
			h.must(err)
		}
		return nil
	}
	_, err := h.again(f.everywhere).Complete(t.Context(), lin, runOf(t, "r1"), pipesecrets.Ending{Outcome: "done"})
	h.must(err)
	h.told(1, secrets.ActionComplete, secrets.Done, operator)
	h.told(1, secrets.ActionComplete, secrets.Done, lin)
}
