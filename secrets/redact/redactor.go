package redact

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// Defaults of Options, in bytes.
const (
	defaultShort = 4
	defaultToken = 8
)

// ErrClosed says that the [Redactor] or the [Writer] is closed.
var ErrClosed = errors.New("redact: closed")

// Options are choices of the host. The zero Options are the usual ones.
type Options struct {
	// Mark returns what stands for the values of a name; nil for "[secret:NAME]".
	// It is called by New and Add, once for each value, and by several Adds at a
	// time if there are.
	Mark func(secrets.Name) string

	// Short is the size in bytes below which values are not masked; 0 for 4.
	// Masking "1" would shred a log, and the pattern of the shreds would tell the
	// value. With 1, all values are masked.
	Short int

	// Token is the size in bytes below which values are masked only where they
	// stand as whole tokens; 0 for 8. With 1, all are masked anywhere.
	Token int

	// Forms are those in which values are masked; nil for all. An empty list, not
	// nil, leaves the values as they are, without white space around them.
	Forms []Form
}

// filled returns the options with the usual ones where the host chose none.
func (o Options) filled() (Options, error) {
	switch {
	case o.Short < 0:
		return o, &secrets.InvalidError{Field: "short", Rule: "may not be negative"}
	case o.Token < 0:
		return o, &secrets.InvalidError{Field: "token", Rule: "may not be negative"}
	}
	for _, f := range o.Forms {
		if !slices.Contains(DefaultForms(), f) {
			return o, &secrets.InvalidError{Field: "forms", Rule: "names a form that there is not"}
		}
	}
	o.Short, o.Token = cmp.Or(o.Short, defaultShort), cmp.Or(o.Token, defaultToken)
	if o.Forms == nil {
		o.Forms = DefaultForms()
	}
	o.Forms = slices.Clone(o.Forms)
	if o.Mark == nil {
		o.Mark = func(n secrets.Name) string { return "[secret:" + n.String() + "]" }
	}
	return o, nil
}

// Masks reports whether a value is long enough to be masked, to be told where it is
// written. It fails as [New] does.
func (o Options) Masks(value secrets.Value) (bool, error) {
	o, err := o.filled()
	if err != nil {
		return false, err
	}
	o.Forms = nil
	masks := false
	err = value.Reveal(func(plain []byte) error {
		forms := formsOf(plain, &o)
		masks = len(forms) > 0
		for _, f := range forms {
			clear(f.bytes)
		}
		return nil
	})
	return masks, err
}

// Redactor masks the values of one launch. It is safe for concurrent use. The
// zero Redactor is closed. Copies of a Redactor are the same one.
type Redactor struct {
	// The forms are behind a closure because fmt and encoders read fields by
	// reflection, whatever methods a type has, and a function has none to read.
	core func() *core
}

// core is what a Redactor hides.
type core struct {
	options Options

	mu      sync.RWMutex // held while a set is read, so that Close wipes none in use
	set     *set         // replaced by Add; nil once closed
	neutral string       // of the last set
	short   []secrets.Name
	hits    map[secrets.Name]*atomic.Uint64
}

func (r *Redactor) get() *core {
	if r.core == nil {
		return &core{neutral: neutralMark} // closed
	}
	return r.core()
}

// New returns a Redactor for the values. It copies them: destroying a value
// afterwards does not stop its masking. It fails with a [secrets.InvalidError]
// if a name is zero, Short or Token is negative, or Forms has one that there is
// not, and with [secrets.ErrDestroyed] if a
// value is destroyed or zero.
func New(values map[secrets.Name]secrets.Value, o Options) (*Redactor, error) {
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	c := &core{options: o, set: compile(nil), hits: make(map[secrets.Name]*atomic.Uint64)}
	if err := c.add(values); err != nil {
		return nil, err
	}
	return &Redactor{func() *core { return c }}, nil
}

// Add masks one more value from now on, next to those that the name may have
// already. Streams that run take it up with their next Write, from the bytes
// that they hold at that time; what was passed on before is gone, and so are
// attributes that a log handler was given by WithAttrs. Add fails as [New] does,
// and with [ErrClosed]; nothing has changed then.
func (r *Redactor) Add(name secrets.Name, value secrets.Value) error {
	return r.get().add(map[secrets.Name]secrets.Value{name: value})
}

func (c *core) add(values map[secrets.Name]secrets.Value) error {
	if err := c.open(); err != nil {
		return err
	}
	// What is not ours, the values' locks and Mark, comes outside of our lock.
	var added []form
	var short []secrets.Name
	for _, name := range slices.SortedFunc(maps.Keys(values), secrets.Name.Compare) {
		if name.IsZero() {
			wipe(added)
			return errNoName
		}
		var all []pattern
		err := values[name].Reveal(func(plain []byte) error {
			all = formsOf(plain, &c.options)
			return nil
		})
		if err != nil {
			wipe(added)
			return fmt.Errorf("redact: value of %s: %w", name, err)
		}
		if len(all) == 0 {
			short = append(short, name)
			continue
		}
		mark := c.options.Mark(name)
		for _, p := range all {
			added = append(added, form{name: name, pattern: p, mark: mark})
		}
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.set == nil {
		wipe(added)
		return ErrClosed
	}
	for i, f := range added {
		if c.hits[f.name] == nil {
			c.hits[f.name] = new(atomic.Uint64)
		}
		added[i].hits = c.hits[f.name]
	}
	c.set.wipeSearch() // the forms are the next one's
	c.set = compile(slices.Concat(c.set.forms, added))
	c.neutral = c.set.neutral
	c.short = append(c.short, short...)
	slices.SortFunc(c.short, secrets.Name.Compare)
	c.short = slices.Compact(c.short)
	return nil
}

var errNoName = &secrets.InvalidError{Field: "name", Rule: "may not be zero"}

// read lends the set to use, which calls nothing that is not ours: a lock is
// held. It fails with ErrClosed.
func (c *core) read(use func(*set)) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.set == nil {
		return ErrClosed
	}
	use(c.set)
	return nil
}

// open fails with ErrClosed once c is closed.
func (c *core) open() error { return c.read(func(*set) {}) }

// mask returns text masked as a stream of its own, in new memory, and whether
// that changed it. Once closed, it answers the neutral mark.
func (c *core) mask(text []byte) (masked []byte, changed bool) {
	var t tail
	defer t.wipe()
	if err := c.read(func(s *set) { masked = t.next(s, text, nil, true) }); err != nil {
		return []byte(c.neutral), true // neutral doesn't change once closed
	}
	return masked, t.marks > 0
}

// String returns text masked, as a stream of its own. Once the Redactor is
// closed it returns "***", or "" if a value was in that, whatever the text.
func (r *Redactor) String(text string) string {
	if masked, changed := r.get().mask([]byte(text)); changed {
		return string(masked)
	}
	return text
}

// Bytes is [Redactor.String] for bytes. It returns new memory.
func (r *Redactor) Bytes(text []byte) []byte {
	masked, _ := r.get().mask(text)
	return masked
}

// Writer returns a Writer that passes on to w, masked, what is written to it.
func (r *Redactor) Writer(w io.Writer) *Writer {
	s := &stream{core: r.get(), to: w}
	return &Writer{func() *stream { return s }}
}

// Handler returns a handler that passes on to h, masked, the records that it is
// given: messages, the keys of attributes, the names of groups, and values.
//
// Strings and byte slices are masked where they hold a form. Of other values,
// each text that a handler may print is made and searched: fmt's "%+v", what
// Error, MarshalText and MarshalJSON return, numbers and times as text, and the
// strings within JSON as they were before JSON escaped them. The first of these
// that holds a form replaces the value, masked; a value of which none does is
// passed on as it is, to be rendered again by h. A value that panics when it is
// asked becomes "!PANIC: " and the masked text of that, a map or slice that
// contains itself "!ERROR:" and JSON's, as in package slog. LogValuers are
// resolved.
//
// Time, level and source of a record pass as they are, and so do the level
// questions of Enabled. A form that only arises where h joins several pieces is
// not seen; a [Writer] below h sees it. Once the Redactor is closed, Handle fails
// with [ErrClosed] and passes nothing on; slog.Logger drops that error.
func (r *Redactor) Handler(h slog.Handler) slog.Handler {
	return &handler{r, h}
}

// MaxHold returns how many bytes a [Writer] or [Reader] holds back at most: half as
// many again as the longest form has, and 82; only as many as it has if no form may
// be broken; 0 if there is none. It may grow with Add.
func (r *Redactor) MaxHold() int {
	hold := 0
	_ = r.get().read(func(s *set) { hold = s.hold }) // 0 if closed
	return hold
}

// Short returns the names of which a value is not masked because it is too
// short, sorted.
func (r *Redactor) Short() []secrets.Name {
	c := r.get()
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Clone(c.short)
}

// Hits returns how many occurrences of each name's values were masked by now, in
// all streams, strings and records together. At each position the longest form
// counts, if it masks a byte that no occurrence before it masked. Names without
// hits are left out.
func (r *Redactor) Hits() map[secrets.Name]uint64 {
	c := r.get()
	c.mu.RLock()
	defer c.mu.RUnlock()
	hits := make(map[secrets.Name]uint64)
	for name, n := range c.hits {
		if n := n.Load(); n > 0 {
			hits[name] = n
		}
	}
	return hits
}

// Close waits for what is being masked, wipes the forms and lets nothing pass
// from then on. A [Writer] fails with [ErrClosed] at its next call and wipes what
// it held. Hits and Short still answer. Close returns nil; closing again does
// nothing.
func (r *Redactor) Close() error {
	c := r.get()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.set != nil {
		c.set.wipe()
		c.set = nil
	}
	return nil
}

func wipe(forms []form) {
	for _, f := range forms {
		clear(f.bytes)
	}
}
