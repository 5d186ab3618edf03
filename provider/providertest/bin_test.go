package providertest_test

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/providertest"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// bin is what a platform keeps for days after it was removed, so that nobody can
// read it.
type bin struct {
	platform *providertest.Platform

	mu     sync.Mutex
	names  map[string]bool
	refuse bool
}

func newBin() *bin { return &bin{names: map[string]bool{}} }

func (b *bin) has(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.names[name]
}

func (b *bin) hasID(id string) bool {
	return slices.ContainsFunc(b.platform.Objects(), func(o providertest.Object) bool { return o.ID == id && b.has(o.Name) })
}

func (b *bin) without(names []string) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		of, _, _ := strings.Cut(name, " ")
		return b.has(of)
	})
}

// driver is one of the platform with the bin.
func (b *bin) driver(d whole) provider.Provider {
	r := &rigged{whole: d, platform: b.platform}
	taken := func(op string) error { return &provider.Error{Op: op, Code: provider.Taken} }
	r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
		if b.has(o.Name) {
			return "", taken("create")
		}
		return d.Create(ctx, o, b.unless(o, taken("create"), open))
	}
	r.withdraw = func(ctx context.Context, o provider.Object, id string, open provider.Opener) error {
		if b.has(o.Name) {
			return &provider.Error{Op: "withdraw", Code: provider.NotOurs}
		}
		return d.Withdraw(ctx, o, id, b.unless(o, &provider.Error{Op: "withdraw", Code: provider.NotOurs}, open))
	}
	r.probe = func(ctx context.Context, o provider.Object) (provider.Presence, string, error) {
		p, id, err := d.Probe(ctx, o)
		if p == provider.Present && b.has(o.Name) {
			return provider.Pending, "", nil
		}
		return p, id, err
	}
	r.remove = func(ctx context.Context, o provider.Object, id string) error {
		p, found, err := d.Probe(ctx, o)
		switch {
		case err != nil:
			return err
		case p == provider.Foreign:
			return &provider.Error{Op: "remove", Code: provider.NotOurs}
		case p == provider.Absent || id != "" && id != found || b.has(o.Name):
			return nil
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.refuse {
			return &provider.Error{Op: "remove", Code: provider.Forbidden}
		}
		b.names[o.Name] = true
		return nil
	}
	return r
}

// unless is an Opener for what is not in the bin when the values are there.
func (b *bin) unless(o provider.Object, otherwise error, open provider.Opener) provider.Opener {
	return func(ctx context.Context) (map[secrets.Name]secrets.Value, error) {
		values, err := open(ctx)
		if err == nil && b.has(o.Name) {
			return nil, otherwise
		}
		return values, err
	}
}
