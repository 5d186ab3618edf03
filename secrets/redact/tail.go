package redact

// tail is the end of a stream that is not decided yet: from the first position
// on at which a form may have begun.
type tail struct {
	text []byte

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
//  1. Walk the positions of the text up to the first at which a form may have
//     begun that is not there in full. A flush walks on to the end.
//  2. The longest form at a position is an occurrence. If it reaches beyond what
//     is shown, it grows the open run that it begins in, or else starts a run:
//     the bytes before it are passed on, then its mark.
//  3. Pass on what lies between the last run and the end of the walk.
//  4. Keep the text from the first undecided position on.
//
// Positions are walked from left to right, and none before all forms that may
// begin there are decided. So the first occurrence of a run is the leftmost, and
// the longest there, and names it; and its mark is final when it is made,
// however far the run grows.
func (t *tail) next(s *set, more, out []byte, flush bool) []byte {
	text := append(t.text, more...)
	end, keep := len(text), len(text)
	for i := range text { // 1
		f, undecided := s.at(text[i:])
		if undecided && i < keep {
			keep = i
			if !flush {
				end = i
				break
			}
		}
		if f == nil {
			continue
		}
		if past := i + len(f.bytes); past > t.shown { // 2
			if !t.open || i >= t.shown {
				if i > t.shown {
					out = append(out, text[t.shown:i]...)
				}
				out = append(out, s.mark(f)...)
				t.marks++
			}
			t.shown, t.open = past, true
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
	return out
}

// wipe forgets the text.
func (t *tail) wipe() {
	clear(t.text)
	*t = tail{}
}
