package redact

import (
	"bytes"
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
)

// handler is what Redactor.Handler returns.
type handler struct {
	redactor *Redactor
	next     slog.Handler
}

func (h *handler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	masked := slog.NewRecord(r.Time, r.Level, h.redactor.String(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		masked.AddAttrs(h.attr(a))
		return true
	})
	// Last, because it may be closed at any time: then some pieces are masked, and
	// others are bare marks.
	if err := h.redactor.get().open(); err != nil {
		return err
	}
	return h.next.Handle(ctx, masked)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.redactor, h.next.WithAttrs(h.attrs(attrs))}
}

func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &handler{h.redactor, h.next.WithGroup(h.redactor.String(name))}
}

func (h *handler) attrs(attrs []slog.Attr) []slog.Attr {
	masked := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		masked[i] = h.attr(a)
	}
	return masked
}

func (h *handler) attr(a slog.Attr) slog.Attr {
	return slog.Attr{Key: h.redactor.String(a.Key), Value: h.value(a.Value)}
}

func (h *handler) value(v slog.Value) (masked slog.Value) {
	defer func() {
		// As slog does, which is too late here: what it prints may hold a form.
		if p := recover(); p != nil {
			masked = h.text(fmt.Sprintf("!PANIC: %v", p))
		}
	}()
	v = v.Resolve()
	switch v.Kind() {
	case slog.KindString:
		return h.text(v.String())
	case slog.KindGroup:
		return slog.GroupValue(h.attrs(v.Group())...)
	}
	if b, ok := v.Any().([]byte); ok {
		// Stays a byte slice, which handlers render each in their way.
		if masked, changed := h.redactor.get().mask(b); changed {
			return slog.AnyValue(masked)
		}
	}
	encoded, err := encode(v.Any())
	if err != nil {
		encoded = "!ERROR:" + err.Error()
	}
	if endless(err) {
		return h.text(encoded)
	}
	for _, text := range texts(v, encoded) {
		if masked, changed := h.redactor.get().mask([]byte(text)); changed {
			return slog.StringValue(string(masked))
		}
	}
	return v
}

func (h *handler) text(s string) slog.Value { return slog.StringValue(h.redactor.String(s)) }

// encode returns v in JSON as slog's handler writes it.
func encode(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// endless reports whether encoding failed because of a map or a slice that
// contains itself. Of those fmt prints until the stack overflows, which nothing
// can recover from. At a pointer fmt stops.
func endless(err error) bool {
	var u *json.UnsupportedValueError
	if !errors.As(err, &u) {
		return false
	}
	return u.Value.Kind() == reflect.Map || u.Value.Kind() == reflect.Slice
}

// texts returns what handlers may print for v, which is encoded in JSON: the
// first that holds a form takes its place.
func texts(v slog.Value, encoded string) []string {
	var all []string
	switch v.Kind() {
	case slog.KindAny:
		all = append(all, fmt.Sprintf("%+v", v.Any())) // slog.TextHandler
	case slog.KindTime:
		all = append(all, v.Time().Format("2006-01-02T15:04:05.000Z07:00")) // slog.TextHandler
	}
	all = append(all, v.String()) // for a value of KindAny "%v"
	switch r := reflect.ValueOf(v.Any()); {
	case r.Kind() == reflect.Pointer && r.IsNil():
		// Its methods may panic, and it holds nothing to tell.
	case r.Kind() == reflect.Slice && r.Type().Elem().Kind() == reflect.Uint8:
		all = append(all, string(r.Bytes()))
		fallthrough // it may have methods
	default:
		if e, ok := v.Any().(error); ok {
			all = append(all, e.Error())
		}
		if m, ok := v.Any().(encoding.TextMarshaler); ok {
			text, err := m.MarshalText()
			if err != nil {
				text = []byte("!ERROR:" + err.Error())
			}
			all = append(all, string(text))
		}
	}
	// Strings as they were before JSON escaped them, then the whole: a form may
	// reach over several of them.
	var tree any
	d := json.NewDecoder(strings.NewReader(encoded))
	d.UseNumber()
	if d.Decode(&tree) == nil { // not JSON if encoding failed
		all = append(all, fmt.Sprint(tree))
	}
	return append(all, encoded)
}
