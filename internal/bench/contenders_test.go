package main

import (
	"io"
	"strings"
	"testing"
)

func TestEachContenderMasksExactlyThePlantedValues(t *testing.T) {
	for _, n := range []int{1, 10, 50} {
		needles := needlesOf(3, n, needleSize)
		l := logOf(3, 4*pieceSize, needles)
		for _, c := range contenders {
			if err := c.masks(needles, pieces(l.text, pieceSize), l.masked); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestAContenderThatDoesTooLittleIsRefused(t *testing.T) {
	needles := needlesOf(1, 10, needleSize)
	l := logOf(1, 4*pieceSize, needles)
	idle := contender{"idle", "idle", func(_ []string, to io.Writer) (io.WriteCloser, error) {
		return replaceAllStream(nil, to)
	}}
	half := contender{"half", "half", func(needles []string, to io.Writer) (io.WriteCloser, error) {
		return ours.open(needles[:5], to)
	}}
	for _, c := range []contender{idle, half} {
		if c.masks(needles, pieces(l.text, pieceSize), l.masked) == nil {
			t.Errorf("%s passes", c.label)
		}
		if c.masksHostile(needles, pieces([]byte(strings.Join(needles, " ")), pieceSize), false) == nil {
			t.Errorf("%s passes on a hostile text", c.label)
		}
	}
}

func TestValuesThatShareAByteGetOneMarkAndThoseThatTouchTwo(t *testing.T) {
	for _, c := range []struct{ text, needles, want string }{
		{"", "ab", ""},
		{"xaby", "ab", "x" + mark + "y"},
		{"xabab", "ab", "x" + mark + mark},
		{"aba", "ab ba", mark},
		{"abcd", "abcd bc", mark},
		{"aaaab-", "aab aaab", "a" + mark + "-"},
		{"a", "ab", "a"},
	} {
		if got := string(maskedSlowly([]byte(c.text), strings.Fields(c.needles))); got != c.want {
			t.Errorf("%q without %s: got %q, want %q", c.text, c.needles, got, c.want)
		}
	}
}
