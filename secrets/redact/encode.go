package redact

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf16"
)

// inBase64 returns what v looks like within the encoding of anything that holds it,
// depending on how many bytes are before it.
func inBase64(v []byte) (all []pattern) {
	for before := range 3 {
		all = append(all,
			aligned(v, before, 6, alphabet64, base64.RawStdEncoding.AppendEncode),
			aligned(v, before, 6, alphabet64URL, base64.RawURLEncoding.AppendEncode))
	}
	return all
}

func inBase32(v []byte) []pattern {
	encoding := base32.StdEncoding.WithPadding(base32.NoPadding)
	return []pattern{aligned(v, 0, 5, alphabet32, encoding.AppendEncode)}
}

// aligned returns the characters that v alone makes in an encoding of so many bits
// a character, after other bytes. Those before and after them hold the rest of its
// bits, and others.
func aligned(v []byte, others, bits int, alphabet string, encode func(dst, src []byte) []byte) pattern {
	src := append(make([]byte, others, others+len(v)), v...)
	text := encode(nil, src)
	clear(src)
	from, to := (8*others+bits-1)/bits, 8*len(src)/bits
	p := pattern{bytes: text[from:to]}
	if known := from*bits - 8*others; known > 0 {
		p.before = alike(alphabet, text[from-1], 1<<known-1)
	}
	if known := 8*len(src) - to*bits; known > 0 {
		p.after = alike(alphabet, text[to], (1<<known-1)<<(bits-known))
	}
	return p
}

// alike returns the characters of an alphabet that have the same bits as c.
func alike(alphabet string, c byte, bits int) *charset {
	var all charset
	index := strings.IndexByte(alphabet, c)
	for i := range len(alphabet) {
		if i&bits == index&bits {
			all.add(alphabet[i])
		}
	}
	return &all
}

func inHex(v []byte) (all []pattern) {
	lower := hex.AppendEncode(nil, v)
	for _, digits := range [][]byte{lower, bytes.ToUpper(lower)} {
		all = append(all, pattern{bytes: digits})
		for _, s := range []struct{ before, between, line string }{
			{"", " ", ""}, {"", ":", ""}, {`\x`, "", ""}, {"0x", " ", ""}, {"0x", ", ", ""}, {"0x", ", ", ",\n  "}, {"%", "", ""},
		} {
			var b []byte
			for i := 0; i < len(digits); i += 2 {
				if i%(2*12) == 0 && i > 0 && s.line != "" { // xxd -i
					b = append(b, s.line...)
				} else if i > 0 {
					b = append(b, s.between...)
				}
				b = append(append(b, s.before...), digits[i:i+2]...)
			}
			all = append(all, pattern{bytes: b})
		}
	}
	return all
}

// inDecimal returns v as Go's %v prints it, JSON without spaces, and Python; and as
// Java prints its bytes, which are signed.
func inDecimal(v []byte) (all []pattern) {
	for _, between := range []string{" ", ",", ", "} {
		var b []byte
		for i, c := range v {
			if i > 0 {
				b = append(b, between...)
			}
			b = strconv.AppendUint(b, uint64(c), 10)
		}
		all = append(all, pattern{bytes: b})
	}
	var b []byte
	for i, c := range v {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = strconv.AppendInt(b, int64(int8(c)), 10)
	}
	return append(all, pattern{bytes: b})
}

func inUTF16(v []byte) []pattern {
	var little, big []byte
	for _, r := range string(v) {
		for _, unit := range utf16.AppendRune(nil, r) {
			little, big = binary.LittleEndian.AppendUint16(little, unit), binary.BigEndian.AppendUint16(big, unit)
		}
	}
	return []pattern{{bytes: little}, {bytes: big}}
}

// flat returns v on one line, as an unquoted variable of a shell is and what else
// takes line breaks for spaces.
func flat(v []byte) []pattern {
	if !bytes.ContainsAny(v, " \t\r\n") {
		return nil
	}
	spaced := bytes.ReplaceAll(bytes.ReplaceAll(v, []byte("\r\n"), []byte(" ")), []byte("\n"), []byte(" "))
	return []pattern{{bytes: spaced}, {bytes: bytes.Join(bytes.Fields(v), []byte(" "))}}
}
