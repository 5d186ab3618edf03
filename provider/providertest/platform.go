package providertest

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Config configures a [Platform].
type Config struct {
	Location    provider.Location // {Kind: "fake", Account: "1", Place: "here"} if zero
	Horizon     time.Duration     // bounds everything that is late; zero: nothing ever is
	Concurrency int               // as in provider.Capabilities
	Joint       bool              // one object holds all items of a run and can be cut down; else each item has its own
	Now         func() time.Time  // time.Now if nil

	// Choose decides what the platform does where it is free to: it answers one of
	// 0 to n-1 for a freedom. 0 is what a platform does on a good day, which a nil
	// Choose always answers.
	Choose func(f Freedom, n int) int
}

// Freedom is what an eventually consistent platform may do or not.
type Freedom string

// The freedoms. What is late is so by less than the horizon, counted from the
// request; a look is stale only within a horizon of what it does not show.
const (
	LandLate    Freedom = "land late"    // a create whose caller gave up has its effect only later
	Twice       Freedom = "twice"        // a create is delivered once more, later, even after a remove
	StaleProbe  Freedom = "stale probe"  // a look shows what was before the last change
	StaleList   Freedom = "stale list"   // so does a list
	StaleRemove Freedom = "stale remove" // a remove misses a new object, and reports success
	RemoveLater Freedom = "remove later" // what was removed goes only later, and is Pending till then
	StillShown  Freedom = "still shown"  // or Present, to a look
)

// Object is what is on the platform. It keeps no value, but the digests of those
// that it was given. While a create on a platform without a horizon asks for the
// values, it has no Items.
type Object struct {
	provider.Object
	ID    string
	Asked time.Time // when it was requested; until a horizon later it may not be shown
	Made  time.Time
	Going bool      // it was removed, and is still there
	Gone  time.Time // when it went; zero while it is there

	digests map[secrets.Name][sha256.Size]byte
}

// Stats counts the calls that reached a platform, and what it was free to do and
// did.
type Stats struct {
	Creates, Removes, Probes, Lists, Withdraws int
	LateCreates, DuplicateCreates, LateRemoves int
	StaleProbes, StaleLists, StaleRemoves      int
	NotOurs                                    int
}

// Platform is a platform in memory that does what a real one is free to do. Any
// number of drivers, of as many processes, share it.
type Platform struct {
	config Config

	mu      sync.Mutex
	objects map[string]*Object // the last one of each name, gone or not
	names   []string           // of these, sorted
	changes uint64
	landing []landing
	refuse  func(name string) bool
	down    bool
	serial  int
	stats   Stats
}

// landing is an effect that is on its way.
type landing struct {
	at     time.Time
	object Object
	remove bool
}

// New returns an empty platform.
func New(c Config) *Platform {
	if c.Location == (provider.Location{}) {
		c.Location = provider.Location{Kind: "fake", Account: "1", Place: "here"}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Choose == nil {
		c.Choose = func(Freedom, int) int { return 0 }
	}
	return &Platform{config: c, objects: map[string]*Object{}}
}

// enter locks the platform and lets land what is to land by now. Leave by
// unlocking.
func (p *Platform) enter() time.Time {
	p.mu.Lock()
	now := p.config.Now()
	slices.SortStableFunc(p.landing, func(a, b landing) int { return a.at.Compare(b.at) })
	for len(p.landing) > 0 && !p.landing[0].at.After(now) {
		l := p.landing[0]
		p.landing = p.landing[1:]
		if l.remove {
			if o := p.objects[l.object.Name]; o.Going {
				o.Going, o.Gone = false, l.at
				p.changes++
			}
		} else {
			p.make(l.object, l.at)
		}
	}
	return now
}

// make makes an object, or answers the one that an earlier attempt with the same
// token made; nil if the name is not free for it.
func (p *Platform) make(o Object, at time.Time) *Object {
	if there := p.objects[o.Name]; there != nil && there.Gone.IsZero() {
		if there.Token != o.Token || there.Mark != o.Mark || there.Going {
			return nil
		}
		return there
	}
	p.serial++
	o.ID, o.Made, o.Going, o.Gone = fmt.Sprint("id-", p.serial), at, false, time.Time{}
	if i, known := slices.BinarySearch(p.names, o.Name); !known {
		p.names = slices.Insert(p.names, i, o.Name)
	}
	p.objects[o.Name] = &o
	p.changes++
	return &o
}

// late answers a time after now within the horizon of a request, or zero if the
// platform does not use the freedom.
func (p *Platform) late(f Freedom, asked, now time.Time) time.Duration {
	const steps = 8
	most := asked.Add(p.config.Horizon).Sub(now)
	if most <= 0 || p.config.Choose(f, 4) != 3 {
		return 0
	}
	return most * time.Duration(1+p.config.Choose(f+" by", steps-1)) / steps
}

// Objects returns what is there now, in the order of names: the truth, which no
// driver need see.
func (p *Platform) Objects() []Object {
	p.enter()
	defer p.mu.Unlock()
	var all []Object
	for _, name := range p.names {
		if o := p.objects[name]; o.Gone.IsZero() {
			all = append(all, *o)
		}
	}
	return all
}

// Changes returns a number that grows with every change of what is there.
func (p *Platform) Changes() uint64 {
	p.enter()
	defer p.mu.Unlock()
	return p.changes
}

// Coming returns how many effects are still on their way.
func (p *Platform) Coming() int {
	p.enter()
	defer p.mu.Unlock()
	return len(p.landing)
}

// Plant makes an object past the protocol: somebody else's, or one that no ledger
// knows of.
func (p *Platform) Plant(o Object) {
	now := p.enter()
	defer p.mu.Unlock()
	if o.Asked.IsZero() {
		o.Asked = now
	}
	p.make(o, now)
}

// Holds reports whether the object holds exactly this value of the item.
func (o Object) Holds(name secrets.Name, plain []byte) bool {
	digest, has := o.digests[name]
	return has && digest == sha256.Sum256(plain)
}

// Holds reports whether what is referred to is there and holds exactly this value
// of the item.
func (p *Platform) Holds(r provider.Reference, plain []byte) bool {
	p.enter()
	defer p.mu.Unlock()
	for _, o := range p.objects {
		if o.ID == r.Locator && o.Gone.IsZero() {
			return o.Holds(r.Name, plain)
		}
	}
	return false
}

// Unreachable makes every call of a driver fail as Unavailable, or lets them pass
// again.
func (p *Platform) Unreachable(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// Refuse makes the platform forbid the removal of objects, by their names; nil
// allows all.
func (p *Platform) Refuse(these func(name string) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = these
}

// Stats returns what was counted.
func (p *Platform) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}
