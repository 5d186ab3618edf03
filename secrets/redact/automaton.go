package redact

// automaton finds forms one byte at a time, at a cost that no text can raise:
// Aho and Corasick's, "Efficient String Matching", 1975. A state stands for the
// longest end of what was read that some form begins with; its depth is the
// length of that.
//
// Its states are the nodes of the trie of all forms: first those that branch and
// their children, level by level, so that children are neighbours; then the long
// ends of the forms, each as it is read, so that the next state is the neighbour.
type automaton struct {
	states []state
	label  []byte       // of the edge into a state; state 0 is the root
	ends   []int32      // the state of each form
	wide   [][256]int32 // the children of states that have many
	table  []int32      // by state, which of wide
}

// state is what a step may ask of a state, in one place.
type state struct {
	first int32 // the first child; the others follow it
	fail  int32 // the state of the longest proper end of this one
	depth int32
	found int32 // the longest form that ends here, by its index; -1: none
	flags flags
	kids  uint8 // how many children there are; of those that have a table any number
	label byte  // of the edge into the first child
}

// flags tell of the forms that a state is part of.
type flags uint8

const (
	flagLoose flags = 1 << iota // one that may be broken goes on from here
	flagEdged                   // one is among them of which the byte before may count
	flagLooks                   // one ends here that looks at the next byte
	flagEnds                    // one that may be broken ends here
	flagWide                    // there is a table of the children
	flagOwn                     // one has a line break of its own after the first byte, or, in higher bits, the next ones

	flagsOwn = flagOwn * (1<<(unbroken-1) - 1)
)

// ownBreak is the flag of a line break after so many bytes, 0 if that is none.
func ownBreak(n int) flags { return flags(int(flagOwn) << n >> 1 & int(flagsOwn)) }

// manyChildren is how many children a state may have to be searched one by one.
const manyChildren = 8

// build makes an automaton of forms that are sorted by their bytes and differ.
func build(forms []form) *automaton {
	active := make([]path, len(forms)) // of the forms that are longer than what was read
	texts := make([][]byte, len(forms))
	states := 1
	for i := range forms {
		texts[i] = forms[i].bytes
		active[i] = pathOf(&forms[i].pattern, int32(i))
		if i > 0 {
			active[i].common = int32(shared(forms[i-1].bytes, forms[i].bytes))
		}
		states += int(active[i].size - active[i].common)
	}
	a := &automaton{
		states: make([]state, states+1), label: make([]byte, 1, states), ends: make([]int32, len(forms)),
	}
	a.states[0].found = -1
	parents := 0 // of which the first child is known
	for depth := int32(1); len(active) > 0; depth++ {
		longer := 0
		var last int32 // the state of the form before
		for i := range active {
			p := &active[i]
			if depth%8 == 1 { // what is read at each level is kept together
				copy(p.next[:], texts[p.form][depth-1:])
			}
			if p.common < depth {
				last = int32(len(a.label))
				for ; parents <= int(p.at); parents++ {
					a.states[parents].first = last
				}
				a.label = append(a.label, p.next[(depth-1)%8])
				a.states[last].depth, a.states[last].found = depth, -1
			}
			p.at = last
			s := &a.states[last]
			if depth < unbroken {
				s.flags |= p.own & ownBreak(int(depth))
			}
			if depth == p.size {
				s.flags |= p.last
				s.found, a.ends[p.form] = p.form, last
				continue
			}
			s.flags |= p.each
			if longer < i {
				active[longer] = *p
			}
			longer++
		}
		active = active[:longer]
	}
	for ; parents <= states; parents++ {
		a.states[parents].first = int32(states)
	}
	a.link()
	a.lay()
	return a
}

// path is a form on its way into an automaton.
type path struct {
	form, size      int32
	common          int32   // bytes shared with the form before
	at              int32   // the state of the beginning that was read
	next            [8]byte // some of its bytes
	each, last, own flags   // of the states before the last one, of that, and of the first ones
}

func pathOf(p *pattern, form int32) path {
	w := path{form: form, size: int32(len(p.bytes)), own: p.own}
	if p.before != nil {
		w.each, w.last = flagEdged, flagEdged
	}
	if !p.tight {
		w.each, w.last = w.each|flagLoose, w.last|flagEnds
	}
	if p.looks() {
		w.last |= flagLooks
	}
	return w
}

func (a *automaton) loose(s int32) bool { return a.states[s].flags&flagLoose != 0 }
func (a *automaton) edged(s int32) bool { return a.states[s].flags&flagEdged != 0 }

// early reports whether a break after so many bytes of the beginning that a state
// stands for comes too early: no form that begins so has one of its own there.
func (a *automaton) early(s int32, n int) bool {
	return n < unbroken && a.states[s].flags&ownBreak(n) == 0
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
		from, to := a.states[s].first, a.states[s+1].first
		if from < to {
			a.states[s].kids, a.states[s].label = uint8(min(to-from, manyChildren+1)), a.label[from]
		}
		if to-from > manyChildren && s > 0 {
			a.widen(s)
		}
		own, fail := a.states[s].flags&flagsOwn, a.states[s].fail
		for c := from; c < to; c++ {
			child := &a.states[c]
			child.flags |= own
			if s > 0 {
				child.fail = a.step(fail, a.label[c])
			}
			if child.found < 0 {
				child.found = a.states[child.fail].found
			}
		}
	}
}

// widen makes a table of the children of a state, which are all that there are
// before those of the next one.
func (a *automaton) widen(s int32) {
	var table [256]int32
	for c := a.states[s].first; c < a.states[s+1].first; c++ {
		table[a.label[c]] = c
	}
	for len(a.table) <= int(s) {
		a.table = append(a.table, 0)
	}
	a.table[s] = int32(len(a.wide))
	a.wide = append(a.wide, table)
	a.states[s].flags |= flagWide
}

// lay lays the states out as they are read.
func (a *automaton) lay() {
	n := int32(len(a.label))
	line := make([]int32, n) // how many states follow in line; -1: this one, or one of them, branches
	for s := n - 1; s >= 0; s-- {
		switch first := a.states[s].first; {
		case s == 0, a.states[s].kids > 1, a.states[s].kids == 1 && line[first] < 0:
			line[s] = -1
		case a.states[s].kids == 1:
			line[s] = line[first] + 1
		}
	}
	// First what branches and its children; what follows those is in line.
	place := make([]int32, n)
	head := int32(1)
	for s := range n {
		if line[s] < 0 {
			for c := a.states[s].first; c < a.states[s+1].first; c++ {
				place[c] = head
				head++
			}
		}
	}
	label, next := make([]byte, head), head
	for s := range n {
		first := a.states[s].first
		if place[s] < head {
			label[place[s]] = a.label[s]
			if line[s] > 0 {
				place[first] = next
				next += line[s]
			}
		} else if line[s] > 0 {
			place[first] = place[s] + 1
		}
	}
	states := make([]state, n)
	for old, s := range a.states[:n] {
		if s.kids > 0 {
			s.first = place[s.first]
		}
		s.fail = place[s.fail]
		states[place[old]] = s
	}
	clear(a.label)
	a.states, a.label = states, label
	a.moved(place)
}

// moved is what else tells of states that have other places now.
func (a *automaton) moved(place []int32) {
	for f, end := range a.ends {
		a.ends[f] = place[end]
	}
	for i := range a.wide {
		for b, c := range a.wide[i] {
			a.wide[i][b] = place[c]
		}
	}
	var table []int32
	for old, which := range a.table {
		if a.states[place[old]].flags&flagWide != 0 {
			for len(table) <= int(place[old]) {
				table = append(table, 0)
			}
			table[place[old]] = which
		}
	}
	a.table = table
}

// step returns the state after one more byte. What it costs is paid by the bytes
// before, on average: each fail is shorter.
func (a *automaton) step(s int32, b byte) int32 {
	for {
		switch at := &a.states[s]; {
		case at.flags&flagWide != 0:
			if c := a.wide[a.table[s]][b]; c != 0 || s == 0 {
				return c
			}
			s = at.fail
		case at.kids > 0 && at.label == b:
			return at.first
		default:
			for c, to := at.first+1, at.first+int32(at.kids); c < to; c++ {
				if a.label[c] == b {
					return c
				}
			}
			s = at.fail
		}
	}
}

// open returns the state of the longest end that may still become a form, or that
// is one which looks at the next byte: of another form that none is longer than,
// its own longest end that may.
func (a *automaton) open(s int32) int32 {
	for s != 0 && a.states[s].kids == 0 && a.states[s].flags&flagLooks == 0 {
		s = a.states[s].fail
	}
	return s
}

// wipe forgets the forms.
func (a *automaton) wipe() {
	clear(a.label)
	clear(a.states)
	for i := range a.wide {
		clear(a.wide[i][:])
	}
}
