package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/precedence"
	"github.com/pipesecrets/pipesecrets/provider/hpc"
	"github.com/pipesecrets/pipesecrets/provider/nextflow"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// wants is what a pipeline is given.
type wants struct {
	known bool // that its sources were read
	needs []nextflow.Need
	uses  []nextflow.Use // with the profiles that are chosen
	blind bool           // something in the sources could not be told
}

// tellings is how many places that can't be told are told one by one.
const tellings = 10

// wants finds out what the pipeline refers to, and tells what can't be found out.
func (l *launcher) wants() (wants, error) {
	refs, known, err := l.scan()
	if err != nil {
		return wants{}, err
	}
	if !known {
		l.say("the pipeline's sources can't be read here as they will run: all secrets of the workspace and the user are staged")
		return wants{}, nil
	}
	for i, u := range refs.Unknown {
		if i == tellings {
			l.say("so do %d more places", len(refs.Unknown)-i)
			break
		}
		l.say("may need a secret that is not staged: %s", u)
	}
	profiles := l.nextflow.profiles
	w := wants{known: true, needs: refs.Needs(profiles...), blind: len(refs.Unknown) > 0}
	if len(profiles) == 0 {
		profiles = []string{"standard"}
	}
	for _, u := range refs.Uses {
		if u.Profile == "" || slices.Contains(profiles, u.Profile) {
			w.uses = append(w.uses, u)
		}
	}
	return w, nil
}

// staged says in which form the run's secrets are staged. By the route, files that
// wrappers source carry any value to processes, and the store is only for what the
// pipeline itself reads or tests; else the store is for both, and the file for replays.
func (w wants) staged(route bool) hpc.Config {
	switch {
	case route:
		onlyDeclared := !slices.ContainsFunc(w.uses, func(u nextflow.Use) bool { return u.How != nextflow.Declared })
		return hpc.Config{NoStore: w.known && !w.blind && onlyDeclared}
	case !w.known: // what is escaped for tasks, the pipeline must not read
		return hpc.Config{Store: nextflow.Store{Form: nextflow.Unharmed}}
	}
	var read []secrets.Name
	for _, need := range w.needs {
		if need.Read {
			read = append(read, need.Name)
		}
	}
	return hpc.Config{Store: nextflow.Store{Form: nextflow.Escaped, Read: read}}
}

// request asks for what the pipeline refers to, or for all where that is not known.
func (w wants) request(id secrets.RunID) pipesecrets.LaunchRequest {
	r := pipesecrets.LaunchRequest{Run: id, Workspace: workspace}
	if !w.known {
		r.All = []secrets.Kind{secrets.Workspace, secrets.User}
		return r
	}
	r.Wants, r.All = []precedence.Want{}, []secrets.Kind{} // of which neither is "the usual ones"
	for _, need := range w.needs {
		r.Wants = append(r.Wants, precedence.Want{Name: need.Name, Optional: need.Optional})
	}
	return r
}

// places is how many places that need a secret are told.
const places = 3

// explained adds to a refused launch which places need the secrets that are its
// problem, and what would carry a value.
func (w wants) explained(err error, route bool) error {
	var refused *pipesecrets.RequestError
	if !errors.As(err, &refused) {
		return err
	}
	carried := true
	lines := []string{"nothing was started:"}
	for _, p := range refused.Problems {
		carried = carried && p.Target == ""
		lines = append(lines, "  "+p.String()+w.where(p.Name))
	}
	if !carried && !route {
		lines = append(lines, "  "+hint)
	}
	return errors.New(strings.Join(lines, "\n"))
}

const hint = "-route carries any value without a NUL byte to processes"

// where tells the places that need a secret, those that can't do without it first.
func (w wants) where(name secrets.Name) string {
	var found []string
	for _, optional := range []bool{false, true} {
		for _, u := range w.uses {
			if u.Name == name && u.Optional == optional && !slices.Contains(found, u.Place.String()) {
				found = append(found, u.Place.String())
			}
		}
	}
	switch {
	case len(found) == 0:
		return ""
	case len(found) > places:
		found = append(found[:places], fmt.Sprintf("%d more", len(found)-places))
	}
	return " (needed at " + strings.Join(found, ", ") + ")"
}
