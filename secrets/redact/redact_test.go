package redact_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

// Secrets are written "NAME=value" in tests; a name may have several. The marks
// are "<NAME>", nothing is too short, and the values are masked as they are, unless
// a test says otherwise.
var angled = redact.Options{Short: 1, Token: 1, Forms: []redact.Form{}, Mark: func(n secrets.Name) string { return "<" + n.String() + ">" }}

func newRedactor(t testing.TB, o redact.Options, pairs ...string) *redact.Redactor {
	t.Helper()
	r, err := redact.New(nil, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pairs {
		if err := r.Add(pair(t, p)); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func pair(t testing.TB, p string) (secrets.Name, secrets.Value) {
	t.Helper()
	name, value, _ := strings.Cut(p, "=")
	return parseName(t, name), newValue(t, value)
}

func parseName(t testing.TB, s string) secrets.Name {
	t.Helper()
	n, err := secrets.ParseName(s)
	if err != nil {
		t.Fatalf("name %q: %v", s, err)
	}
	return n
}

func newValue(t testing.TB, plain string) secrets.Value {
	t.Helper()
	v, err := secrets.NewValue([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func canary() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// masked writes the pieces to a new stream and closes it.
func masked(t testing.TB, r *redact.Redactor, pieces ...string) string {
	t.Helper()
	var out strings.Builder
	w := r.Writer(&out)
	for _, p := range pieces {
		if n, err := io.WriteString(w, p); n != len(p) || err != nil {
			t.Fatalf("Write of %d bytes = %d, %v", len(p), n, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestAMarkThatHoldsAFormGivesWayToANeutralOneForAllNames(t *testing.T) {
	for _, c := range []struct {
		why     string
		options redact.Options
		secrets []string
		in      string
		want    string
	}{
		{"the usual mark", redact.Options{}, []string{"DB_PASS=hunter22"}, "x hunter22", "x [secret:DB_PASS]"},
		{"a word of the usual mark", redact.Options{}, []string{"AA=secret", "BB=hunter22"}, "secret hunter22", "*** ***"},
		{"a bracket", redact.Options{Short: 1}, []string{"AA=[", "BB=hunter22"}, "[hunter22", "******"},
		{"a name", redact.Options{}, []string{"AA_BB=abcd", "CC=AA_BB"}, "abcd", "***"},
		{"the neutral mark alone is fine otherwise", redact.Options{}, []string{"AA=***a"}, "x ***a x", "x [secret:AA] x"},
		{"the neutral mark too", redact.Options{Short: 1}, []string{"AA=[", "BB=*"}, "a[b*c", "abc"},
		{"the neutral mark as a whole", redact.Options{Short: 3}, []string{"AA=secret", "BB=***"}, "a-secret-***-b", "a---b"},
		{"the host's mark", redact.Options{Mark: func(secrets.Name) string { return "(hidden)" }}, []string{"AA=hidden"}, "hidden", "***"},
		{"the host's empty mark", redact.Options{Mark: func(secrets.Name) string { return "" }}, []string{"AA=hidden"}, "a hidden b", "a  b"},
		{"one host's mark of two", redact.Options{Mark: func(n secrets.Name) string { return n.String() + "!" }},
			[]string{"AA=xxxx", "BB=AA!!", "CC=DD!x", "DD=CC!x"}, "xxxx", "AA!"},
		{"a value too short to mask", redact.Options{}, []string{"AA=[", "BB=hunter22"}, "[hunter22", "[[secret:BB]"},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := newRedactor(t, c.options, c.secrets...)
			got := masked(t, r, c.in)
			if got != c.want {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			if again := r.String(got); again != got {
				t.Errorf("a second pass over %q found something: %q", got, again)
			}
		})
	}
}

func TestValuesThatAreTooShortAreNamedInsteadOfMasked(t *testing.T) {
	for _, c := range []struct {
		short int
		in    string
		want  string
		names string
	}{
		{0, "a abc abcd abcde", "a abc [secret:DD] abcde", "[AA BB]"},
		{1, "a abc abcd abcde", "[secret:AA] [secret:BB] [secret:DD] abcde", "[]"},
		{3, "a abc abcd abcde", "a [secret:BB] [secret:DD] abcde", "[AA]"},
		{5, "a abc abcd abcde", "a abc abcd abcde", "[AA BB DD]"},
	} {
		r := newRedactor(t, redact.Options{Short: c.short}, "DD=abcd", "AA=a", "BB=abc", "AA=b")
		if got := r.String(c.in); got != c.want {
			t.Errorf("Short %d: got %q, want %q", c.short, got, c.want)
		}
		if got := fmt.Sprint(r.Short()); got != c.names {
			t.Errorf("Short %d: names %s, want %s", c.short, got, c.names)
		}
	}
}

func TestAFormWithoutWhiteSpaceThatIsTooShortIsNone(t *testing.T) {
	for _, c := range []struct {
		value, in, want string
		short           int
	}{
		{"\nabc\n", "abc \nabc\n", "abc \nabc\n", 1},
		{"\nabcd\n", "abcd \nabcd\n", "[secret:AA] \n[secret:AA]\n", 0},
		{" \n\t\r ", "a b \n\t\r ", "a b \n\t\r ", 1},
	} {
		r := newRedactor(t, redact.Options{}, "AA="+c.value)
		if got := r.String(c.in); got != c.want || len(r.Short()) != c.short {
			t.Errorf("%q in %q: got %q, want %q; short: %v", c.value, c.in, got, c.want, r.Short())
		}
	}
}

func TestHitsCountTheOccurrencesThatMasked(t *testing.T) {
	for _, c := range []struct {
		why     string
		secrets []string
		in      string
		want    map[string]uint64
	}{
		{"none", []string{"AA=abcd"}, "abc", map[string]uint64{}},
		{"two", []string{"AA=abcd", "BB=wxyz"}, "abcd abcd wxyz", map[string]uint64{"AA": 2, "BB": 1}},
		{"only the longest at a place", []string{"AA=abcd", "BB=abcdef"}, "abcdef", map[string]uint64{"BB": 1}},
		{"not what lies inside", []string{"AA=cd", "BB=abcdef"}, "abcdef", map[string]uint64{"BB": 1}},
		{"each that grows a run", []string{"AA=aba", "BB=abx"}, "ababx", map[string]uint64{"AA": 1, "BB": 1}},
		{"equal values", []string{"AA=abcd", "BB=abcd"}, "abcd", map[string]uint64{"AA": 1}},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := newRedactor(t, angled, c.secrets...)
			want := make(map[secrets.Name]uint64)
			for n, hits := range c.want {
				want[parseName(t, n)] = 3 * hits
			}
			masked(t, r, strings.Split(c.in, "")...)
			r.String(c.in)
			r.Bytes([]byte(c.in))
			if diff := cmp.Diff(want, r.Hits(), cmp.Comparer(func(a, b secrets.Name) bool { return a == b })); diff != "" {
				t.Errorf("hits (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnAddedValueIsMaskedFromTheNextWriteOn(t *testing.T) {
	r := newRedactor(t, angled, "AA=abcd")
	var out strings.Builder
	w := r.Writer(&out)
	write := func(s string) { _, _ = io.WriteString(w, s) }
	write("wxyz ef ab") // "wxyz ef " passes, "ab" is held
	if err := r.Add(pair(t, "BB=wxyz")); err != nil {
		t.Fatal(err)
	}
	write("wxyz ab")
	if err := r.Add(pair(t, "CC=abef")); err != nil {
		t.Fatal(err)
	}
	write("ef wx")
	if got, want := out.String(), "wxyz ef ab<BB> <CC> "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := r.Add(pair(t, "DD=a longer one")); err != nil {
		t.Fatal(err)
	}
	if got := r.MaxHold(); got != 12+12/2+64+18 {
		t.Errorf("MaxHold = %d", got)
	}
	if got := r.String("abcd wxyz abef a longer one"); got != "<AA> <BB> <CC> <DD>" {
		t.Errorf("String = %q", got)
	}
}

func TestAnAddedValueMayMakeTheMarksNeutral(t *testing.T) {
	r := newRedactor(t, redact.Options{}, "AA=abcd")
	var out strings.Builder
	w := r.Writer(&out)
	_, _ = io.WriteString(w, "abcd ")
	for _, p := range []string{"BB=secret", "CC=wxyz"} { // and they stay neutral
		if err := r.Add(pair(t, p)); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, "abcd ")
	}
	if got, want := out.String(), "[secret:AA] *** *** "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheOrderInWhichValuesAreAddedDoesNotShow(t *testing.T) {
	a := newRedactor(t, angled, "AA=abcd", "BB=abcd", "CC=cdef")
	b := newRedactor(t, angled, "CC=cdef", "BB=abcd", "AA=abcd")
	const in, want = "abcd cdef abcdef", "<AA> <CC> <AA>"
	if x, y := a.String(in), b.String(in); x != want || y != want {
		t.Errorf("got %q and %q, want %q", x, y, want)
	}
}

func TestNewRefusesWhatItCantMask(t *testing.T) {
	destroyed := newValue(t, canary())
	destroyed.Destroy()
	n := parseName(t, "AA")
	for _, c := range []struct {
		why    string
		values map[secrets.Name]secrets.Value
		o      redact.Options
		want   error
	}{
		{"zero name", map[secrets.Name]secrets.Value{{}: newValue(t, canary())}, redact.Options{}, secrets.ErrInvalid},
		{"zero value", map[secrets.Name]secrets.Value{n: {}}, redact.Options{}, secrets.ErrDestroyed},
		{"destroyed value", map[secrets.Name]secrets.Value{n: destroyed}, redact.Options{}, secrets.ErrDestroyed},
		{"negative Short", nil, redact.Options{Short: -1}, secrets.ErrInvalid},
	} {
		if r, err := redact.New(c.values, c.o); !errors.Is(err, c.want) || r != nil {
			t.Errorf("%s: New = %v, %v; want %v", c.why, r, err, c.want)
		}
		if c.values == nil {
			continue
		}
		r := newRedactor(t, angled, "BB=abcd")
		for name, v := range c.values {
			if err := r.Add(name, v); !errors.Is(err, c.want) {
				t.Errorf("%s: Add = %v, want %v", c.why, err, c.want)
			}
		}
		if got := r.String("abcd"); got != "<BB>" {
			t.Errorf("%s: after a refused Add: %q", c.why, got)
		}
	}
}

func TestADestroyedValueIsStillMasked(t *testing.T) {
	plain := canary()
	v := newValue(t, plain)
	r, err := redact.New(map[secrets.Name]secrets.Value{parseName(t, "AA"): v}, redact.Options{})
	if err != nil {
		t.Fatal(err)
	}
	v.Destroy()
	if got := r.String("x" + plain); got != "x[secret:AA]" {
		t.Errorf("got %q", got)
	}
}

func TestAClosedRedactorLetsNothingPass(t *testing.T) {
	r := newRedactor(t, angled, "AA=abcd", "BB=x")
	var out bytes.Buffer
	w := r.Writer(&out)
	_, _ = io.WriteString(w, "abcd ab")
	before := r.Hits()
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	if n, err := io.WriteString(w, "cd"); n != 0 || !errors.Is(err, redact.ErrClosed) {
		t.Errorf("Write = %d, %v", n, err)
	}
	if err := w.Flush(); !errors.Is(err, redact.ErrClosed) {
		t.Errorf("Flush = %v", err)
	}
	if err := w.Close(); !errors.Is(err, redact.ErrClosed) {
		t.Errorf("Writer.Close = %v", err)
	}
	late := r.Writer(&out)
	if n, err := io.WriteString(late, "text"); n != 0 || !errors.Is(err, redact.ErrClosed) {
		t.Errorf("a new writer's Write = %d, %v", n, err)
	}
	if got := out.String(); got != "<AA> " {
		t.Errorf("passed %q", got)
	}
	for _, text := range []string{"", "abcd", "harmless"} {
		if s, b := r.String(text), r.Bytes([]byte(text)); s != "***" || string(b) != "***" {
			t.Errorf("String(%q) = %q, Bytes = %q", text, s, b)
		}
	}
	if err := r.Add(pair(t, "CC=efgh")); !errors.Is(err, redact.ErrClosed) {
		t.Errorf("Add = %v", err)
	}
	if r.MaxHold() != 0 || !cmp.Equal(before, r.Hits(), cmp.Comparer(func(a, b secrets.Name) bool { return a == b })) {
		t.Errorf("MaxHold %d, Hits %v, before %v", r.MaxHold(), r.Hits(), before)
	}

	starry := newRedactor(t, redact.Options{Short: 1}, "AA=*")
	if _ = starry.Close(); starry.String("text") != "" {
		t.Errorf("a closed String shows a value: %q", starry.String("text"))
	}
}

func TestTheZeroRedactorAndTheZeroWriterAreClosed(t *testing.T) {
	var r redact.Redactor
	var w redact.Writer
	if got := r.String("text"); got != "***" {
		t.Errorf("String = %q", got)
	}
	if err := r.Add(pair(t, "AA=abcd")); !errors.Is(err, redact.ErrClosed) {
		t.Errorf("Add = %v", err)
	}
	_, err := r.Writer(io.Discard).Write([]byte("text"))
	_, err2 := w.Write([]byte("text"))
	for _, err := range []error{err, err2, w.Flush()} {
		if !errors.Is(err, redact.ErrClosed) {
			t.Errorf("got %v", err)
		}
	}
	if r.MaxHold() != 0 || len(r.Hits()) != 0 || len(r.Short()) != 0 || r.Close() != nil || w.Close() != nil {
		t.Error("the zero Redactor holds something")
	}
}

func TestMasksTellsBeforehandWhatIsTooShort(t *testing.T) {
	for _, c := range []struct {
		value string
		o     redact.Options
		want  bool
	}{
		{"abc", redact.Options{}, false},
		{"abcd", redact.Options{}, true},
		{" abc\n", redact.Options{}, false},
		{"abcd", redact.Options{Short: 5}, false},
		{"a", redact.Options{Short: 1}, true},
		{"\n", redact.Options{Short: 1}, false},
	} {
		if got, err := c.o.Masks(newValue(t, c.value)); got != c.want || err != nil {
			t.Errorf("%q, Short %d: %v, %v", c.value, c.o.Short, got, err)
		}
		if r := newRedactor(t, c.o, "AA="+c.value); (len(r.Short()) == 0) != c.want {
			t.Errorf("%q, Short %d: Short has %v", c.value, c.o.Short, r.Short())
		}
	}
	for _, o := range []redact.Options{{Short: -1}, {Token: -1}, {Forms: []redact.Form{"rot13"}}} {
		if _, err := o.Masks(newValue(t, canary())); !errors.Is(err, secrets.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
		if _, err := redact.New(nil, o); !errors.Is(err, secrets.ErrInvalid) {
			t.Errorf("New with %+v: %v", o, err)
		}
	}
	if _, err := (redact.Options{}).Masks(secrets.Value{}); !errors.Is(err, secrets.ErrDestroyed) {
		t.Errorf("no value: %v", err)
	}
}
