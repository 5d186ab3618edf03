package leak

import (
	"crypto/rand"
	"fmt"
	"strings"
)

// Canary returns a new random value of 24 letters and digits, which no encoder
// alters.
func Canary() []byte {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	b := make([]byte, 0, 24)
	var r [1]byte
	for len(b) < cap(b) {
		_, _ = rand.Read(r[:]) // never fails
		if i := int(r[0] & 63); i < len(alphabet) {
			b = append(b, alphabet[i])
		}
	}
	return b
}

// Shape is something that holds a value, as a program might pass it to a
// printer.
type Shape struct {
	Name string
	It   any
}

// Shapes returns v in every nesting that treats what is inside it differently:
// fmt calls no methods on unexported fields, follows a pointer at the top level
// only, and so on.
func Shapes[V any](v V) []Shape {
	return []Shape{
		{"top level", v},
		{"pointer", &v},
		{"exported field", exported[V]{v}},
		{"unexported field", unexported[V]{v}},
		{"slice", []V{v, v}},
		{"array", [1]V{v}},
		{"map value", map[string]V{"key": v}},
		{"interface", []any{v, any(&v)}},
		{"pointer to a nested struct", &outer[V]{Name: "outer", In: exported[V]{v}, in: unexported[V]{v}}},
		{"pointers all the way", &links[V]{Next: &links[V]{V: &v}}},
		{"closure", holder[V]{func() V { return v }}},
		{"error", fmt.Errorf("outer: %w", &failure[V]{"inner", v})},
		{"record", &record[V]{ID: 7, Name: "NAME", Value: v, Old: []V{v}, ByName: map[string]*V{"NAME": &v}, cache: []any{v}}},
	}
}

type (
	exported[V any]   struct{ V V }
	unexported[V any] struct{ v V }
	outer[V any]      struct {
		Name string
		In   exported[V]
		in   unexported[V]
	}
	links[V any] struct {
		V    *V
		Next *links[V]
	}
	holder[V any]  struct{ Get func() V }
	failure[V any] struct {
		op string
		v  V
	}
	record[V any] struct {
		ID     int64
		Name   string
		Value  V
		Old    []V
		ByName map[string]*V
		cache  []any
	}
)

// Error is what a careless author of an error type writes.
func (f *failure[V]) Error() string { return f.op + ": " + fmt.Sprint(f.v) }

// Printer is something that turns what it is given into bytes. If it can't, the
// text of its error counts as output.
type Printer struct {
	Name  string
	Print func(it any) []byte
}

// Printed is what a [Printer] gives for its error or panic as for its output.
func Printed(out []byte, err error) []byte {
	return fmt.Append(out, err)
}

// Cell is one printer's output of one shape that leaked.
type Cell struct {
	Printer, Shape, Form string
}

func (c Cell) String() string { return c.Printer + " of " + c.Shape + ": " + c.Form }

// Search prints every shape of a held value with every printer, and returns
// the cells that leak and the number of cells. A cell leaks if it does so for
// each of two independent values: an address may look like one by chance, but
// hardly like both.
func Search[V any](printers []Printer, hold func(canary []byte) V) (leaks []Cell, cells int) {
	first, second := Canary(), Canary()
	a, b := Shapes(hold(first)), Shapes(hold(second))
	for _, p := range printers {
		for i := range a {
			cells++
			form, leaked := Find(print(p, a[i].It), first)
			if !leaked {
				continue
			}
			if _, leaked := Find(print(p, b[i].It), second); leaked {
				leaks = append(leaks, Cell{p.Name, a[i].Name, form})
			}
		}
	}
	return leaks, cells
}

func print(p Printer, it any) (out []byte) {
	defer func() {
		if r := recover(); r != nil { // some encoders panic on what they can't encode
			out = fmt.Append(out, r)
		}
	}()
	return p.Print(it)
}

// List returns the cells one to a line, at most 20 of them.
func List(cells []Cell) string {
	var b strings.Builder
	for i, c := range cells {
		if i == 20 {
			fmt.Fprintf(&b, "\n  and %d more", len(cells)-i)
			break
		}
		b.WriteString("\n  " + c.String())
	}
	return b.String()
}
