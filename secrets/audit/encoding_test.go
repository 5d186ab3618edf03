package audit_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
)

// reader reads the encoding as the package's documentation has it.
type reader struct {
	t    *rapid.T
	rest []byte
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.t.Fatalf("%d bytes where %d are expected", len(r.rest), n)
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) number() uint64 { return binary.BigEndian.Uint64(r.bytes(8)) }

func (r *reader) string() string { return string(r.bytes(r.number())) }

func (r *reader) entry() audit.Entry {
	var e audit.Entry
	ev := &e.Event
	e.Seq = r.number()
	seconds := int64(r.number())
	ev.At = time.Unix(seconds, int64(binary.BigEndian.Uint32(r.bytes(4)))).UTC()
	ev.Caller, ev.Action, ev.Outcome, ev.Reason = r.string(), secrets.Action(r.string()), secrets.Outcome(r.string()), r.string()
	ev.Scope.Kind = secrets.Kind(r.bytes(1)[0])
	ev.Scope.ID = r.string()
	if name := r.string(); name != "" {
		ev.Name = nameOf(r.t, name)
	}
	ev.Pin = secrets.Pin{ID: secrets.ID(r.number()), Version: secrets.Version(r.number())}
	if run := r.string(); run != "" {
		ev.Run = runOf(r.t, run)
	}
	ev.Target = r.string()
	return e
}

type fataler interface{ Fatal(...any) }

func nameOf(t fataler, s string) secrets.Name {
	n, err := secrets.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func runOf(t fataler, s string) secrets.RunID {
	r, err := secrets.ParseRunID(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func drawEntry(t *rapid.T) audit.Entry {
	e := audit.Entry{Seq: rapid.Uint64().Draw(t, "seq"), Event: secrets.Event{
		At:     time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")).UTC(),
		Caller: rapid.String().Draw(t, "caller"), Action: secrets.Action(rapid.String().Draw(t, "action")),
		Outcome: secrets.Outcome(rapid.String().Draw(t, "outcome")), Reason: rapid.String().Draw(t, "reason"),
		Scope:  secrets.Scope{Kind: secrets.Kind(rapid.Byte().Draw(t, "kind")), ID: rapid.String().Draw(t, "scope")},
		Pin:    secrets.Pin{ID: secrets.ID(rapid.Int64().Draw(t, "id")), Version: secrets.Version(rapid.Uint64().Draw(t, "version"))},
		Target: string(rapid.SliceOf(rapid.Byte()).Draw(t, "target")),
	}}
	if rapid.Bool().Draw(t, "named") {
		e.Event.Name = nameOf(t, rapid.StringMatching(`[A-Z]{2,5}`).Draw(t, "name"))
		e.Event.Run = runOf(t, rapid.StringMatching(`[a-z][0-9-]{0,5}`).Draw(t, "run"))
	}
	return e
}

// What can be read back in one way only has one meaning: no two series of entries
// have the same encoding.
func TestTheEncodingOfEntriesCanBeReadInOneWayOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.SliceOfN(rapid.Custom(drawEntry), 0, 5).Draw(t, "entries")
		r := &reader{t, audit.Encode(entries)}
		var read []audit.Entry
		for len(r.rest) > 0 {
			read = append(read, r.entry())
		}
		if len(read) != len(entries) {
			t.Fatalf("%d entries are read, %d were written", len(read), len(entries))
		}
		for i := range entries {
			if !reflect.DeepEqual(read[i], entries[i]) {
				t.Fatalf("entry %d is read as %+v, was %+v", i, read[i], entries[i])
			}
		}
	})
}

func TestTheTextOfALinkCanBeReadInOneWayOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prev := audit.Head{Seq: rapid.Uint64Range(0, 1<<62).Draw(t, "prev"), Sum: rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "sum")}
		entries := rapid.SliceOfN(rapid.Custom(drawEntry), 1, 5).Draw(t, "entries")
		for i := range entries {
			entries[i].Seq = prev.Seq + 1 + 3*uint64(i)
		}
		digest := sha256.Sum256(audit.Encode(entries))
		r := &reader{t, audit.Text(prev, entries)}
		if domain, seq, sum := r.string(), r.number(), r.string(); domain != "pipesecrets/audit/v1" || seq != prev.Seq || sum != string(prev.Sum) {
			t.Fatalf("the domain is %q, the link before %d %x, was %v", domain, seq, sum, prev)
		}
		if last, n := r.number(), r.number(); last != entries[len(entries)-1].Seq || n != uint64(len(entries)) {
			t.Fatalf("%d entries up to %d, were %d", n, last, len(entries))
		}
		if !bytes.Equal(r.rest, digest[:]) {
			t.Fatal("the digest is another one")
		}
	})
}

// A log that was sealed by one release is verified by all later ones.
func TestVersion1OfTheEncodingStays(t *testing.T) {
	text := audit.Text(audit.Head{Seq: 6, Sum: []byte("sum")}, []audit.Entry{{Seq: 7}, {Seq: 9, Event: secrets.Event{
		At: time.Date(2030, 1, 2, 3, 4, 5, 678_901_000, time.UTC), Caller: "user:ann", Action: secrets.ActionUse, Outcome: secrets.Done,
		Reason: "reason", Scope: secrets.Scope{Kind: secrets.User, ID: "ann"}, Name: nameOf(t, "AA"), Pin: secrets.Pin{ID: 4, Version: 5},
		Run: runOf(t, "r1"), Target: "cluster",
	}}})
	digest := sha256.Sum256(text)
	if got := hex.EncodeToString(digest[:8]); got != "c41e40f92f6e981e" {
		t.Errorf("the text's digest begins with %s", got)
	}
}

// change is one field of an event, and a way to change it.
type change struct {
	field string
	do    func(*secrets.Event)
}

// changes finds every field of an event, those of its fields included: one that
// is added later is found too.
func changes(t *testing.T) []change {
	t.Helper()
	var all []change
	add := func(path string, index []int, do func(reflect.Value)) {
		all = append(all, change{path, func(ev *secrets.Event) { do(reflect.ValueOf(ev).Elem().FieldByIndex(index)) }})
	}
	var walk func(in reflect.Type, path string, index []int)
	walk = func(in reflect.Type, path string, index []int) {
		for i := range in.NumField() {
			f := in.Field(i)
			path, index := path+"."+f.Name, append(append([]int(nil), index...), i)
			switch f.Type {
			case reflect.TypeFor[time.Time]():
				for _, d := range []time.Duration{-time.Second, time.Second, time.Microsecond, 24 * time.Hour} {
					add(path+" by "+d.String(), index, func(v reflect.Value) { v.Set(reflect.ValueOf(v.Interface().(time.Time).Add(d))) })
				}
				add(path+" to zero", index, reflect.Value.SetZero)
				continue
			case reflect.TypeFor[secrets.Name]():
				for _, n := range []string{"OTHER", "AAA"} {
					add(path+" to "+n, index, func(v reflect.Value) { v.Set(reflect.ValueOf(nameOf(t, n))) })
				}
				add(path+" to zero", index, reflect.Value.SetZero)
				continue
			case reflect.TypeFor[secrets.RunID]():
				add(path+" to another", index, func(v reflect.Value) { v.Set(reflect.ValueOf(runOf(t, "another"))) })
				add(path+" to zero", index, reflect.Value.SetZero)
				continue
			}
			switch f.Type.Kind() {
			case reflect.Struct:
				walk(f.Type, path, index)
				continue
			case reflect.String:
				add(path+" longer", index, func(v reflect.Value) { v.SetString(v.String() + "\x00") })
				add(path+" shorter", index, func(v reflect.Value) { v.SetString(v.String()[1:]) })
				add(path+" in one letter", index, func(v reflect.Value) { v.SetString("~" + v.String()[1:]) })
			case reflect.Uint8, reflect.Uint64:
				for bit := range f.Type.Bits() {
					add(path+" in bit "+strconv.Itoa(bit), index, func(v reflect.Value) { v.SetUint(v.Uint() ^ 1<<bit) })
				}
			case reflect.Int64:
				for bit := range 64 {
					add(path+" in bit "+strconv.Itoa(bit), index, func(v reflect.Value) { v.SetInt(v.Int() ^ 1<<bit) })
				}
			default:
				t.Fatalf("nobody has said how to change %s", path)
			}
			add(path+" to zero", index, reflect.Value.SetZero)
		}
	}
	walk(reflect.TypeFor[secrets.Event](), "Event", nil)
	return all
}

func TestEveryFieldOfAnEventIsCovered(t *testing.T) {
	e := audit.Entry{Seq: 1, Event: anEvent(t, 1)}
	before := audit.Encode([]audit.Entry{e})
	for _, c := range changes(t) {
		changed := e
		c.do(&changed.Event)
		if cmp.Equal(changed, e, cmp.Comparer(func(a, b secrets.Name) bool { return a == b }), cmp.Comparer(func(a, b secrets.RunID) bool { return a == b })) {
			t.Fatalf("%s: the change changes nothing", c.field)
		}
		if bytes.Equal(audit.Encode([]audit.Entry{changed}), before) {
			t.Errorf("%s: a change does not show", c.field)
		}
	}
	e.Seq++
	if bytes.Equal(audit.Encode([]audit.Entry{e}), before) {
		t.Error("another place does not show")
	}
}
