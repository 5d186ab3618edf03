package redact

import (
	"bytes"
	"cmp"
	"slices"
)

// The marks used for all names where a name's own mark holds a form.
const (
	neutralMark = "***"
	noMark      = "" // where neutralMark holds one too
)

// set is a compiled set of forms. It does not change.
type set struct {
	forms     []form // sorted by their bytes, no two with equal ones
	automaton *automaton
	skippers  []*skipper // none if it doesn't pay
	fast      int        // how many more bytes it takes for the skippers to be asked

	shorter  []int32  // by form, the longest other one that it ends in; -1: none
	reaching []bool   // by form, whether it or one of those may reach beyond its end
	edges    *charset // all that may count before a form

	gap     int // bytes that may be left out at one place
	span    int // bytes that an occurrence may take, with those
	hold    int // bytes held at most
	neutral string
	bare    bool // whether neutral stands for all marks
}

// compile makes a set of forms, which it keeps. Forms with equal bytes become one
// of the lowest name; the others are wiped.
func compile(forms []form) *set {
	slices.SortFunc(forms, compareForms)
	s := &set{neutral: neutralMark, fast: fast, gap: maxGap}
	longest, loose := 0, 0
	for _, f := range forms {
		if n := len(s.forms); n > 0 && bytes.Equal(s.forms[n-1].bytes, f.bytes) {
			s.forms[n-1].merge(f.pattern)
			clear(f.bytes)
			continue
		}
		s.forms = append(s.forms, f)
	}
	for _, f := range s.forms {
		longest = max(longest, len(f.bytes))
		if !f.tight {
			loose = max(loose, f.size)
			s.gap = max(s.gap, 2*f.run)
		}
		s.edges = s.edges.or(f.before)
	}
	s.span, s.hold = longest, longest
	if loose > 0 {
		s.span = max(longest, loose+loose/2+2*maxGap)
		s.hold = s.span + maxCSI
	}
	s.automaton = build(s.forms)
	s.chain()
	s.skippers = newSkippers(s.forms)
	if s.holds(neutralMark) {
		s.neutral = noMark
	}
	s.bare = slices.ContainsFunc(s.forms, func(f form) bool { return s.holds(f.mark) })
	return s
}

// chain links each form with the longest one that it ends in.
func (s *set) chain() {
	s.shorter, s.reaching = make([]int32, len(s.forms)), make([]bool, len(s.forms))
	for f, end := range s.automaton.ends {
		s.shorter[f] = s.automaton.states[s.automaton.states[end].fail].found
	}
	for f := range s.forms {
		for at := int32(f); at >= 0 && !s.reaching[f]; at = s.shorter[at] {
			s.reaching[f] = s.forms[at].after != nil
		}
	}
}

// holds reports whether there is a form in text.
func (s *set) holds(text string) bool {
	var m machine
	found := m.read(s, []byte(text), 0, nil)
	return len(m.ends(s, []byte(text), len(text), flush, found)) > 0
}

// wipe forgets the forms.
func (s *set) wipe() {
	wipe(s.forms)
	s.wipeSearch()
}

// wipeSearch forgets what was made of the forms, but not these.
func (s *set) wipeSearch() {
	s.automaton.wipe()
	for _, k := range s.skippers {
		clear(k.forms)
	}
}

// mark returns what stands for a run that f names.
func (s *set) mark(f *form) string {
	if s.bare {
		return s.neutral
	}
	return f.mark
}

// span is an occurrence of a form.
type span struct {
	from, to int // what it covers
	begin    int // where the form begins
	form     int32
}

// compare orders occurrences by where they begin, the longest first, and of equal
// ones that of the longest form.
func (s *set) compare(a, b span) int {
	return cmp.Or(cmp.Compare(a.from, b.from), -cmp.Compare(a.to, b.to),
		-cmp.Compare(len(s.forms[a.form].bytes), len(s.forms[b.form].bytes)), cmp.Compare(a.form, b.form))
}

// judge returns what an occurrence of a form covers, and whether it counts, where
// its bytes lie in text[from:end], broken by these gaps.
func (s *set) judge(f int32, text []byte, from, end, kept int, within []gap) (span, bool) {
	p := &s.forms[f].pattern
	if p.whole && (word(text[from]) && goesOn(text[:from]) || end < len(text) && word(text[end-1]) && word(text[end])) {
		return span{}, false
	}
	o := span{s.automaton.counts(s.automaton.ends[f], within, kept, from), end, from, f}
	if o.from == from && from > 0 && p.before.has(text[from-1]) {
		o.from--
	}
	if end < len(text) && p.after.has(text[end]) {
		o.to++
	}
	return o, true
}
