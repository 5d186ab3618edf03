package leak_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/internal/leak"
)

// printed is one way to print bytes, and the form in which Find must see it.
var printed = []struct {
	name, form string
	print      func([]byte) string
}{
	{"as it is", "raw", func(b []byte) string { return string(b) }},
	{"%q", "escaped", func(b []byte) string { return fmt.Sprintf("%q", b) }},
	{"%+q", "escaped", func(b []byte) string { return fmt.Sprintf("%+q", b) }},
	{"%x", "hex", func(b []byte) string { return fmt.Sprintf("%x", b) }},
	{"%X", "hex", func(b []byte) string { return fmt.Sprintf("%X", b) }},
	{"%#x", "hex", func(b []byte) string { return fmt.Sprintf("%#x", b) }},
	{"% x", "hex", func(b []byte) string { return fmt.Sprintf("% x", b) }},
	{"% X", "hex", func(b []byte) string { return fmt.Sprintf("% X", b) }},
	{"%# x", "hex", func(b []byte) string { return fmt.Sprintf("%# x", b) }},
	{"%# X", "hex", func(b []byte) string { return fmt.Sprintf("%# X", b) }},
	{"%#v", "hex", func(b []byte) string { return fmt.Sprintf("%#v", b) }},
	{"%U", "hex", func(b []byte) string { return fmt.Sprintf("%U", b) }},
	{"with colons", "hex", func(b []byte) string { return strings.ReplaceAll(fmt.Sprintf("% x", b), " ", ":") }},
	{"with bars", "hex", func(b []byte) string { return strings.ReplaceAll(fmt.Sprintf("% x", b), " ", "|") }},
	{"as \\x", "escaped", func(b []byte) string { return strings.ReplaceAll(fmt.Sprintf(" % x", b), " ", `\x`) }},
	{"in groups of four digits", "hex", func(b []byte) string {
		var s strings.Builder
		for i, c := range b {
			fmt.Fprintf(&s, "%02x", c)
			if i%2 == 1 {
				s.WriteByte(' ')
			}
		}
		return s.String()
	}},
	{"after an odd digit", "hex", func(b []byte) string { return "f" + hex.EncodeToString(b) }},
	{"as a hex dump", "hex", func(b []byte) string { return hex.Dump(b) }},
	{"each quoted", "hex", func(b []byte) string { return `"` + strings.ReplaceAll(fmt.Sprintf("% x", b), " ", `", "`) + `"` }},
	{"%d", "decimal", func(b []byte) string { return fmt.Sprintf("%d", b) }},
	{"%+d", "decimal", func(b []byte) string { return fmt.Sprintf("%+d", b) }},
	{"%04d", "decimal", func(b []byte) string { return fmt.Sprintf("%04d", b) }},
	{"%t, which fmt complains of", "decimal", func(b []byte) string { return fmt.Sprintf(wrongVerb, b) }},
	{"with commas", "decimal", func(b []byte) string { return strings.ReplaceAll(fmt.Sprint(b), " ", ",") }},
	{"with commas and spaces", "decimal", func(b []byte) string { return strings.ReplaceAll(fmt.Sprint(b), " ", ", ") }},
	{"one to a line", "decimal", func(b []byte) string { return strings.ReplaceAll(fmt.Sprint(b), " ", "\n") }},
	{"standard base64", "base64", base64.StdEncoding.EncodeToString},
	{"URL base64", "base64", base64.URLEncoding.EncodeToString},
	{"standard base64, not padded", "base64", base64.RawStdEncoding.EncodeToString},
	{"URL base64, not padded", "base64", base64.RawURLEncoding.EncodeToString},
	{"as JSON", "base64", func(b []byte) string { s, _ := json.Marshal(b); return string(s) }},
	{"base64 in lines", "base64", func(b []byte) string {
		s := base64.StdEncoding.EncodeToString(b)
		return s[:5] + "\n" + s[5:9] + "\r\n" + s[9:]
	}},
}

// wrongVerb is not a constant, so that vet doesn't mind it.
var wrongVerb = "%t"

// secretBytes returns random bytes, no two alike, no UTF-8, none
// printable, 1 or 2: so that each form shows all of them, none as they are, and what surrounds
// them in a test is no part of them.
func secretBytes() []byte {
	var b []byte
	for _, i := range rand.Perm(256) {
		if c := byte(i); c > 2 && c < ' ' || c >= 0x80 && c < 0xc0 {
			b = append(b, c)
		}
	}
	return b[:12]
}

func TestEveryFormOfAWholeValueIsFound(t *testing.T) {
	for _, p := range printed {
		t.Run(p.name, func(t *testing.T) {
			value := secretBytes()
			form, found := leak.Find([]byte("before="+p.print(value)+" after"), value)
			if !found || form != p.form {
				t.Errorf("%q: form %q, found %v; want %q", p.print(value), form, found, p.form)
			}
		})
	}
}

func TestFourBytesAtAnyOffsetAreFoundAndThreeAreNot(t *testing.T) {
	for _, p := range printed {
		t.Run(p.name, func(t *testing.T) {
			value := secretBytes()
			for before := range 7 {
				for at := range len(value) - 3 {
					around := func(piece []byte) []byte {
						mixed := append(bytes.Repeat([]byte{0x01}, before), piece...)
						return []byte(p.print(append(mixed, bytes.Repeat([]byte{0x02}, 7-before)...)))
					}
					if _, found := leak.Find(around(value[at:at+4]), value); !found {
						t.Errorf("four bytes from %d after %d others were missed", at, before)
					}
					if form, found := leak.Find(around(value[at:at+3]), value); found {
						t.Errorf("three bytes from %d after %d others were found as %s", at, before, form)
					}
				}
			}
		})
	}
}

func TestBase64AfterAnyNumberOfLettersIsFound(t *testing.T) {
	for _, before := range []string{"", "a", "ab", "abc", "abcd", "key=", "key_", "key:"} {
		value := secretBytes()
		if form, found := leak.Find([]byte(before+base64.StdEncoding.EncodeToString(value)), value); form != "base64" || !found {
			t.Errorf("after %q: %q, %v", before, form, found)
		}
	}
}

func TestQuotedTextIsFound(t *testing.T) {
	for _, value := range []string{`"\/'<&>`, "////", "\n\té\t\u2028"} {
		var x bytes.Buffer
		if err := xml.EscapeText(&x, []byte(value)); err != nil {
			t.Fatal(err)
		}
		j, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		for name, output := range map[string]string{
			"json": string(j), "json with \\/": strings.ReplaceAll(string(j), "/", `\/`), "xml": x.String(),
			"%q": fmt.Sprintf("%q", value), "%+q": fmt.Sprintf("%+q", value),
		} {
			if _, found := leak.Find([]byte(output), []byte(value)); !found {
				t.Errorf("%s: %s was missed", name, output)
			}
		}
	}
}

func TestOtherOutputIsNotFound(t *testing.T) {
	for _, output := range []string{
		"", "x", "[secret]", "{0xc000012345}", "%!d(func()=0x4a2b30)", "1 2 3", "\\", `\x`, `\u12`, `"`, "0x", "AAAAAAAAA",
		fmt.Sprint([]byte("other bytes altogether")), fmt.Sprintf("%x", "other bytes altogether"),
		base64.StdEncoding.EncodeToString([]byte("other bytes altogether")),
	} {
		if form, found := leak.Find([]byte(output), secretBytes()); found {
			t.Errorf("%q was found as %s", output, form)
		}
	}
}

func TestAValueTooShortToSearchForIsAMistake(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Find searched for three bytes")
		}
	}()
	leak.Find([]byte("abc"), []byte("abc"))
}

func TestCanariesDiffer(t *testing.T) {
	if a, b := leak.Canary(), leak.Canary(); bytes.Equal(a, b) || len(a) != 24 || len(b) != 24 {
		t.Errorf("%d and %d bytes, equal: %v", len(a), len(b), bytes.Equal(a, b))
	}
}

func TestManyValuesAreSearchedForByLongerPieces(t *testing.T) {
	first, second := leak.Canary(), leak.Canary()
	both := [][]byte{first, second}
	for _, p := range printed {
		if _, found := leak.FindAny([]byte(p.print(second)), both, 12); !found {
			t.Errorf("%s: missed", p.name)
		}
		if _, found := leak.FindAny([]byte(p.print(second[:11])), both, 12); found {
			t.Errorf("%s: a piece was found that is too short", p.name)
		}
	}
}
