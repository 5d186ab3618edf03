package nextflow

import (
	"slices"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// mode is what the statements of a block are.
type mode uint8

const (
	inScript mode = iota
	inDirectives
	inConfig
)

// at is where in a configuration a block stands.
type at uint8

const (
	atRoot at = iota
	atProfiles
	atProcess
	atElsewhere
)

// reader reads one file. It tells what it finds to the scan.
type reader struct {
	file string
	scan *scan
}

func (r *reader) unknown(line int, why string) {
	told := r.scan.found.Unknown
	next := Unknown{Place{r.file, line}, why}
	if len(told) == 0 || told[len(told)-1] != next { // a line may go wrong many times
		r.scan.found.Unknown = append(told, next)
	}
}

// use notes a use, and returns its name.
func (r *reader) use(line int, name string, how How, optional bool, sc scope) []secrets.Name {
	n, err := secrets.ParseName(name)
	if err != nil {
		r.unknown(line, "refers to a secret by what is no name of one")
		return nil
	}
	optional = (optional || sc.guarded(n) || how == Declared && sc.maybe) && !sc.required
	r.scan.found.Uses = append(r.scan.found.Uses, Use{
		Place: Place{r.file, line}, Name: n, How: how, Optional: optional, Profile: sc.profile,
	})
	return []secrets.Name{n}
}

// inCode is the scope of a closure or an interpolation.
func (s scope) inCode() scope {
	s.mode = inScript
	return s
}

// block reads the statements of a block.
func (r *reader) block(list []token, sc scope) {
	if parametersShadow(list) {
		sc.shadowed = true
	}
	var label string             // the section of a process or a workflow
	var otherwise []secrets.Name // what is there if the last condition did not hold
	var pending *scope           // of the statement that a condition stands before
	for len(list) > 0 {
		var st []token
		st, list = statement(list)
		if len(st) == 0 {
			continue
		}
		if len(st) == 2 && st[0].kind == word && st[1].is(mark, ":") {
			label = st[0].s
			if sc.mode == inDirectives && sections[label] {
				sc.mode = inScript
			}
			continue
		}
		if pending != nil {
			if pending.fatal != nil && fails(st) {
				pending.fatal()
			}
			pending.fatal = nil
			r.statement(st, *pending)
			pending = nil
			continue
		}
		if label == "take" && len(st) == 1 && st[0].is(word, "secrets") {
			sc.shadowed = true
			continue
		}
		if declaresOwn(st) {
			sc.shadowed = sc.shadowed || !hasAssignment(st)
			r.statement(st, sc)
			sc.shadowed = true
			continue
		}
		switch {
		case len(st) > 1 && st[0].is(word, "if") && st[1].is(group, "("):
			otherwise, pending = r.branches(st, sc)
		case st[0].is(word, "else"):
			inner := sc.guard(otherwise)
			inner.maybe = true
			if len(st) > 2 && st[1].is(word, "if") && st[2].is(group, "(") {
				otherwise, pending = r.branches(st[1:], inner)
			} else if len(st) > 1 {
				r.statement(st[1:], inner)
			} else {
				pending = &inner
			}
		default:
			r.statement(st, sc)
		}
	}
}

// sections end the directives of a process.
var sections = map[string]bool{
	"input": true, "output": true, "when": true, "script": true, "shell": true, "exec": true, "stub": true, "stage": true, "topic": true,
}

// branches reads a statement that begins with "if (...)". It returns what is there
// if none of its conditions held, and the scope of the statement that follows, if
// it ends before the branch.
func (r *reader) branches(st []token, sc scope) (otherwise []secrets.Name, pending *scope) {
	for {
		from := len(r.scan.found.Uses)
		found := r.logic(st[1].sub, sc, true)
		to := len(r.scan.found.Uses)
		required := func(names []secrets.Name) { r.require(from, to, names) }
		otherwise = append(otherwise, found.no...)
		then := sc.guard(found.yes)
		then.maybe = true
		st = st[2:]
		end := slices.IndexFunc(st, func(t token) bool { return t.is(word, "else") })
		switch {
		case len(st) == 0:
			then.fatal = func() { required(found.no) }
			return otherwise, &then
		case end < 0:
			if fails(st) {
				required(found.no)
			}
			r.statement(st, then)
			return otherwise, nil
		}
		if fails(st[:end]) {
			required(found.no)
		}
		if fails(st[end+1:]) {
			required(found.yes)
		}
		r.statement(st[:end], then)
		st = st[end+1:]
		sc = sc.guard(found.no)
		sc.maybe = true
		if len(st) < 2 || !st[0].is(word, "if") || !st[1].is(group, "(") {
			if len(st) == 0 {
				return otherwise, &sc
			}
			r.statement(st, sc)
			return otherwise, nil
		}
	}
}

// require takes back that the pipeline does without what it tests in the uses from one
// to another, since it fails where that is missing.
func (r *reader) require(from, to int, names []secrets.Name) {
	for i, use := range r.scan.found.Uses[from:to] {
		if slices.Contains(names, use.Name) {
			r.scan.found.Uses[from+i].Optional = false
		}
	}
}

// fails reports whether a statement, or one of a block, ends the pipeline.
func fails(st []token) bool {
	if len(st) == 1 && st[0].is(group, "{") {
		for list := st[0].sub; len(list) > 0; {
			var one []token
			if one, list = statement(list); failure(one) {
				return true
			}
		}
		return false
	}
	return failure(st)
}

func failure(st []token) bool {
	if len(st) > 1 && st[0].kind == word {
		switch st[0].s {
		case "error", "exit", "throw":
			return st[1].kind != mark
		case "System":
			return len(st) > 3 && st[2].is(word, "exit")
		}
	}
	return false
}

// statement reads one statement.
func (r *reader) statement(st []token, sc scope) {
	if len(st) == 0 {
		return
	}
	first := st[0]
	last := st[len(st)-1]
	switch {
	case len(st) == 1 && first.is(group, "{"):
		r.block(first.sub, sc) // of a condition, in whose mode it stays
	case len(st) > 1 && first.is(word, "if") && st[1].is(group, "(") && sc.depth < maxTernaries:
		sc.depth++
		r.branches(st, sc) // that of another condition, on its line
	case first.is(word, "assert"):
		for i, part := range split(st[1:], ":", ",") {
			asserted := sc
			asserted.required = i == 0
			r.logic(part, asserted, i == 0)
		}
	case sc.mode == inDirectives && first.is(word, "secret") && len(st) > 1 && !st[1].is(mark, "."):
		r.directive(st[1:], sc)
	case sc.mode == inConfig:
		r.configuration(st, sc)
	case first.is(word, "process") && len(st) == 3 && last.is(group, "{") && sc.mode == inScript:
		sc.mode = inDirectives
		r.block(last.sub, sc)
	case first.is(word, "include") && len(st) > 1:
		r.include(st)
	case first.is(word, "template") && len(st) > 1 && !st[1].is(mark, "="):
		r.template(st[1:])
		r.expressions(st[1:], sc)
	case last.is(group, "{") && declaresParameter(st):
		sc.shadowed = true
		r.block(last.sub, sc)
	default:
		if sc.mode == inDirectives { // within a directive's closure nothing is one
			sc.mode = inScript
		}
		r.expressions(st, sc)
	}
}

// directive reads what a "secret" directive names.
func (r *reader) directive(list []token, sc scope) {
	if len(list) > 0 && list[0].is(mark, "=") {
		list = list[1:]
	}
	if len(list) == 1 && list[0].kind == group && list[0].s != "{" {
		list = list[0].sub
	}
	for _, one := range split(list, ",", ";") {
		r.named(one, sc)
	}
}

// named reads an expression that is the name of a secret, or empty for none.
func (r *reader) named(list []token, sc scope) {
	question, colon := ternary(list)
	switch {
	case question >= 0 && sc.depth < maxTernaries:
		sc.depth++
		found := r.logic(list[:question], sc, true)
		sc.maybe = true
		r.named(list[question+1:colon], sc.guard(found.yes))
		r.named(list[colon+1:], sc.guard(found.no))
	case len(list) == 0 || len(list) == 1 && (list[0].is(word, "null") || list[0].is(text, "")):
	case len(list) == 1 && list[0].kind == text:
		r.use(list[0].line, list[0].s, Declared, false, sc)
	case len(list) == 1 && list[0].kind == group && list[0].s != "{":
		r.directive(list, sc)
	default:
		r.unknown(list[0].line, "declares a secret by a name that only the run knows")
		r.expressions(list, sc)
	}
}
