package nextflow

// statement cuts the first statement off a list.
func statement(list []token) (st, rest []token) {
	for i, t := range list {
		switch {
		case t.is(mark, ";"):
			return list[:i], list[i+1:]
		case i > 0 && t.first && !continues(list[:i], t), i == 2 && labels(list[:2]) && !t.is(mark, ":"):
			return list[:i], list[i:]
		case t.is(mark, "->"):
			return list[:i+1], list[i+1:] // the parameters of a closure
		}
	}
	return list, nil
}

// labels reports whether two tokens are a label such as "script:".
func labels(list []token) bool {
	return list[0].kind == word && list[1].is(mark, ":") && (sections[list[0].s] || workflowSections[list[0].s])
}

var workflowSections = map[string]bool{"take": true, "main": true, "emit": true, "publish": true, "onComplete": true, "onError": true}

// continues reports whether a token that begins a line goes on with the statement
// before it.
func continues(before []token, t token) bool {
	if t.kind == mark {
		switch t.s {
		case ".", "?.", "*.", "?", ":", "?:", "&&", "||", "==", "!=", "=", "+", ",", "*", "->":
			return true
		}
		return false
	}
	if t.is(group, "{") {
		return true
	}
	prev := before[len(before)-1]
	if prev.kind != mark {
		return prev.is(word, "in")
	}
	switch prev.s {
	case ";", "++", "--", "->":
		return false
	case ":":
		return len(before) != 2 || before[0].kind != word
	}
	return true
}

// hasAssignment reports whether a statement assigns.
func hasAssignment(st []token) bool {
	for _, t := range st {
		if t.is(mark, "=") {
			return true
		}
	}
	return false
}

// declaresOwn reports whether a statement makes "secrets" a name of the pipeline's
// own, from there to the end of the block.
func declaresOwn(st []token) bool {
	switch {
	case len(st) < 2 || st[0].kind != word:
		return false
	case st[0].s == "secrets":
		return st[1].is(mark, "=")
	case st[0].s == "include" && st[1].is(group, "{"):
		for i, t := range st[1].sub {
			if t.is(word, "secrets") && (i+1 == len(st[1].sub) || !st[1].sub[i+1].is(word, "as")) {
				return true
			}
		}
		return false
	case st[0].s == "def" && st[1].is(group, "("):
		return hasParameter(st[1].sub)
	case (st[0].s == "process" || st[0].s == "workflow") && st[1].is(word, "secrets"):
		return true
	}
	for i, t := range st {
		if i > 0 && t.is(word, "secrets") {
			ends := i+1 == len(st) || st[i+1].is(mark, "=") || st[i+1].is(mark, ",")
			if ends && (declares(st[i-1]) || qualifies(st[i-1])) {
				return true
			}
		}
		if t.is(group, "(") && i > 0 && st[i-1].kind == word {
			if qualifies(st[i-1]) && len(t.sub) == 1 && t.sub[0].is(word, "secrets") || st[i-1].s == "tuple" && declaresOwn(withFirst(t.sub)) {
				return true
			}
		}
	}
	return false
}

// withFirst lets what stands in brackets be looked at as a statement.
func withFirst(list []token) []token {
	return append([]token{{kind: word, s: "tuple"}}, list...)
}

// declares reports whether a variable's name follows a token: a type or what
// stands for one.
func declares(t token) bool {
	switch t.kind {
	case word:
		return t.s == "def" || t.s == "final" || t.s == "var" || 'A' <= t.s[0] && t.s[0] <= 'Z'
	case mark:
		return t.s == ">"
	default:
		return t.is(group, "[") && len(t.sub) == 0
	}
}

// qualifies reports whether the name of a process input follows a token.
func qualifies(t token) bool {
	if t.kind != word {
		return false
	}
	switch t.s {
	case "val", "path", "file", "env", "each":
		return true
	}
	return false
}

// declaresParameter reports whether a statement that ends in a block gives it a
// parameter of the name "secrets".
func declaresParameter(st []token) bool {
	n := len(st)
	if n < 3 || !st[n-2].is(group, "(") || st[0].kind != word {
		return false
	}
	if st[0].s != "for" && st[0].s != "catch" && (n < 4 || st[n-3].kind != word) {
		return false
	}
	return hasParameter(st[n-2].sub)
}

// parametersShadow reports whether a closure has a parameter of the name
// "secrets".
func parametersShadow(list []token) bool {
	for i, t := range list {
		if t.is(mark, "->") {
			return hasParameter(list[:i])
		}
		if t.kind == mark && t.s != "," && t.s != "=" && t.s != "<" && t.s != ">" || t.kind == weave {
			return false
		}
	}
	return false
}

func hasParameter(list []token) bool {
	for i, t := range list {
		if t.is(group, "(") && hasParameter(t.sub) {
			return true
		}
		if !t.is(word, "secrets") || i > 0 && (list[i-1].is(word, "in") || list[i-1].is(mark, ":") || list[i-1].is(mark, "=")) {
			continue
		}
		if i+1 == len(list) || list[i+1].is(mark, ",") || list[i+1].is(mark, "=") || list[i+1].is(word, "in") || list[i+1].is(mark, ":") {
			return true
		}
	}
	return false
}
