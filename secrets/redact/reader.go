package redact

// reader is an automaton that reads a view of a stream.
type reader struct {
	state int32
	kept  int   // bytes read
	run   int   // bytes left out since
	sum   int   // bytes left out before
	gaps  []gap // within the beginning that the state stands for, from first on
	first int
	extra int // the bytes that are left out there
}

// keep reads a byte.
func (r *reader) keep(s *set, b byte) {
	if r.run > 0 {
		r.close()
	}
	depth := s.automaton.states[r.state].depth
	r.state = s.automaton.step(r.state, b)
	r.kept++
	if r.extra > 0 && (s.automaton.states[r.state].depth <= depth || !r.fits(s)) { // it begins later, or has to
		r.trim(s)
	}
}

// through reads text from an index on, of which nothing is left out, up to a byte
// that needs a closer look: one that may be left out, or that a form ends with. It
// returns the index of that.
func (r *reader) through(s *set, text []byte, from int) int {
	a, at, i := s.automaton, r.state, from
	for ; i < len(text); i++ {
		b := text[i]
		if b <= esc && (isBreak(b) || b == esc) {
			break
		}
		next := a.step(at, b)
		if a.states[next].found >= 0 {
			break
		}
		at = next
	}
	r.state, r.kept = at, r.kept+i-from
	return i
}

// close notes that a gap has ended.
func (r *reader) close() {
	r.sum += r.run
	if r.state != 0 {
		if r.first > len(r.gaps)/2 {
			r.gaps, r.first = r.gaps[:copy(r.gaps, r.gaps[r.first:])], 0
		}
		r.gaps = append(r.gaps, gap{r.kept, r.run, r.sum})
		r.extra += r.run
	}
	r.run = 0
}

// leaveOut reads n bytes that are left out.
func (r *reader) leaveOut(s *set, n int) {
	if r.state == 0 {
		r.run = 1 // whatever it is
		return
	}
	r.run += n
	if s.automaton.loose(r.state) && r.run <= s.gap && r.fits(s) {
		return
	}
	for r.state != 0 && !s.automaton.loose(r.state) {
		r.state = s.automaton.states[r.state].fail
	}
	if r.run > s.gap {
		r.state = 0
	}
	r.trim(s)
}

// fits reports whether a form may be broken as the beginning is, and span as much.
func (r *reader) fits(s *set) bool {
	at := &s.automaton.states[r.state]
	return (r.extra == 0 || at.flags&(flagLoose|flagEnds) != 0) && int(at.depth)+r.extra+r.run <= s.span
}

// trim forgets what a shorter beginning does not reach back to, and makes it so
// short that it fits.
func (r *reader) trim(s *set) {
	for {
		depth := int(s.automaton.states[r.state].depth)
		for r.first < len(r.gaps) && r.gaps[r.first].kept <= r.kept-depth {
			r.extra -= r.gaps[r.first].n
			r.first++
		}
		if r.state == 0 || r.fits(s) {
			return
		}
		r.state = s.automaton.states[r.state].fail
	}
}

// held returns from where on text up to end, where the reader is, is undecided,
// and where the longest beginning of a form begins that may go on.
func (r *reader) held(s *set, text []byte, end int) (from, again int) {
	a := s.automaton
	state := a.open(r.state)
	if state == 0 {
		if r.run == 0 && end > 0 && s.edges.has(text[end-1]) {
			return end - 1, end - 1
		}
		return end, end
	}
	from, again = end, end
	// A shorter beginning may count from further before, if the break that comes
	// early in a longer one is one of its own.
	for ; state != 0; state = a.open(a.states[state].fail) {
		depth := int(a.states[state].depth)
		within := inside(r.gaps[r.first:], r.kept-depth, depth)
		begins := end - r.run - depth - r.left(within)
		if again = min(again, begins); begins >= from {
			break
		}
		if r.run > 0 && a.early(state, depth) {
			continue
		}
		counts := a.counts(state, within, r.kept-depth, begins)
		if counts > begins {
			from = min(from, counts)
			continue
		}
		if begins > 0 && a.edged(state) && base64Char.has(text[begins-1]) {
			begins--
		}
		return min(from, begins), again
	}
	return from, again
}

// left returns how many bytes were left out in these gaps, the last ones so far.
func (r *reader) left(gaps []gap) int {
	if len(gaps) == 0 {
		return 0
	}
	return r.sum - gaps[0].sum + gaps[0].n
}

// base64Char has what may be next to a form in base64 or base32.
var base64Char = charsetOf(alphabet64 + "-_")

// counts returns from where on the bytes of a form count that begins at from, by
// its state, and is broken by these gaps: what comes before an early break passed.
func (a *automaton) counts(state int32, within []gap, kept, from int) int {
	begins, left := from, 0
	for _, g := range within {
		n := g.kept - kept
		if n >= unbroken {
			break
		}
		if left += g.n; a.early(state, n) {
			from = begins + n + left
		}
	}
	return from
}

// copyFrom makes r what o is.
func (r *reader) copyFrom(o *reader) {
	gaps := append(r.gaps[:0], o.gaps[o.first:]...)
	*r = *o
	r.gaps, r.first = gaps, 0
}

// reset forgets all that was read.
func (r *reader) reset() { *r = reader{gaps: r.gaps[:0]} }
