package nextflow

import (
	"slices"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// scope is what is known at a place of the sources.
type scope struct {
	mode     mode
	at       at     // in configuration
	profile  string // in configuration
	guards   *guard // names that a test has found
	maybe    bool   // under a condition
	required bool   // within an assertion
	shadowed bool   // "secrets" is a variable of the pipeline's own
	fatal    func() // to call if the statement that follows ends the pipeline
	depth    int    // of conditional expressions within each other
}

// guard is a list of names, of which there are at most maxGuards.
type guard struct {
	name  secrets.Name
	count int
	next  *guard
}

const maxGuards = 50 // names found at once; of more, the rest are needed

func (s scope) guarded(name secrets.Name) bool {
	for g := s.guards; g != nil; g = g.next {
		if g.name == name {
			return true
		}
	}
	return false
}

func (s scope) guard(names []secrets.Name) scope {
	for _, n := range names {
		count := 1
		if s.guards != nil {
			count += s.guards.count
		}
		if count > maxGuards {
			break
		}
		s.guards = &guard{n, count, s.guards}
	}
	return s
}

// outcome is the names that are there if a condition holds, and if it does not.
type outcome struct {
	yes, no []secrets.Name
}

const maxTernaries = 100 // within each other

// expressions reads expressions with commas between them.
func (r *reader) expressions(list []token, sc scope) {
	for _, one := range split(list, ",", ";") {
		r.expression(one, sc)
	}
}

// expression reads an expression, with what it may be assigned to.
func (r *reader) expression(list []token, sc scope) {
	question, colon := ternary(list)
	if question < 0 {
		r.logic(list, sc, false)
		return
	}
	if sc.depth >= maxTernaries {
		r.unknown(list[question].line, "is nested too deeply to tell what is optional")
		r.operands(list, sc)
		return
	}
	sc.depth++
	start := operandStart(list[:question])
	r.operands(list[:start], sc)
	found := r.logic(list[start:question], sc, true)
	r.expression(list[question+1:colon], sc.guard(found.yes))
	r.expression(list[colon+1:], sc.guard(found.no))
}

// logic reads operands with "and" and "or" between them. Each is evaluated only
// if what stands before has the outcome that leads there. An operand that is a
// secret alone is a test of it if testing is set, or beside another operand.
func (r *reader) logic(list []token, sc scope, testing bool) outcome {
	var all outcome
	if ors := split(list, "||"); len(ors) > 1 {
		for _, one := range ors {
			found := r.logic(one, sc, true)
			sc = sc.guard(found.no)
			all.no = append(all.no, found.no...)
		}
		return all
	}
	if ands := split(list, "&&"); len(ands) > 1 {
		for _, one := range ands {
			found := r.logic(one, sc, true)
			sc = sc.guard(found.yes)
			all.yes = append(all.yes, found.yes...)
		}
		return all
	}
	start := operandStart(list)
	r.operands(list[:start], sc)
	return r.operand(list[start:], sc, testing)
}

// operand reads one operand of a condition, and tells what it tests.
func (r *reader) operand(list []token, sc scope, testing bool) outcome {
	nots := 0
	for nots+1 < len(list) && list[nots].is(mark, "!") {
		nots++
	}
	switch {
	case nots > 0:
		found := r.operand(list[nots:], sc, true)
		if nots%2 == 1 {
			found.yes, found.no = found.no, found.yes
		}
		return found
	case len(list) == 1 && list[0].is(group, "("):
		if q, _ := ternary(list[0].sub); q < 0 && testing {
			return r.logic(list[0].sub, sc, true)
		}
	case len(list) == 3 && list[0].kind == text && list[1].is(word, "in") && list[2].is(word, "secrets") && !sc.shadowed:
		return outcome{yes: r.use(list[0].line, list[0].s, Tested, true, sc)}
	case len(list) > 1 && list[0].is(word, "secrets") && standsAlone(list, 0) && !sc.shadowed:
		ref, next := referenceAt(list, 0)
		rest := list[next:]
		switch {
		case !ref.named:
		case len(rest) == 0 && (testing || ref.tests):
			return outcome{yes: r.use(list[0].line, ref.name, Tested, true, sc)}
		case len(rest) == 2 && rest[1].is(word, "null") && rest[0].is(mark, "!="),
			len(rest) == 2 && rest[0].is(word, "as") && (rest[1].is(word, "boolean") || rest[1].is(word, "Boolean")):
			return outcome{yes: r.use(list[0].line, ref.name, Tested, true, sc)}
		case len(rest) == 2 && rest[1].is(word, "null") && rest[0].is(mark, "=="):
			return outcome{no: r.use(list[0].line, ref.name, Tested, true, sc)}
		case len(rest) > 0 && rest[0].is(mark, "?.") && testing:
			r.operands(rest, sc)
			return outcome{yes: r.use(list[0].line, ref.name, Read, true, sc)}
		}
	}
	r.operands(list, sc)
	return outcome{}
}

// operands reads what has no conditional at its own level that matters.
func (r *reader) operands(list []token, sc scope) {
	for i := 0; i < len(list); i++ {
		switch t := list[i]; {
		case t.kind == weave:
			for _, code := range t.sub {
				r.block(code.sub, sc.inCode())
			}
		case t.is(group, "{"):
			r.block(t.sub, sc.inCode())
		case t.kind == group:
			r.expressions(t.sub, sc)
		case t.is(word, "secrets") && standsAlone(list, i) && !sc.shadowed:
			ref, next := referenceAt(list, i)
			if !ref.named {
				r.unknown(t.line, ref.why)
				continue // what the brackets hold is read in its turn
			}
			how := Read
			if ref.tests {
				how = Tested
			}
			optional := ref.tests || ref.stoodIn || compared(list, i, next)
			r.use(t.line, ref.name, how, optional, sc)
			i = next - 1
		}
	}
}

// compared reports whether nothing fails if what stands between two places of a
// list is null.
func compared(list []token, from, to int) bool {
	if to < len(list) && list[to].kind == mark {
		switch list[to].s {
		case "?:":
			return !failure(list[to+1:])
		case "?.", "==", "!=":
			return true
		}
	}
	return from > 0 && (list[from-1].is(mark, "==") || list[from-1].is(mark, "!="))
}

// reference is a place that refers to secrets.
type reference struct {
	named   bool
	name    string
	tests   bool   // by the method that it calls
	stoodIn bool   // by a value for where it is missing
	why     string // if it has no name
}

// referenceAt reads the reference at "secrets", and tells where it ends.
func referenceAt(list []token, i int) (reference, int) {
	at := func(j int) token {
		if j < len(list) {
			return list[j]
		}
		return token{}
	}
	switch next := at(i + 1); {
	case next.is(mark, ".") || next.is(mark, "?."):
		switch name := at(i + 2); {
		case name.kind == text:
			return reference{named: true, name: name.s}, i + 3
		case name.kind == word && name.s != "" && at(i+3).is(group, "(") && !at(i+3).apart:
			args := split(at(i+3).sub, ",")
			if len(args) == 0 || len(args[0]) != 1 || args[0][0].kind != text {
				break
			}
			switch name.s {
			case "get", "getAt", "getProperty":
				return reference{named: true, name: args[0][0].s}, i + 4
			case "getOrDefault":
				return reference{named: true, name: args[0][0].s, stoodIn: true}, i + 4
			case "containsKey":
				return reference{named: true, name: args[0][0].s, tests: true}, i + 4
			}
		case name.kind == word && name.s != "" && (at(i+3).first || !at(i+3).is(group, "{")):
			return reference{named: true, name: name.s}, i + 3
		}
		return reference{why: "refers to a secret by a name that only the run knows"}, i + 1
	case next.is(mark, "?") && safeIndex(list, i+1):
		if sub := at(i + 2).sub; len(sub) == 1 && sub[0].kind == text && !at(i+3).is(mark, ":") {
			return reference{named: true, name: sub[0].s}, i + 3
		}
	case next.is(group, "["):
		if len(next.sub) == 1 && next.sub[0].kind == text {
			return reference{named: true, name: next.sub[0].s}, i + 2
		}
	default:
		return reference{why: "uses the secrets as a whole"}, i + 1
	}
	return reference{why: "refers to a secret by a name that only the run knows"}, i + 1
}

// standsAlone reports whether the word at i is a variable, and not a property, a
// key, a label, a method, or what is assigned to.
func standsAlone(list []token, i int) bool {
	if i > 0 && list[i-1].kind == mark {
		switch list[i-1].s {
		case ".", "?.", "*.", ".&", "::", "@":
			return false
		}
	}
	if i+1 == len(list) {
		return true
	}
	switch next := list[i+1]; {
	case next.kind == mark:
		return next.s != ":" && next.s != "="
	case next.is(group, "("):
		return next.apart
	default:
		return !next.is(group, "{")
	}
}

// ternary finds the first "a ? b : c" of a list.
func ternary(list []token) (question, colon int) {
	for question = range list {
		if list[question].is(mark, "?") && !safeIndex(list, question) {
			break
		}
	}
	due := 0
	for colon = question; colon < len(list); colon++ {
		if list[colon].is(mark, "?") && !safeIndex(list, colon) {
			due++
		} else if list[colon].is(mark, ":") && due > 0 {
			if due--; due == 0 {
				return question, colon
			}
		}
	}
	return -1, 0
}

// safeIndex reports whether the question mark at i belongs to secrets?['NAME'].
func safeIndex(list []token, i int) bool {
	return i > 0 && i+1 < len(list) && list[i-1].is(word, "secrets") &&
		list[i+1].is(group, "[") && !list[i].apart && !list[i+1].apart
}

// operandStart returns where the last operand of a list begins: after what it is
// assigned to, returned by, or labelled with.
func operandStart(list []token) int {
	for i := len(list); i > 0; i-- {
		switch t := list[i-1]; t.kind {
		case mark:
			switch t.s {
			case "=", "+=", "->", ":":
				return i
			}
		case word:
			switch t.s {
			case "return", "else", "assert":
				return i
			}
		}
	}
	return 0
}

// split cuts a list at marks of its own level. It returns no empty parts.
func split(list []token, at ...string) [][]token {
	var parts [][]token
	start := 0
	for i := 0; i <= len(list); i++ {
		if i == len(list) || list[i].kind == mark && slices.Contains(at, list[i].s) {
			if i > start {
				parts = append(parts, list[start:i])
			}
			start = i + 1
		}
	}
	return parts
}
