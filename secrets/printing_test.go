package secrets_test

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/asn1"
	"encoding/binary"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"expvar"
	"fmt"
	htmltemplate "html/template"
	"log"
	"log/slog"
	"reflect"
	"testing"
	"text/template"

	"github.com/pipesecrets/pipesecrets/internal/leak"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// fmtPrinters are fmt's verbs with sets of flags. %T prints a type only and so
// can't leak; it stands here because fmt treats it, like %p, before it looks for
// a Formatter.
func fmtPrinters() []leak.Printer {
	var printers []leak.Printer
	for _, verb := range "vdsqxXtpUTe" {
		for _, flags := range []string{"", "+", "#", "# ", "-40"} {
			format := "%" + flags + string(verb)
			printers = append(printers, leak.Printer{Name: format, Print: func(it any) []byte {
				return fmt.Appendf(nil, format, it)
			}})
		}
	}
	return printers
}

// logged returns a printer that logs what it is given with a handler for each of
// slog's ways to say it.
func logged(name string, handler func(*bytes.Buffer) slog.Handler, say func(*slog.Logger, any)) leak.Printer {
	return leak.Printer{Name: name, Print: func(it any) []byte {
		var b bytes.Buffer
		say(slog.New(handler(&b)), it)
		return b.Bytes()
	}}
}

func slogPrinters() []leak.Printer {
	var printers []leak.Printer
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		printers = append(printers,
			logged("slog "+name, handler, func(l *slog.Logger, it any) { l.Info("m", "it", it) }),
			logged("slog "+name+" Any", handler, func(l *slog.Logger, it any) {
				l.LogAttrs(context.Background(), slog.LevelError, "m", slog.Any("it", it))
			}),
			logged("slog "+name+" With", handler, func(l *slog.Logger, it any) { l.With("it", it).Info("m") }),
			logged("slog "+name+" group", handler, func(l *slog.Logger, it any) { l.Info("m", slog.Group("g", "it", it)) }),
			logged("slog "+name+" WithGroup", handler, func(l *slog.Logger, it any) { l.WithGroup("g").With("it", it).Info("m", "it", it) }),
			logged("slog "+name+" key", handler, func(l *slog.Logger, it any) { l.Info("m", it) }), // !BADKEY
		)
	}
	return append(printers,
		leak.Printer{Name: "slog.Value", Print: func(it any) []byte { return []byte(slog.AnyValue(it).String()) }},
		leak.Printer{Name: "slog.Value resolved", Print: func(it any) []byte { return fmt.Append(nil, slog.AnyValue(it).Resolve()) }},
		leak.Printer{Name: "slog.Attr", Print: func(it any) []byte { return []byte(slog.Any("it", it).String()) }},
	)
}

// encoded returns a printer that encodes what it is given into a buffer.
func encoded(name string, encode func(*bytes.Buffer, any) error) leak.Printer {
	return leak.Printer{Name: name, Print: func(it any) []byte {
		var b bytes.Buffer
		err := encode(&b, it)
		return leak.Printed(b.Bytes(), err)
	}}
}

func encoders() []leak.Printer {
	texts := template.Must(template.New("").Funcs(template.FuncMap{"json": json.Marshal}).Parse(
		`{{define "it"}}{{.}}{{end}}{{define "printf"}}{{printf "%#v %x %d" . . .}}{{end}}{{define "print"}}{{print .}}{{println .}}{{end}}` +
			`{{define "quoted"}}{{js .}}{{html .}}{{urlquery .}}{{end}}{{define "json"}}{{json . | printf "%s"}}{{end}}`))
	pages := htmltemplate.Must(htmltemplate.New("").Parse(
		`<a href="/?q={{.}}" title="{{.}}" onclick="f({{.}})">{{.}}</a><script>let x = {{.}}</script><style>p { width: {{.}} }</style>`))
	printers := []leak.Printer{
		encoded("json.Marshal", func(b *bytes.Buffer, it any) error { return write(b)(json.Marshal(it)) }),
		encoded("json.MarshalIndent", func(b *bytes.Buffer, it any) error { return write(b)(json.MarshalIndent(it, "", "  ")) }),
		encoded("json.Encoder", func(b *bytes.Buffer, it any) error { return json.NewEncoder(b).Encode(it) }),
		encoded("xml.Marshal", func(b *bytes.Buffer, it any) error { return write(b)(xml.Marshal(it)) }),
		encoded("xml.MarshalIndent", func(b *bytes.Buffer, it any) error { return write(b)(xml.MarshalIndent(it, "", "  ")) }),
		encoded("xml.Encoder", func(b *bytes.Buffer, it any) error {
			return xml.NewEncoder(b).EncodeElement(it, xml.StartElement{Name: xml.Name{Local: "it"}})
		}),
		encoded("gob", func(b *bytes.Buffer, it any) error { return gob.NewEncoder(b).Encode(it) }),
		encoded("gob interface", func(b *bytes.Buffer, it any) error { return gob.NewEncoder(b).Encode(&it) }),
		encoded("asn1", func(b *bytes.Buffer, it any) error { return write(b)(asn1.Marshal(it)) }),
		encoded("binary", func(b *bytes.Buffer, it any) error { return binary.Write(b, binary.BigEndian, it) }),
		encoded("html/template", func(b *bytes.Buffer, it any) error { return pages.Execute(b, it) }),
		encoded("database/sql/driver", func(b *bytes.Buffer, it any) error {
			v, err := driver.DefaultParameterConverter.ConvertValue(it)
			fmt.Fprint(b, v)
			return err
		}),
		encoded("log.Print", func(b *bytes.Buffer, it any) error { log.New(b, "", 0).Print(it); return nil }),
		encoded("log.Println", func(b *bytes.Buffer, it any) error { log.New(b, "", 0).Println("it", it); return nil }),
		encoded("log.Printf", func(b *bytes.Buffer, it any) error { log.New(b, "", 0).Printf("%+v", it); return nil }),
		encoded("log.Panic", func(b *bytes.Buffer, it any) error { log.New(b, "", 0).Panicln(it); return nil }),
		encoded("fmt.Print", func(b *bytes.Buffer, it any) error { _, err := fmt.Fprint(b, it, it); return err }),
		encoded("fmt.Println", func(b *bytes.Buffer, it any) error { _, err := fmt.Fprintln(b, it); return err }),
		encoded("fmt.Printf with a wrong verb", func(b *bytes.Buffer, it any) error { fmt.Fprintf(b, badFormat, it, it); return nil }),
		encoded("fmt.Printf of a reflect.Value", func(b *bytes.Buffer, it any) error {
			fmt.Fprintf(b, "%v %#v", reflect.ValueOf(it), reflect.ValueOf(it))
			return nil
		}),
		encoded("reflect.Value", func(b *bytes.Buffer, it any) error { b.WriteString(reflect.ValueOf(it).String()); return nil }),
		encoded("fmt.Errorf %v", func(b *bytes.Buffer, it any) error { return fmt.Errorf("outer: %v", it) }),
		encoded("fmt.Errorf %+v", func(b *bytes.Buffer, it any) error { return fmt.Errorf("outer: %+v", it) }),
		encoded("fmt.Errorf %w", func(b *bytes.Buffer, it any) error { return fmt.Errorf(wrapFormat, it) }),
		encoded("errors.Join", func(b *bytes.Buffer, it any) error { return errors.Join(errors.New("other"), fmt.Errorf("%v", it)) }),
		encoded("expvar", func(b *bytes.Buffer, it any) error {
			b.WriteString(expvar.Func(func() any { return it }).String())
			return nil
		}),
		encoded("context", func(b *bytes.Buffer, it any) error {
			fmt.Fprint(b, context.WithValue(context.Background(), key{}, it))
			return nil
		}),
	}
	for _, t := range []string{"it", "printf", "print", "quoted", "json"} {
		printers = append(printers, encoded("text/template "+t, func(b *bytes.Buffer, it any) error { return texts.ExecuteTemplate(b, t, it) }))
	}
	return printers
}

// write returns a function that writes its first argument to b.
func write(b *bytes.Buffer) func([]byte, error) error {
	return func(out []byte, err error) error {
		b.Write(out)
		return err
	}
}

type key struct{}

// What vet would rightly complain of.
var (
	badFormat  = "%z %!"
	wrapFormat = "outer: %w"
)

func TestAValueLeaksThroughNoPrinter(t *testing.T) {
	gob.Register(secrets.Value{})
	printers := append(append(fmtPrinters(), slogPrinters()...), encoders()...)
	leaks, cells := leak.Search(printers, func(canary []byte) secrets.Value { return value(t, canary) })
	t.Logf("%d cells, %d leaks", cells, len(leaks))
	if len(leaks) > 0 {
		t.Errorf("%d of %d cells leak:%s", len(leaks), cells, leak.List(leaks))
	}
}

// TestTheSameTableShowsThatStringsAndBytesLeak keeps the test above honest: its
// printers print, its shapes are looked into, and the search finds each form.
func TestTheSameTableShowsThatStringsAndBytesLeak(t *testing.T) {
	printers := append(append(fmtPrinters(), slogPrinters()...), encoders()...)
	texts, cells := leak.Search(printers, func(canary []byte) string { return string(canary) })
	slices, _ := leak.Search(printers, func(canary []byte) []byte { return canary })
	t.Logf("%d cells: %d leak for a string, %d for a slice of bytes", cells, len(texts), len(slices))
	if len(texts) < 300 || len(slices) < 300 {
		t.Errorf("of %d cells %d leak for a string and %d for a slice of bytes; want at least 300 of each", cells, len(texts), len(slices))
	}
	forms, byPrinter, byShape := map[string]int{}, map[string]int{}, map[string]int{}
	for _, c := range append(texts, slices...) {
		forms[c.Form]++
		byPrinter[c.Printer]++
		byShape[c.Shape]++
	}
	t.Logf("forms: %v", forms)
	for _, form := range []string{"raw", "hex", "decimal", "base64"} {
		if forms[form] == 0 {
			t.Errorf("no cell leaks in the form %s", form)
		}
	}
	for _, p := range printers {
		if byPrinter[p.Name] == 0 && !cantLeak[p.Name] {
			t.Errorf("nothing leaks through %s: is it tried?", p.Name)
		}
	}
	for _, s := range leak.Shapes("") {
		if byShape[s.Name] == 0 && s.Name != "closure" {
			t.Errorf("nothing leaks out of the shape %s: is it tried?", s.Name)
		}
	}
}

// cantLeak are the printers that show types or addresses only, whatever they
// are given.
var cantLeak = map[string]bool{
	"%T": true, "%+T": true, "%#T": true, "%# T": true, "%-40T": true,
}

func TestAPrintedValueShowsTheMark(t *testing.T) {
	v := value(t, leak.Canary())
	var destroyed secrets.Value
	for state, v := range map[string]secrets.Value{"live": v, "zero": {}, "destroyed": func() secrets.Value {
		destroyed = value(t, leak.Canary())
		destroyed.Destroy()
		return destroyed
	}()} {
		for _, verb := range "vdsqxXtUecbofG" {
			if got := fmt.Sprintf("%+#-9.3"+string(verb), v); got != secrets.Mark {
				t.Errorf("%s: %%%c prints %q", state, verb, got)
			}
		}
		text, err := json.Marshal(map[string]any{"v": v, "p": &v})
		if want := `{"p":"[secret]","v":"[secret]"}`; err != nil || string(text) != want {
			t.Errorf("%s: JSON %s, %v; want %s", state, text, err, want)
		}
		x, err := xml.Marshal(struct {
			XMLName struct{}      `xml:"it"`
			A       secrets.Value `xml:"a,attr"`
			E       secrets.Value `xml:"e"`
			T       secrets.Value `xml:",chardata"`
		}{A: v, E: v, T: v})
		if want := `<it a="[secret]"><e>[secret]</e>[secret]</it>`; err != nil || string(x) != want {
			t.Errorf("%s: XML %s, %v; want %s", state, x, err, want)
		}
		if got := v.LogValue().String(); got != secrets.Mark {
			t.Errorf("%s: LogValue is %q", state, got)
		}
		if v.String() != secrets.Mark || v.GoString() != secrets.Mark {
			t.Errorf("%s: String is %q and GoString %q", state, v.String(), v.GoString())
		}
	}
	if got := fmt.Sprint((*secrets.Value)(nil)); got != "<nil>" {
		t.Errorf("a nil pointer prints %q", got)
	}
}
