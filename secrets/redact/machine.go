package redact

// machine finds forms one byte at a time, at a cost that no text can raise, and
// knows what may yet become one.
type machine struct {
	plain reader // of the view without line breaks

	// bare reads the view that lacks control sequences, too. It is on while it is
	// within a form from before one: else it would find what plain finds. While a
	// sequence is under way it is as it was before, to go on if it turns out to be one.
	bare  reader
	on    bool
	since int // how many bytes it had kept at the last sequence
	apart int // how many bytes plain had kept at the last one, or what looked like one

	// csi is how much of a control sequence was read, and begins how many bytes
	// plain had kept before it.
	csi    csi
	begins int

	seq [2]int // where the last sequence is in text

	waits bool // a form has ended, and whether it counts is told by the next byte
}

// read reads text from an index on, and appends the occurrences that it finds.
func (m *machine) read(s *set, text []byte, i int, found []span) []span {
	for i < len(text) {
		if m.csi == 0 && !m.on && m.easy() {
			if i = m.plain.through(s, text, i); i == len(text) {
				break
			}
		}
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
			i++
			continue
		}
		if b == esc {
			m.freeze(s)
			if size, _ := controlSequence(text[i:]); size > 0 {
				found = m.sequence(s, text, i, i+size, found)
				i += size
				continue
			}
		}
		m.csi = m.csi.next(b)
		if m.csi == csiEnds { // it began in what was read before
			found = m.sequence(s, text, i, i+1, found)
			i++
			continue
		}
		found = m.step(s, text, i, found)
		i++
		if b == esc {
			m.apart = m.plain.kept
		}
	}
	return found
}

// easy reports whether plain can read a text through.
func (m *machine) easy() bool { return !m.waits && m.plain.run == 0 && m.plain.extra == 0 }

// step reads a byte that is kept.
func (m *machine) step(s *set, text []byte, i int, found []span) []span {
	a := s.automaton
	m.plain.keep(s, text[i])
	if m.on {
		m.bare.keep(s, text[i])
		m.on = m.bare.kept-int(a.states[m.bare.state].depth) < m.since
	}
	if a.states[m.plain.state].found >= 0 || m.on && a.states[m.bare.state].found >= 0 {
		return m.ends(s, text, i+1, now, found)
	}
	return found
}

// freeze leaves bare as it is before what may be a control sequence. What turns out
// to be none ends all that bare has begun.
func (m *machine) freeze(s *set) {
	m.begins = m.plain.kept
	switch {
	case m.on:
		m.on = false
	case m.plain.state == 0:
		m.bare.reset()
	default:
		m.bare.copyFrom(&m.plain)
		for m.bare.state != 0 && m.bare.kept-int(s.automaton.states[m.bare.state].depth) < m.apart {
			m.bare.state = s.automaton.states[m.bare.state].fail
		}
		m.bare.trim(s)
	}
}

// sequence reads a control sequence up to its end, and lets bare go on as if it had
// not been there.
func (m *machine) sequence(s *set, text []byte, i, end int, found []span) []span {
	for i < end {
		if m.waits {
			found = m.ends(s, text, i, late, found)
		}
		if m.easy() {
			if i = m.plain.through(s, text[:end], i); i == end {
				break
			}
		}
		found = m.step(s, text, i, found)
		i++
	}
	size := m.plain.kept - m.begins
	m.bare.leaveOut(s, size)
	m.csi, m.since, m.on = 0, m.bare.kept, m.bare.state != 0
	m.apart, m.seq = m.plain.kept, [2]int{end - size, end}
	return found
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
	for f := s.automaton.states[r.state].found; f >= 0; f = s.shorter[f] {
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
		from := end - n - r.left(within)
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
		ending := m.bare
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
	m.on, m.apart, m.csi, m.begins, m.waits, m.seq = false, 0, 0, 0, false, [2]int{}
}
