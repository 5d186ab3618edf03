package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// printRaces prints MB/s by contender and number of needles.
func printRaces(to io.Writer, races []race) {
	fmt.Fprintln(to, "MB/s on 1 MiB of log text in writes of 32 KiB, by the number of values of 24 bytes:")
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(label string, of func(race) float64) {
		fmt.Fprintf(w, "%s\t", label)
		for _, r := range races {
			fmt.Fprintf(w, "%.*f\t", max(0, 1-int(of(r)/1e7)), of(r)/1e6)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "\t")
	for _, r := range races {
		fmt.Fprintf(w, "%d\t", r.needles)
	}
	fmt.Fprintln(w)
	for _, c := range contenders {
		row(c.label, func(r race) float64 { return r.speed[c.key] })
	}
	row(tableLabel, func(r race) float64 { return r.table })
	_ = w.Flush()
	fmt.Fprintln(to)
}

// tableLabel names the loop for people.
const tableLabel = "one table look-up a byte"

// printHostile prints what was measured on each hostile text.
func printHostile(to io.Writer, all []outcome) {
	fmt.Fprintln(to, "hostile texts, 20 values: speed as a fraction of one table look-up a byte:")
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "values\ttext\tall forms\tbyte by byte\tvalues only\tbuildkite\tratio")
	for _, o := range all {
		fmt.Fprintf(w, "%s\t%s\t%.4f\t%.4f\t%.4f\t%.4f\t%.1f\n", o.set, o.text, o.forms, o.oneByte, o.values, o.theirs, o.values/o.theirs)
	}
	_ = w.Flush()
	fmt.Fprintln(to)
}
