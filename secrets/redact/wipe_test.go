package redact

// What is left in memory can't be seen from outside.

import (
	"bytes"
	"crypto/rand"
	"io"
	"slices"
	"testing"

	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestCloseWipesTheForms(t *testing.T) {
	plain := []byte(rand.Text())
	a, _ := secrets.ParseName("AA")
	b, _ := secrets.ParseName("BB")
	v, err := secrets.NewValue(plain)
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(map[secrets.Name]secrets.Value{b: v}, Options{Forms: []Form{}})
	if err != nil {
		t.Fatal(err)
	}
	second := r.core().set.forms[0].bytes
	old, skipper := r.core().set.automaton, r.core().set.skippers[0]
	if err := r.Add(a, v); err != nil { // takes the place of BB's
		t.Fatal(err)
	}
	if s := old.states; !slices.Equal(s, make([]state, len(s))) || !zero(old.label) {
		t.Error("what was replaced was not wiped")
	}
	first := r.core().set.forms[0].bytes
	if !bytes.Equal(first, plain) || bytes.Equal(second, plain) {
		t.Error("of two forms with equal bytes, the one that is of no use was not wiped")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if !zero(first) || skipper.forms[0].first != 0 {
		t.Error("Close left a form, or the beginning of one")
	}
}

func TestAStreamKeepsOnlyWhatItHolds(t *testing.T) {
	v, err := secrets.NewValue([]byte("abcdefgh"))
	if err != nil {
		t.Fatal(err)
	}
	name, _ := secrets.ParseName("AA")
	r, err := New(map[secrets.Name]secrets.Value{name: v}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := r.Writer(io.Discard)
	_, _ = io.WriteString(w, "and abcdefgh, then something else, and abc")
	held := w.stream().tail.text
	if string(held) != "mething else, and abc" || !zero(held[len(held):cap(held)]) {
		t.Errorf("held %q, then %q", held, held[len(held):cap(held)])
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if !zero(held) || w.stream().tail.text != nil {
		t.Errorf("Close left %q", held)
	}
}

func zero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }
