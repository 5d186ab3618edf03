package nextflow

import (
	"io/fs"
	"path"
	"strings"
)

// include follows "include { NAME } from 'PATH'".
func (r *reader) include(st []token) {
	at := 1
	for i, t := range st {
		if t.is(word, "from") {
			at = i + 1
		}
	}
	if at == len(st) {
		return
	}
	name, ok := r.target(st[at])
	switch {
	case ok && strings.HasPrefix(name, "plugin/"):
	case !ok:
		r.unknown(st[at].line, "includes a module from elsewhere, or by a path that only the run knows")
	default:
		r.found(st[at].line, source{as: script}, name, name+".nf", path.Join(name, "main.nf"))
	}
}

// includeConfig follows all paths that an include of configuration may mean. What is
// included within a block stands in that block, and in its profile.
func (r *reader) includeConfig(list []token, sc scope) {
	if len(list) == 1 && list[0].is(group, "(") {
		list = list[0].sub
	}
	question, colon := ternary(list)
	if question >= 0 {
		r.includeConfig(list[question+1:colon], sc)
		r.includeConfig(list[colon+1:], sc)
		return
	}
	if len(list) == 0 {
		return
	}
	name, ok := r.target(list[0])
	switch {
	case ok && name == "/dev/null":
	case !ok || len(list) > 1:
		r.unknown(list[0].line, "includes configuration from elsewhere, or by a path that only the run knows")
	default:
		r.found(list[0].line, source{as: config, at: sc.at, profile: sc.profile}, name)
	}
}

// template follows "template 'NAME'".
func (r *reader) template(list []token) {
	if len(list) == 1 && list[0].is(group, "(") {
		list = list[0].sub
	}
	if len(list) == 1 && list[0].kind == text {
		name := list[0].s
		r.found(list[0].line, source{as: template}, path.Join(path.Dir(r.file), "templates", name), path.Join("templates", name))
	} else if len(list) > 0 {
		r.unknown(list[0].line, "uses a template by a name that only the run knows")
	}
}

// target returns the path below the root that an include names.
func (r *reader) target(t token) (string, bool) {
	name, dir := t.s, path.Dir(r.file)
	if t.kind == weave && len(t.sub) == 1 && len(t.sub[0].sub) == 1 && strings.HasPrefix(name, "\x00/") {
		switch t.sub[0].sub[0].s {
		case "projectDir", "baseDir":
			dir = "."
		case "moduleDir":
		default:
			return "", false
		}
		name = name[2:]
	} else if t.kind != text {
		return "", false
	}
	switch {
	case name == "/dev/null" || strings.HasPrefix(name, "plugin/"):
		return name, true
	case name == "" || strings.HasPrefix(name, "/") || strings.Contains(name, ":"):
		return "", false
	}
	name = path.Join(dir, name)
	return name, fs.ValidPath(name)
}

// found follows the first of the paths that is there.
func (r *reader) found(line int, to source, names ...string) {
	for _, name := range names {
		if !fs.ValidPath(name) {
			continue
		}
		if info, err := fs.Stat(r.scan.fsys, name); err == nil && !info.IsDir() {
			to.path = name
			r.scan.follow(to)
			return
		}
	}
	r.unknown(line, "includes a file that is not there")
}
