package fetch

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// object reads text as a JSON object of strings and calls use with every key and
// value. It reports whether text is one, with each key once; use may have been
// called before it is found not to be. A value is lent for the call.
//
// Decoding into a map would make a Go string of every value, which can't be wiped,
// would take the last of two values under one key, and would replace half of a
// surrogate pair by another character. So the standard library says whether the
// text is JSON, and only the walk through it is ours.
func object(text []byte, use func(key string, value []byte)) bool {
	if !utf8.Valid(text) || !json.Valid(text) {
		return false
	}
	rest := skip(text)
	if rest[0] != '{' {
		return false
	}
	buffer := make([]byte, 0, len(text)) // nothing gets longer by unquoting
	defer func() { clear(buffer[:cap(buffer)]) }()
	seen := map[string]bool{}
	for rest = skip(rest[1:]); rest[0] != '}'; {
		unquoted, after, ok := unquote(buffer, rest)
		key := string(unquoted)
		if !ok || seen[key] {
			return false
		}
		seen[key] = true
		rest = skip(skip(after)[1:]) // past the colon
		if rest[0] != '"' {
			return false
		}
		value, after, ok := unquote(buffer, rest)
		if !ok {
			return false
		}
		use(key, value)
		if rest = skip(after); rest[0] == ',' {
			rest = skip(rest[1:])
		}
	}
	return true
}

// skip returns text from its first character that is no space of JSON's.
func skip(text []byte) []byte { return bytes.TrimLeft(text, " \t\r\n") }

// unquote appends to dst what the string at the beginning of text, valid JSON,
// stands for. It fails on half a surrogate pair.
func unquote(dst, text []byte) (plain, rest []byte, ok bool) {
	for i := 1; ; i++ {
		switch text[i] {
		case '"':
			return dst, text[i+1:], true
		case '\\':
			i++
			if text[i] != 'u' {
				dst = append(dst, unescape(text[i]))
				continue
			}
			r := unit(text[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				if text[i+1] != '\\' || text[i+2] != 'u' {
					return nil, nil, false
				}
				if r = utf16.DecodeRune(r, unit(text[i+3:])); r == unicode.ReplacementChar {
					return nil, nil, false
				}
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, text[i])
		}
	}
}

// unescape returns what the character after a backslash stands for.
func unescape(b byte) byte {
	switch b {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return b
}

// unit returns the UTF-16 unit that text begins with in four hexadecimal digits.
func unit(text []byte) rune {
	var b [2]byte
	_, _ = hex.Decode(b[:], text[:4]) // digits, in valid JSON
	return rune(b[0])<<8 | rune(b[1])
}
