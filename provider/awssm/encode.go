package awssm

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// braces is what an encoded map takes beside its entries.
const braces = 2

// Weigh answers how many bytes the value takes in an AWS secret of [JSONMap], with
// its name, and 0 for [PerSecret].
func (d *Driver) Weigh(name secrets.Name, v secrets.Value) int {
	if d.config.Layout == PerSecret {
		return 0
	}
	weight := 0
	_ = v.Reveal(func(plain []byte) error { // one that was destroyed weighs nothing, and is refused by create
		b := entry(name, plain)
		weight = len(b) + 1 // the comma
		clear(b)
		return nil
	})
	return weight
}

// entry is a name and its value as in a JSON object. Nothing is escaped that JSON
// does not demand.
func entry(name secrets.Name, plain []byte) []byte {
	var b bytes.Buffer
	b.Grow(len(plain) + len(plain)/8 + 128)
	b.WriteByte('"')
	b.WriteString(name.String()) // which needs no escape
	b.WriteString(`":`)
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(string(plain)) // a string and a buffer: neither fails
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// secretString is what the AWS secret of an object holds: the value of its item, or
// the map of its items in the order of their names, so that every attempt sends the
// same.
func (d *Driver) secretString(o provider.Object, values map[secrets.Name]secrets.Value) (string, error) {
	var whole []byte
	defer func() { clear(whole) }()
	grow := func(more ...byte) {
		was := whole
		whole = append(slices.Clip(whole), more...) // the old array is not left behind
		clear(was)
	}
	if isMap(o.Name) {
		grow('{')
	}
	items := slices.SortedFunc(slices.Values(o.Items), func(a, b provider.Item) int { return a.Name.Compare(b.Name) })
	for i, item := range items {
		err := values[item.Name].Reveal(func(plain []byte) error {
			if !isMap(o.Name) {
				grow(plain...)
				return nil
			}
			if i > 0 {
				grow(',')
			}
			b := entry(item.Name, plain)
			grow(b...)
			clear(b)
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	if isMap(o.Name) {
		grow('}')
	}
	return string(whole), nil
}
