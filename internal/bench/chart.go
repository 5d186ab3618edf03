package main

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
)

// The chart, in pixels.
const (
	chartWidth, chartHeight = 760, 460
	plotLeft, plotRight     = 64, 566
	plotTop, plotBottom     = 76, 396
	labelGap                = 17 // between the labels of two lines
)

// palette is a line's colours on light and on dark ground. Markers tell lines
// apart, too.
var palette = [][2]string{
	{"#0b6e4f", "#3fd69b"}, {"#1f6feb", "#79b8ff"}, {"#b35900", "#ffa657"},
	{"#a5258c", "#f08fd8"}, {"#8a6d00", "#e3c44d"}, {"#c0202f", "#ff8a84"}, {"#57606a", "#9aa4af"},
}

// line is one line of the chart.
type line struct {
	label  string
	speeds []float64 // bytes per second, by race
	dashed bool
	end    float64 // where its label is
}

// chart draws the throughput by the number of needles, both on logarithmic scales,
// as SVG. It has no ground of its own, and its colours follow the reader's.
func chart(races []race, rounds int) []byte {
	var lines []*line
	for _, c := range contenders {
		l := &line{label: c.label}
		for _, r := range races {
			l.speeds = append(l.speeds, r.speed[c.key])
		}
		lines = append(lines, l)
	}
	loop := &line{label: tableLabel, dashed: true}
	for _, r := range races {
		loop.speeds = append(loop.speeds, r.table)
	}
	lines = append(lines, loop)

	least, most := math.Inf(1), 0.0
	for _, l := range lines {
		least, most = min(least, slices.Min(l.speeds)), max(most, slices.Max(l.speeds))
	}
	x := scale(float64(races[0].needles), float64(races[len(races)-1].needles), plotLeft, plotRight)
	low, high := math.Floor(math.Log10(least/1e6)), math.Ceil(math.Log10(most/1e6))
	y := scale(math.Pow(10, low), math.Pow(10, high), plotBottom, plotTop)

	var b bytes.Buffer
	head(&b, len(lines))
	text(&b, "title", plotLeft, 24, "start", "Masking a log: MB/s by the number of values")
	text(&b, "", plotLeft, 44, "start", "1 MiB of log lines in writes of 32 KiB, a hit in every hundredth line, values of 24 bytes")
	text(&b, "", plotLeft, 62, "start", fmt.Sprintf("best of %d rounds, %s on %s; trust the ratios, not the speeds", rounds, runtime.Version(), runtime.GOARCH))
	for e := low; e <= high; e++ {
		at := y(math.Pow(10, e))
		fmt.Fprintf(&b, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>\n", plotLeft, at, plotRight)
		text(&b, "", plotLeft-8, at+4, "end", fmt.Sprintf("%g", math.Pow(10, e)))
	}
	for _, r := range races {
		at := x(float64(r.needles))
		fmt.Fprintf(&b, "<path class=\"grid\" d=\"M%.1f %dV%d\"/>\n", at, plotTop, plotBottom)
		text(&b, "", at, plotBottom+18, "middle", fmt.Sprint(r.needles))
	}
	text(&b, "", (plotLeft+plotRight)/2, plotBottom+42, "middle", "values, logarithmic")

	for i, l := range lines {
		var path strings.Builder
		for j, s := range l.speeds {
			fmt.Fprintf(&path, "%c%.1f %.1f", "LM"[btoi(j == 0)], x(float64(races[j].needles)), y(s/1e6))
		}
		dash := ""
		if l.dashed {
			dash = ` stroke-dasharray="5 5"`
		}
		fmt.Fprintf(&b, "<path class=\"line l%d\"%s d=\"%s\"/>\n", i, dash, &path)
		for j, s := range l.speeds {
			if !l.dashed {
				fmt.Fprintf(&b, "<path class=\"mark m%d\" d=\"%s\"/>\n", i, marker(i, x(float64(races[j].needles)), y(s/1e6)))
			}
		}
		l.end = y(l.speeds[len(l.speeds)-1] / 1e6)
	}
	apart(lines)
	for i, l := range lines {
		at := y(l.speeds[len(l.speeds)-1] / 1e6)
		fmt.Fprintf(&b, "<path class=\"line thin l%d\" d=\"M%d %.1fL%d %.1f\"/>\n", i, plotRight+6, at, plotRight+18, l.end)
		text(&b, fmt.Sprint("m", i), plotRight+22, l.end+4, "start", l.label)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// head begins the file, with the colours.
func head(b *bytes.Buffer, lines int) {
	fmt.Fprintf(b, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"t\">\n", chartWidth, chartHeight)
	b.WriteString("<title id=\"t\">Throughput of maskers by the number of values, on logarithmic scales</title>\n<style>\n")
	b.WriteString("text{font:13px system-ui,sans-serif}.title{font-size:16px;font-weight:600}.line{fill:none;stroke-width:2}.thin{stroke-width:1}.grid{fill:none;stroke-width:1}\n")
	colours := func(dark int, ink, grid string) {
		fmt.Fprintf(b, "text{fill:%s}.grid{stroke:%s}", ink, grid)
		for i := range lines {
			c := palette[i%len(palette)][dark]
			fmt.Fprintf(b, ".l%d{stroke:%s}.m%d{fill:%s}", i, c, i, c)
		}
	}
	colours(0, "#24292f", "#d0d7de")
	b.WriteString("\n@media(prefers-color-scheme:dark){")
	colours(1, "#e6edf3", "#3d444d")
	b.WriteString("}\n</style>\n")
}

// text writes a text, anchored where it begins, ends or has its middle.
func text(b *bytes.Buffer, class string, x, y float64, anchor, s string) {
	if class != "" {
		class = fmt.Sprintf(" class=%q", class)
	}
	fmt.Fprintf(b, "<text%s x=\"%.1f\" y=\"%.1f\" text-anchor=%q>", class, x, y, anchor)
	_ = xml.EscapeText(b, []byte(s)) // into memory, which does not fail
	b.WriteString("</text>\n")
}

// marker is the path of a line's marker.
func marker(i int, x, y float64) string {
	shapes := []string{
		"m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", "m-4 -4h8v8h-8z", "m0 -5l5 9h-10z",
		"m0 -5l5 5l-5 5l-5 -5z", "m0 5l5 -9h-10z", "m-5 -2h10v4h-10z",
	}
	return fmt.Sprintf("M%.1f %.1f%s", x, y, shapes[i%len(shapes)])
}

// apart moves the labels apart until they can be read.
func apart(lines []*line) {
	order := slices.SortedFunc(slices.Values(lines), func(a, b *line) int { return cmp.Compare(a.end, b.end) })
	for i := 1; i < len(order); i++ {
		order[i].end = max(order[i].end, order[i-1].end+labelGap)
	}
	over := order[len(order)-1].end - plotBottom
	for i := len(order) - 1; i >= 0 && over > 0; i-- { // those that were moved out at the bottom
		limit := float64(plotBottom - labelGap*(len(order)-1-i))
		order[i].end = min(order[i].end, limit)
	}
}

// scale returns the logarithmic scale that takes from and to to a and b.
func scale(from, to, a, b float64) func(float64) float64 {
	return func(v float64) float64 { return a + (b-a)*math.Log(v/from)/math.Log(to/from) }
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
