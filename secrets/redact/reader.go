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
	r.state = s.automaton.step(r.state, b)
	r.kept++
	if r.extra > 0 {
		r.trim(s)
	}
}

// leaveOut reads n bytes that are left out.
func (r *reader) leaveOut(s *set, n int) {
	if r.state == 0 {
		r.run = 1 // whatever it is
		return
	}
	r.run += n
	for r.state != 0 && !s.automaton.loose(r.state) {
		r.state = s.automaton.fail[r.state]
	}
	if r.run > s.gap {
		r.state = 0
	}
	r.trim(s)
}

// trim forgets what a shorter beginning does not reach back to, and makes it so
// short that a form may be broken as it is, and span as much.
func (r *reader) trim(s *set) {
	for {
		depth := int(s.automaton.depth[r.state])
		for r.first < len(r.gaps) && r.gaps[r.first].kept <= r.kept-depth {
			r.extra -= r.gaps[r.first].n
			r.first++
		}
		breakable := r.extra == 0 || s.automaton.flags[r.state]&(flagLoose|flagEnds) != 0
		if r.state == 0 || breakable && depth+r.extra+r.run <= s.span {
			return
		}
		r.state = s.automaton.fail[r.state]
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
	for ; state != 0; state = a.open(a.fail[state]) {
		depth := int(a.depth[state])
		within := inside(r.gaps[r.first:], r.kept-depth, depth)
		begins := end - r.run - depth
		for _, g := range within {
			begins -= g.n
		}
		again = min(again, begins)
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
