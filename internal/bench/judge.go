package main

import (
	"bytes"
	"fmt"
	"testing"
)

// outcome is what was measured on one hostile text: speeds as fractions of that of
// the loop, ours with all forms and with the values only.
type outcome struct {
	set     string
	text    string
	plain   bool
	forms   float64
	oneByte float64 // with all forms, in writes of one byte
	values  float64
	theirs  float64 // buildkite's
	allocs  float64 // of a pass with all forms
}

// oneByteSize is how much of a text is written byte by byte.
const oneByteSize = 8 << 10

// fight is a hostile text for a set of needles.
type fight struct {
	needleSet
	hostileText
}

// fightsOf are all fights, or those that a target is about.
func fightsOf(seed uint64, few bool) []fight {
	var all []fight
	for _, set := range needleSets(seed) {
		for _, h := range hostileTexts {
			if !few || h.plain || set.name == randomSet {
				all = append(all, fight{set, h})
			}
		}
	}
	return all
}

// hostilities measures the fights.
func hostilities(p *progress, fights []fight, seed uint64, e effort) ([]outcome, error) {
	var all []outcome
	for _, f := range fights {
		what := fmt.Sprintf("%s values, hostile text: %s", f.needleSet.name, f.hostileText.name)
		p.begin("%s", what)
		o, err := hostility(p, f.needleSet, f.hostileText, f.of(seed, f.needles), e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		all = append(all, o)
	}
	return all, nil
}

func hostility(p *progress, set needleSet, h hostileText, text []byte, e effort) (outcome, error) {
	large := pieces(text, pieceSize)
	runs := []*run{tableRun(text)}
	for _, of := range []struct {
		contender
		pieces [][]byte
	}{{oursAllForms, large}, {oursAllForms, pieces(text[:oneByteSize], 1)}, {ours, large}, {theBuildkite, large}} {
		if err := of.masksHostile(set.needles, large, h.plain && of.key != oursAllForms.key); err != nil {
			return outcome{}, err
		}
		r, err := runOf(of.contender, set.needles, of.pieces)
		if err != nil {
			return outcome{}, err
		}
		runs = append(runs, r)
	}
	e.measure(p, runs...)
	fraction := func(i int) float64 { return runs[i].best / runs[0].best }
	return outcome{set.name, h.name, h.plain, fraction(1), fraction(2), fraction(3), fraction(4), testing.AllocsPerRun(2, runs[1].pass)}, nil
}

// masksHostile fails unless the contender masks a hostile text: exactly, or else at
// least the value at its end and whatever stands there unbroken.
func (c contender) masksHostile(needles []string, pieces [][]byte, exactly bool) error {
	if exactly {
		return c.masks(needles, pieces, maskedSlowly(bytes.Join(pieces, nil), needles))
	}
	got, err := c.output(needles, pieces)
	if err != nil {
		return fmt.Errorf("%s: %w", c.label, err)
	}
	if !bytes.HasSuffix(got, []byte(mark)) {
		return fmt.Errorf("%s does not mask the value at the end", c.label)
	}
	for _, n := range needles {
		if bytes.Contains(got, []byte(n)) {
			return fmt.Errorf("%s lets a value pass", c.label)
		}
	}
	return nil
}
