package redact_test

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// As Python, Node.js, jq, bash, dash, coreutils, PyYAML and others print them.
func TestWhatProgramsPrintIsMasked(t *testing.T) {
	const odd = "p4Rt-one/Two+three/fOuR=" // what base64 looks like
	for _, c := range []struct{ id, value, text string }{
		{"url/python quote keeps slash", odd, "p4Rt-one/Two%2Bthree/fOuR%3D"},
		{"url/WHATWG userinfo (node URL.password)", odd, "p4Rt-one%2FTwo+three%2FfOuR%3D"},
		{"url/form encoding (URLSearchParams, Java URLEncoder)", "K7M~DENG/bPx Rfi", "K7M%7EDENG%2FbPx+Rfi"},
		{"url/encodeURI, url.URL.Path", "K7MDENG/bPx Rfi", "K7MDENG/bPx%20Rfi"},
		{"bytes/python repr", "pässwörd1", `p\xc3\xa4ssw\xc3\xb6rd1`},
		{"str/python ascii", "pässwörd1", `p\xe4ssw\xf6rd1`},
		{"str/python repr, control", "abc\adefghi", `abc\x07defghi`},
		{"str/node inspect, control", "abc\x1bdefghi", `abc\x1Bdefghi`},
		{"json/DEL (python, jq)", "abcdef\x7fghijk", `abcdef\u007fghijk`},
		{"json/U+2028 raw (node, jq, python ensure_ascii=False)", "abc\t\"def\u2028ghi", "abc\\t\\\"def\u2028ghi"},
		{"json/upper-case hex (Jackson, .NET)", "pässwörd1", `p\u00E4ssw\u00F6rd1`},
		{"json/invalid UTF-8 replaced (node, jq)", "abcdef\xffghi\"jkl", "abcdef\ufffdghi\\\"jkl"},
		{"xml/ElementTree's us-ascii", "pässwörd1&", "p&#228;ssw&#246;rd1&amp;"},
		{"xml/quoteattr, line break", "first \"<line>\"\nsecond", "first &quot;&lt;line&gt;&quot;&#10;second"},
		{"xml/PHP htmlspecialchars", "it's-a-secret", "it&#039;s-a-secret"},
		{"shell/dash and busybox, two quotes", "abc''defgh", `abc'"''"'defgh`},
		{"shell/bash, invalid and valid UTF-8", "abcdef\xffü\nx", `abcdef\377ü\nx`},
		{"shell/coreutils (ls, cat: errors), C locale", "pässwörd1", `p'$'\303\244''ssw'$'\303\266''rd1`},
		{"yaml/double-quoted, PyYAML", "pässwörd1", `p\xE4ssw\xF6rd1`},
		{"hex/xxd -i", "0123456789abcdefXYZ", "0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x61, 0x62,\n  0x63, 0x64, 0x65, 0x66, 0x58, 0x59, 0x5a"},
		{"base64/of CRLF lines", "first line 123456\nsecond line 12345", "Zmlyc3QgbGluZSAxMjM0NTYNCnNlY29uZCBsaW5lIDEyMzQ1"},
		{"utf16/CRLF lines", "first line 123456\nsecond", "f\x00i\x00r\x00s\x00t\x00 \x00l\x00i\x00n\x00e\x00 \x001\x002\x003\x004\x005\x006\x00\r\x00\n\x00s\x00e\x00c\x00o\x00n\x00d\x00"},
		{"sql/PostgreSQL quote_literal", `a'b\cdefgh`, `a''b\\cdefgh`},
	} {
		t.Run(c.id, func(t *testing.T) {
			if got := newRedactor(t, defaults, "AA="+c.value).String(c.text); !strings.Contains(got, "<AA>") {
				t.Errorf("leaked: %q", got)
			}
		})
	}
}

func TestAShortValueInColourIsAWholeToken(t *testing.T) {
	r := newRedactor(t, defaults, "AA=hunter2")
	for _, text := range []string{"\x1b[31mhunter2\x1b[0m", "pw: \x1b[01;31m\x1b[Khunter2\x1b[m\x1b[K"} {
		if got := r.String(text); strings.Contains(got, "hunter2") {
			t.Errorf("leaked: %q", got)
		}
	}
}

func TestAShortValueBehindAnEscapeIsAWholeToken(t *testing.T) {
	r := newRedactor(t, defaults, "AA=hunter2")
	for _, text := range []string{`{"log":"a\nhunter2\n"}`, "p%3Dhunter2&x"} {
		if got := r.String(text); strings.Contains(got, "hunter2") {
			t.Errorf("leaked: %q", got)
		}
	}
}

func TestStringsOfAJSONValueThatAreSecretAreMaskedAlone(t *testing.T) {
	password, hook, token := canary()[:14], "https://hooks.example/services/"+canary()[:24], canary()[:20]
	r := newRedactor(t, defaults, `AA={"username":"admin","password":"`+password+`","hook":"`+hook+`","nested":"{\"token\":\"`+token+`\"}"}`)
	for _, text := range []string{password, hook, token} {
		if got := r.String(text); got != "<AA>" {
			t.Errorf("leaked: %q", got)
		}
	}
}

func TestWhatAllJSONValuesOfAKindHaveIsNotMasked(t *testing.T) {
	r := newRedactor(t, defaults, "AA={\n  \"type\": \"service_account\",\n  \"token_uri\": \"https://oauth2.example/token\",\n  \"key\": \"AAAABBBBCCCCDDDDEEEE\"\n}")
	text := "{\n  \"type\": \"service_account\",\n  \"token_uri\": \"https://oauth2.example/token\",\n  \"key\": \"\"\n}"
	if got := r.String(text); got != text {
		t.Errorf("masked: %q", got)
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestAReaderThatHasNothingIsNotAskedForEver(t *testing.T) {
	if _, err := newRedactor(t, angled, "AA=abcdefgh").Reader(idle{}).Read(make([]byte, 10)); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("it says %v", err)
	}
}
