package pipesecrets_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/crypto"
	"github.com/pipesecrets/pipesecrets/precedence"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/storetest"
)

// The scopes and people of these tests. genomics and imaging are workspaces of
// the organization lab, abroad one of another.
var (
	lab      = secrets.Scope{Kind: secrets.Organization, ID: "lab"}
	other    = secrets.Scope{Kind: secrets.Organization, ID: "other"}
	genomics = secrets.Scope{Kind: secrets.Workspace, ID: "genomics"}
	imaging  = secrets.Scope{Kind: secrets.Workspace, ID: "imaging"}
	abroad   = secrets.Scope{Kind: secrets.Workspace, ID: "abroad"}

	ada      = person("ada", rbac.Grant{Scope: genomics, Role: rbac.Admin}, rbac.Grant{Scope: imaging, Role: rbac.Admin})
	lin      = person("lin", rbac.Grant{Scope: genomics, Role: rbac.Launch}, rbac.Grant{Scope: imaging, Role: rbac.Launch})
	mia      = person("mia", rbac.Grant{Scope: genomics, Role: rbac.Launch})
	boss     = person("boss", rbac.Grant{Scope: lab, Role: rbac.OrgOwner}, rbac.Grant{Scope: other, Role: rbac.OrgOwner})
	robot    = rbac.Caller{Label: "ci", Grants: []rbac.Grant{{Scope: genomics, Role: rbac.Launch}}}
	operator = rbac.Operator("test")
)

func person(id string, grants ...rbac.Grant) rbac.Caller {
	return rbac.Caller{User: id, Grants: grants}
}

func own(c rbac.Caller) secrets.Scope { return secrets.Scope{Kind: secrets.User, ID: c.User} }

func parent(_ context.Context, s secrets.Scope) (secrets.Scope, error) {
	switch s {
	case genomics, imaging:
		return lab, nil
	case abroad:
		return other, nil
	}
	return secrets.Scope{}, errors.New("no such workspace")
}

// house is a service with what stands behind it.
type house struct {
	*pipesecrets.Service
	t       testing.TB
	backend pipesecrets.Backend
	config  pipesecrets.Config
	driver  *hpc.Driver
	root    string
}

// newHouse opens a service on the in-memory backend and a staging root.
func newHouse(t testing.TB, change ...func(*pipesecrets.Config)) *house {
	t.Helper()
	h := &house{t: t, backend: storetest.NewMemory(), root: t.TempDir()}
	installation, err := h.backend.Installation(t.Context(), "")
	h.must(err)
	keyring, err := crypto.Create(t.Context(), h.backend, newKEK(t), installation, crypto.XChaCha20Poly1305)
	h.must(err)
	h.driver, err = hpc.New(hpc.Config{Root: h.root})
	h.must(err)
	h.config = pipesecrets.Config{
		Backend: h.backend, Keyring: keyring, Home: "here", Policy: rbac.Default(), Parent: parent,
		Targets: map[string]provider.Provider{"cluster": h.driver},
	}
	for _, c := range change {
		c(&h.config)
	}
	h.Service, err = pipesecrets.New(t.Context(), h.config)
	h.must(err)
	return h
}

// again opens another service on the same backend, as another process would.
func (h *house) again(change ...func(*pipesecrets.Config)) *house {
	h.t.Helper()
	twin := *h
	for _, c := range change {
		c(&twin.config)
	}
	var err error
	twin.Service, err = pipesecrets.New(h.t.Context(), twin.config)
	h.must(err)
	return &twin
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// put stores a random value and returns the secret and the value's bytes.
func (h *house) put(c rbac.Caller, scope secrets.Scope, name string, policy ...secrets.Policy) (secrets.Secret, []byte) {
	h.t.Helper()
	plain := canary()
	want := secrets.Secret{Name: nameOf(h.t, name), Scope: scope}
	for _, p := range policy {
		want.Policy = p
	}
	s, err := h.Create(h.t.Context(), c, want, valueOf(h.t, plain))
	h.must(err)
	return s, plain
}

// change stores a new value under a secret.
func (h *house) change(c rbac.Caller, s secrets.Secret) (secrets.Secret, []byte) {
	h.t.Helper()
	plain := canary()
	next, err := h.Update(h.t.Context(), c, s, valueOf(h.t, plain))
	h.must(err)
	return next, plain
}

// launch launches a run that wants the names.
func (h *house) launch(c rbac.Caller, run string, workspace secrets.Scope, names ...string) *pipesecrets.Launch {
	h.t.Helper()
	l, err := h.Launch(h.t.Context(), c, h.request(run, workspace, names...))
	h.must(err)
	return l
}

func (h *house) request(run string, workspace secrets.Scope, names ...string) pipesecrets.LaunchRequest {
	h.t.Helper()
	r := pipesecrets.LaunchRequest{Run: runOf(h.t, run), Workspace: workspace}
	for _, n := range names {
		r.Wants = append(r.Wants, precedence.Want{Name: nameOf(h.t, n)})
	}
	return r
}

// staged returns the bytes that a task of the launch reads, "" if there are none.
func (h *house) staged(l *pipesecrets.Launch, name string) []byte {
	h.t.Helper()
	for _, ref := range l.References {
		if ref.Name.String() == name {
			b, err := os.ReadFile(ref.Locator)
			if err != nil && !os.IsNotExist(err) {
				h.t.Fatal(err)
			}
			return b
		}
	}
	return nil
}

// reads fails the test unless a task reads exactly want.
func (h *house) reads(l *pipesecrets.Launch, name string, want []byte) {
	h.t.Helper()
	if !bytes.Equal(h.staged(l, name), want) {
		h.t.Errorf("the task does not read the bytes of %s that it should", name)
	}
}

// nothingStaged fails the test if the staging root has anything in it.
func (h *house) nothingStaged() {
	h.t.Helper()
	if n := stagedIn(h.t, h.root); n != 0 {
		h.t.Errorf("%d directories are staged", n)
	}
}

// stagedIn counts the runs' directories in a staging root.
func stagedIn(t testing.TB, root string) int {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(root, "psec-*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(dirs)
}

// events returns the audit log.
func (h *house) events() []secrets.Event {
	h.t.Helper()
	var all []secrets.Event
	for entry, err := range h.backend.Entries(h.t.Context(), 0) {
		h.must(err)
		all = append(all, entry.Event)
	}
	return all
}

// told fails the test unless the log has exactly n such events.
func (h *house) told(n int, action secrets.Action, outcome secrets.Outcome, c rbac.Caller) {
	h.t.Helper()
	found := 0
	for _, ev := range h.events() {
		if ev.Action == action && ev.Outcome == outcome && ev.Caller == c.Name() {
			found++
		}
	}
	if found != n {
		h.t.Errorf("%d events say that %s of %s was %s, want %d", found, action, c.Name(), outcome, n)
	}
}

func canary() []byte { return []byte(rand.Text()) }

func nameOf(t testing.TB, s string) secrets.Name {
	t.Helper()
	n, err := secrets.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func runOf(t testing.TB, s string) secrets.RunID {
	t.Helper()
	r, err := secrets.ParseRunID(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func valueOf(t testing.TB, plain []byte) secrets.Value {
	t.Helper()
	v, err := secrets.NewValue(plain)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// kek is a key encryption key in memory.
type kek struct{ a *subtle.XChaCha20Poly1305 }

func newKEK(t testing.TB) tink.AEADWithContext {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	a, err := subtle.NewXChaCha20Poly1305(key)
	if err != nil {
		t.Fatal(err)
	}
	return kek{a}
}

func (k kek) EncryptWithContext(_ context.Context, p, ad []byte) ([]byte, error) {
	return k.a.Encrypt(p, ad)
}
func (k kek) DecryptWithContext(_ context.Context, c, ad []byte) ([]byte, error) {
	return k.a.Decrypt(c, ad)
}
