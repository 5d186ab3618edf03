package redact

// automaton finds forms one byte at a time, at a cost that no text can raise:
// Aho and Corasick's, "Efficient String Matching", 1975. A state stands for the
// longest end of what was read that some form begins with; its depth is the
// length of that.
//
// Its states are the nodes of the trie of all forms, level by level, so that the
// children of a node are neighbours, and those of neighbours, too.
type automaton struct {
	label []byte  // of the edge into a state; state 0 is the root
	first []int32 // the first child; the children end where those of the next state begin
	fail  []int32 // the state of the longest proper end of this one
	depth []int32
	found []int32 // the longest form that ends here, by its index; -1: none
	flags []flags
	ends  []int32 // the state of each form

	wide  [][256]int32 // the children of states that have many
	table []int32      // by state, which of wide, from 1 on; 0, or no entry: none
}

// flags tell of the forms that a state is part of.
type flags uint8

const (
	flagLoose flags = 1 << iota // one that may be broken goes on from here
	flagEdged                   // one is among them of which the byte before may count
	flagLooks                   // one ends here that looks at the next byte
	flagEnds                    // one that may be broken ends here
	flagOwn                     // one has a line break of its own after the first byte, or, in higher bits, the next ones

	flagsOwn = flagOwn * (1<<(unbroken-1) - 1)
)

// ownBreak is the flag of a line break after so many bytes.
func ownBreak(n int) flags { return flagOwn << n >> 1 }

// manyChildren is how many children a state may have to be searched one by one.
const manyChildren = 8

// build makes an automaton of forms that are sorted by their bytes and differ.
func build(forms []form) *automaton {
	var (
		common = make([]int32, len(forms)) // bytes shared with the form before
		at     = make([]int32, len(forms)) // the state of the beginning that was read
		active = make([]int32, len(forms)) // forms that are longer than that
		states = 1
	)
	for i, f := range forms {
		if i > 0 {
			common[i] = int32(shared(forms[i-1].bytes, f.bytes))
		}
		states += len(f.bytes) - int(common[i])
		active[i] = int32(i)
	}
	a := &automaton{
		label: make([]byte, 1, states), first: make([]int32, 0, states+1), fail: make([]int32, states),
		depth: make([]int32, 1, states), found: make([]int32, 1, states), flags: make([]flags, states),
		ends: make([]int32, len(forms)),
	}
	a.found[0] = -1
	for depth := int32(1); len(active) > 0; depth++ {
		longer := active[:0]
		for _, i := range active {
			f := &forms[i].pattern
			if common[i] >= depth {
				at[i] = at[i-1] // which was read just before
			} else {
				state := int32(len(a.label))
				for parent := at[i]; len(a.first) <= int(parent); {
					a.first = append(a.first, state)
				}
				a.label = append(a.label, f.bytes[depth-1])
				a.depth = append(a.depth, depth)
				a.found = append(a.found, -1)
				at[i] = state
			}
			if a.flag(at[i], f, depth); int(depth) == len(f.bytes) {
				a.found[at[i]], a.ends[i] = i, at[i]
			} else {
				longer = append(longer, i)
			}
		}
		active = longer
	}
	for len(a.first) <= states {
		a.first = append(a.first, int32(states))
	}
	a.link()
	return a
}

// flag marks the state after so many bytes of a form.
func (a *automaton) flag(s int32, p *pattern, depth int32) {
	var f flags
	if p.before != nil {
		f |= flagEdged
	}
	if depth < unbroken {
		f |= p.own & ownBreak(int(depth))
	}
	switch ends := int(depth) == len(p.bytes); {
	case !p.tight && ends:
		f |= flagEnds
	case !p.tight:
		f |= flagLoose
	}
	if int(depth) == len(p.bytes) && p.looks() {
		f |= flagLooks
	}
	a.flags[s] |= f
}

func (a *automaton) loose(s int32) bool { return a.flags[s]&flagLoose != 0 }
func (a *automaton) edged(s int32) bool { return a.flags[s]&flagEdged != 0 }

// early reports whether a break after so many bytes of the beginning that a state
// stands for comes too early: no form that begins so has one of its own there.
func (a *automaton) early(s int32, n int) bool {
	return n < unbroken && a.flags[s]&ownBreak(n) == 0
}

// shared returns how many bytes two forms have in common at their beginnings.
func shared(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// link computes the fails, those of short ends first, and makes tables for the
// states that have many children.
func (a *automaton) link() {
	a.widen(0)
	for s := range int32(len(a.label)) {
		from, to := a.first[s], a.first[s+1]
		if to-from > manyChildren {
			a.widen(s)
		}
		for c := from; c < to; c++ {
			a.flags[c] |= a.flags[s] & flagsOwn
			if s > 0 {
				a.fail[c] = a.step(a.fail[s], a.label[c])
			}
			if a.found[c] < 0 {
				a.found[c] = a.found[a.fail[c]]
			}
		}
	}
}

// widen makes a table of the children of a state.
func (a *automaton) widen(s int32) {
	if int(s) < len(a.table) && a.table[s] > 0 {
		return
	}
	var table [256]int32
	for c := a.first[s]; c < a.first[s+1]; c++ {
		table[a.label[c]] = c
	}
	a.wide = append(a.wide, table)
	for len(a.table) <= int(s) {
		a.table = append(a.table, 0)
	}
	a.table[s] = int32(len(a.wide))
}

// step returns the state after one more byte. What it costs is paid by the bytes
// before, on average: each fail is shorter.
func (a *automaton) step(s int32, b byte) int32 {
	for {
		if int(s) < len(a.table) && a.table[s] > 0 {
			if c := a.wide[a.table[s]-1][b]; c != 0 || s == 0 {
				return c
			}
		} else {
			for c, to := a.first[s], a.first[s+1]; c < to; c++ {
				if a.label[c] == b {
					return c
				}
			}
		}
		s = a.fail[s]
	}
}

// open returns the state of the longest end that may still become a form, or that
// is one which looks at the next byte: of another form that none is longer than,
// its own longest end that may.
func (a *automaton) open(s int32) int32 {
	for s != 0 && a.first[s] == a.first[s+1] && a.flags[s]&flagLooks == 0 {
		s = a.fail[s]
	}
	return s
}

// wipe forgets the forms.
func (a *automaton) wipe() {
	clear(a.label)
	for i := range a.wide {
		clear(a.wide[i][:])
	}
}
