// Package leak finds plaintext in what was printed, logged or encoded, for the
// tests that hold secrets.Value to its promise. It knows nothing of Value: the
// same table is run over a Value, which must not leak, and over a plain string,
// which must, so that a table that can't fail is noticed.
package leak

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Run is the length in bytes of the shortest piece of a value that counts as
// leaked.
const Run = 4

// Find reports whether output holds any Run consecutive bytes of value, and in
// which form: "raw"; "escaped" as Go, JSON or XML text; "hex" or "decimal"
// digits, with or without separators between the bytes; or "base64" of either
// alphabet and at any alignment. It panics if value is shorter than Run, since
// such a search finds nothing.
//
// It reads output as generously as it can: what stands between numbers is
// passed over. So unrelated output matches by chance, about once in 2^32 places
// for a random value of bytes and once in 2^24 for one of letters and digits.
func Find(output, value []byte) (form string, found bool) {
	return FindAny(output, [][]byte{value}, Run)
}

// FindAny is [Find] for many values, of which a piece is run bytes long. A longer
// run is for outputs in which short ones occur by chance: long ones, or such as
// hold base64 and hashes, or for many values.
func FindAny(output []byte, values [][]byte, run int) (form string, found bool) {
	runs := map[string]bool{}
	for _, value := range values {
		if len(value) < run {
			panic(fmt.Sprintf("leak: a value of %d bytes can't be searched for", len(value)))
		}
		for i := range len(value) - run + 1 {
			runs[string(value[i:i+run])] = true
		}
	}
	for _, f := range forms {
		for _, text := range f.read(output) {
			for i := range len(text) - run + 1 {
				if runs[string(text[i:i+run])] {
					return f.name, true
				}
			}
		}
	}
	return "", false
}

// forms reads an output back into the bytes it may have been printed from, in
// each way that something may have printed them.
var forms = []struct {
	name string
	read func(output []byte) [][]byte
}{
	{"raw", func(output []byte) [][]byte { return [][]byte{output} }},
	{"escaped", func(output []byte) [][]byte {
		return [][]byte{unescape(string(output)), []byte(html.UnescapeString(string(output)))}
	}},
	{"hex", func(output []byte) [][]byte {
		found := [][]byte{
			numbers(prefixedHex.FindAllSubmatch(output, -1), 16), // 0x1, 0x2
			numbers(pairedHex.FindAllSubmatch(output, -1), 16),   // |01|02|
		}
		joined := separators.ReplaceAll(output, nil)
		for _, digits := range hexDigits.FindAll(joined, -1) {
			for shift := range 2 { // the first digit may belong to something else
				even := digits[shift:]
				even = even[:len(even)&^1]
				b := make([]byte, len(even)/2)
				if _, err := hex.Decode(b, even); err != nil {
					panic(err) // the expression matches hexadecimal digits only
				}
				found = append(found, b)
			}
		}
		return found
	}},
	{"decimal", func(output []byte) [][]byte {
		return [][]byte{numbers(decimal.FindAllSubmatch(output, -1), 10)}
	}},
	{"base64", func(output []byte) [][]byte {
		var found [][]byte
		joined := strings.NewReplacer("\r", "", "\n", "", "-", "+", "_", "/").Replace(string(output))
		for _, digits := range base64Digits.FindAllString(joined, -1) {
			for shift := range 4 { // where a group of four begins is unknown
				whole := digits[min(shift, len(digits)):]
				if len(whole)%4 == 1 {
					whole = whole[:len(whole)-1]
				}
				b, err := base64.RawStdEncoding.DecodeString(whole)
				if err != nil {
					panic(err) // the expression matches the alphabet only
				}
				found = append(found, b)
			}
		}
		return found
	}},
}

var (
	prefixedHex  = regexp.MustCompile(`(?i)(?:0x|\\x|\\u|U\+)([0-9a-f]{1,8})`)
	pairedHex    = regexp.MustCompile(`\b([0-9a-fA-F]{2})\b`)
	hexDigits    = regexp.MustCompile(`[0-9a-fA-F]{8,}`)
	separators   = regexp.MustCompile(`[\s,:;._|\-]+`)
	decimal      = regexp.MustCompile(`\b([0-9]{1,8})\b`)
	base64Digits = regexp.MustCompile(`[0-9A-Za-z+/]{6,}`)
)

// numbers returns those of the matched numbers that are bytes.
func numbers(matches [][][]byte, base int) []byte {
	var b []byte
	for _, m := range matches {
		if n, err := strconv.ParseUint(string(m[1]), base, 8); err == nil {
			b = append(b, byte(n))
		}
	}
	return b
}

// unescape undoes the backslash escapes of Go and JSON wherever they stand in s.
func unescape(s string) []byte {
	var b []byte
	for len(s) > 0 {
		if len(s) > 1 && s[0] == '\\' && strings.IndexByte(`"'/`, s[1]) >= 0 {
			b, s = append(b, s[1]), s[2:]
			continue
		}
		r, multibyte, tail, err := strconv.UnquoteChar(s, 0)
		switch {
		case err != nil: // a lone backslash
			b, s = append(b, s[0]), s[1:]
		case multibyte && r != utf8.RuneError:
			b, s = utf8.AppendRune(b, r), tail
		case multibyte: // not valid UTF-8, or the replacement character itself
			b, s = append(b, s[:len(s)-len(tail)]...), tail
		default:
			b, s = append(b, byte(r)), tail
		}
	}
	return b
}
