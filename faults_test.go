package pipesecrets_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
)

var errFault = errors.New("connection lost")

// fault stands before and behind the calls of a backend and of a driver. A hook
// gets the call's number and name; its error is the call's.
type fault struct {
	before, after func(n int, call string) error

	mu sync.Mutex
	n  int
}

func (f *fault) heal() { f.before, f.after = nil, nil }

func (f *fault) around(call string, do func() error) error {
	f.mu.Lock()
	f.n++
	n := f.n
	f.mu.Unlock()
	if f.before != nil {
		if err := f.before(n, call); err != nil {
			return err
		}
	}
	err := do()
	if f.after != nil {
		if lost := f.after(n, call); lost != nil {
			return lost
		}
	}
	return err
}

// everywhere puts the fault in front of the backend and the target.
func (f *fault) everywhere(c *pipesecrets.Config) {
	c.Backend = faultyBackend{c.Backend, f}
	c.Targets = map[string]provider.Provider{"cluster": faultyDriver{c.Targets["cluster"], f}}
}

type faultyBackend struct {
	pipesecrets.Backend
	f *fault
}

// answer is a call with one result. It is zero if the call failed.
func answer[T any](f *fault, call string, do func() (T, error)) (got T, err error) {
	err = f.around(call, func() (err error) { got, err = do(); return err })
	if err != nil {
		var zero T
		return zero, err
	}
	return got, nil
}

func (b faultyBackend) Begin(ctx context.Context, r stage.Run, rows []stage.Row, t stage.Terms, ev ...secrets.Event) (stage.Run, error) {
	return answer(b.f, "Begin", func() (stage.Run, error) { return b.Backend.Begin(ctx, r, rows, t, ev...) })
}

func (b faultyBackend) Load(ctx context.Context, id secrets.RunID) (run stage.Run, rows []stage.Row, err error) {
	err = b.f.around("Load", func() (err error) { run, rows, err = b.Backend.Load(ctx, id); return err })
	return run, rows, err
}

func (b faultyBackend) Take(ctx context.Context, id secrets.RunID, lease time.Duration) (stage.Run, error) {
	return answer(b.f, "Take", func() (stage.Run, error) { return b.Backend.Take(ctx, id, lease) })
}

func (b faultyBackend) Advance(ctx context.Context, r stage.Run, to stage.Phase, lease time.Duration, rows []stage.Row, ev ...secrets.Event) (stage.Run, error) {
	return answer(b.f, "Advance", func() (stage.Run, error) { return b.Backend.Advance(ctx, r, to, lease, rows, ev...) })
}

func (b faultyBackend) End(ctx context.Context, id secrets.RunID, c stage.Closing, ev ...secrets.Event) (run stage.Run, rows []stage.Row, err error) {
	err = b.f.around("End", func() (err error) { run, rows, err = b.Backend.End(ctx, id, c, ev...); return err })
	return run, rows, err
}

func (b faultyBackend) Revoke(ctx context.Context, id secrets.ID, ev ...secrets.Event) ([]stage.Run, error) {
	return answer(b.f, "Revoke", func() ([]stage.Run, error) { return b.Backend.Revoke(ctx, id, ev...) })
}

func (b faultyBackend) Pinned(ctx context.Context, pins []secrets.Pin) ([]secrets.Record, error) {
	return answer(b.f, "Pinned", func() ([]secrets.Record, error) { return b.Backend.Pinned(ctx, pins) })
}

func (b faultyBackend) Due(ctx context.Context, at time.Time, n int) ([]secrets.RunID, error) {
	return answer(b.f, "Due", func() ([]secrets.RunID, error) { return b.Backend.Due(ctx, at, n) })
}

func (b faultyBackend) Stats(ctx context.Context) (stage.Stats, error) {
	return answer(b.f, "Stats", func() (stage.Stats, error) { return b.Backend.Stats(ctx) })
}

func (b faultyBackend) Sweeping(ctx context.Context, gap time.Duration) (stage.Stats, error) {
	return answer(b.f, "Sweeping", func() (stage.Stats, error) { return b.Backend.Sweeping(ctx, gap) })
}

func (b faultyBackend) Swept(ctx context.Context, ev ...secrets.Event) error {
	return b.f.around("Swept", func() error { return b.Backend.Swept(ctx, ev...) })
}

func (b faultyBackend) Record(ctx context.Context, ev ...secrets.Event) error {
	return b.f.around("Record", func() error { return b.Backend.Record(ctx, ev...) })
}

type faultyDriver struct {
	provider.Provider
	f *fault
}

func (d faultyDriver) Create(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
	return answer(d.f, "driver.Create", func() (string, error) { return d.Provider.Create(ctx, o, open) })
}

func (d faultyDriver) Probe(ctx context.Context, o provider.Object) (p provider.Presence, found string, err error) {
	err = d.f.around("driver.Probe", func() (err error) { p, found, err = d.Provider.Probe(ctx, o); return err })
	return p, found, err
}

func (d faultyDriver) Remove(ctx context.Context, o provider.Object, id string) error {
	return d.f.around("driver.Remove", func() error { return d.Provider.Remove(ctx, o, id) })
}

func (d faultyDriver) Withdraw(ctx context.Context, o provider.Object, id string, open provider.Opener) error {
	return d.f.around("driver.Withdraw", func() error {
		return d.Provider.(provider.Withdrawer).Withdraw(ctx, o, id, open)
	})
}

// operation is a call during which something fails, on a run r1 with the secrets
// TOKEN, which it may revoke, and OTHER.
type operation struct {
	name string
	do   func(context.Context, *house, secrets.Secret) error
	age  time.Duration // of the run at that time; launched by do if zero
}

var operations = []operation{
	{"launch", func(ctx context.Context, h *house, _ secrets.Secret) error {
		_, err := h.Launch(ctx, lin, h.request("r1", genomics, "TOKEN", "OTHER"))
		return err
	}, 0},
	{"complete", func(ctx context.Context, h *house, _ secrets.Secret) error {
		_, err := h.Complete(ctx, lin, runOf(h.t, "r1"), pipesecrets.Ending{})
		return err
	}, time.Minute},
	{"revoke", func(ctx context.Context, h *house, s secrets.Secret) error {
		_, err := h.Revoke(ctx, ada, s.ID)
		return err
	}, time.Minute},
	{"sweep", func(ctx context.Context, h *house, _ secrets.Secret) error {
		_, err := h.Sweep(ctx, operator)
		return err
	}, 25 * time.Hour},
}

// harm is what happens at the n-th call.
type harm struct {
	name   string
	driver bool  // it befalls the driver's calls, else the backend's
	err    error // nil cancels the caller's context
	after  bool  // after the call had its effect
	whole  bool  // a run may lose the whole object
}

var harms = []harm{
	{name: "a commit that fails", err: errFault},
	{name: "an answer that is lost", err: errFault, after: true},
	{name: "a caller who gives up before a commit"},
	{name: "a caller who gives up after a commit", after: true},
	{name: "a platform that does not answer", driver: true, err: &provider.Error{Op: "x", Code: provider.Unavailable}},
	{name: "a platform whose answer is lost", driver: true, err: &provider.Error{Op: "x", Code: provider.Unavailable}, after: true},
	{name: "a platform that forbids", driver: true, err: &provider.Error{Op: "x", Code: provider.Forbidden}, whole: true},
	{name: "a platform that forbids too late", driver: true, err: &provider.Error{Op: "x", Code: provider.Forbidden}, after: true, whole: true},
	{name: "a caller who gives up before a platform's call", driver: true},
	{name: "a caller who gives up after a platform's call", driver: true, after: true},
}

func TestWhereverAnOperationIsHitTwoSweepsPutItRight(t *testing.T) {
	for _, op := range operations {
		for _, harm := range harms {
			t.Run(op.name+", "+harm.name, func(t *testing.T) {
				at := 1
				for hit := true; hit && !t.Failed(); at++ {
					synctest.Test(t, func(t *testing.T) { hit = harm.befall(t, op, at) })
				}
				if at < 3 {
					t.Error("nothing was hit")
				}
			})
		}
	}
}

// befall does the operation with harm at its n-th call, and checks what two sweeps
// make of it. It reports whether there was such a call.
func (m harm) befall(t *testing.T, op operation, at int) (hit bool) {
	f := &fault{}
	h := newHouse(t)
	twin := h.again(f.everywhere)
	s, token := h.put(ada, genomics, "TOKEN")
	_, other := h.put(ada, genomics, "OTHER")
	if op.age > 0 {
		h.launch(lin, "r1", genomics, "TOKEN", "OTHER")
		time.Sleep(op.age)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n, where := 0, ""
	hook := func(_ int, call string) error {
		if strings.HasPrefix(call, "driver.") == m.driver {
			n++
			if n == at {
				hit, where = true, call
				if m.err == nil {
					cancel()
				}
				return m.err
			}
		}
		return nil
	}
	if m.after {
		f.after = hook
	} else {
		f.before = hook
	}
	if op.name == "sweep" { // so that the grace after an outage is over
		_, err := h.Sweep(t.Context(), rbac.Operator("earlier"))
		h.must(err)
		time.Sleep(6 * time.Minute)
	}
	told := op.do(ctx, twin, s)
	f.heal()
	for range 2 {
		time.Sleep(3 * time.Minute)
		_, err := h.Sweep(t.Context(), operator)
		h.must(err)
	}
	if problem := h.settled(op, m, told, s, token, other); problem != "" {
		t.Errorf("at call %d, %s, answered %v: %s", at, where, told, problem)
	}
	return hit
}

// settled returns what is wrong with the run r1 after the operation, which
// answered told, or "".
func (h *house) settled(op operation, m harm, told error, s secrets.Secret, token, other []byte) string {
	h.t.Helper()
	ctx := h.t.Context()
	files, err := filepath.Glob(filepath.Join(h.root, "*", "files", "*"))
	h.must(err)
	got := map[string]string{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		h.must(err)
		got[filepath.Base(file)] = string(b)
	}
	dirs := stagedIn(h.t, h.root)
	run, rows, err := h.backend.Load(ctx, runOf(h.t, "r1"))
	if errors.Is(err, stage.ErrNoRun) {
		run.Phase = stage.Closed
	} else {
		h.must(err)
	}
	_, found := h.backend.Find(ctx, s.ID)
	revoked := errors.Is(found, secrets.ErrNotFound)
	staged := slices.ContainsFunc(rows, func(row stage.Row) bool { return row.State == stage.Created })
	_, hasToken := got["TOKEN"]
	_, hasOther := got["OTHER"]
	switch {
	case run.Phase != stage.Closed && run.Phase != stage.Active:
		return "the run is " + run.Phase.String()
	case staged != (dirs > 0):
		return fmt.Sprintf("the ledger says that it is staged: %t; %d directories are", staged, dirs)
	case run.Phase == stage.Closed && staged:
		return "a closed run is staged"
	case op.name == "launch" && (told == nil) != (run.Phase == stage.Active):
		return "the launch was answered otherwise, and the run is " + run.Phase.String()
	case (op.name == "complete" || op.name == "revoke") && told == nil && !m.whole && staged != (op.name == "revoke"):
		return "the answer is wrong"
	case op.name == "complete" && told == nil && run.Phase != stage.Closed, op.name == "sweep" && run.Phase != stage.Closed:
		return "the run is " + run.Phase.String()
	case op.name == "revoke" && run.Phase != stage.Active:
		return "the revocation ended the run"
	case op.name == "revoke" && told == nil && !revoked:
		return "the secret is not deleted"
	case run.Phase == stage.Closed:
		return ""
	case revoked == hasToken, hasToken && got["TOKEN"] != string(token):
		return fmt.Sprintf("revoked: %t, staged: %t", revoked, hasToken)
	case !hasOther && !(m.whole && revoked), hasOther && got["OTHER"] != string(other):
		return "the run has lost its other secret"
	}
	return ""
}

func TestAFailedLaunchIsEndedThoughTheLedgerFailsForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fault{}
		h := newHouse(t)
		h.put(ada, genomics, "TOKEN")
		failed := 0
		f.before = func(_ int, call string) error {
			if call == "Advance" && failed == 0 || call == "End" && failed < 4 {
				failed++
				return errFault
			}
			return nil
		}
		if _, err := h.again(f.everywhere).Launch(t.Context(), lin, h.request("r1", genomics, "TOKEN")); !errors.Is(err, errFault) || failed != 4 {
			t.Errorf("it says %v after %d failures", err, failed)
		}
		h.nothingStaged()
	})
}
