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
	forms   []form      // sorted by compareForms, no two with equal bytes
	by      [256][]form // forms by their first byte, longest first
	longest int         // bytes
	neutral string      // neutralMark or noMark
	bare    bool        // whether neutral stands for all marks
}

// compile makes a set of forms, which it keeps. Of forms with equal bytes the
// one with the lowest name stays; the others are wiped.
func compile(forms []form) *set {
	slices.SortFunc(forms, compareForms)
	s := &set{neutral: neutralMark}
	for _, f := range forms {
		if n := len(s.forms); n > 0 && bytes.Equal(s.forms[n-1].bytes, f.bytes) {
			clear(f.bytes)
			continue
		}
		s.forms = append(s.forms, f)
		s.longest = max(s.longest, len(f.bytes))
	}
	for from, to := 0, 0; from < len(s.forms); from = to {
		first := s.forms[from].bytes[0]
		for to < len(s.forms) && s.forms[to].bytes[0] == first {
			to++
		}
		s.by[first] = s.forms[from:to]
	}
	if s.in(neutralMark) {
		s.neutral = noMark
	}
	s.bare = slices.ContainsFunc(s.forms, func(f form) bool { return s.in(f.mark) })
	return s
}

// compareForms orders forms by their first byte, then the longest first, then by
// their bytes, then by name.
func compareForms(a, b form) int {
	return cmp.Or(
		cmp.Compare(a.bytes[0], b.bytes[0]),
		-cmp.Compare(len(a.bytes), len(b.bytes)),
		bytes.Compare(a.bytes, b.bytes),
		a.name.Compare(b.name),
	)
}

// at returns the longest form that text, which may not be empty, begins with,
// nil if there is none. undecided says that a longer form may begin there too:
// all of text is the beginning of one.
func (s *set) at(text []byte) (longest *form, undecided bool) {
	forms := s.by[text[0]]
	for i := range forms {
		switch f := &forms[i]; {
		case len(f.bytes) > len(text):
			undecided = undecided || bytes.HasPrefix(f.bytes, text)
		case bytes.HasPrefix(text, f.bytes):
			return f, undecided
		}
	}
	return nil, undecided
}

// in reports whether a form is in text.
func (s *set) in(text string) bool {
	for i := range len(text) {
		if f, _ := s.at([]byte(text[i:])); f != nil {
			return true
		}
	}
	return false
}

// mark returns what stands for a run that f names.
func (s *set) mark(f *form) string {
	if s.bare {
		return s.neutral
	}
	return f.mark
}
