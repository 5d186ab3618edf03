package providertest_test

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/providertest"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// whole is a driver that can do everything.
type whole interface {
	provider.Provider
	provider.Lister
	provider.Withdrawer
}

// rigged is a good driver but for the methods that are set.
type rigged struct {
	whole
	platform *providertest.Platform

	location   func() provider.Location
	can        func() provider.Capabilities
	carries    func(secrets.Name, secrets.Value) error
	beside     func(secrets.Name, secrets.Value, []secrets.Name) error
	plan       func([]provider.Item, func() string) []provider.Object
	create     func(context.Context, provider.Object, provider.Opener) (string, error)
	probe      func(context.Context, provider.Object) (provider.Presence, string, error)
	remove     func(context.Context, provider.Object, string) error
	references func(provider.Object, string) []provider.Reference
	list       func(context.Context, [16]byte) iter.Seq2[provider.Object, error]
	withdraw   func(context.Context, provider.Object, string, provider.Opener) error
}

func (r *rigged) Location() provider.Location {
	if r.location != nil {
		return r.location()
	}
	return r.whole.Location()
}

func (r *rigged) Capabilities() provider.Capabilities {
	if r.can != nil {
		return r.can()
	}
	return r.whole.Capabilities()
}

func (r *rigged) Carries(n secrets.Name, v secrets.Value) error {
	if r.carries != nil {
		return r.carries(n, v)
	}
	return r.whole.Carries(n, v)
}

func (r *rigged) CarriesBeside(n secrets.Name, v secrets.Value, others []secrets.Name) error {
	if r.beside != nil {
		return r.beside(n, v, others)
	}
	return nil
}

func (r *rigged) Plan(run secrets.RunID, items []provider.Item, nonce func() string) ([]provider.Object, error) {
	if r.plan != nil {
		return r.plan(items, nonce), nil
	}
	return r.whole.Plan(run, items, nonce)
}

func (r *rigged) Create(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
	if r.create != nil {
		return r.create(ctx, o, open)
	}
	return r.whole.Create(ctx, o, open)
}

func (r *rigged) Probe(ctx context.Context, o provider.Object) (provider.Presence, string, error) {
	if r.probe != nil {
		return r.probe(ctx, o)
	}
	return r.whole.Probe(ctx, o)
}

func (r *rigged) Remove(ctx context.Context, o provider.Object, id string) error {
	if r.remove != nil {
		return r.remove(ctx, o, id)
	}
	return r.whole.Remove(ctx, o, id)
}

func (r *rigged) References(o provider.Object, id string) []provider.Reference {
	if r.references != nil {
		return r.references(o, id)
	}
	return r.whole.References(o, id)
}

func (r *rigged) List(ctx context.Context, mark [16]byte) iter.Seq2[provider.Object, error] {
	if r.list != nil {
		return r.list(ctx, mark)
	}
	return r.whole.List(ctx, mark)
}

func (r *rigged) Withdraw(ctx context.Context, o provider.Object, id string, open provider.Opener) error {
	if r.withdraw != nil {
		return r.withdraw(ctx, o, id, open)
	}
	return r.whole.Withdraw(ctx, o, id, open)
}

// truth is an object as it really is on the platform, with the mark that it
// really has.
func (r *rigged) truth(o provider.Object) provider.Object {
	for _, there := range r.platform.Objects() {
		if there.Name == o.Name {
			return provider.Object{Name: o.Name, Mark: there.Mark}
		}
	}
	return o
}

// litter leaves a temporary object of nobody's, and answers how to remove it.
func (r *rigged) litter(o provider.Object) (tidy func()) {
	temporary := provider.Object{Name: o.Name + "-tmp"}
	r.platform.Plant(providertest.Object{Object: temporary})
	return func() { _ = r.whole.Remove(context.Background(), temporary, "") }
}

// overwrite makes an object whatever is there.
func (r *rigged) overwrite(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
	_ = r.whole.Remove(ctx, r.truth(o), "")
	return r.whole.Create(ctx, o, open)
}

// tidily removes a temporary object if it lives to do so.
func (r *rigged) tidily(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
	tidy := r.litter(o)
	id, err := r.whole.Create(ctx, o, open)
	tidy()
	return id, err
}

// removeAnybodys removes whatever has the name.
func (r *rigged) removeAnybodys(ctx context.Context, o provider.Object, id string) error {
	return r.whole.Remove(ctx, r.truth(o), id)
}

// had is an Opener of values that somebody asked for before.
func had(values map[secrets.Name]secrets.Value) provider.Opener {
	return func(context.Context) (map[secrets.Name]secrets.Value, error) { return values, nil }
}

// upsert cuts an object down, or makes it if it was removed meanwhile.
func (r *rigged) upsert(ctx context.Context, o provider.Object, id string, open provider.Opener) error {
	if p, _, err := r.whole.Probe(ctx, o); p != provider.Present {
		return errors.Join(err, &provider.Error{Op: "withdraw", Code: provider.NotOurs})
	}
	values, err := open(ctx)
	if err != nil {
		return err
	}
	if err = r.whole.Withdraw(ctx, o, id, had(values)); err != nil {
		_, err = r.whole.Create(ctx, o, had(values))
	}
	return err
}

// isLong reports whether an object is one of the protocol's, which are needed for
// longer than those that the rest of the suite makes.
func isLong(o provider.Object) bool { return time.Until(o.Expires) > 7*24*time.Hour }

// forAWeek refuses what is needed for longer.
func (r *rigged) forAWeek(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
	if isLong(o) {
		return "", &provider.Error{Op: "create", Code: provider.Refused}
	}
	return r.whole.Create(ctx, o, open)
}
