package main

import (
	"fmt"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/awssm"
)

// What AWS Secrets Manager costs, in dollars: $0.40 per secret and month, by the hour
// for less than a month, and $0.05 per 10,000 calls
// (aws.amazon.com/secrets-manager/pricing). What is deleted costs nothing.
const (
	secretMonth = 0.40
	call        = 0.05 / 10_000
	month       = 730 // hours
)

// What a run costs in calls for each of its AWS secrets: to create it, to read it for
// one container, to delete it, and to look whether it is gone, once at the end and
// four times in the horizon. The sweeps' lists, a call per 100 AWS secrets, are shared
// by all runs.
const callsEach = 8

// price is what so many AWS secrets of a run cost.
func price(secrets int, hours float64) (kept, called float64) {
	return float64(secrets) * secretMonth * hours / month, float64(secrets) * callsEach * call
}

// bill tells what the run costs at AWS, in both layouts.
func (p *play) bill() error {
	p.chapter(fmt.Sprintf("What it costs, if a run lasts %g hours", p.options.hours))
	p.say("%-10s  %11s  %8s  %8s  %10s", "-layout", "AWS secrets", "kept", "calls", "1,000 runs")
	for _, layout := range []string{"secrets", "map"} {
		driver, err := p.cloud.driver(layouts[layout])
		if err != nil {
			return err
		}
		n, err := p.count(driver)
		if err != nil {
			p.say("%-10s  is not for these secrets: %v", layout, err)
			continue
		}
		kept, called := price(n, p.options.hours)
		p.say("%-10s  %11d  $%.5f  $%.5f  %10s", layout, n, kept, called, fmt.Sprintf("$%.2f", 1000*(kept+called)))
	}
	p.say("In the map one permission opens all of it, and Nextflow does not know it.")
	return nil
}

// count answers how many AWS secrets the run takes with a driver.
func (p *play) count(driver *awssm.Driver) (int, error) {
	var items []provider.Item
	for name, value := range p.values.staged() {
		if err := driver.Carries(name, value); err != nil {
			return 0, err
		}
		items = append(items, provider.Item{Name: name, Weight: driver.Weigh(name, value)})
	}
	objects, err := driver.Plan(p.run, items, nil)
	return len(objects), err
}
