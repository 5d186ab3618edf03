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
	skipper   *skipper // nil if it doesn't pay
	fast      int      // how many more bytes it takes for the skipper to be asked
	longest   int      // bytes
	neutral   string   // neutralMark or noMark
	bare      bool     // whether neutral stands for all marks
}

// compile makes a set of forms, which it keeps. Of forms with equal bytes the
// one with the lowest name stays; the others are wiped.
func compile(forms []form) *set {
	slices.SortFunc(forms, compareBytes)
	s := &set{neutral: neutralMark, fast: fast}
	for _, f := range forms {
		if n := len(s.forms); n > 0 && bytes.Equal(s.forms[n-1].bytes, f.bytes) {
			clear(f.bytes)
			continue
		}
		s.forms = append(s.forms, f)
		s.longest = max(s.longest, len(f.bytes))
	}
	s.automaton = build(s.forms)
	s.skipper = newSkipper(s.forms)
	if s.automaton.in(neutralMark) {
		s.neutral = noMark
	}
	s.bare = slices.ContainsFunc(s.forms, func(f form) bool { return s.automaton.in(f.mark) })
	return s
}

// wipe forgets the forms.
func (s *set) wipe() {
	wipe(s.forms)
	s.automaton.wipe()
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
	from, to int
	form     int32
}

// compareSpans orders occurrences by where they begin, the longest first.
func compareSpans(a, b span) int {
	return cmp.Or(cmp.Compare(a.from, b.from), -cmp.Compare(a.to, b.to))
}
