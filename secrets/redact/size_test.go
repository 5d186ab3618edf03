package redact_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

func TestAValueOfTheLargestSizeIsMaskedAcrossWrites(t *testing.T) {
	plain := strings.Repeat(canary(), secrets.MaxValue/64)
	r := newRedactor(t, angled, "AA="+plain)
	if got := r.MaxHold(); got != secrets.MaxValue*3/2+64+18 {
		t.Errorf("MaxHold = %d", got)
	}
	for _, size := range []int{1 << 20, 32 << 10, 1000, 77} {
		var pieces []string
		for rest := "x" + plain + "y" + plain[:100] + "-"; rest != ""; {
			n := min(size, len(rest))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		if got, want := masked(t, r, pieces...), "x<AA>y"+plain[:100]+"-"; got != want {
			t.Errorf("writes of %d bytes: got %d bytes, want %d", size, len(got), len(want))
		}
	}
}

func TestOneByteRepeatedIsOneRun(t *testing.T) {
	r := newRedactor(t, angled, "AA="+strings.Repeat("a", 1000))
	for _, c := range []struct{ in, want string }{
		{strings.Repeat("a", 999), strings.Repeat("a", 999)},
		{strings.Repeat("a", 1000), "<AA>"},
		{strings.Repeat("a", 100_000), "<AA>"},
		{strings.Repeat("a", 999) + "b" + strings.Repeat("a", 1001), strings.Repeat("a", 999) + "b<AA>"},
	} {
		var out strings.Builder
		w := r.Writer(&out)
		for rest := c.in; rest != ""; {
			n := min(333, len(rest))
			_, _ = io.WriteString(w, rest[:n])
			rest = rest[n:]
		}
		_ = w.Close()
		if out.String() != c.want {
			t.Errorf("%d bytes became %d, want %d", len(c.in), out.Len(), len(c.want))
		}
	}
}

// Forms a..ab of every length, and a text that nearly holds each everywhere.
func TestNestedFormsAgainstTheirOwnBeginnings(t *testing.T) {
	var pairs []string
	for n := 1; n <= 45; n++ {
		pairs = append(pairs, fmt.Sprintf("N%d=%sb", n, strings.Repeat("a", n)))
	}
	r := newRedactor(t, angled, pairs...)
	for _, c := range []struct{ in, want string }{
		{strings.Repeat("a", 50_000), strings.Repeat("a", 50_000)},
		{strings.Repeat("a", 50_000) + "b", strings.Repeat("a", 50_000-45) + "<N45>"},
		{strings.Repeat("aaab", 10_000), strings.Repeat("<N3>", 10_000)},
	} {
		if got := masked(t, r, c.in[:777], c.in[777:]); got != c.want {
			t.Errorf("%d bytes became %d, want %d", len(c.in), len(got), len(c.want))
		}
	}
}

func TestTenThousandSecretsCompile(t *testing.T) {
	values := make(map[secrets.Name]secrets.Value)
	var text, want strings.Builder
	for i := range 10_000 {
		name, plain := fmt.Sprintf("KEY_%d", i), canary()
		values[parseName(t, name)] = newValue(t, plain)
		if i%100 == 0 {
			fmt.Fprintf(&text, "line %d: %s\n", i, plain)
			fmt.Fprintf(&want, "line %d: [secret:%s]\n", i, name)
		}
	}
	r, err := redact.New(values, redact.Options{Forms: []redact.Form{}})
	if err != nil {
		t.Fatal(err)
	}
	if got := masked(t, r, text.String()); got != want.String() {
		t.Errorf("got %d bytes, want %d", len(got), want.Len())
	}
}

func BenchmarkWriter(b *testing.B) {
	// 20 secrets, 1 MiB of lines as a run prints them, a hit in every hundredth,
	// written 32 KiB at a time.
	var pairs, plains []string
	for i := range 20 {
		plains = append(plains, canary()[:16+i%16])
		pairs = append(pairs, fmt.Sprintf("KEY_%d=%s", i, plains[i]))
	}
	random := rand.New(rand.NewPCG(1, 2))
	var text strings.Builder
	for i := 0; text.Len() < 1<<20; i++ {
		fmt.Fprintf(&text, "[%02x/%06x] Submitted process > ALIGN:BWA_MEM (sample_%d) cpus=%d mem=%d.GB", i%256, random.IntN(1<<24), i, 1+i%16, i%64)
		if i%100 == 0 {
			text.WriteString(" token=" + plains[i/100%20])
		}
		text.WriteByte('\n')
	}
	in := []byte(text.String())[:1<<20]
	r := newRedactor(b, redact.Options{}, pairs...)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		w := r.Writer(io.Discard)
		for rest := in; len(rest) > 0; {
			n := min(32<<10, len(rest))
			_, _ = w.Write(rest[:n])
			rest = rest[n:]
		}
		_ = w.Close()
	}
}
