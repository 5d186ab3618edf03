package redact

// machine finds forms one byte at a time, at a cost that no text can raise, and
// knows what may yet become one.
type machine struct {
	plain reader // of the view without line breaks

	// bare reads the view that lacks control sequences, too. It is on while it is
	// within a form from before one: else it would find what plain finds.
	bare  reader
	on    bool
	since int // how many bytes it had kept at the last sequence
	apart int // how many bytes plain had kept at the last one, or what looked like one

	// csi is how much of a control sequence was read. saved is the reader to go on
	// with if it turns out to be one.
	csi   csi
	saved reader

	seq [2]int // where the last sequence is in text

	waits bool // a form has ended, and whether it counts is told by the next byte
}

// read reads text from an index on, and appends the occurrences that it finds.
func (m *machine) read(s *set, text []byte, i int, found []span) []span {
	a := s.automaton
	for ; i < len(text); i++ {
		b := text[i]
		if m.waits {
			found = m.ends(s, text, i, late, found)
		}
		if isBreak(b) {
			m.csi = 0
			m.plain.leaveOut(s, 1)
			if m.on {
				m.bare.leaveOut(s, 1)
			}
			continue
		}
		if b == esc || m.csi > 0 {
			m.lex(s, b)
		}
		m.plain.keep(s, b)
		if m.on {
			m.bare.keep(s, b)
			m.on = m.bare.kept-int(a.depth[m.bare.state]) < m.since
		}
		if a.found[m.plain.state] >= 0 || m.on && a.found[m.bare.state] >= 0 {
			found = m.ends(s, text, i+1, now, found)
		}
		if m.csi != 0 && (b == esc || m.csi < 0) {
			m.apart = m.plain.kept
		}
		if m.csi < 0 {
			m.seq = [2]int{i + 1 + int(m.csi), i + 1}
			m.strip(s)
		}
	}
	return found
}

// lex takes another byte for a part of a control sequence, if it can be one.
func (m *machine) lex(s *set, b byte) {
	read := m.csi
	switch m.csi = read.next(b); {
	case m.csi == csiEnds:
		m.csi = -(read + 1)
	case m.csi == 1 && m.on:
		m.saved.copyFrom(&m.bare)
		m.on = false // what is no sequence ends all that one has begun
	case m.csi == 1:
		m.saved.copyFrom(&m.plain)
		for m.saved.state != 0 && m.saved.kept-int(s.automaton.depth[m.saved.state]) < m.apart {
			m.saved.state = s.automaton.fail[m.saved.state]
		}
		m.saved.trim(s)
	}
}

// strip goes on as if the control sequence that has ended had not been read.
func (m *machine) strip(s *set) {
	m.saved.leaveOut(s, int(-m.csi))
	m.bare, m.saved = m.saved, m.bare
	m.csi, m.since, m.on = 0, m.bare.kept, m.bare.state != 0
}

// when is at which time a form that ends is judged.
type when int

const (
	now   when = iota
	late       // its next byte has come
	flush      // none will come
)

// ends appends the occurrences that end at end, and does not know yet of some
// whether they count.
func (m *machine) ends(s *set, text []byte, end int, at when, found []span) []span {
	m.waits = false
	found = m.plain.ends(s, text, end, at, found, &m.waits)
	if m.on && m.bare.run == 0 { // else it ends before
		found = m.bare.ends(s, text, end, at, found, &m.waits)
	}
	return found
}

// ends is machine.ends for one view. Of the forms that end here the longest that
// counts covers the others, but for what comes after them, and where it does not
// count from its beginning.
func (r *reader) ends(s *set, text []byte, end int, at when, found []span, waits *bool) []span {
	for f := s.automaton.found[r.state]; f >= 0; f = s.shorter[f] {
		p := &s.forms[f].pattern
		if p.looks() && at == now && end == len(text) {
			*waits = true
			continue
		}
		if at != now && !p.looks() {
			continue
		}
		n := len(p.bytes)
		within := inside(r.gaps[r.first:], r.kept-n, n)
		if p.tight && len(within) > 0 {
			continue
		}
		from := end - n
		for _, g := range within {
			from -= g.n
		}
		if o, counts := s.judge(f, text, from, end, r.kept-n, within); counts {
			found = append(found, o)
			if below := s.shorter[f]; o.from <= from && (below < 0 || !s.reaching[below]) {
				return found
			}
		}
	}
	return found
}

// held returns from where on text is undecided, and from where on it must be read
// again if it is to be read again at all.
func (m *machine) held(s *set, text []byte) (from, again int) {
	from, again = m.plain.held(s, text, len(text))
	also := func(r reader) {
		f, a := r.held(s, text, len(text))
		from, again = min(from, f), min(again, a)
	}
	if m.on {
		also(m.bare)
	}
	if m.csi > 0 {
		ending := m.saved
		ending.leaveOut(s, int(m.csi)) // it changes nothing that they share
		also(ending)
		again = min(again, len(text)-int(m.csi))
	}
	if first := min(from, again); m.seq[0] < first && first < m.seq[1] {
		again = m.seq[0] // or what begins within it would count
	}
	return from, again
}

// reset forgets all that was read.
func (m *machine) reset() {
	m.plain.reset()
	m.on, m.apart, m.csi, m.waits, m.seq = false, 0, 0, false, [2]int{}
}
