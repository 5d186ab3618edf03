package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestTheChartIsXMLAndNamesEachContenderOnce(t *testing.T) {
	var races []race
	for _, n := range []int{1, 10, 100} {
		r := race{needles: n, table: 2e9, speed: map[string]float64{}}
		for i, c := range contenders {
			r.speed[c.key] = 3e9 / float64(1+i*n)
		}
		races = append(races, r)
	}
	svg := chart(races, 3)
	var texts []string
	inText := false
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			inText = token.Name.Local == "text"
		case xml.EndElement:
			inText = false
		case xml.CharData:
			if inText {
				texts = append(texts, string(token))
			}
		}
	}
	all := "\n" + strings.Join(texts, "\n") + "\n"
	for _, c := range append(contenders, contender{label: tableLabel}) {
		if n := strings.Count(all, "\n"+c.label+"\n"); n != 1 {
			t.Errorf("%s is there %d times", c.label, n)
		}
	}
	if bytes.Contains(svg, []byte("NaN")) || bytes.Contains(svg, []byte("Inf")) {
		t.Error("a place that is no number")
	}
}

func TestLabelsAreApartAndWithinTheChart(t *testing.T) {
	for _, ends := range [][]float64{
		{100, 100, 100, 100}, {plotBottom, plotBottom, plotBottom - 1}, {plotTop, plotBottom}, {390, 380, 395, 200, 391, 388, 394},
	} {
		var lines []*line
		for _, e := range ends {
			lines = append(lines, &line{end: e})
		}
		apart(lines)
		for i, a := range lines {
			if a.end < plotTop || a.end > plotBottom {
				t.Errorf("%v: one is at %v", ends, a.end)
			}
			for _, b := range lines[:i] {
				if d := max(a.end-b.end, b.end-a.end); d < labelGap {
					t.Errorf("%v: two are %v apart", ends, d)
				}
			}
		}
	}
}
