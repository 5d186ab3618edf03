package redact

import (
	"bytes"
	"encoding/json"
	"hash/maphash"
	"regexp"
	"slices"
	"strings"
)

// Form is a way in which a value may be written. A value as it is, without the
// white space around it, is always masked.
type Form string

// The forms, which are all by default.
const (
	Lines   Form = "lines"   // each line of at least 16 bytes, but no "-----BEGIN ...-----", and none of JSON
	Flat    Form = "flat"    // on one line: a space for each line break, or for all white space in a row
	Leaves  Form = "leaves"  // of a JSON object or array, each string of at least 16 bytes that is not just an address, and shorter ones that their key calls a password, secret, token or the like; they have all other forms
	Base64  Form = "base64"  // standard and URL-safe, on its own or with anything before and after it: HTTP Basic, too
	Base32  Form = "base32"  // with anything after it
	Hex     Form = "hex"     // in both cases; with spaces, colons, \x, 0x or % between bytes
	URL     Form = "url"     // query and path escaped, JavaScript's and RFC 3986's way, and that escaped again
	JSON    Form = "json"    // plain, HTML-safe, ASCII only, with \/, and a JSON string within JSON
	Quoted  Form = "quoted"  // Go's %q and %+q, Python's, and a regular expression's or LDAP's escapes
	Shell   Form = "shell"   // in single and double quotes, as printf %q and set -x print it
	XML     Form = "xml"     // and HTML: named, decimal and hexadecimal entities
	YAML    Form = "yaml"    // in double quotes
	SQL     Form = "sql"     // quotes doubled or escaped: YAML's single-quoted and CSV's, too
	UTF16   Form = "utf16"   // in both byte orders
	Decimal Form = "decimal" // as bytes printed in decimal, as Go's %v, JSON, Python and Java print them
)

// encoders are what makes the forms, but those that take a value apart.
var encoders = map[Form]func(v []byte) []pattern{
	Flat: flat, Base64: inBase64, Base32: inBase32, Hex: inHex, URL: inURL, JSON: inJSON, Quoted: quoted,
	Shell: inShell, XML: inXML, YAML: inYAML, SQL: inSQL, UTF16: inUTF16, Decimal: inDecimal,
}

// DefaultForms returns all forms.
func DefaultForms() []Form {
	return []Form{Lines, Flat, Leaves, Base64, Base32, Hex, URL, JSON, Quoted, Shell, XML, YAML, SQL, UTF16, Decimal}
}

// part is the size in bytes from which lines and strings of JSON are forms of
// their own.
const part = 16

// formsOf returns the patterns of a value, in memory of their own: plain is only
// lent. There are none if it is too short.
func formsOf(plain []byte, o *Options) []pattern {
	plain = trimmed(plain)
	d := deriver{options: o, whole: len(plain) < o.Token, seed: maphash.MakeSeed(), known: map[uint64]int{}}
	if d.add(plain, pattern{}); len(d.all) == 0 {
		return nil
	}
	d.encode(plain)
	inside, isJSON := leaves(plain)
	if !isJSON {
		d.lines(plain)
	}
	if slices.Contains(o.Forms, Leaves) {
		for _, leaf := range inside {
			d.whole = len(leaf) < o.Token
			d.add(leaf, pattern{})
			d.encode(leaf)
			d.lines(leaf)
		}
	}
	return d.all
}

// trimmed returns a value without the white space around it. Secrets are kept in
// files that end in a line break; a shell drops it from "$(cat file)" and from an
// unquoted $NAME, and a log keeps its lines apart by it.
func trimmed(plain []byte) []byte { return bytes.Trim(plain, " \t\r\n") }

// deriver collects the patterns of a value.
type deriver struct {
	options *Options
	whole   bool // the value counts as a whole token only
	all     []pattern
	seed    maphash.Seed
	known   map[uint64]int // indices, by a hash of the bytes
}

// add adds a form as it is written, with what like says of it.
func (d *deriver) add(raw []byte, like pattern) {
	p := squeezed(raw)
	least := max(d.options.Short, 1)
	if len(d.all) > 0 { // the others are longer than a value, but for parts of one
		least = max(least, defaultShort)
	}
	if len(p.bytes) < least {
		clear(p.bytes)
		return
	}
	p.whole = d.whole || len(p.bytes) < d.options.Token
	if p.tight = p.tight && p.whole; !p.whole {
		p.before, p.after = like.before, like.after
	}
	hash := maphash.Bytes(d.seed, p.bytes)
	if i, known := d.known[hash]; known && bytes.Equal(d.all[i].bytes, p.bytes) {
		d.all[i].merge(p)
		clear(p.bytes)
		return
	}
	d.known[hash] = len(d.all)
	d.all = append(d.all, p)
}

// encode adds all forms of v that encoders make.
func (d *deriver) encode(v []byte) {
	var crlf []byte
	bare := !slices.ContainsFunc(v, func(b byte) bool { return !unquotable.has(b) })
	if bytes.IndexByte(v, '\n') >= 0 {
		crlf = bytes.ReplaceAll(bytes.ReplaceAll(v, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	}
	for _, f := range d.options.Forms {
		of := encoders[f]
		if of == nil || bare && slices.Contains(quoting, f) {
			continue
		}
		all := of(v)
		if crlf != nil && slices.Contains(bytewise, f) {
			all = append(all, of(crlf)...)
		}
		for _, p := range all {
			d.add(p.bytes, p)
			clear(p.bytes)
		}
	}
	clear(crlf)
}

// quoting are forms that change nothing in a value of unquotable characters alone.
var (
	quoting    = []Form{URL, JSON, Quoted, Shell, YAML, SQL}
	unquotable = charsetOf(alnum + "_-")
)

// bytewise are forms in which other line breaks look different.
var bytewise = []Form{Base64, Base32, Hex, UTF16, Decimal}

// lines adds each line of v that is long enough, if there are several.
func (d *deriver) lines(v []byte) {
	if !slices.Contains(d.options.Forms, Lines) {
		return
	}
	lines := bytes.FieldsFunc(v, func(r rune) bool { return r == '\n' || r == '\r' })
	for _, line := range lines {
		if line = trimmed(line); len(lines) > 1 && len(line) >= part && !armour(line) {
			d.add(line, pattern{})
		}
	}
}

// armour reports whether a line is one of those that PEM and PGP have around each
// key.
func armour(line []byte) bool {
	return bytes.HasPrefix(line, []byte("-----")) && bytes.HasSuffix(line, []byte("-----"))
}

// leaves returns the strings in v that are forms of their own, if that is an object
// or an array in JSON; also those in JSON within a string.
func leaves(v []byte) (all [][]byte, isJSON bool) {
	var tree any
	if len(v) == 0 || v[0] != '{' && v[0] != '[' || json.Unmarshal(v, &tree) != nil {
		return nil, false
	}
	var walk func(key string, node any)
	walk = func(key string, node any) {
		switch node := node.(type) {
		case string:
			leaf := trimmed([]byte(node))
			if inner, isJSON := leaves(leaf); isJSON {
				all = append(all, inner...)
			} else if !address(node) && (len(leaf) >= part || secretKey.MatchString(key)) {
				all = append(all, leaf)
			}
		case []any:
			for _, n := range node {
				walk(key, n)
			}
		case map[string]any:
			for key, n := range node {
				walk(key, n)
			}
		}
	}
	walk("", tree)
	return all, true
}

// secretKey matches the keys of what is short and secret all the same.
var secretKey = regexp.MustCompile(`(?i)pass|pwd|secret|token|credential|(api|access|private|auth|encryption)[-_]?key`)

// address reports whether s is a URL that holds no more than an address, which a
// log may tell: none with a user, a query, or a long part of its path that mixes
// letters and digits.
func address(s string) bool {
	return (strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")) && !strings.ContainsAny(s, "@?#") &&
		!slices.ContainsFunc(strings.Split(s, "/"), func(part string) bool {
			return len(part) >= 16 && !strings.Contains(part, ".")
		})
}
