package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

// window looks at what passes after it was masked, and notes values that came through.
type window struct {
	values map[secrets.Name]secrets.Value
	mu     sync.Mutex
	names  []string // of those that did
}

// window returns one for the run's values, but for those that the redactor tells it
// does not mask, and those that a mark itself may spell.
func (p *play) window(redactor *redact.Redactor) *window {
	staged := p.values.staged()
	w := &window{values: map[secrets.Name]secrets.Value{}}
	marks := ""
	for name := range staged {
		marks += redactor.String("[secret:" + name.String() + "]")
	}
	for name, value := range staged {
		spelt := value.Reveal(func(plain []byte) error {
			if strings.Contains(marks, string(plain)) {
				return errors.New("in a mark")
			}
			return nil
		})
		if spelt == nil && !slices.Contains(redactor.Short(), name) {
			w.values[name] = value
		}
	}
	return w
}

// on returns a writer to a stream that passes the window.
func (w *window) on(to io.Writer) io.Writer { return &pane{w, to, nil} }

// pane is the window on one stream.
type pane struct {
	*window
	to   io.Writer
	tail []byte // of what went before: a value may come in pieces
}

// Write implements io.Writer.
func (p *pane) Write(b []byte) (int, error) {
	p.tail = append(p.tail, b...)
	longest := 1
	for name, value := range p.values {
		_ = value.Reveal(func(plain []byte) error { // they live as long as the story
			longest = max(longest, len(plain))
			if bytes.Contains(p.tail, plain) {
				p.note(name)
			}
			return nil
		})
	}
	p.tail = append(p.tail[:0], p.tail[max(0, len(p.tail)-longest+1):]...)
	return p.to.Write(b)
}

func (w *window) note(name secrets.Name) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.names, name.String()) {
		w.names = append(w.names, name.String())
	}
}

// err is an error if a value came through.
func (w *window) err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.names) > 0 {
		return fmt.Errorf("came through unmasked: %s", strings.Join(w.names, ", "))
	}
	return nil
}
