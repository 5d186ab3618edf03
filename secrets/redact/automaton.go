package redact

import "bytes"

// automaton finds forms one byte at a time, at a cost that no text can raise:
// Aho and Corasick's, "Efficient String Matching", 1975. A state stands for the
// longest end of what was read that some form begins with; its depth is the
// length of that.
//
// Its states are the nodes of the trie of all forms, made in their order, so that
// the first child of a node follows it.
type automaton struct {
	label   []byte       // of the edge into a state; state 0 is the root
	child   []int32      // the first one; 0: none; negative: ^child is an index of wide
	sibling []int32      // the next child of the same parent; 0: none
	fail    []int32      // the state of the longest proper end of this one
	depth   []int32      //
	found   []int32      // the longest form that ends here, by its index; -1: none
	wide    [][256]int32 // the children of states that have many, the root's first
}

// manyChildren is how many children a state may have to be searched one by one.
const manyChildren = 8

// build makes an automaton of forms that are sorted by their bytes and differ.
func build(forms []form) *automaton {
	states := 1
	var last []byte
	for _, f := range forms {
		states += len(f.bytes) - shared(last, f.bytes)
		last = f.bytes
	}
	a := &automaton{
		label: make([]byte, 1, states), child: make([]int32, 1, states), sibling: make([]int32, 1, states),
		fail: make([]int32, states), depth: make([]int32, 1, states), found: make([]int32, 1, states),
	}
	a.found[0] = -1
	path := []int32{0} // the states of the last form
	last = nil
	for i, f := range forms {
		common := shared(last, f.bytes)
		for at := common; at < len(f.bytes); at++ {
			state, parent := int32(len(a.label)), path[at]
			a.label = append(a.label, f.bytes[at])
			a.child = append(a.child, 0)
			a.sibling = append(a.sibling, 0)
			a.depth = append(a.depth, int32(at+1))
			a.found = append(a.found, -1)
			if at == common && at+1 < len(path) { // the last form's state is its elder sibling
				a.sibling[path[at+1]] = state
			} else {
				a.child[parent] = state
			}
			path = append(path[:at+1], state)
		}
		path = path[:len(f.bytes)+1]
		a.found[path[len(f.bytes)]] = int32(i)
		last = f.bytes
	}
	a.link()
	return a
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

// link computes the fails, those of short ends first, and widens the states that
// have many children.
func (a *automaton) link() {
	a.widen(0)
	queue := make([]int32, 0, len(a.label))
	visit := func(s int32) {
		for c := a.first(s); c != 0; c = a.sibling[c] {
			queue = append(queue, c)
		}
	}
	visit(0)
	for i := 0; i < len(queue); i++ {
		s := queue[i]
		n := 0
		for c := a.child[s]; c != 0; c = a.sibling[c] {
			a.fail[c] = a.step(a.fail[s], a.label[c])
			if a.found[c] < 0 {
				a.found[c] = a.found[a.fail[c]]
			}
			n++
		}
		visit(s)
		if n > manyChildren {
			a.widen(s)
		}
	}
}

// first returns the first child of a state, wide or not; 0 if it has none.
func (a *automaton) first(s int32) int32 {
	if c := a.child[s]; c >= 0 {
		return c
	}
	if len(a.label) == 1 { // there are no forms
		return 0
	}
	return s + 1
}

// widen puts the children of a state into a table.
func (a *automaton) widen(s int32) {
	var table [256]int32
	for c := a.child[s]; c != 0; c = a.sibling[c] {
		table[a.label[c]] = c
	}
	a.child[s] = ^int32(len(a.wide))
	a.wide = append(a.wide, table)
}

// step returns the state after one more byte. What it costs is paid by the bytes
// before, on average: each fail is shorter.
func (a *automaton) step(s int32, b byte) int32 {
	for {
		c := a.child[s]
		if c < 0 {
			c = a.wide[^c][b]
		} else {
			for c != 0 && a.label[c] != b {
				c = a.sibling[c]
			}
		}
		if c != 0 || s == 0 {
			return c
		}
		s = a.fail[s]
	}
}

// open returns the state of the longest end that may still become a form: of a
// whole form that none is longer than, its own longest end that may.
func (a *automaton) open(s int32) int32 {
	for s != 0 && a.first(s) == 0 {
		s = a.fail[s]
	}
	return s
}

// after returns the state after all of text.
func (a *automaton) after(text []byte) int32 {
	s := int32(0)
	for _, b := range text {
		s = a.step(s, b)
	}
	return s
}

// in reports whether a form is in text.
func (a *automaton) in(text string) bool {
	s := int32(0)
	for i := range len(text) {
		if s = a.step(s, text[i]); a.found[s] >= 0 {
			return true
		}
	}
	return false
}

// wipe forgets the forms.
func (a *automaton) wipe() {
	clear(a.label)
	for i := range a.wide {
		clear(a.wide[i][:])
	}
}

// compareBytes orders forms as build wants them, of equal ones the lowest name
// first.
func compareBytes(a, b form) int {
	if c := bytes.Compare(a.bytes, b.bytes); c != 0 {
		return c
	}
	return a.name.Compare(b.name)
}
