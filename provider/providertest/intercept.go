package providertest

import (
	"context"
	"iter"
	"slices"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Call is one call of a driver that reaches its platform.
type Call struct {
	Method string // Create, Open (the Opener within Create or Withdraw), Probe, Remove, Withdraw or List
	Object provider.Object
	ID     string // empty where none was given
}

// Hook stands in the place of each call; do makes it. A hook may fail before it,
// make it and lose the reply, hang until ctx ends, or make it twice. Where it
// answers nil without having made a Probe or a List, these answer that nothing is
// there. See [Fault] for the common ones.
type Hook func(ctx context.Context, c Call, do func(context.Context) error) error

// Intercept returns a driver each call of which goes through the hook. It is a
// provider.Lister and a provider.Withdrawer exactly if p is; all weighs nothing if p
// is no provider.Weigher, and is in nobody's way if p is no provider.Neighbor. What
// does no I/O goes to p at once.
func Intercept(p provider.Provider, hook Hook) provider.Provider {
	i := intercepted{p, hook}
	lister, lists := p.(provider.Lister)
	cutter, cuts := p.(provider.Withdrawer)
	switch {
	case lists && cuts:
		return struct {
			intercepted
			listing
			cutting
		}{i, listing{lister, hook}, cutting{cutter, i}}
	case lists:
		return struct {
			intercepted
			listing
		}{i, listing{lister, hook}}
	case cuts:
		return struct {
			intercepted
			cutting
		}{i, cutting{cutter, i}}
	}
	return i
}

type intercepted struct {
	provider.Provider
	hook Hook
}

func (i intercepted) Weigh(name secrets.Name, v secrets.Value) int {
	if w, weighs := i.Provider.(provider.Weigher); weighs {
		return w.Weigh(name, v)
	}
	return 0
}

func (i intercepted) CarriesBeside(name secrets.Name, v secrets.Value, others []secrets.Name) error {
	if n, minds := i.Provider.(provider.Neighbor); minds {
		return n.CarriesBeside(name, v, others)
	}
	return nil
}

// opener puts the hook before an Opener.
func (i intercepted) opener(o provider.Object, id string, open provider.Opener) provider.Opener {
	return func(ctx context.Context) (values map[secrets.Name]secrets.Value, err error) {
		err = i.hook(ctx, Call{"Open", o, id}, func(ctx context.Context) (err error) {
			values, err = open(ctx)
			return err
		})
		if err != nil {
			return nil, err
		}
		return values, nil
	}
}

func (i intercepted) Create(ctx context.Context, o provider.Object, open provider.Opener) (id string, err error) {
	err = i.hook(ctx, Call{"Create", o, ""}, func(ctx context.Context) (err error) {
		id, err = i.Provider.Create(ctx, o, i.opener(o, "", open))
		return err
	})
	if err != nil {
		return "", err
	}
	return id, nil
}

func (i intercepted) Probe(ctx context.Context, o provider.Object) (presence provider.Presence, found string, err error) {
	presence = provider.Absent
	err = i.hook(ctx, Call{"Probe", o, ""}, func(ctx context.Context) (err error) {
		presence, found, err = i.Provider.Probe(ctx, o)
		return err
	})
	if err != nil {
		return provider.Unknown, "", err
	}
	return presence, found, nil
}

func (i intercepted) Remove(ctx context.Context, o provider.Object, id string) error {
	return i.hook(ctx, Call{"Remove", o, id}, func(ctx context.Context) error { return i.Provider.Remove(ctx, o, id) })
}

type cutting struct {
	cutter provider.Withdrawer
	by     intercepted
}

func (c cutting) Withdraw(ctx context.Context, o provider.Object, id string, open provider.Opener) error {
	return c.by.hook(ctx, Call{"Withdraw", o, id}, func(ctx context.Context) error {
		return c.cutter.Withdraw(ctx, o, id, c.by.opener(o, id, open))
	})
}

type listing struct {
	lister provider.Lister
	hook   Hook
}

// List makes the whole list one call, which is read before any of it is yielded.
func (l listing) List(ctx context.Context, mark [16]byte) iter.Seq2[provider.Object, error] {
	return func(yield func(provider.Object, error) bool) {
		var listed []provider.Object
		err := l.hook(ctx, Call{Method: "List", Object: provider.Object{Mark: mark}}, func(ctx context.Context) error {
			listed = nil
			for o, err := range l.lister.List(ctx, mark) {
				if err != nil {
					return err
				}
				listed = append(listed, o)
			}
			return nil
		})
		for o := range slices.Values(listed) {
			if !yield(o, nil) {
				return
			}
		}
		if err != nil {
			yield(provider.Object{}, err)
		}
	}
}
