package providertest

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Driver returns a driver of the platform. It implements provider.Lister, and
// provider.Withdrawer if the platform is Joint.
func (p *Platform) Driver() provider.Provider {
	if p.config.Joint {
		return jointDriver{driver{p}}
	}
	return driver{p}
}

type driver struct{ p *Platform }

func (d driver) Location() provider.Location { return d.p.config.Location }

func (d driver) Capabilities() provider.Capabilities {
	return provider.Capabilities{Horizon: d.p.config.Horizon, Concurrency: d.p.config.Concurrency}
}

func (d driver) Carries(secrets.Name, secrets.Value) error { return nil }

// Plan names objects as an account-wide secret manager does: by the run and the
// secret, so that an attempt to stage the same run again meets the same name.
func (d driver) Plan(run secrets.RunID, items []provider.Item, nonce func() string) ([]provider.Object, error) {
	if d.p.config.Joint {
		return []provider.Object{{Name: nonce(), Items: items}}, nil
	}
	var objects []provider.Object
	for _, item := range items {
		objects = append(objects, provider.Object{Name: run.String() + "/" + item.Name.String(), Items: []provider.Item{item}})
	}
	return objects, nil
}

func (d driver) References(o provider.Object, id string) []provider.Reference {
	var refs []provider.Reference
	for _, item := range o.Items {
		refs = append(refs, provider.Reference{Name: item.Name, Kind: "fake", Locator: id})
	}
	return refs
}

// Create asks for the values last, as one does who signs the request before.
func (d driver) Create(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
	const op = "create"
	if ctx.Err() != nil {
		return "", &provider.Error{Op: op, Code: provider.Unavailable}
	}
	values, err := open(ctx)
	if err != nil {
		return "", err
	}
	for _, item := range o.Items {
		if values[item.Name].IsZero() {
			return "", &provider.Error{Op: op, Code: provider.Refused}
		}
	}
	p := d.p
	now := p.enter()
	defer p.mu.Unlock()
	p.stats.Creates++
	made := Object{Object: o}
	made.Items = slices.Clone(o.Items)
	if by := p.late(LandLate); by > 0 {
		p.stats.LateCreates++
		p.landing = append(p.landing, landing{at: now.Add(by), object: made})
		return "", &provider.Error{Op: op, Code: provider.Unavailable} // a timeout, as its caller sees it
	}
	id, ok := p.make(made, now)
	if !ok {
		return "", &provider.Error{Op: op, Code: provider.Taken}
	}
	if by := p.late(Twice); by > 0 {
		p.stats.DuplicateCreates++
		p.landing = append(p.landing, landing{at: now.Add(by), object: made})
	}
	return id, nil
}

// looked answers an object as a look or a list shows it, or nil.
func (p *Platform) looked(o *Object, now time.Time, f Freedom) *Object {
	if o == nil {
		return nil
	}
	changed := o.Made
	there := o.Gone.IsZero()
	if !there {
		changed = o.Gone
	}
	if p.config.Horizon > 0 && now.Sub(changed) < p.config.Horizon && p.config.Choose(f, 4) == 3 {
		if f == StaleList {
			p.stats.StaleLists++
		} else {
			p.stats.StaleProbes++
		}
		there = !there
	}
	if !there {
		return nil
	}
	return o
}

func (d driver) Probe(ctx context.Context, o provider.Object, _ string) (provider.Presence, string, error) {
	if ctx.Err() != nil {
		return provider.Unknown, "", &provider.Error{Op: "probe", Code: provider.Unavailable}
	}
	p := d.p
	now := p.enter()
	defer p.mu.Unlock()
	p.stats.Probes++
	// A duplicate of an earlier request makes an object with another id: a look is
	// by name, and answers the id that is there.
	switch there := p.looked(p.objects[o.Name], now, StaleProbe); {
	case there == nil:
		return provider.Absent, "", nil
	case there.Mark != o.Mark || o.Stage != "" && there.Stage != o.Stage:
		return provider.Foreign, "", nil
	default:
		return provider.Present, there.ID, nil
	}
}

// Remove goes by the id if there is one, and answers success for what is not
// there, as a forced deletion does.
func (d driver) Remove(ctx context.Context, o provider.Object, id string) error {
	const op = "remove"
	if ctx.Err() != nil {
		return &provider.Error{Op: op, Code: provider.Unavailable}
	}
	p := d.p
	now := p.enter()
	defer p.mu.Unlock()
	p.stats.Removes++
	there := p.objects[o.Name]
	switch {
	case there == nil || !there.Gone.IsZero() || id != "" && id != there.ID:
		return nil
	case there.Mark != o.Mark || o.Stage != "" && there.Stage != o.Stage:
		p.stats.NotOurs++
		return &provider.Error{Op: op, Code: provider.NotOurs}
	case p.refuse != nil && p.refuse(o.Name):
		return &provider.Error{Op: op, Code: provider.Forbidden}
	}
	if by := p.late(RemoveLater); by > 0 {
		p.stats.LateRemoves++
		p.landing = append(p.landing, landing{at: now.Add(by), object: *there, remove: true})
		return nil
	}
	there.Gone = now
	return nil
}

func (d driver) List(ctx context.Context, mark [16]byte) iter.Seq2[provider.Object, error] {
	return func(yield func(provider.Object, error) bool) {
		if ctx.Err() != nil {
			yield(provider.Object{}, &provider.Error{Op: "list", Code: provider.Unavailable})
			return
		}
		for _, o := range d.p.list(mark) {
			if !yield(provider.Object{Name: o.Name, Mark: o.Mark, Stage: o.Stage}, nil) {
				return
			}
		}
	}
}

// list answers what a list shows, in the order of names.
func (p *Platform) list(mark [16]byte) []Object {
	now := p.enter()
	defer p.mu.Unlock()
	p.stats.Lists++
	var all []*Object
	for _, o := range p.objects {
		if o.Mark == mark {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b *Object) int { return cmp.Compare(a.Name, b.Name) })
	var listed []Object
	for _, o := range all { // in this order, so that the same choices fall on the same objects
		if shown := p.looked(o, now, StaleList); shown != nil {
			listed = append(listed, *shown)
		}
	}
	return listed
}

type jointDriver struct{ driver }

func (d jointDriver) Withdraw(ctx context.Context, o provider.Object, _ string, open provider.Opener) error {
	const op = "withdraw"
	if ctx.Err() != nil {
		return &provider.Error{Op: op, Code: provider.Unavailable}
	}
	if _, err := open(ctx); err != nil {
		return err
	}
	p := d.p
	p.enter()
	defer p.mu.Unlock()
	p.stats.Withdraws++
	there := p.objects[o.Name]
	if there == nil || !there.Gone.IsZero() || there.Mark != o.Mark || there.Stage != o.Stage {
		return &provider.Error{Op: op, Code: provider.NotOurs}
	}
	there.Items = slices.Clone(o.Items)
	return nil
}
