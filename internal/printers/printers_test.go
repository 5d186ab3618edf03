// Package printers runs the table of package leak over loggers, encoders and
// dumpers that programs of our users link and this library does not: a module of
// its own, so that they are nobody's dependency. Run it with
//
//	cd internal/printers && go test ./...
package printers

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/davecgh/go-spew/spew"
	"github.com/google/go-cmp/cmp"
	"github.com/pipesecrets/pipesecrets/internal/leak"
	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/rs/zerolog"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"gopkg.in/yaml.v3"
)

// logged returns a printer that logs what it is given through zap.
func logged(name string, encoder zapcore.Encoder, say func(*zap.Logger, any)) leak.Printer {
	return leak.Printer{Name: "zap " + name, Print: func(it any) []byte {
		var b bytes.Buffer
		say(zap.New(zapcore.NewCore(encoder.Clone(), zapcore.AddSync(&b), zap.DebugLevel)), it)
		return b.Bytes()
	}}
}

func zapPrinters() []leak.Printer {
	var printers []leak.Printer
	config := zap.NewProductionEncoderConfig()
	for name, encoder := range map[string]zapcore.Encoder{
		"JSON": zapcore.NewJSONEncoder(config), "console": zapcore.NewConsoleEncoder(config),
	} {
		printers = append(printers,
			logged(name+" Any", encoder, func(l *zap.Logger, it any) { l.Info("m", zap.Any("it", it)) }),
			logged(name+" Reflect", encoder, func(l *zap.Logger, it any) { l.Info("m", zap.Reflect("it", it)) }),
			logged(name+" With", encoder, func(l *zap.Logger, it any) {
				l.With(zap.Any("it", it), zap.Namespace("n")).Info("m", zap.Any("it", it))
			}),
			logged(name+" sugar %+v", encoder, func(l *zap.Logger, it any) { l.Sugar().Infof("%+v %#v %s %d", it, it, it, it) }),
			logged(name+" sugar args", encoder, func(l *zap.Logger, it any) { l.Sugar().Info("m", it) }),
			logged(name+" sugar with", encoder, func(l *zap.Logger, it any) { l.Sugar().Infow("m", "it", it) }),
		)
	}
	return printers
}

func zerologPrinters() []leak.Printer {
	printer := func(name string, say func(*zerolog.Event, any) *zerolog.Event) leak.Printer {
		return leak.Printer{Name: "zerolog " + name, Print: func(it any) []byte {
			var b bytes.Buffer
			l := zerolog.New(&b)
			say(l.Info(), it).Send()
			return b.Bytes()
		}}
	}
	return []leak.Printer{
		printer("Interface", func(e *zerolog.Event, it any) *zerolog.Event { return e.Interface("it", it) }),
		printer("Any", func(e *zerolog.Event, it any) *zerolog.Event { return e.Any("it", it) }),
		printer("Fields", func(e *zerolog.Event, it any) *zerolog.Event { return e.Fields(map[string]any{"it": it}) }),
		{Name: "zerolog Msgf", Print: func(it any) []byte {
			var b bytes.Buffer
			l := zerolog.New(&b)
			l.Info().Msgf("%+v %#v %d", it, it, it)
			return b.Bytes()
		}},
		{Name: "zerolog With", Print: func(it any) []byte {
			var b bytes.Buffer
			l := zerolog.New(&b).With().Interface("it", it).Logger()
			l.Info().Msg("m")
			return b.Bytes()
		}},
	}
}

func dumpers() []leak.Printer {
	plain := spew.NewDefaultConfig()
	bare := &spew.ConfigState{Indent: " ", DisableMethods: true}
	through := &spew.ConfigState{Indent: " ", DisablePointerMethods: true, ContinueOnMethod: true, SpewKeys: true}
	printers := []leak.Printer{
		{Name: "yaml.Marshal", Print: func(it any) []byte { return leak.Printed(yaml.Marshal(it)) }},
		{Name: "cmp.Diff", Print: func(it any) []byte {
			everything := cmp.Exporter(func(reflect.Type) bool { return true })
			return []byte(cmp.Diff(it, reflect.Zero(reflect.TypeOf(it)).Interface(), everything))
		}},
	}
	for name, c := range map[string]*spew.ConfigState{"": plain, " without methods": bare, " past methods": through} {
		printers = append(printers,
			leak.Printer{Name: "spew.Sdump" + name, Print: func(it any) []byte { return []byte(c.Sdump(it)) }},
			leak.Printer{Name: "spew %v" + name, Print: func(it any) []byte { return []byte(c.Sprintf("%v", it)) }},
			leak.Printer{Name: "spew %+v" + name, Print: func(it any) []byte { return []byte(c.Sprintf("%+v", it)) }},
			leak.Printer{Name: "spew %#+v" + name, Print: func(it any) []byte { return []byte(c.Sprintf("%#+v", it)) }},
		)
	}
	return printers
}

func printers() []leak.Printer {
	return append(append(zapPrinters(), zerologPrinters()...), dumpers()...)
}

func TestAValueLeaksThroughNoPrinterOfOthers(t *testing.T) {
	leaks, cells := leak.Search(printers(), func(canary []byte) secrets.Value {
		v, err := secrets.NewValue(canary)
		if err != nil {
			t.Fatal(err)
		}
		return v
	})
	t.Logf("%d cells, %d leaks", cells, len(leaks))
	if len(leaks) > 0 {
		t.Errorf("%d of %d cells leak:%s", len(leaks), cells, leak.List(leaks))
	}
}

// TestTheSameTableShowsThatAStringLeaks keeps the test above honest: each printer
// prints, and each shape is looked into.
func TestTheSameTableShowsThatAStringLeaks(t *testing.T) {
	leaks, cells := leak.Search(printers(), func(canary []byte) string { return string(canary) })
	t.Logf("%d of %d cells leak", len(leaks), cells)
	leaky := map[string]int{}
	for _, c := range leaks {
		leaky[c.Printer]++
		leaky[c.Shape]++
	}
	for _, p := range printers() {
		// A string by itself, a slice, an array, a map and an exported field, at the least.
		if leaky[p.Name] < 5 {
			t.Errorf("%d shapes leak through %s: is it tried?", leaky[p.Name], p.Name)
		}
	}
	for _, s := range leak.Shapes("") {
		if leaky[s.Name] == 0 && s.Name != "closure" {
			t.Errorf("nothing leaks out of the shape %s: is it tried?", s.Name)
		}
	}
}

func TestDecodingYAMLIntoAValueYieldsNothing(t *testing.T) {
	canary := string(leak.Canary())
	for _, text := range []string{canary, `"` + canary + `"`, "!!binary " + canary} {
		var v secrets.Value
		err := yaml.Unmarshal([]byte(text), &v)
		if !errors.Is(err, secrets.ErrDecode) || !v.IsZero() {
			t.Errorf("%.8q...: %v; want ErrDecode", text, err)
		}
	}
	// What is no scalar, yaml decodes into fields without asking: there is none.
	for _, text := range []string{"call: " + canary, "{}", "null"} {
		var v secrets.Value
		if err := yaml.Unmarshal([]byte(text), &v); !v.IsZero() {
			t.Errorf("%.8q...: a value of it, and %v", text, err)
		}
	}
}
