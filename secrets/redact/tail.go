package redact

import "slices"

// tail is the end of a stream that is not decided yet: from the first position
// on at which a form may have begun.
type tail struct {
	text []byte

	of    *set   // by which state and found were made
	state int32  // the automaton's after text; its depth is the length of text
	found []span // the occurrences within text

	// shown is how many bytes at the start of text the output accounts for
	// already. They are kept to be compared, not to be passed on.
	shown int

	// open says that the output accounts for them by a mark: an occurrence that
	// begins among them belongs to its run. Otherwise they were passed on as they
	// are, by a flush, and an occurrence that reaches beyond them needs a mark.
	open bool

	marks int // made so far
}

// next takes more of the stream and appends to out what is decided now. A flush
// decides everything: a form that is incomplete is taken for none. What was
// undecided before the flush stays in the tail, to see such a form complete
// itself after all.
//
//  1. Find the occurrences in the text, and the first position at which a form
//     may have begun that is not there in full: all that begins before is
//     decided. A flush decides the rest, too.
//  2. Walk the decided occurrences from left to right, the longest at each
//     position. If one reaches beyond what is shown, it grows the open run that
//     it begins in, or else starts a run: the bytes before it are passed on, then
//     its mark.
//  3. Pass on what lies between the last run and the end of what is decided.
//  4. Keep the text from the first undecided position on.
//
// No occurrence is walked before all that may begin at its position are known. So
// the first one of a run is the leftmost, and the longest there, and names it;
// and its mark is final when it is made, however far the run grows.
func (t *tail) next(s *set, more, out []byte, flush bool) []byte {
	text := append(t.text, more...)
	t.search(s, text, len(t.text)) // 1
	keep := len(text) - int(s.automaton.depth[t.state])
	end := keep
	if flush {
		end = len(text)
	}
	last := -1
	for _, o := range t.found { // 2
		if o.from >= end {
			break
		}
		if o.from == last { // the longest there was first
			continue
		}
		last = o.from
		if o.to > t.shown {
			f := &s.forms[o.form]
			if !t.open || o.from >= t.shown {
				if o.from > t.shown {
					out = append(out, text[t.shown:o.from]...)
				}
				out = append(out, s.mark(f)...)
				t.marks++
			}
			t.shown, t.open = o.to, true
			f.hits.Add(1)
		}
	}
	if end > t.shown { // 3
		out = append(out, text[t.shown:end]...)
		t.shown, t.open = end, false
	}
	n := copy(text, text[keep:]) // 4
	clear(text[n:])
	t.text, t.shown = text[:n], t.shown-keep
	left := t.found[:0]
	for _, o := range t.found {
		if o.from >= keep {
			left = append(left, span{o.from - keep, o.to - keep, o.form})
		}
	}
	t.found = left
	return out
}

// fast is how many more bytes it takes for the skipper to pay.
const fast = 64

// search brings found and state up to text, of which the first old bytes were
// searched before.
func (t *tail) search(s *set, text []byte, old int) {
	if t.of != s { // forms were added
		t.of, t.state, t.found, old = s, 0, t.found[:0], 0
	}
	if s.skipper != nil && len(text)-old >= s.fast {
		found, done := s.skipper.find(s.forms, text, t.found[:0])
		if done {
			t.found = found
			t.state = s.automaton.open(s.automaton.after(text[max(0, len(text)-s.longest):]))
			return
		}
		t.found, t.state, old = found[:0], 0, 0
	}
	a, state := s.automaton, t.state
	sorted := true
	for i, b := range text[old:] {
		state = a.step(state, b)
		if f := a.found[state]; f >= 0 {
			to := old + i + 1
			o := span{to - len(s.forms[f].bytes), to, f}
			sorted = sorted && (len(t.found) == 0 || compareSpans(t.found[len(t.found)-1], o) < 0)
			t.found = append(t.found, o)
		}
	}
	if !sorted {
		slices.SortFunc(t.found, compareSpans)
	}
	t.state = a.open(state)
}

// wipe forgets the text.
func (t *tail) wipe() {
	clear(t.text)
	*t = tail{}
}
