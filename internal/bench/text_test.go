package main

import (
	"bytes"
	"testing"
)

func TestTheLogIsTheSameForTheSameSeedAndAnotherForAnother(t *testing.T) {
	needles := needlesOf(1, 5, needleSize)
	one, two := logOf(7, textSize, needles), logOf(7, textSize, needles)
	if !bytes.Equal(one.text, two.text) || !bytes.Equal(one.masked, two.masked) || one.hits != two.hits {
		t.Error("two logs of one seed differ")
	}
	if bytes.Equal(one.text, logOf(8, textSize, needles).text) {
		t.Error("two seeds make the same log")
	}
}

func TestTheLogHasItsSizeAndAWholeHitInEachHundredthLine(t *testing.T) {
	needles := needlesOf(1, 5, needleSize)
	l := logOf(1, textSize, needles)
	if len(l.text) != textSize {
		t.Errorf("%d bytes", len(l.text))
	}
	lines, found := bytes.Count(l.text, []byte("\n")), 0
	for _, p := range pieces(l.text, pieceSize) {
		for _, n := range needles {
			found += bytes.Count(p, []byte(n))
		}
	}
	if found != l.hits || bytes.Count(l.masked, []byte(mark)) != l.hits {
		t.Errorf("%d values lie within a piece, %d are masked, and there should be %d", found, bytes.Count(l.masked, []byte(mark)), l.hits)
	}
	if want := lines / hitEvery; l.hits < want-1 || l.hits > want+1 {
		t.Errorf("%d hits in %d lines", l.hits, lines)
	}
	for _, n := range needles {
		if bytes.Contains(l.masked, []byte(n)) {
			t.Error("a value is in the masked log")
		}
	}
}

func TestNeedlesDifferAndHaveTheirSize(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range needlesOf(1, 1000, needleSize) {
		if len(n) != needleSize || seen[n] {
			t.Errorf("%d bytes, or seen before", len(n))
		}
		seen[n] = true
	}
}

func TestHostileTextsAreTheSameForTheSameSeedAndEndInAValue(t *testing.T) {
	for _, f := range fightsOf(1, false) {
		text := f.of(1, f.needles)
		if !bytes.Equal(text, f.of(1, f.needles)) {
			t.Errorf("%s, %s: two texts of one seed differ", f.needleSet.name, f.hostileText.name)
		}
		if len(text) != hostileSize || !bytes.HasSuffix(text, []byte(f.needles[len(f.needles)-1])) {
			t.Errorf("%s, %s: %d bytes, or no value at the end", f.needleSet.name, f.hostileText.name, len(text))
		}
	}
}
