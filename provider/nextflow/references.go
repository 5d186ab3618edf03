package nextflow

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// How says in which way a pipeline refers to a secret.
type How uint8

const (
	Declared How = iota + 1 // secret 'NAME': Nextflow hands the value to the task's shell
	Read                    // secrets.NAME: the pipeline reads the value itself
	Tested                  // secrets.NAME: the pipeline asks only whether there is one
)

func (h How) String() string {
	switch h {
	case Declared:
		return "declared"
	case Read:
		return "read"
	case Tested:
		return "tested"
	default:
		return fmt.Sprintf("How(%d)", uint8(h))
	}
}

// Place is where something stands in the sources.
type Place struct {
	File string // below the root that was scanned
	Line int    // from 1; 0 for the whole file
}

func (p Place) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// Use is one reference to a secret.
type Use struct {
	Place
	Name secrets.Name
	How  How

	// Optional is set if the pipeline does without the secret here: it only tests
	// for it, reads it where a test has found it or another value stands in for it,
	// or declares it under a condition.
	Optional bool

	// Profile is the configuration profile in which it stands, or in which its file is
	// included, if any.
	Profile string
}

// Unknown is what could not be told: a name that is known only when the pipeline
// runs, configuration that is included from elsewhere, text that is not what
// Nextflow reads.
type Unknown struct {
	Place
	Why string
}

func (u Unknown) String() string { return u.Place.String() + ": " + u.Why }

// References is what the sources of a pipeline say of secrets, both lists in the
// order of files and lines.
type References struct {
	Uses    []Use
	Unknown []Unknown
}

// Need is what a run of the pipeline needs of one secret.
type Need struct {
	Name     secrets.Name
	Optional bool // all its uses are
	Declared bool // some process has it as a variable
	Read     bool // the pipeline reads its value itself: see Store.Read
}

// Needs returns what a run with these profiles needs, by name. Without any, the
// profile is "standard", as Nextflow has it. Uses outside of profiles always
// count.
func (r References) Needs(profiles ...string) []Need {
	if len(profiles) == 0 {
		profiles = []string{"standard"}
	}
	var needs []Need
	at := map[secrets.Name]int{}
	for _, u := range r.Uses {
		if u.Profile != "" && !slices.Contains(profiles, u.Profile) {
			continue
		}
		i, seen := at[u.Name]
		if !seen {
			i = len(needs)
			at[u.Name] = i
			needs = append(needs, Need{Name: u.Name, Optional: true})
		}
		needs[i].Optional = needs[i].Optional && u.Optional
		needs[i].Declared = needs[i].Declared || u.How == Declared
		needs[i].Read = needs[i].Read || u.How == Read
	}
	slices.SortFunc(needs, func(a, b Need) int { return a.Name.Compare(b.Name) })
	return needs
}

// sort puts the lists in order and each thing in once.
func (r *References) sort() {
	slices.SortFunc(r.Uses, func(a, b Use) int {
		return cmp.Or(comparePlaces(a.Place, b.Place), a.Name.Compare(b.Name), cmp.Compare(a.How, b.How),
			compareBools(a.Optional, b.Optional), cmp.Compare(a.Profile, b.Profile))
	})
	r.Uses = slices.Compact(r.Uses)
	slices.SortFunc(r.Unknown, func(a, b Unknown) int {
		return cmp.Or(comparePlaces(a.Place, b.Place), cmp.Compare(a.Why, b.Why))
	})
	r.Unknown = slices.Compact(r.Unknown)
}

func comparePlaces(a, b Place) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}
