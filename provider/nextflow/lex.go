package nextflow

import (
	"bytes"
	"strconv"
	"strings"
)

// kind tells tokens apart.
type kind uint8

const (
	word  kind = iota // an identifier, keyword or number
	text              // a string without interpolations; s is what it stands for
	weave             // a string with interpolations, each a group of sub; s has a NUL for each
	mark              // an operator
	group             // what stands in brackets; s is the opening one
)

// token is a piece of Groovy. Comments are none.
type token struct {
	kind  kind
	s     string
	sub   []token
	line  int
	first bool // begins a line
	apart bool // has a space, a comment or a line break before it
}

func (t token) is(k kind, s string) bool { return t.kind == k && t.s == s }

const (
	maxNesting = 200  // of brackets and interpolations; people use ten
	maxText    = 4096 // what is kept of a string: more than a name or a path has
)

// lexer cuts Groovy, as pipelines use it, into a tree of tokens. It accepts
// anything, and notes what it can't make sense of.
type lexer struct {
	src     []byte
	pos     int
	line    int
	open    []byte // the closing brackets that are due, innermost last, since the last string
	nesting int
	noSlash bool // a slashy string was tried and never ended: slashes divide
	note    func(line int, why string)
}

// code lexes a whole file.
func (l *lexer) code() []token {
	l.line = 1
	l.src = bytes.TrimPrefix(l.src, []byte("\ufeff"))
	if bytes.HasPrefix(l.src, []byte("#!")) {
		l.skipLine()
	}
	return l.tokens()
}

// text lexes a whole file as the inside of a string, and returns its
// interpolations.
func (l *lexer) text() []token {
	l.line = 1
	s := &stringToken{token: &token{}}
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; {
		case c == '\\' && l.pos+1 < len(l.src):
			l.escape(s)
		case c == '$' && l.interpolation(s):
		default:
			l.literal(s)
		}
	}
	return s.sub
}

// tokens lexes up to the closing bracket that is due, and past it, or to the end.
func (l *lexer) tokens() []token {
	var list []token
	for {
		first, apart := l.space()
		if l.pos >= len(l.src) {
			if len(l.open) > 0 {
				l.note(l.line, "a bracket is not closed")
			}
			return list
		}
		c := l.src[l.pos]
		if c == '}' || c == ')' || c == ']' {
			if n := len(l.open); n > 0 && l.open[n-1] == c {
				l.pos++
				return list
			}
			l.note(l.line, "a bracket is closed that is not open")
			if bytes.IndexByte(l.open, c) >= 0 {
				return list // an outer one: the inner ones end with it
			}
			l.pos++
			continue
		}
		t := l.one(list)
		t.first, t.apart = first, apart
		list = append(list, t)
	}
}

// one lexes the token at pos, which is not a closing bracket. list is what stands
// before it.
func (l *lexer) one(list []token) token {
	t := token{line: l.line}
	rest := l.src[l.pos:]
	switch c := rest[0]; {
	case c == '{' || c == '(' || c == '[':
		l.pos++
		t.kind, t.s, t.sub = group, string(c), l.nested(closing[c])
	case c == '\'' || c == '"':
		quote := rest[:1]
		if len(rest) >= 3 && rest[1] == c && rest[2] == c {
			quote = rest[:3]
		}
		l.pos += len(quote)
		l.str(&t, string(quote), c == '"')
	case c == '/' && l.slashy(&t, list, "/", "/"), c == '$' && l.slashy(&t, list, "$/", "/$"):
	case wordStart(c) || '0' <= c && c <= '9':
		n := 1
		for n < len(rest) && (wordStart(rest[n]) || '0' <= rest[n] && rest[n] <= '9') {
			n++
		}
		t.kind, t.s = word, string(rest[:n])
		l.pos += n
	default:
		t.kind, t.s = mark, string(rest[:1])
		for _, m := range marks {
			if bytes.HasPrefix(rest, []byte(m)) {
				t.s = m
				break
			}
		}
		l.pos += len(t.s)
	}
	return t
}

var closing = map[byte]byte{'{': '}', '(': ')', '[': ']'}

// marks are the operators of more than one character that matter here, or that
// hold one that does; longer ones first.
var marks = []string{"==~", "<=>", "===", "!==", "?.", "*.", ".&", "?:", "->", "==", "!=", "<=", ">=", "=~",
	"&&", "||", "+=", "-=", "*=", "/=", "%=", "..", "::"}

// A dollar is part of an identifier in Groovy; here it never begins one that
// matters.
func wordStart(c byte) bool {
	return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' || c >= 0x80
}

// nested lexes what is within brackets, or within an interpolation.
func (l *lexer) nested(due byte) []token {
	if l.nesting >= maxNesting {
		l.note(l.line, "is nested too deeply: the rest of the file is not read")
		l.pos = len(l.src)
		return nil
	}
	l.nesting++
	l.open = append(l.open, due)
	list := l.tokens()
	l.open = l.open[:len(l.open)-1]
	l.nesting--
	return list
}

// space skips blanks, line breaks and comments.
func (l *lexer) space() (first, apart bool) {
	first = l.pos == 0
	for l.pos < len(l.src) {
		rest := l.src[l.pos:]
		switch {
		case rest[0] == '\n':
			l.line++
			l.pos++
			first = true
		case rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\r' || rest[0] == '\f':
			l.pos++
		case rest[0] == '\\' && len(rest) > 1 && (rest[1] == '\n' || rest[1] == '\r'):
			l.pos += 2 // the line goes on
			if rest[1] == '\n' {
				l.line++
			}
		case bytes.HasPrefix(rest, []byte("//")):
			l.skipLine()
		case bytes.HasPrefix(rest, []byte("/*")):
			end := bytes.Index(rest[2:], []byte("*/"))
			if end < 0 {
				l.note(l.line, "a comment is not ended")
				end = len(rest) - 4
			}
			comment := rest[:min(end+4, len(rest))]
			lines := bytes.Count(comment, []byte("\n"))
			l.line += lines
			first = first || lines > 0
			l.pos += len(comment)
		default:
			return first, apart
		}
		apart = true
	}
	return first, apart
}

func (l *lexer) skipLine() {
	if end := bytes.IndexByte(l.src[l.pos:], '\n'); end >= 0 {
		l.pos += end
	} else {
		l.pos = len(l.src)
	}
}

// str lexes a quoted string from after its opening quote.
func (l *lexer) str(t *token, quote string, interpolates bool) {
	s := &stringToken{token: t}
	for l.pos < len(l.src) {
		rest := l.src[l.pos:]
		switch {
		case bytes.HasPrefix(rest, []byte(quote)):
			l.pos += len(quote)
			s.end()
			return
		case rest[0] == '\\' && len(rest) > 1:
			l.escape(s)
		case rest[0] == '\n' && len(quote) == 1:
			l.note(l.line, "a string is not ended")
			s.end()
			return
		case rest[0] == '$' && interpolates && l.interpolation(s):
		default:
			l.literal(s)
		}
	}
	l.note(t.line, "a string is not ended")
	s.end()
}

// slashy lexes a string between slashes, where one may stand and if it ends, and
// reports whether it did.
func (l *lexer) slashy(t *token, list []token, begin, end string) bool {
	if l.noSlash || !bytes.HasPrefix(l.src[l.pos:], []byte(begin)) || len(list) > 0 && endsOperand(list[len(list)-1]) {
		return false
	}
	before, note := *l, l.note
	type noted struct {
		line int
		why  string
	}
	var kept []noted
	l.note = func(line int, why string) { kept = append(kept, noted{line, why}) }
	l.pos += len(begin)
	s := &stringToken{token: t}
	for l.pos < len(l.src) {
		rest := l.src[l.pos:]
		switch {
		case bytes.HasPrefix(rest, []byte(end)):
			l.pos += len(end)
			s.end()
			l.note = note
			for _, n := range kept {
				note(n.line, n.why)
			}
			return true
		case begin == "/" && bytes.HasPrefix(rest, []byte(`\/`)), begin == "$/" && (bytes.HasPrefix(rest, []byte("$$")) || bytes.HasPrefix(rest, []byte("$/"))):
			l.pos++
			l.literal(s)
		case rest[0] == '$' && l.interpolation(s):
		default:
			l.literal(s)
		}
	}
	*l = before
	l.noSlash = true
	*t = token{line: t.line}
	return false
}

// endsOperand reports whether a slash after the token divides.
func endsOperand(t token) bool {
	switch t.kind {
	case word:
		switch t.s {
		case "return", "in", "assert", "else", "case", "instanceof", "throw":
			return false
		}
		return true
	case mark:
		return t.s == "++" || t.s == "--"
	default:
		return true
	}
}

// interpolation lexes ${code} or $path at pos, and reports whether there is one.
func (l *lexer) interpolation(s *stringToken) bool {
	if l.pos+1 >= len(l.src) {
		return false
	}
	t := token{kind: group, s: "{", line: l.line}
	switch c := l.src[l.pos+1]; {
	case c == '{':
		l.pos += 2
		open := l.open
		l.open = nil // no bracket outside the string ends by one inside
		t.sub = l.nested('}')
		l.open = open
	case wordStart(c):
		l.pos++
		for {
			name := l.one(nil)
			t.sub = append(t.sub, name)
			if l.pos+1 >= len(l.src) || l.src[l.pos] != '.' || !wordStart(l.src[l.pos+1]) {
				break
			}
			t.sub = append(t.sub, token{kind: mark, s: ".", line: l.line})
			l.pos++
		}
	default:
		return false
	}
	s.sub = append(s.sub, t)
	s.add(0)
	return true
}

// escape reads a backslash and what it stands for.
func (l *lexer) escape(s *stringToken) {
	c := l.src[l.pos+1]
	l.pos += 2
	if i := strings.IndexByte("btnfrs", c); i >= 0 {
		s.add("\b\t\n\f\r "[i])
		return
	}
	switch c {
	case '\n':
		l.line++
	case '\r':
	case 'u':
		for l.pos < len(l.src) && l.src[l.pos] == 'u' {
			l.pos++
		}
		digits := l.src[l.pos:min(l.pos+4, len(l.src))]
		if r, err := strconv.ParseUint(string(digits), 16, 16); err == nil && len(digits) == 4 {
			l.pos += 4
			s.add([]byte(string(rune(r)))...)
			return
		}
		s.add('u')
	default:
		s.add(c)
	}
}

func (l *lexer) literal(s *stringToken) {
	if l.src[l.pos] == '\n' {
		l.line++
	}
	s.add(l.src[l.pos])
	l.pos++
}

// stringToken gathers a string.
type stringToken struct {
	*token
	buf []byte
}

func (s *stringToken) add(b ...byte) {
	if len(s.buf) < maxText {
		s.buf = append(s.buf, b...)
	}
}

func (s *stringToken) end() {
	s.kind, s.s = text, string(s.buf)
	if len(s.sub) > 0 {
		s.kind = weave
	}
}
