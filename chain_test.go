package pipesecrets_test

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
	"github.com/pipesecrets/pipesecrets/secrets/sqlstore/sqlite"
)

// shelf is where a host keeps the head.
type shelf struct{ head audit.Head }

func (s *shelf) tell(context.Context) (audit.Head, error) { return s.head, nil }

// sealing is a house whose head is kept.
func sealing(t *testing.T, change ...func(*pipesecrets.Config)) (*house, *shelf) {
	t.Helper()
	kept := &shelf{}
	h := newHouse(t, append(change, func(c *pipesecrets.Config) { c.Head = kept.tell })...)
	return h, kept
}

// seal seals the log and keeps the head.
func (h *house) seal(kept *shelf) audit.Head {
	h.t.Helper()
	head, err := h.Seal(h.t.Context(), operator)
	h.must(err)
	if head.Seq <= kept.head.Seq {
		h.t.Fatalf("it is sealed up to %d, after %d", head.Seq, kept.head.Seq)
	}
	kept.head = head
	return head
}

func TestWhatHappensIsSealedAndVerified(t *testing.T) {
	h, kept := sealing(t)
	for _, name := range []string{"ONE", "TWO"} {
		h.put(ada, genomics, name)
		h.launch(lin, "r-"+strings.ToLower(name), genomics, name)
		n := len(h.events())
		head := h.seal(kept)
		if head.Seq != uint64(n) { // the model's places have no gaps
			t.Errorf("it is sealed up to %d of %d", head.Seq, n)
		}
		h.must(h.Verify(t.Context(), operator, head))
	}
	h.told(2, secrets.ActionSeal, secrets.Done, operator)
	h.told(2, secrets.ActionVerify, secrets.Done, operator)
	twin := h.again() // another process goes on
	head := twin.seal(kept)
	h.must(h.Verify(t.Context(), operator, head))
}

func TestOnlyAnOperatorSealsAndVerifies(t *testing.T) {
	h, kept := sealing(t)
	h.put(ada, genomics, "TOKEN")
	head := h.seal(kept)
	for _, c := range []rbac.Caller{ada, lin, boss, robot, {}} {
		_, sealed := h.Seal(t.Context(), c)
		verified := h.Verify(t.Context(), c, head)
		if !errors.Is(sealed, secrets.ErrDenied) || !errors.Is(verified, secrets.ErrDenied) {
			t.Errorf("%s: %v, %v", c.Name(), sealed, verified)
		}
		h.told(1, secrets.ActionSeal, secrets.Denied, c)
		h.told(1, secrets.ActionVerify, secrets.Denied, c)
	}
	if now, err := h.backend.Head(t.Context()); err != nil || !now.Equal(head) {
		t.Errorf("the head is %v: %v", now, err)
	}
}

func TestEverySealAndVerifyLeavesOneEventThatTellsWhatCameOfIt(t *testing.T) {
	h, kept := sealing(t)
	h.put(ada, genomics, "TOKEN")
	good := h.seal(kept)
	other := audit.Head{Seq: good.Seq, Sum: []byte("other")}
	away := h.again(func(c *pipesecrets.Config) { c.Home = "there" })
	lost := h.again(func(c *pipesecrets.Config) {
		c.Head = func(context.Context) (audit.Head, error) { return audit.Head{}, errors.New("host's text") }
	})
	for _, c := range []struct {
		what string
		ask  func() error
		is   error
		want string
	}{
		{"verify another", func() error { return h.Verify(t.Context(), operator, other) }, audit.ErrBroken, "verify|failed|audit: log is broken"},
		{"verify none", func() error { return h.Verify(t.Context(), operator, audit.Head{}) }, audit.ErrNoHead,
			"verify|failed|audit: there is no head to compare the log with"},
		{"seal, away", func() error { _, err := away.Seal(t.Context(), operator); return err }, pipesecrets.ErrHome,
			"seal|refused|pipesecrets: the database is not at home here: see Adopt"},
		{"verify, away", func() error { return away.Verify(t.Context(), operator, good) }, nil, "verify|done|"},
		{"seal, lost", func() error { _, err := lost.Seal(t.Context(), operator); return err }, pipesecrets.ErrHead,
			"seal|failed|pipesecrets: the host could not tell the head of the audit chain"},
		{"verify", func() error { return h.Verify(t.Context(), operator, good) }, nil, "verify|done|"},
		{"seal", func() error { _, err := h.Seal(t.Context(), operator); return err }, nil, "seal|done|"},
	} {
		lines, err := h.after(c.ask)
		if !errors.Is(err, c.is) || !slices.Equal(lines, []string{"operator:test|" + c.want}) {
			t.Errorf("%s: %v, and the log says %q", c.what, err, lines)
		}
	}
}

func TestALogThatDoesNotReachTheKeptHeadIsNotSealed(t *testing.T) {
	h, kept := sealing(t)
	h.put(ada, genomics, "TOKEN")
	head := h.seal(kept)
	kept.head.Seq += 100
	sealed, err := h.Seal(t.Context(), operator)
	if !errors.Is(err, audit.ErrBroken) || !sealed.IsZero() {
		t.Errorf("it is sealed up to %v: %v", sealed, err)
	}
	if now, err := h.backend.Head(t.Context()); err != nil || !now.Equal(head) {
		t.Errorf("the head is %v: %v", now, err)
	}
}

// unrecorded is a backend that can't write to its log.
type unrecorded struct{ pipesecrets.Backend }

func (unrecorded) Record(context.Context, ...secrets.Event) error { return errFault }

func TestASealThatCanNotBeRecordedStillTellsItsHead(t *testing.T) {
	h, kept := sealing(t)
	h.put(ada, genomics, "TOKEN")
	deaf := h.again(func(c *pipesecrets.Config) { c.Backend = unrecorded{h.backend} })
	head, err := deaf.Seal(t.Context(), operator)
	if !errors.Is(err, errFault) || head.IsZero() {
		t.Errorf("%v, and it is sealed up to %v", err, head)
	}
	kept.head = head
	h.must(h.Verify(t.Context(), operator, head))
	h.must(h.Intact(t.Context()))
}

// unread is a backend whose links can't be read.
type unread struct{ pipesecrets.Backend }

func (unread) Links(context.Context, uint64) iter.Seq2[audit.Head, error] {
	return func(yield func(audit.Head, error) bool) { yield(audit.Head{}, errFault) }
}

func TestADatabaseIsIntactOnlyIfTheHostsHeadSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, kept := sealing(t)
		h.put(ada, genomics, "TOKEN")
		first := h.seal(kept)
		h.seal(kept)
		hung := make(chan struct{})
		answer := func(head audit.Head, err error) func(context.Context) (audit.Head, error) {
			return func(context.Context) (audit.Head, error) { return head, err }
		}
		text := string(canary())
		for _, c := range []struct {
			what string
			head func(context.Context) (audit.Head, error)
			want error
			wait time.Duration
		}{
			{"no hook", nil, audit.ErrNoHead, 0},
			{"no head", answer(audit.Head{}, nil), audit.ErrNoHead, 0},
			{"an empty head", answer(audit.Head{Sum: []byte{}}, nil), audit.ErrNoHead, 0},
			{"an error", answer(audit.Head{}, errors.New(text)), pipesecrets.ErrHead, 0},
			{"an error beside the head", answer(kept.head, errors.New(text)), pipesecrets.ErrHead, 0},
			{"a panic", func(context.Context) (audit.Head, error) { panic(text) }, pipesecrets.ErrHead, 0},
			{"no return", func(context.Context) (audit.Head, error) { runtime.Goexit(); return kept.head, nil }, pipesecrets.ErrHead, 0},
			{"no answer", func(context.Context) (audit.Head, error) { <-hung; return kept.head, nil }, pipesecrets.ErrHead, 10 * time.Second},
			{"another head", answer(audit.Head{Seq: kept.head.Seq, Sum: first.Sum}, nil), audit.ErrBroken, 0},
			{"a later head", answer(audit.Head{Seq: kept.head.Seq + 1, Sum: kept.head.Sum}, nil), audit.ErrBroken, 0},
			{"an older head", answer(first, nil), nil, 0},
			{"the head", kept.tell, nil, 0},
		} {
			start := time.Now()
			err := h.again(func(config *pipesecrets.Config) { config.Head = c.head }).Intact(t.Context())
			if !errors.Is(err, c.want) || err != nil && strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v", c.what, err)
			}
			if waited := time.Since(start); waited != c.wait {
				t.Errorf("%s: it waited %v", c.what, waited)
			}
		}
		close(hung)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		waits := func(ctx context.Context) (audit.Head, error) { <-ctx.Done(); return kept.head, nil }
		for _, head := range []func(context.Context) (audit.Head, error){kept.tell, waits} {
			if err := h.again(func(config *pipesecrets.Config) { config.Head = head }).Intact(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
		}
		if err := h.again(func(config *pipesecrets.Config) { config.Backend = unread{h.backend} }).Intact(t.Context()); !errors.Is(err, errFault) {
			t.Errorf("a log that can't be read: %v", err)
		}
	})
}

func TestARestoredBackupIsNotIntact(t *testing.T) {
	dir := t.TempDir()
	path, backup := filepath.Join(dir, "store.db"), filepath.Join(dir, "backup.db")
	open := func(path string) pipesecrets.Backend {
		store, err := sqlite.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		return store
	}
	h, kept := sealing(t, func(c *pipesecrets.Config) { c.Backend = open(path) })
	h.put(ada, genomics, "TOKEN")
	h.seal(kept)
	db, err := sql.Open("sqlite", path)
	h.must(err)
	_, err = db.ExecContext(t.Context(), `VACUUM INTO ?`, backup)
	h.must(err)
	h.must(db.Close())
	restored := h.again(func(c *pipesecrets.Config) { c.Backend = open(backup) })
	h.must(restored.Intact(t.Context())) // nothing is lost yet
	h.put(ada, genomics, "OTHER")
	h.seal(kept)
	h.must(h.Intact(t.Context()))
	if err := restored.Intact(t.Context()); !errors.Is(err, audit.ErrBroken) {
		t.Errorf("it is intact: %v", err)
	}
	if _, err := restored.Seal(t.Context(), operator); !errors.Is(err, audit.ErrBroken) {
		t.Errorf("it is sealed: %v", err)
	}
}
