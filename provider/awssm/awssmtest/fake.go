package awssmtest

import (
	"slices"
	"sync"
	"time"
)

// Config configures a [Fake].
type Config struct {
	Account string             // "123456789012" if empty
	Region  string             // "eu-west-1" if empty; ARNs have the partition that it is in
	Now     func() time.Time   // its clock; time.Now if nil
	Late    time.Duration      // the longest that anything is late; 5 minutes if zero
	Quota   map[string]float64 // calls a second, by operation; see [DefaultQuota]; nil: no limits
	Most    int                // secrets that there may be; AWS's 500,000 if zero

	// Choose decides what the fake does where AWS is free to: it answers one of
	// 0 to n-1 for a freedom. 0 is what AWS does on a good day, which a nil Choose
	// always answers. It is called under the fake's lock, and may not call the fake.
	Choose func(f Freedom, n int) int
}

// Fake is Secrets Manager of one account in one Region. Any number of clients
// share it. It is an http.Handler for httptest; [Fake.HTTPClient] reaches it
// without a network.
type Fake struct {
	config Config

	mu       sync.Mutex
	slots    map[string]*slot
	names    []string  // of the slots, sorted: the same choices fall on the same secrets
	fading   []fading  // slots that are to be forgotten, the oldest first
	landing  []landing // effects on their way, the next one first
	changes  uint64
	policies map[string][]statement // by access key
	expires  map[string]time.Time   // by access key
	keys     map[string]KeyState
	buckets  map[string]*bucket // by operation; operations with a joint quota share one
	down     bool
	refuse   func(name string) bool
	fault    func(Call) Fault
	answer   func(Call) (code, message string)
	calls    []Call
	deaf     bool
}

// slot is a name: what is there and what was there before the last change, either
// of them nil for nothing. A secret is never altered, but replaced.
type slot struct {
	now, before *secret
	changed     time.Time
}

// fading is a name that nothing has any more since then.
type fading struct {
	name string
	at   time.Time
}

// landing is an effect that is on its way.
type landing struct {
	at     time.Time
	effect func(at time.Time)
	window bool // it is the end of a recovery window
}

// New returns an account with no secrets, in which everybody may do everything. It
// panics if Quota has an operation that is not modelled, or has one twice: that
// quota would limit nothing, and no test would tell.
func New(c Config) *Fake {
	if c.Account == "" {
		c.Account = "123456789012"
	}
	if c.Region == "" {
		c.Region = "eu-west-1"
	}
	if c.Most == 0 {
		c.Most = 500_000
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Late == 0 {
		c.Late = 5 * time.Minute
	}
	if c.Choose == nil {
		c.Choose = func(Freedom, int) int { return 0 }
	}
	return &Fake{
		config:   c,
		slots:    map[string]*slot{},
		policies: map[string][]statement{},
		expires:  map[string]time.Time{},
		keys:     map[string]KeyState{},
		buckets:  newBuckets(c.Quota),
	}
}

// enter locks the fake and lets everything happen that is to happen by now. Leave
// by unlocking.
func (f *Fake) enter() time.Time {
	f.mu.Lock()
	now := f.config.Now()
	for len(f.landing) > 0 && !f.landing[0].at.After(now) {
		l := f.landing[0]
		f.landing = f.landing[1:]
		l.effect(l.at)
	}
	for len(f.fading) > 0 && now.Sub(f.fading[0].at) >= f.config.Late {
		name := f.fading[0].name
		f.fading = f.fading[1:]
		if s := f.slots[name]; s != nil && s.now == nil && now.Sub(s.changed) >= f.config.Late {
			delete(f.slots, name)
			i, _ := slices.BinarySearch(f.names, name)
			f.names = slices.Delete(f.names, i, i+1)
		}
	}
	return now
}

// land lets something happen at a later time.
func (f *Fake) land(at time.Time, effect func(at time.Time)) {
	i, _ := slices.BinarySearchFunc(f.landing, at, later)
	f.landing = slices.Insert(f.landing, i, landing{at: at, effect: effect})
}

// schedule lets what has a name go at the end of its recovery window, unless it was
// restored by then.
func (f *Fake) schedule(s *secret, end, now time.Time) {
	going := s.clone()
	going.deleted, going.changed = end, now
	f.set(s.name, going, now)
	l := landing{at: end, window: true, effect: func(at time.Time) {
		if there := f.there(s.name); there != nil && there.arn == s.arn && there.deleted.Equal(end) && !there.going {
			f.set(s.name, nil, at)
		}
	}}
	i, _ := slices.BinarySearchFunc(f.landing, end, later)
	f.landing = slices.Insert(f.landing, i, l)
}

// later orders what was sent before before what lands at the same time.
func later(l landing, at time.Time) int {
	if l.at.After(at) {
		return 1
	}
	return -1
}

// set replaces what has a name; nil is nothing.
func (f *Fake) set(name string, s *secret, at time.Time) {
	there := f.slots[name]
	if there == nil {
		there = &slot{}
		f.slots[name] = there
		i, _ := slices.BinarySearch(f.names, name)
		f.names = slices.Insert(f.names, i, name)
	}
	there.before, there.now, there.changed = there.now, s, at
	if s == nil {
		f.fading = append(f.fading, fading{name, at})
	}
	f.changes++
}

// there is what has a name in truth, or nil.
func (f *Fake) there(name string) *secret {
	if s := f.slots[name]; s != nil {
		return s.now
	}
	return nil
}

// full reports whether there are as many secrets as there may be.
func (f *Fake) full() bool {
	if len(f.names) < f.config.Most {
		return false // which is cheap to tell
	}
	n := 0
	for _, s := range f.slots {
		if s.now != nil {
			n++
		}
	}
	return n >= f.config.Most
}

// Changes returns a number that grows with every change of what is there.
func (f *Fake) Changes() uint64 {
	f.enter()
	defer f.mu.Unlock()
	return f.changes
}

// Coming returns how many effects are still on their way; the end of a recovery
// window is none.
func (f *Fake) Coming() int {
	f.enter()
	defer f.mu.Unlock()
	n := 0
	for _, l := range f.landing {
		if !l.window {
			n++
		}
	}
	return n
}

// Down lets every connection be refused, or be made again.
func (f *Fake) Down(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

// Refuse forbids everybody to delete secrets, by their names, as the policy of an
// organization would; nil forbids none.
func (f *Fake) Refuse(these func(name string) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse = these
}
