package redact

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strconv"
	"strings"
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

// What URLs may hold as it is.
var (
	unreserved = charsetOf(capital + small + digits + "-._~")       // RFC 3986
	component  = charsetOf(capital + small + digits + "-._~!*'()")  // encodeURIComponent
	inPath     = charsetOf(capital + small + digits + "-._~$&+=:@") // url.PathEscape
)

func inURL(v []byte) (all []pattern) {
	for _, digits := range []string{"0123456789ABCDEF", "0123456789abcdef"} {
		percent := func(b byte) string { return string([]byte{'%', digits[b>>4], digits[b&15]}) }
		once := []string{escaped(v, unreserved, percent), escaped(v, component, percent), escaped(v, inPath, percent)}
		once = append(once, strings.ReplaceAll(once[0], "%20", "+")) // url.QueryEscape
		if user := url.UserPassword("", string(v)).String(); digits[10] == 'A' {
			once = append(once, strings.TrimPrefix(user, ":"))
		}
		for _, text := range once {
			all = append(all, written(text, strings.ReplaceAll(text, "%", "%25"))...)
		}
	}
	return all
}

var forGson = strings.NewReplacer("=", `\u003d`, "'", `\u0027`)

// inJSON returns v as it is in a JSON string, and as a JSON string that holds that
// is in another.
func inJSON(v []byte) []pattern {
	plain, safe := goJSON(string(v), false), goJSON(string(v), true)
	ascii := asciiJSON(string(v))
	gson := forGson.Replace(safe)
	slashed := func(s string) string { return strings.ReplaceAll(s, "/", `\/`) }
	all := written(plain, safe, gson, ascii, slashed(plain), slashed(ascii))
	for _, inner := range []string{plain, safe, ascii} {
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

// asciiJSON escapes all that is not ASCII, as Python's and PHP's do.
func asciiJSON(s string) string {
	var out strings.Builder
	for _, r := range goJSON(s, false) {
		if r < utf8.RuneSelf {
			out.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&out, `\u%04x`, unit)
		}
	}
	return out.String()
}

// unquoted takes the quotes off.
func unquoted(s string) string { return s[1 : len(s)-1] }

var (
	python = strings.NewReplacer(`\"`, `"`, `'`, `\'`) // of what Go quotes
	inLDAP = charsetOf(capital + small + digits + " !\"#$%&'+,-./:;<=>?@[]^_`{|}~")
)

// quoted returns v as programming languages print it, and as a pattern of a
// regular expression and of an LDAP filter that it is part of.
func quoted(v []byte) []pattern {
	q, ascii := unquoted(strconv.Quote(string(v))), unquoted(strconv.QuoteToASCII(string(v)))
	ldap := escaped(v, inLDAP, func(b byte) string { return fmt.Sprintf(`\%02x`, b) })
	return written(q, ascii, python.Replace(q), python.Replace(ascii), strings.ReplaceAll(q, `\"`, `"`), regexp.QuoteMeta(string(v)), ldap)
}

// bashBare is what bash's printf %q leaves as it is, but for "#" and "~" where a
// word begins, and "~" where a path may.
var bashBare = charsetOf(capital + small + digits + "%+-./:=@_#~")

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

func inShell(v []byte) []pattern {
	s := string(v)
	all := written(
		strings.ReplaceAll(s, "'", `'\''`),
		strings.ReplaceAll(s, "'", `'"'"'`),
		doubleQuoted.Replace(s),
		bashQuoted(v))
	for _, bare := range []bool{false, true} { // bytes beyond ASCII, as the locale has it
		all = append(all, written(dollarQuoted(v, bare))...)
	}
	return all
}

// dollarQuoted returns what bash writes between $' and '.
func dollarQuoted(v []byte, bare bool) string {
	var out strings.Builder
	for _, b := range v {
		if i := strings.IndexByte("\a\b\t\n\v\f\r\x1b\\'", b); i >= 0 {
			out.WriteByte('\\')
			out.WriteByte(`abtnvfrE\'`[i])
		} else if b < 0x20 || b == 0x7f || b > 0x7f && !bare {
			fmt.Fprintf(&out, `\%03o`, b)
		} else {
			out.WriteByte(b)
		}
	}
	return out.String()
}

var (
	xmlText  = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	xmlQuote = strings.NewReplacer(`"`, "&quot;")
	// Programs differ in how they write an apostrophe; Python's html.escape is the last.
	xmlQuotes = []*strings.Replacer{
		xmlQuote, strings.NewReplacer(`"`, "&quot;", "'", "&apos;"), strings.NewReplacer(`"`, "&quot;", "'", "&#39;"),
		strings.NewReplacer(`"`, "&quot;", "'", "&#x27;"),
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
	var decimal, lower []byte
	for _, r := range s {
		decimal = append(strconv.AppendInt(append(decimal, "&#"...), int64(r), 10), ';')
		lower = append(strconv.AppendInt(append(lower, "&#x"...), int64(r), 16), ';')
	}
	upper := bytes.ReplaceAll(bytes.ToUpper(lower), []byte("&#X"), []byte("&#x"))
	return append(all, pattern{bytes: decimal}, pattern{bytes: lower}, pattern{bytes: upper})
}

var (
	mysqlQuote = strings.NewReplacer(`\`, `\\`, "'", `\'`)
	mysqlAll   = strings.NewReplacer(`\`, `\\`, "'", `\'`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\x00", `\0`, "\x1a", `\Z`) // mysql_real_escape_string
)

func inSQL(v []byte) []pattern {
	s := string(v)
	return written(strings.ReplaceAll(s, "'", "''"), strings.ReplaceAll(s, `"`, `""`), mysqlQuote.Replace(s), mysqlAll.Replace(s))
}
