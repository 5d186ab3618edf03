package redact_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

// logged returns what the text and the JSON handler print, without time and
// level, when they are wrapped so.
func logged(wrap func(slog.Handler) slog.Handler, log func(*slog.Logger)) (text, jsonText string) {
	o := &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		return a
	}}
	var a, b bytes.Buffer
	log(slog.New(wrap(slog.NewTextHandler(&a, o))))
	log(slog.New(wrap(slog.NewJSONHandler(&b, o))))
	return strings.TrimSuffix(a.String(), "\n"), strings.TrimSuffix(b.String(), "\n")
}

type (
	login      struct{ User, Password string }
	nested     struct{ Login *login }
	stringer   struct{ secret string }
	valuer     struct{ v slog.Value }
	texter     struct{ text string }
	jsoner     struct{ text string }
	failing    struct{ text string }
	panicky    struct{ text string }
	terse      struct{ text string }
	shy        struct{ text string }
	speechless struct{ text string }
	number     int
	raw        []byte
	loud       struct{ err error }
)

func (s stringer) String() string             { return "I know " + s.secret }
func (v valuer) LogValue() slog.Value         { return v.v }
func (t texter) MarshalText() ([]byte, error) { return []byte("text " + t.text), nil }
func (texter) Format(f fmt.State, _ rune)     { fmt.Fprint(f, "quiet") }
func (j jsoner) MarshalJSON() ([]byte, error) { return json.Marshal("json " + j.text) }
func (jsoner) Format(f fmt.State, _ rune)     { fmt.Fprint(f, "quiet") }
func (f failing) MarshalJSON() ([]byte, error) {
	return nil, errors.New("can't encode " + f.text)
}
func (failing) Format(f fmt.State, _ rune)     { fmt.Fprint(f, "quiet") }
func (p panicky) MarshalJSON() ([]byte, error) { panic("at the sight of " + p.text) }
func (p panicky) String() string               { panic("at the sight of " + p.text) }
func (t terse) Format(f fmt.State, _ rune) {
	if !f.Flag('+') {
		fmt.Fprint(f, t.text)
	}
}
func (s shy) String() string                      { panic("at the sight of " + s.text) }
func (s speechless) MarshalText() ([]byte, error) { return nil, errors.New("no words for " + s.text) }
func (speechless) MarshalJSON() ([]byte, error)   { return []byte("0"), nil }
func (speechless) Format(f fmt.State, _ rune)     { fmt.Fprint(f, "quiet") }
func (number) String() string                     { return "a number" }
func (l loud) Error() string                      { return l.err.Error() }
func (loud) Format(f fmt.State, _ rune)           { fmt.Fprint(f, "quiet") }

func TestLogRecordsAreMasked(t *testing.T) {
	const secret = "sesame"
	secretPointer := new(string)
	*secretPointer = `ses"ame`
	cycle := map[string]any{"k": secret}
	cycle["self"] = cycle
	harmless := login{"bob", "none"}
	when := time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC)
	r := newRedactor(t, angled, "AA=sesame", `BB=ses"ame`, "CC=4711", "DD=open<it", "EE=.600Z", "FF=null!", "GG=true", "HH=5.600000001", `II="x<y","P`)

	for _, c := range []struct {
		why      string
		log      func(*slog.Logger)
		text     string
		jsonText string
	}{
		{"message", func(l *slog.Logger) { l.Info("say sesame") },
			`msg="say <AA>"`, `{"msg":"say <AA>"}`},
		{"nothing to mask", func(l *slog.Logger) { l.Info("hi", "a", 1, "b", harmless, "c", []int{1}, "d", nil) },
			`msg=hi a=1 b="{User:bob Password:none}" c=[1] d=<nil>`, `{"msg":"hi","a":1,"b":{"User":"bob","Password":"none"},"c":[1],"d":null}`},
		{"key", func(l *slog.Logger) { l.Info("hi", "sesame", 1) },
			`msg=hi <AA>=1`, `{"msg":"hi","<AA>":1}`},
		{"string", func(l *slog.Logger) { l.Info("hi", "k", "x sesame y") },
			`msg=hi k="x <AA> y"`, `{"msg":"hi","k":"x <AA> y"}`},
		{"string that JSON would escape", func(l *slog.Logger) { l.Info("hi", "k", `ses"ame`) },
			`msg=hi k=<BB>`, `{"msg":"hi","k":"<BB>"}`},
		{"bytes", func(l *slog.Logger) { l.Info("hi", "k", []byte("x sesame")) },
			`msg=hi k="x <AA>"`, `{"msg":"hi","k":"eCA8QUE+"}`},
		{"other bytes", func(l *slog.Logger) { l.Info("hi", "k", []byte("x")) },
			`msg=hi k="x"`, `{"msg":"hi","k":"eA=="}`},
		{"bytes of another type", func(l *slog.Logger) { l.Info("hi", "k", raw("x sesame")) },
			`msg=hi k="x <AA>"`, `{"msg":"hi","k":"x <AA>"}`},
		{"raw JSON", func(l *slog.Logger) { l.Info("hi", "k", json.RawMessage(`{"p":"sesame"}`)) },
			`msg=hi k="{\"p\":\"<AA>\"}"`, `{"msg":"hi","k":"{\"p\":\"<AA>\"}"}`},
		{"bytes that have a text", func(l *slog.Logger) { l.Info("hi", "k", net.IPv4(4, 7, 1, 1)) },
			`msg=hi k=4.7.1.1`, `{"msg":"hi","k":"4.7.1.1"}`},
		{"error", func(l *slog.Logger) { l.Info("hi", "k", fmt.Errorf("no: %w", errors.New(secret))) },
			`msg=hi k="no: <AA>"`, `{"msg":"hi","k":"no: <AA>"}`},
		{"error of another format", func(l *slog.Logger) { l.Info("hi", "k", loud{errors.New(secret)}) },
			`msg=hi k=<AA>`, `{"msg":"hi","k":"<AA>"}`},
		{"Stringer", func(l *slog.Logger) { l.Info("hi", "k", stringer{secret}) },
			`msg=hi k="I know <AA>"`, `{"msg":"hi","k":"I know <AA>"}`},
		{"int", func(l *slog.Logger) { l.Info("hi", "k", 94711, "n", 94712) },
			`msg=hi k=9<CC> n=94712`, `{"msg":"hi","k":"9<CC>","n":94712}`},
		{"uint", func(l *slog.Logger) { l.Info("hi", "k", uint64(4711)) },
			`msg=hi k=<CC>`, `{"msg":"hi","k":"<CC>"}`},
		{"float", func(l *slog.Logger) { l.Info("hi", "k", 0.4711) },
			`msg=hi k=0.<CC>`, `{"msg":"hi","k":"0.<CC>"}`},
		{"float that only JSON writes out", func(l *slog.Logger) { l.Info("hi", "k", 4711e15) },
			`msg=hi k=<CC>000000000000000`, `{"msg":"hi","k":"<CC>000000000000000"}`},
		{"no number", func(l *slog.Logger) { l.Info("hi", "k", math.NaN()) },
			`msg=hi k=NaN`, `{"msg":"hi","k":"!ERROR:json: unsupported value: NaN"}`},
		{"bool", func(l *slog.Logger) { l.Info("hi", "k", true, "n", false) },
			`msg=hi k=<GG> n=false`, `{"msg":"hi","k":"<GG>","n":false}`},
		{"duration", func(l *slog.Logger) { l.Info("hi", "k", 4711*time.Second, "n", 4711*time.Nanosecond) },
			`msg=hi k=<CC>000000000 n=<CC>`, `{"msg":"hi","k":"<CC>000000000","n":"<CC>"}`},
		{"time as the text handler has it", func(l *slog.Logger) { l.Info("hi", "k", when) },
			`msg=hi k=2026-01-02T03:04:05<EE>`, `{"msg":"hi","k":"2026-01-02T03:04:05<EE>"}`},
		{"time as JSON has it", func(l *slog.Logger) { l.Info("hi", "k", when.Add(1).In(time.FixedZone("", 3600))) },
			`msg=hi k="2026-01-02 04:04:0<HH> +0100 +0100"`, `{"msg":"hi","k":"2026-01-02 04:04:0<HH> +0100 +0100"}`},
		{"struct", func(l *slog.Logger) { l.Info("hi", "k", login{"bob", secret}) },
			`msg=hi k="{User:bob Password:<AA>}"`, `{"msg":"hi","k":"{User:bob Password:<AA>}"}`},
		{"struct behind a pointer, which only JSON follows", func(l *slog.Logger) { l.Info("hi", "k", nested{&login{"bob", secret}}) },
			`msg=hi k="map[Login:map[Password:<AA> User:bob]]"`, `{"msg":"hi","k":"map[Login:map[Password:<AA> User:bob]]"}`},
		{"numbers behind a pointer", func(l *slog.Logger) {
			l.Info("hi", "k", []*map[string]any{{"id": 12345678901, "p": secret}})
		},
			`msg=hi k="[map[id:12345678901 p:<AA>]]"`, `{"msg":"hi","k":"[map[id:12345678901 p:<AA>]]"}`},
		{"a value that reaches over several strings of JSON", func(l *slog.Logger) { l.Info("hi", "k", nested{&login{"x<y", "none"}}) },
			`msg=hi k="{\"Login\":{\"User\":<II>assword\":\"none\"}}"`, `{"msg":"hi","k":"{\"Login\":{\"User\":<II>assword\":\"none\"}}"}`},
		{"what JSON escapes behind a pointer", func(l *slog.Logger) { l.Info("hi", "k", []*string{secretPointer}) },
			`msg=hi k=[<BB>]`, `{"msg":"hi","k":"[<BB>]"}`},
		{"what JSON escapes for HTML", func(l *slog.Logger) { l.Info("hi", "k", nested{&login{"bob", "open<it"}}) },
			`msg=hi k="map[Login:map[Password:<DD> User:bob]]"`, `{"msg":"hi","k":"map[Login:map[Password:<DD> User:bob]]"}`},
		{"%v of a Formatter", func(l *slog.Logger) { l.Info("hi", "k", terse{secret}) },
			`msg=hi k=<AA>`, `{"msg":"hi","k":"<AA>"}`},
		{"map", func(l *slog.Logger) { l.Info("hi", "k", map[string]any{secret: 1, "p": 4711}) },
			`msg=hi k="map[p:<CC> <AA>:1]"`, `{"msg":"hi","k":"map[p:<CC> <AA>:1]"}`},
		{"text of a TextMarshaler", func(l *slog.Logger) { l.Info("hi", "k", texter{secret}) },
			`msg=hi k="text <AA>"`, `{"msg":"hi","k":"text <AA>"}`},
		{"JSON of a Marshaler", func(l *slog.Logger) { l.Info("hi", "k", jsoner{secret}) },
			`msg=hi k="json <AA>"`, `{"msg":"hi","k":"json <AA>"}`},
		{"error of a Marshaler", func(l *slog.Logger) { l.Info("hi", "k", failing{secret}) },
			`msg=hi k="!ERROR:json: error calling MarshalJSON for type redact_test.failing: can't encode <AA>"`,
			`{"msg":"hi","k":"!ERROR:json: error calling MarshalJSON for type redact_test.failing: can't encode <AA>"}`},
		{"harmless error of a Marshaler", func(l *slog.Logger) { l.Info("hi", "k", failing{"x"}) },
			`msg=hi k=quiet`, `{"msg":"hi","k":"!ERROR:json: error calling MarshalJSON for type redact_test.failing: can't encode x"}`},
		{"panic", func(l *slog.Logger) { l.Info("hi", "k", panicky{secret}, "n", 1) },
			`msg=hi k="!PANIC: at the sight of <AA>" n=1`, `{"msg":"hi","k":"!PANIC: at the sight of <AA>","n":1}`},
		{"panic in a Stringer", func(l *slog.Logger) { l.Info("hi", "k", shy{secret}, "n", 1) },
			`msg=hi k="%!v(PANIC=String method: at the sight of <AA>)" n=1`, `{"msg":"hi","k":"%!v(PANIC=String method: at the sight of <AA>)","n":1}`},
		{"error of a TextMarshaler", func(l *slog.Logger) { l.Info("hi", "k", speechless{secret}) },
			`msg=hi k="!ERROR:no words for <AA>"`, `{"msg":"hi","k":"!ERROR:no words for <AA>"}`},
		{"nil pointers", func(l *slog.Logger) { l.Info("hi", "a", (*texter)(nil), "b", (*login)(nil), "c", (*loud)(nil)) },
			`msg=hi a=<nil> b=<nil> c=<nil>`, `{"msg":"hi","a":null,"b":null,"c":"<nil>"}`},
		{"what contains itself", func(l *slog.Logger) { l.Info("hi", "k", cycle) },
			`msg=hi k="!ERROR:json: unsupported value: encountered a cycle via map[string]interface {}"`,
			`{"msg":"hi","k":"!ERROR:json: unsupported value: encountered a cycle via map[string]interface {}"}`},
		{"LogValuer", func(l *slog.Logger) { l.Info("hi", "k", valuer{slog.StringValue(secret)}) },
			`msg=hi k=<AA>`, `{"msg":"hi","k":"<AA>"}`},
		{"LogValuer of a LogValuer of a group", func(l *slog.Logger) {
			l.Info("hi", "k", valuer{slog.AnyValue(valuer{slog.GroupValue(slog.String("p", secret))})})
		},
			`msg=hi k.p=<AA>`, `{"msg":"hi","k":{"p":"<AA>"}}`},
		{"group in a group", func(l *slog.Logger) {
			l.Info("hi", slog.Group("sesame1", slog.Group("g", "sesame2", secret, "n", 1)))
		},
			`msg=hi <AA>1.g.<AA>2=<AA> <AA>1.g.n=1`, `{"msg":"hi","<AA>1":{"g":{"<AA>2":"<AA>","n":1}}}`},
		{"With", func(l *slog.Logger) { l.With("sesame", secret, "n", 1).Info("hi", "k", secret) },
			`msg=hi <AA>=<AA> n=1 k=<AA>`, `{"msg":"hi","<AA>":"<AA>","n":1,"k":"<AA>"}`},
		{"WithGroup", func(l *slog.Logger) {
			l.WithGroup("sesame").With("a", secret).WithGroup("g").Info("hi", "k", secret)
		},
			`msg=hi <AA>.a=<AA> <AA>.g.k=<AA>`, `{"msg":"hi","<AA>":{"a":"<AA>","g":{"k":"<AA>"}}}`},
	} {
		t.Run(c.why, func(t *testing.T) {
			text, jsonText := logged(r.Handler, c.log)
			if text != c.text {
				t.Errorf("text\n got %s\nwant %s", text, c.text)
			}
			if jsonText != c.jsonText {
				t.Errorf("JSON\n got %s\nwant %s", jsonText, c.jsonText)
			}
		})
	}
}

func TestHarmlessValuesArePassedOnAsTheyAre(t *testing.T) {
	r := newRedactor(t, redact.Options{}, "AA="+canary())
	log := func(l *slog.Logger) {
		l.With("w", 1).WithGroup("").WithGroup("g").Info("hi", "s", "x", "b", []byte("x"), "r", json.RawMessage(`{"a":1}`), "i", -1,
			"u", uint(2), "f", 1.5, "t", time.Unix(1, 0).UTC(), "d", time.Second, "o", false, "e", errors.New("x"), "n", number(3),
			"m", map[string]int{"x": 1}, "p", &login{"x", "y"}, "z", nil, "y", texter{"x"}, "j", jsoner{"x"}, slog.Group("g", "x", 1),
			slog.Group("none"), slog.Group("", "inline", 1), slog.Attr{}, "l", slog.LevelWarn, "v", valuer{slog.IntValue(1)})
	}
	text, jsonText := logged(r.Handler, log)
	wantText, wantJSON := logged(func(h slog.Handler) slog.Handler { return h }, log)
	if text != wantText {
		t.Errorf("text\n got %s\nwant %s", text, wantText)
	}
	if jsonText != wantJSON {
		t.Errorf("JSON\n got %s\nwant %s", jsonText, wantJSON)
	}
}

func TestALogValuerThatPanicsIsLoggedAsSuch(t *testing.T) {
	r := newRedactor(t, angled, "AA=panicked")
	for _, out := range two(logged(r.Handler, func(l *slog.Logger) { l.Info("hi", "k", (*valuer)(nil), "n", 1) })) {
		if !strings.Contains(out, "LogValue <AA>") || !strings.Contains(out, "n") {
			t.Errorf("got %s", out)
		}
	}
}

func two(a, b string) []string { return []string{a, b} }

// recorder is an inner handler.
type recorder struct {
	slog.Handler
	level slog.Level
	ctx   context.Context
	calls int
	err   error
}

func (h *recorder) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }
func (h *recorder) Handle(ctx context.Context, _ slog.Record) error {
	h.ctx = ctx
	h.calls++
	return h.err
}

func TestLevelContextTimeSourceAndErrorPassThroughAHandler(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(context.Background(), key{}, 1)
	inner := &recorder{level: slog.LevelWarn, err: errors.New("disk full")}
	h := newRedactor(t, angled, "AA=sesame").Handler(inner)
	if h.Enabled(ctx, slog.LevelInfo) || !h.Enabled(ctx, slog.LevelWarn) {
		t.Error("Enabled is not the inner handler's")
	}
	if err := h.Handle(ctx, slog.Record{}); err != inner.err {
		t.Errorf("Handle = %v", err)
	}
	if h.WithGroup("") != h {
		t.Error("a group without a name is a group")
	}
	if inner.ctx.Value(key{}) != 1 {
		t.Error("the context got lost")
	}

	var out bytes.Buffer
	slog.New(newRedactor(t, angled, "AA=sesame").Handler(slog.NewJSONHandler(&out, &slog.HandlerOptions{AddSource: true}))).Warn("hi")
	var got struct {
		Time   time.Time
		Level  string
		Source struct{ File string }
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Time.IsZero() || got.Level != "WARN" || !strings.HasSuffix(got.Source.File, "handler_test.go") {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAClosedRedactorRefusesLogRecords(t *testing.T) {
	r := newRedactor(t, angled, "AA=sesame")
	inner := &recorder{}
	h := r.Handler(inner)
	_ = r.Close()
	if err := h.Handle(context.Background(), slog.Record{Message: "sesame"}); !errors.Is(err, redact.ErrClosed) || inner.calls != 0 {
		t.Errorf("Handle = %v after %d calls", err, inner.calls)
	}
	var zero redact.Redactor
	if err := zero.Handler(inner).Handle(context.Background(), slog.Record{}); !errors.Is(err, redact.ErrClosed) || inner.calls != 0 {
		t.Errorf("Handle = %v after %d calls", err, inner.calls)
	}
}

// A value that closes the Redactor while it is asked stands for another
// goroutine that does.
type saboteur struct{ r *redact.Redactor }

func (s saboteur) String() string { _ = s.r.Close(); return "closed" }

func TestARecordThatIsOvertakenByCloseIsRefused(t *testing.T) {
	r := newRedactor(t, angled, "AA=sesame")
	inner := &recorder{}
	var rec slog.Record
	rec.Add("k", saboteur{r}, "p", "sesame")
	if err := r.Handler(inner).Handle(context.Background(), rec); !errors.Is(err, redact.ErrClosed) || inner.calls != 0 {
		t.Errorf("Handle = %v after %d calls", err, inner.calls)
	}
}

func TestAnAddedValueIsMaskedInRecordsButNotInAttributesGivenBefore(t *testing.T) {
	r := newRedactor(t, angled, "AA=sesame")
	text, _ := logged(r.Handler, func(l *slog.Logger) {
		l = l.With("before", "xyzzy")
		if err := r.Add(pair(t, "BB=xyzzy")); err != nil {
			t.Error(err)
		}
		l.With("after", "xyzzy").Info("xyzzy")
	})
	if want := "msg=<BB> before=xyzzy after=<BB>"; text != want {
		t.Errorf("got %s, want %s", text, want)
	}
}

func TestAHandlerKeepsTheRulesOfSlog(t *testing.T) {
	r := newRedactor(t, redact.Options{}, "AA="+canary())
	var out bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		out.Reset()
		return r.Handler(slog.NewJSONHandler(&out, nil))
	}, func(t *testing.T) map[string]any {
		var m map[string]any
		if err := json.Unmarshal(out.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		return m
	})
}

func TestHitsInOneValueCountOnce(t *testing.T) {
	r := newRedactor(t, angled, "AA=sesame")
	logged(r.Handler, func(l *slog.Logger) {
		l.Info("sesame", "k", login{"bob", "sesame"}, "p", nested{&login{"bob", "sesame"}})
	})
	if got := r.Hits()[parseName(t, "AA")]; got != 6 { // three in each of two handlers
		t.Errorf("%d hits", got)
	}
}
