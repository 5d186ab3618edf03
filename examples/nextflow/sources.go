package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/pipesecrets/pipesecrets/provider/nextflow"
)

// scan reads what will run: the pipeline's sources, and the configuration that
// Nextflow adds to them (Nextflow: ConfigBuilder). known is false if the sources are
// not here, or if the script does not show by its name that it is one: Scan would take
// it for configuration.
func (l *launcher) scan() (refs nextflow.References, known bool, err error) {
	inv := l.nextflow
	dir, main, known := l.project()
	if !known {
		return refs, false, nil
	}
	base := filepath.Join(dir, "nextflow.config")
	if main == "" {
		main = mainScript(inv.mainScript, base)
	}
	if !strings.HasSuffix(main, ".nf") {
		return refs, false, nil
	}
	files := []string{main}
	if len(inv.only) == 0 && isFile(base) {
		files = append(files, "nextflow.config")
	}
	if !isFile(filepath.Join(dir, main)) {
		files = nil // all that there are
	}
	if refs, err = nextflow.Scan(os.DirFS(dir), files...); err != nil {
		return refs, false, errors.New("the pipeline's sources can't be read")
	}
	for _, name := range l.configs(base) {
		path := l.path(name)
		if !isFile(path) {
			refs.Unknown = append(refs.Unknown, nextflow.Unknown{Place: nextflow.Place{File: name}, Why: "is not here to be read"})
			continue
		}
		more, err := nextflow.Scan(os.DirFS(filepath.Dir(path)), filepath.Base(path))
		if err != nil {
			return refs, false, errors.New("a configuration file can't be read")
		}
		for _, u := range more.Uses {
			u.File = filepath.Join(filepath.Dir(name), u.File)
			refs.Uses = append(refs.Uses, u)
		}
		for _, u := range more.Unknown {
			u.File = filepath.Join(filepath.Dir(name), u.File)
			refs.Unknown = append(refs.Unknown, u)
		}
	}
	return refs, true, nil
}

// configs returns the configuration files beside the project's own, which is base.
func (l *launcher) configs(base string) []string {
	inv := l.nextflow
	if len(inv.only) > 0 {
		return inv.only
	}
	var names []string
	local := l.getenv("NXF_CONFIG_FILE")
	if local == "" {
		local = "nextflow.config"
	}
	for _, usual := range []string{filepath.Join(l.home(), "config"), local} {
		if path := l.path(usual); isFile(path) && !same(path, base) {
			names = append(names, usual)
		}
	}
	return append(names, inv.configs...)
}

// manifest finds where a configuration sets the script, past the strings and comments
// in which it may stand as well.
var manifest = regexp.MustCompile(`'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*(?s:.*?)\*/|\bmainScript\s*=\s*['"]([^'"$]+)['"]`)

// mainScript is the script of a project: what the command line says, or else its
// manifest, or else main.nf.
func mainScript(said, config string) string {
	if said != "" {
		return filepath.Clean(said)
	}
	main := "main.nf"
	if text, err := os.ReadFile(config); err == nil {
		for _, m := range manifest.FindAllSubmatch(text, -1) {
			if m[1] != nil {
				main = filepath.Clean(string(m[1])) // the last one counts
			}
		}
	}
	return main
}

// project returns the directory of the pipeline's sources, and its script if the
// command line names that, instead of a directory or beside it.
func (l *launcher) project() (dir, main string, here bool) {
	path := l.path(l.nextflow.pipeline)
	if info, err := os.Stat(path); err == nil && l.nextflow.pipeline != "-" {
		if script := l.nextflow.mainScript; info.IsDir() && script != "" {
			path = l.path(script) // Nextflow looks for it from where it runs, not in the directory (CmdRun)
			return filepath.Dir(path), filepath.Base(path), isFile(path)
		}
		if info.IsDir() {
			return path, "", true
		}
		return filepath.Dir(path), filepath.Base(path), true
	}
	dir, here = l.asset()
	return dir, "", here
}

// asset returns the copy that Nextflow keeps of a pipeline from elsewhere, if it is of
// the revision that will run.
func (l *launcher) asset() (dir string, here bool) {
	inv := l.nextflow
	name := inv.pipeline
	if _, path, ok := strings.Cut(name, "://"); ok { // https://host/organization/name.git
		_, name, _ = strings.Cut(path, "/")
	} else if _, path, ok := strings.Cut(name, ":"); ok { // git@host:organization/name.git
		name = path
	}
	name = strings.TrimSuffix(strings.Trim(name, "/"), ".git")
	root := l.getenv("NXF_ASSETS")
	if root == "" {
		root = filepath.Join(l.home(), "assets")
	}
	if !filepath.IsLocal(name) || strings.ContainsAny(name, `*?[\\`) || inv.latest {
		return "", false
	}
	dir = filepath.Join(root, name)
	if !strings.Contains(name, "/") {
		found, err := filepath.Glob(filepath.Join(root, "*", name))
		if err != nil || len(found) != 1 {
			return "", false
		}
		dir = found[0]
	}
	info, err := os.Stat(dir)
	return dir, err == nil && info.IsDir() && (inv.revision == "" || isAt(filepath.Join(dir, ".git"), inv.revision))
}

// isAt reports whether a repository has checked out a branch, a tag or a commit, as far
// as its plain files tell.
func isAt(git, revision string) bool {
	text, err := os.ReadFile(filepath.Join(git, "HEAD"))
	head := strings.TrimSpace(string(text))
	if branch, ok := strings.CutPrefix(head, "ref: refs/heads/"); ok {
		return branch == revision
	}
	if err != nil || len(head) < 40 {
		return false
	}
	if len(revision) >= 7 && strings.HasPrefix(head, revision) {
		return true
	}
	packed, _ := os.ReadFile(filepath.Join(git, "packed-refs")) // has tags with the commits that they name
	for _, kind := range []string{"refs/tags/", "refs/remotes/origin/"} {
		if !filepath.IsLocal(revision) {
			return false
		}
		if loose, err := os.ReadFile(filepath.Join(git, kind+revision)); err == nil && strings.TrimSpace(string(loose)) == head {
			return true
		}
		if refs := "\n" + string(packed); strings.Contains(refs, "\n"+head+" "+kind+revision+"\n") ||
			strings.Contains(refs, " "+kind+revision+"\n^"+head+"\n") {
			return true
		}
	}
	return false
}

func (l *launcher) home() string {
	if home := l.getenv("NXF_HOME"); home != "" {
		return home
	}
	return filepath.Join(l.getenv("HOME"), ".nextflow")
}

// path is where a path of Nextflow's command line leads.
func (l *launcher) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(l.workdir, name)
}

func (l *launcher) getenv(name string) string {
	value := ""
	for _, set := range l.environ {
		if v, ok := strings.CutPrefix(set, name+"="); ok {
			value = v // the last one counts, as package os/exec has it
		}
	}
	return value
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func same(a, b string) bool {
	one, err := os.Stat(a)
	two, failed := os.Stat(b)
	return err == nil && failed == nil && os.SameFile(one, two)
}
