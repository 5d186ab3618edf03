package nextflow

import (
	"slices"
	"strings"
)

// configuration reads one statement of a configuration file.
func (r *reader) configuration(st []token, sc scope) {
	first, last := st[0], st[len(st)-1]
	equals := slices.IndexFunc(st, func(t token) bool { return t.is(mark, "=") })
	switch {
	case first.is(word, "def"):
		sc.mode = inScript
		r.statement(st, sc)
	case first.is(word, "try"):
		for _, t := range st {
			if t.is(group, "{") {
				r.block(t.sub, sc)
			}
		}
	case first.is(word, "includeConfig") && len(st) > 1:
		r.includeConfig(st[1:], sc)
		r.expressions(st[1:], sc)
	case equals > 0:
		names := dotted(st[:equals])
		for _, name := range names[:max(len(names)-1, 0)] {
			sc = sc.within(name)
		}
		if sc.at == atProcess && len(names) > 0 && names[len(names)-1] == "secret" {
			r.directive(st[equals:], sc)
			return
		}
		r.expressions(st[equals+1:], sc)
	case len(st) > 1 && last.is(group, "{"):
		for _, name := range dotted(st[:len(st)-1]) {
			sc = sc.within(name)
		}
		r.block(last.sub, sc)
	default:
		r.expressions(st, sc)
	}
}

// dotted returns the names of a dotted path, up to what a selector selects.
func dotted(list []token) []string {
	var names []string
	for _, t := range list {
		switch {
		case t.kind == word || t.kind == text:
			names = append(names, t.s)
		case t.is(mark, ":"):
			return names
		}
	}
	return names
}

// within is the scope of a block of a configuration file.
func (s scope) within(name string) scope {
	switch {
	case s.at == atProfiles:
		s.profile, s.at = name, atRoot
	case s.at == atRoot && name == "profiles":
		s.at = atProfiles
	case s.at == atRoot && name == "process":
		s.at = atProcess
	case s.at == atProcess && (strings.HasPrefix(name, "withName") || strings.HasPrefix(name, "withLabel")):
	default:
		s.at = atElsewhere
	}
	return s
}
