package redact

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// written makes patterns of texts.
func written(texts ...string) (all []pattern) {
	for _, text := range texts {
		all = append(all, pattern{bytes: []byte(text)})
	}
	return all
}

// escaped replaces each byte of v that is not among these by what escape makes of
// it.
func escaped(v []byte, these *charset, escape func(b byte) string) string {
	var out strings.Builder
	for _, b := range v {
		if these.has(b) {
			out.WriteByte(b)
		} else {
			out.WriteString(escape(b))
		}
	}
	return out.String()
}

// What is left as it is in URLs, by those who escape what else there is: there are
// nearly as many ways as libraries.
var unescaped = []*charset{
	charsetOf(alnum + "-._~"),                         // RFC 3986, url.QueryEscape
	charsetOf(alnum + "-._~/"),                        // Python's quote
	charsetOf(alnum + "-._~!*'()"),                    // encodeURIComponent
	charsetOf(alnum + "-._~!*'();/?:@&=+$,#"),         // encodeURI
	charsetOf(alnum + "-._~$&+=:@"),                   // url.PathEscape
	charsetOf(alnum + "-._~$&+,/:;=@"),                // url.URL's path
	charsetOf(alnum + "-._~$&+,;="),                   // url.Userinfo
	charsetOf(alnum + "-._*"),                         // forms: URLSearchParams, Java's URLEncoder
	charsetOf(alnum + "-._~!$%&'()*+,"),               // WHATWG's user information
	charsetOf(alnum + "-._~!$%&'()*+,/:;=@[]|\\"),     // and path
	charsetOf(alnum + "-._~!$%&()*+,/:;=?@[]^|`{}\\"), // and query
}

const alnum = capital + small + digits

// inURL returns v escaped in each way, also with "+" for a space, and that escaped
// again.
func inURL(v []byte) (all []pattern) {
	for _, digits := range []string{"0123456789ABCDEF", "0123456789abcdef"} {
		for _, bare := range unescaped {
			once := escaped(v, bare, func(b byte) string { return string([]byte{'%', digits[b>>4], digits[b&15]}) })
			spaced := strings.ReplaceAll(once, "%20", "+")
			all = append(all, written(once, spaced, strings.ReplaceAll(once, "%", "%25"), strings.ReplaceAll(spaced, "%", "%25"))...)
		}
	}
	return all
}

var (
	forGson = strings.NewReplacer("=", `\u003d`, "'", `\u0027`)
	// What others than Go don't escape.
	bareJSON = strings.NewReplacer(`\u2028`, "\u2028", `\u2029`, "\u2029", `\ufffd`, "\ufffd")
)

// inJSON returns v as it is in a JSON string, and as a JSON string that holds that
// is in another.
func inJSON(v []byte) []pattern {
	plain, safe := goJSON(string(v), false), goJSON(string(v), true)
	bare := bareJSON.Replace(plain)
	ascii, upper := asciiJSON(bare, `\u%04x`), asciiJSON(bare, `\u%04X`)
	gson := forGson.Replace(safe)
	slashed := func(s string) string { return strings.ReplaceAll(s, "/", `\/`) }
	all := written(plain, bare, safe, gson, ascii, upper, slashed(bare), slashed(ascii))
	for _, inner := range []string{plain, bare, safe, ascii} {
		all = append(all, written(goJSON(inner, false), goJSON(inner, true))...)
	}
	return all
}

// goJSON is encoding/json's string without its quotes.
func goJSON(s string, html bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	_ = e.Encode(s) // a string has no error
	return strings.TrimSuffix(strings.TrimPrefix(b.String(), `"`), "\"\n")
}

// asciiJSON escapes of a JSON string all that is not printable ASCII, as Python's
// and PHP's do.
func asciiJSON(s, verb string) string {
	var out strings.Builder
	for _, r := range s {
		if r < 0x7f {
			out.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&out, verb, unit)
		}
	}
	return out.String()
}

// unquoted takes the quotes off.
func unquoted(s string) string { return s[1 : len(s)-1] }

var (
	apostrophe = strings.NewReplacer(`'`, `\'`)
	python     = strings.NewReplacer(`\"`, `"`, `'`, `\'`) // of what Go quotes
	inLDAP     = charsetOf(alnum + " !\"#$%&'+,-./:;<=>?@[]^_`{|}~")
)

// quoted returns v as programming languages print it, and as a pattern of a
// regular expression and of an LDAP filter that it is part of.
func quoted(v []byte) []pattern {
	q, ascii := unquoted(strconv.Quote(string(v))), unquoted(strconv.QuoteToASCII(string(v)))
	ldap := escaped(v, inLDAP, func(b byte) string { return fmt.Sprintf(`\%02x`, b) })
	all := written(q, ascii, python.Replace(q), python.Replace(ascii), strings.ReplaceAll(q, `\"`, `"`), regexp.QuoteMeta(string(v)), ldap)
	for _, verb := range []string{`\x%02x`, `\x%02X`} { // Python's bytes and ascii, Node.js
		for _, text := range []string{hexQuoted(v, verb, utf8.RuneSelf), hexQuoted(v, verb, 0x100), hexRunes(v, verb, false), hexRunes(v, verb, true)} {
			all = append(all, written(text, apostrophe.Replace(text))...)
		}
	}
	return all
}

// named are the characters that have a letter after a backslash nearly everywhere.
var named = map[rune]string{'\\': `\\`, '\t': `\t`, '\n': `\n`, '\r': `\r`}

// hexQuoted writes bytes that are no printable ASCII in hex, those from bare on as
// they are.
func hexQuoted(v []byte, verb string, bare int) string {
	var out strings.Builder
	for _, b := range v {
		switch name := named[rune(b)]; {
		case name != "":
			out.WriteString(name)
		case b < 0x20 || b == 0x7f || b > 0x7f && bare > utf8.RuneSelf:
			fmt.Fprintf(&out, verb, b)
		default:
			out.WriteByte(b)
		}
	}
	return out.String()
}

// hexRunes writes runes in hex that are no printable ASCII, or that are not
// printable.
func hexRunes(v []byte, verb string, bare bool) string {
	var out strings.Builder
	for _, r := range string(v) {
		switch name := named[r]; {
		case name != "":
			out.WriteString(name)
		case r >= 0x20 && r < 0x7f, bare && unicode.IsPrint(r):
			out.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&out, verb, r)
		case r < 0x10000:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			fmt.Fprintf(&out, `\U%08x`, r)
		}
	}
	return out.String()
}

// inYAML returns v between double quotes; what else YAML writes is as in SQL or
// JSON.
func inYAML(v []byte) []pattern {
	double := yamlNames.Replace(string(v))
	var all []string
	for _, bare := range []bool{false, true} {
		var out strings.Builder
		for _, r := range double {
			switch {
			case r >= 0x20 && r < 0x7f, bare && unicode.IsPrint(r):
				out.WriteRune(r)
			case r < 0x100:
				fmt.Fprintf(&out, `\x%02X`, r)
			case r < 0x10000:
				fmt.Fprintf(&out, `\u%04X`, r)
			default:
				fmt.Fprintf(&out, `\U%08X`, r)
			}
		}
		all = append(all, out.String())
	}
	return written(all...)
}

var yamlNames = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\x00", `\0`, "\a", `\a`, "\b", `\b`, "\t", `\t`, "\n", `\n`, "\v", `\v`,
	"\f", `\f`, "\r", `\r`, "\x1b", `\e`, "\u0085", `\N`, "\u00a0", `\_`, "\u2028", `\L`, "\u2029", `\P`)

// bashBare is what bash's printf %q leaves as it is, but for "#" and "~" where a
// word begins, and "~" where a path may.
var bashBare = charsetOf(alnum + "%+-./:=@_#~")

func bashQuoted(v []byte) string {
	var out strings.Builder
	for i, b := range v {
		special := b == '#' && i == 0 || b == '~' && (i == 0 || v[i-1] == '=' || v[i-1] == ':')
		if special || b < utf8.RuneSelf && !bashBare.has(b) {
			out.WriteByte('\\')
		}
		out.WriteByte(b)
	}
	return out.String()
}

var doubleQuoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`")

// apostrophes are several of them in a row, which some shells write together.
var apostrophes = regexp.MustCompile("'+")

func inShell(v []byte) []pattern {
	s := string(v)
	all := written(
		strings.ReplaceAll(s, "'", `'\''`),
		strings.ReplaceAll(s, "'", `'"'"'`),
		apostrophes.ReplaceAllString(s, `'"$0"'`), // dash, busybox
		doubleQuoted.Replace(s),
		bashQuoted(v))
	for _, bare := range []func(rune) bool{nobody, everybody, unicode.IsPrint} { // as the locale has it
		all = append(all, written(dollarQuoted(v, bare, false), dollarQuoted(v, bare, true))...)
	}
	return all
}

func nobody(rune) bool      { return false }
func everybody(r rune) bool { return true }

// dollarQuoted returns what bash writes between $' and ', and bare runes beyond ASCII
// as they are. Or else, as coreutils do, in single quotes of which only the others
// are left for these.
func dollarQuoted(v []byte, bare func(rune) bool, single bool) string {
	var out strings.Builder
	within := false // $' and '
	octal := func(b []byte) {
		if single && !within {
			out.WriteString(`'$'`)
		}
		within = true
		for _, c := range b {
			if i := strings.IndexByte("\a\b\t\n\v\f\r\x1b", c); i >= 0 && (c != esc || !single) {
				out.Write([]byte{'\\', "abtnvfrE"[i]})
			} else {
				fmt.Fprintf(&out, `\%03o`, c)
			}
		}
	}
	for len(v) > 0 {
		r, n := utf8.DecodeRune(v)
		b := v[:n]
		v = v[n:]
		switch {
		case r < 0x20 || r == 0x7f, r >= utf8.RuneSelf && (r == utf8.RuneError && n == 1 && !bare('\U0010FFFF') || !bare(r)):
			octal(b)
			continue
		case single && within:
			out.WriteString(`''`)
		}
		within = false
		switch {
		case r == '\'' && single:
			out.WriteString(`'\''`)
		case (r == '\'' || r == '\\') && !single:
			out.WriteString(`\` + string(r))
		default:
			out.Write(b)
		}
	}
	return out.String()
}

var (
	xmlText  = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	xmlQuote = strings.NewReplacer(`"`, "&quot;")
	// Programs differ in how they write an apostrophe; Python's html.escape and PHP's
	// are in hex and with a zero. Line breaks are those of attributes.
	xmlQuotes = []*strings.Replacer{
		xmlQuote, strings.NewReplacer(`"`, "&quot;", "'", "&apos;"), strings.NewReplacer(`"`, "&quot;", "'", "&#39;"),
		strings.NewReplacer(`"`, "&quot;", "'", "&#x27;"), strings.NewReplacer(`"`, "&quot;", "'", "&#039;"),
		strings.NewReplacer(`"`, "&quot;", "\n", "&#10;", "\r", "&#13;", "\t", "&#9;"),
	}
)

func inXML(v []byte) []pattern {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, v) // a buffer has no error
	s := string(v)
	text := xmlText.Replace(s)
	all := written(b.String(), html.EscapeString(s), text)
	for _, quotes := range xmlQuotes {
		all = append(all, written(quotes.Replace(text))...)
	}
	all = append(all, written(asciiXML(text), asciiXML(xmlQuote.Replace(text)))...)
	var decimal, lower []byte
	for _, r := range s {
		decimal = append(strconv.AppendInt(append(decimal, "&#"...), int64(r), 10), ';')
		lower = append(strconv.AppendInt(append(lower, "&#x"...), int64(r), 16), ';')
	}
	upper := bytes.ReplaceAll(bytes.ToUpper(lower), []byte("&#X"), []byte("&#x"))
	return append(all, pattern{bytes: decimal}, pattern{bytes: lower}, pattern{bytes: upper})
}

// asciiXML writes what is not ASCII in decimal.
func asciiXML(s string) string {
	var out strings.Builder
	for _, r := range s {
		if r < utf8.RuneSelf {
			out.WriteRune(r)
		} else {
			fmt.Fprintf(&out, "&#%d;", r)
		}
	}
	return out.String()
}

var (
	postgresQuote = strings.NewReplacer(`\`, `\\`, "'", "''") // quote_literal
	mysqlQuote    = strings.NewReplacer(`\`, `\\`, "'", `\'`)
	mysqlAll      = strings.NewReplacer(`\`, `\\`, "'", `\'`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\x00", `\0`, "\x1a", `\Z`) // mysql_real_escape_string
)

func inSQL(v []byte) []pattern {
	s := string(v)
	return written(strings.ReplaceAll(s, "'", "''"), strings.ReplaceAll(s, `"`, `""`), postgresQuote.Replace(s), mysqlQuote.Replace(s), mysqlAll.Replace(s))
}
