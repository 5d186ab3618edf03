package providertest

import (
	"context"
	"crypto/sha256"
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

// call locks the platform for one call of a driver. Leave by unlocking if there
// is no error.
func (p *Platform) call(ctx context.Context, op string) (time.Time, error) {
	now := p.enter()
	if ctx.Err() != nil || p.down {
		p.mu.Unlock()
		return now, &provider.Error{Op: op, Code: provider.Unavailable}
	}
	return now, nil
}

// Create asks for the values last. With a horizon it is one request, signed
// before that and valid for a horizon. Without one it makes the empty object
// first, so that a remove meanwhile undoes it.
func (d driver) Create(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
	const op = "create"
	p := d.p
	asked, err := p.call(ctx, op)
	if err != nil {
		return "", err
	}
	p.stats.Creates++
	empty := Object{Object: o, Asked: asked}
	empty.Items = nil
	var claim *Object
	var fresh bool
	if p.config.Horizon == 0 {
		serial := p.serial
		claim = p.make(empty, asked)
		fresh = p.serial != serial
	}
	p.mu.Unlock()
	if p.config.Horizon == 0 && claim == nil {
		return "", &provider.Error{Op: op, Code: provider.Taken}
	}
	undo := func() {
		if fresh {
			now := p.enter()
			defer p.mu.Unlock()
			if claim.Gone.IsZero() && len(claim.Items) == 0 {
				claim.Gone = now
				p.changes++
			}
		}
	}
	values, err := open(ctx)
	if err != nil {
		undo()
		return "", err
	}
	made, ok := filled(Object{Object: o, Asked: asked}, values)
	if !ok {
		undo()
		return "", &provider.Error{Op: op, Code: provider.Refused}
	}
	if p.config.Horizon > 0 {
		return p.land(ctx, made)
	}
	if ctx.Err() != nil {
		undo()
		return "", &provider.Error{Op: op, Code: provider.Unavailable}
	}
	p.enter()
	defer p.mu.Unlock()
	if p.objects[o.Name] != claim || !claim.Gone.IsZero() {
		return "", &provider.Error{Op: op, Code: provider.Unavailable}
	}
	claim.Items, claim.digests = made.Items, made.digests
	p.changes++
	return claim.ID, nil
}

// filled is an object that holds its items, if there is a value for each.
func filled(o Object, values map[secrets.Name]secrets.Value) (Object, bool) {
	o.Items, o.digests = slices.Clone(o.Items), map[secrets.Name][sha256.Size]byte{}
	for _, item := range o.Items {
		err := values[item.Name].Reveal(func(plain []byte) error {
			o.digests[item.Name] = sha256.Sum256(plain)
			return nil
		})
		if err != nil {
			return Object{}, false
		}
	}
	return o, true
}

// land lets a request to create have its effect now, later, or both. A request
// whose time is over is refused.
func (p *Platform) land(ctx context.Context, o Object) (string, error) {
	const op = "create"
	now := p.enter()
	defer p.mu.Unlock()
	unavailable := &provider.Error{Op: op, Code: provider.Unavailable}
	if !now.Before(o.Asked.Add(p.config.Horizon)) {
		return "", unavailable
	}
	if by := p.late(LandLate, o.Asked, now); by > 0 {
		p.stats.LateCreates++
		p.landing = append(p.landing, landing{at: now.Add(by), object: o})
		return "", unavailable // a timeout, as its caller sees it
	}
	if ctx.Err() != nil {
		return "", unavailable
	}
	made := p.make(o, now)
	if made == nil {
		return "", &provider.Error{Op: op, Code: provider.Taken}
	}
	if by := p.late(Twice, o.Asked, now); by > 0 {
		p.stats.DuplicateCreates++
		p.landing = append(p.landing, landing{at: now.Add(by), object: o})
	}
	return made.ID, nil
}

// looked answers an object as a look, a list or a remove sees it, or nil.
func (p *Platform) looked(o *Object, now time.Time, f Freedom) *Object {
	if o == nil {
		return nil
	}
	changed := o.Asked
	there := o.Gone.IsZero()
	if !there {
		changed = o.Gone
	}
	if p.config.Horizon > 0 && now.Sub(changed) < p.config.Horizon && p.config.Choose(f, 4) == 3 {
		switch f {
		case StaleList:
			p.stats.StaleLists++
		case StaleRemove:
			p.stats.StaleRemoves++
		default:
			p.stats.StaleProbes++
		}
		there = !there
	}
	if !there {
		return nil
	}
	return o
}

func (d driver) Probe(ctx context.Context, o provider.Object) (provider.Presence, string, error) {
	p := d.p
	now, err := p.call(ctx, "probe")
	if err != nil {
		return provider.Unknown, "", err
	}
	defer p.mu.Unlock()
	p.stats.Probes++
	// A duplicate of an earlier request makes an object with another id: a look is
	// by name, and answers the id that is there.
	switch there := p.looked(p.objects[o.Name], now, StaleProbe); {
	case there == nil:
		return provider.Absent, "", nil
	case !there.of(o):
		return provider.Foreign, "", nil
	case there.Going && p.config.Choose(StillShown, 4) != 3:
		return provider.Pending, "", nil
	default:
		return provider.Present, there.ID, nil
	}
}

// of reports whether what is there is what is meant.
func (o *Object) of(meant provider.Object) bool {
	return o.Mark == meant.Mark && (meant.Stage == "" || meant.Stage == o.Stage)
}

// Remove goes by the id if there is one, and answers success for what is not
// there, as a forced deletion does.
func (d driver) Remove(ctx context.Context, o provider.Object, id string) error {
	const op = "remove"
	p := d.p
	now, err := p.call(ctx, op)
	if err != nil {
		return err
	}
	defer p.mu.Unlock()
	p.stats.Removes++
	there := p.objects[o.Name]
	switch {
	case there == nil || !there.Gone.IsZero() || there.Going || id != "" && id != there.ID:
		return nil
	case !there.of(o):
		p.stats.NotOurs++
		return &provider.Error{Op: op, Code: provider.NotOurs}
	case p.refuse != nil && p.refuse(o.Name):
		return &provider.Error{Op: op, Code: provider.Forbidden}
	case p.looked(there, now, StaleRemove) == nil:
		return nil
	}
	if by := p.late(RemoveLater, now, now); by > 0 {
		p.stats.LateRemoves++
		there.Going = true
		p.changes++
		p.landing = append(p.landing, landing{at: now.Add(by), object: *there, remove: true})
		return nil
	}
	there.Gone = now
	p.changes++
	return nil
}

// List yields no more than it must.
func (d driver) List(ctx context.Context, mark [16]byte) iter.Seq2[provider.Object, error] {
	return func(yield func(provider.Object, error) bool) {
		names, err := d.p.list(ctx, mark)
		if err != nil {
			yield(provider.Object{}, err)
		}
		for _, name := range names {
			if !yield(provider.Object{Name: name, Mark: mark}, nil) {
				return
			}
		}
	}
}

// list answers the names that a list shows, in their order, so that the same
// choices fall on the same objects.
func (p *Platform) list(ctx context.Context, mark [16]byte) (listed []string, err error) {
	now, err := p.call(ctx, "list")
	if err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	p.stats.Lists++
	for _, name := range p.names {
		if o := p.objects[name]; o.Mark == mark && p.looked(o, now, StaleList) != nil {
			listed = append(listed, name)
		}
	}
	return listed, nil
}

// jointDriver is a driver whose objects hold several items.
type jointDriver struct{ driver }

// Withdraw puts its epoch on the object before it asks for the values: one who
// was paused and deposed in between finds another's there.
func (d jointDriver) Withdraw(ctx context.Context, o provider.Object, id string, open provider.Opener) error {
	const op = "withdraw"
	p := d.p
	if _, err := p.call(ctx, op); err != nil {
		return err
	}
	p.stats.Withdraws++
	there := p.objects[o.Name]
	ours := there != nil && there.Gone.IsZero() && !there.Going && there.of(o) && (id == "" || id == there.ID)
	if ours {
		there.Epoch = max(there.Epoch, o.Epoch)
	}
	p.mu.Unlock()
	if !ours {
		return &provider.Error{Op: op, Code: provider.NotOurs}
	}
	values, err := open(ctx)
	if err != nil {
		return err
	}
	rest, ok := filled(Object{Object: o}, values)
	if !ok {
		return &provider.Error{Op: op, Code: provider.Refused}
	}
	if _, err := p.call(ctx, op); err != nil {
		return err
	}
	defer p.mu.Unlock()
	if p.objects[o.Name] != there || !there.Gone.IsZero() || there.Going || there.Epoch != o.Epoch {
		return &provider.Error{Op: op, Code: provider.NotOurs}
	}
	there.Items, there.digests = rest.Items, rest.digests
	p.changes++
	return nil
}
