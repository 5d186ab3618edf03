package awssmtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

// member is one of a JSON object.
type member struct {
	name  string
	value json.RawMessage
}

// members reads one JSON object, and nothing after it. What encoding/json passes
// over is an error: a name that is there twice, text that is not UTF-8.
func members(b []byte) ([]member, error) {
	if !utf8.Valid(b) {
		return nil, errors.New("it is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return nil, errors.New("it is no JSON object")
	}
	var all []member
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		m := member{name: name.(string)} // or Token had failed
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(have member) bool { return have.name == m.name }) {
			return nil, fmt.Errorf("%q is there twice", m.name)
		}
		all = append(all, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("there is something after its end")
	}
	return all, nil
}

// strict decodes one JSON object whose members have these names, of which
// encoding/json would take another case too.
func strict(b []byte, to any, names ...string) error {
	all, err := members(b)
	if err != nil {
		return err
	}
	for _, m := range all {
		if !slices.Contains(names, m.name) {
			return fmt.Errorf("%q is unknown here, or not modelled", m.name)
		}
	}
	return json.Unmarshal(b, to)
}
