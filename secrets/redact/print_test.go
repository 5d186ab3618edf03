package redact_test

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

// printouts is what can be got from v by printing, encoding and logging it, on
// its own and within other values.
func printouts(v any) map[string]string {
	out := make(map[string]string)
	for how, v := range map[string]any{
		"alone":                v,
		"in an exported field": struct{ V any }{v},
		"in a hidden field":    struct{ v any }{v},
		"in a slice":           []any{v},
		"in a map":             map[string]any{"k": v},
		"behind a pointer":     &v,
	} {
		for _, verb := range []string{"v", "+v", "#v", "s", "q", "d", "x", "X", "t", "p", "U", "T"} {
			out["%"+verb+" "+how] = fmt.Sprintf("%"+verb, v)
		}
		// That an encoder refuses is as good.
		b, _ := json.Marshal(v)
		out["json "+how] = string(b)
		b, _ = xml.Marshal(v)
		out["xml "+how] = string(b)
		var g, l bytes.Buffer
		_ = gob.NewEncoder(&g).Encode(v)
		out["gob "+how] = g.String()
		slog.New(slog.NewTextHandler(&l, nil)).Info("hi", "k", v)
		slog.New(slog.NewJSONHandler(&l, nil)).Info("hi", "k", v)
		out["slog "+how] = l.String()
	}
	var r strings.Builder
	reflected(&r, reflect.ValueOf(v), make(map[uintptr]bool))
	out["reflect"] = r.String()
	return out
}

// reflected writes all strings and bytes that reflection gets at from v, through
// hidden fields and pointers, as loggers and comparers do.
func reflected(out io.Writer, v reflect.Value, seen map[uintptr]bool) {
	switch v.Kind() {
	case reflect.String:
		fmt.Fprintln(out, v.String())
	case reflect.Pointer:
		if !seen[v.Pointer()] {
			seen[v.Pointer()] = true
			reflected(out, v.Elem(), seen)
		}
	case reflect.Interface:
		reflected(out, v.Elem(), seen)
	case reflect.Struct:
		for i := range v.NumField() {
			reflected(out, v.Field(i), seen)
		}
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			fmt.Fprintf(out, "%s\n", v.Bytes())
			return
		}
		for i := range v.Len() {
			reflected(out, v.Index(i), seen)
		}
	case reflect.Map:
		for i := v.MapRange(); i.Next(); {
			reflected(out, i.Key(), seen)
			reflected(out, i.Value(), seen)
		}
	}
}

// leaks are the printouts that show 8 bytes in a row of plain in some notation.
func leaks(plain string, prints map[string]string) []string {
	var found []string
	for how, out := range prints {
		for i := 0; i+8 <= len(plain); i++ {
			part := []byte(plain[i : i+8])
			decimal := strings.Trim(fmt.Sprint(part), "[]")
			golang := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", part), "[]byte{"), "}")
			if strings.Contains(out, string(part)) || strings.Contains(strings.ToLower(out), hex.EncodeToString(part)) ||
				strings.Contains(out, decimal) || strings.Contains(out, golang) ||
				strings.Contains(out, base64.RawStdEncoding.EncodeToString(part)[:10]) {
				found = append(found, how)
				break
			}
		}
	}
	return found
}

func TestNothingOfAValueShowsInAPrintedRedactorWriterOrHandler(t *testing.T) {
	plain := canary()
	r := newRedactor(t, redact.Options{}, "AA="+plain)
	w := r.Writer(io.Discard)
	if _, err := io.WriteString(w, plain[:len(plain)-1]); err != nil { // held
		t.Fatal(err)
	}
	reader := r.Reader(strings.NewReader("x " + plain + " " + plain[:len(plain)-1]))
	if _, err := reader.Read(make([]byte, 1)); err != nil { // the rest is masked, or held
		t.Fatal(err)
	}
	logger := slog.New(r.Handler(slog.NewTextHandler(io.Discard, nil))).With("k", plain).WithGroup(plain)
	for what, v := range map[string]any{
		"Redactor": *r, "*Redactor": r,
		"Writer": *w, "*Writer": w, "io.Writer": struct{ io.Writer }{w},
		"Reader": *reader, "*Reader": struct{ r *redact.Reader }{reader},
		"Handler": logger.Handler(), "Logger": logger,
	} {
		if found := leaks(plain, printouts(v)); len(found) > 0 {
			t.Errorf("%s shows the value in %q", what, found)
		}
	}
}

func TestTheSearchForLeaksFindsThem(t *testing.T) {
	plain := canary()
	for what, v := range map[string]any{
		"string":  struct{ s string }{plain},
		"bytes":   struct{ b []byte }{[]byte(plain)},
		"JSON":    struct{ S *struct{ T string } }{&struct{ T string }{plain}},
		"pointer": struct{ s *struct{ m map[string][]any } }{&struct{ m map[string][]any }{map[string][]any{"k": {&plain}}}},
	} {
		if len(leaks(plain, printouts(v))) == 0 {
			t.Errorf("%s: found nothing", what)
		}
	}
}
