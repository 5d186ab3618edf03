package main

import (
	"crypto/rand"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

func TestAValueThatCameThroughIsNoticedInAnyPieces(t *testing.T) {
	t.Parallel()
	name, err := secrets.ParseName("TOKEN")
	if err != nil {
		t.Fatal(err)
	}
	plain := rand.Text()
	value, err := secrets.NewValue([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	values := map[secrets.Name]secrets.Value{name: value}
	redactor, err := redact.New(values, redact.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := &play{values: cabinet{workspace: values}}
	for size := 1; size <= len(plain)+4; size++ {
		seen := p.window(redactor)
		to := seen.on(io.Discard)
		for rest := "ab" + plain + "cd"; rest != ""; rest = rest[min(size, len(rest)):] {
			_, _ = io.WriteString(to, rest[:min(size, len(rest))])
		}
		if err := seen.err(); err == nil || !strings.Contains(err.Error(), "TOKEN") || strings.Contains(err.Error(), plain) {
			t.Errorf("in pieces of %d: %v", size, err)
		}
	}
	seen := p.window(redactor)
	_, _ = io.WriteString(seen.on(io.Discard), plain[1:]+"[secret:TOKEN]"+plain[:len(plain)-1])
	if err := seen.err(); err != nil {
		t.Errorf("it sees what is not there: %v", err)
	}
}

func TestAWindowOnShortValuesAlonePassesEverything(t *testing.T) {
	t.Parallel()
	name, err := secrets.ParseName("TOKEN")
	if err != nil {
		t.Fatal(err)
	}
	value, err := secrets.NewValue([]byte("abc"))
	if err != nil {
		t.Fatal(err)
	}
	values := map[secrets.Name]secrets.Value{name: value}
	redactor, err := redact.New(values, redact.Options{})
	if err != nil {
		t.Fatal(err)
	}
	seen := (&play{values: cabinet{workspace: values}}).window(redactor)
	var passed strings.Builder
	to := seen.on(&passed)
	for _, piece := range []string{"a", "", "bcabc"} {
		if _, err := io.WriteString(to, piece); err != nil {
			t.Error(err)
		}
	}
	if err := seen.err(); err != nil || passed.String() != "abcabc" {
		t.Errorf("%q passed (%v)", passed.String(), err)
	}
}

func TestThePriceIsAsAWSPublishesIt(t *testing.T) {
	t.Parallel()
	kept, called := price(1, 730)
	if kept != 0.40 || math.Abs(called-8*0.05/10_000) > 1e-12 {
		t.Errorf("a secret and month cost $%g and $%g", kept, called)
	}
	if kept, _ := price(10, 4); math.Abs(1000*kept-21.92) > 0.01 {
		t.Errorf("1,000 runs of 4 hours with 10 secrets cost $%.2f", 1000*kept)
	}
}

func TestTheBarGrowsAndStopsAtItsEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		elapsed time.Duration
		full    int
	}{{0, 0}, {5 * time.Minute, 15}, {10 * time.Minute, 30}, {time.Hour, 30}} {
		got := bar(c.elapsed, 10*time.Minute)
		if strings.Count(got, "#") != c.full || strings.Count(got, "#")+strings.Count(got, ".") != 30 {
			t.Errorf("after %v: %s", c.elapsed, got)
		}
	}
}
