package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/awssm/fetch"
	"github.com/pipesecrets/pipesecrets/provider/stage"
)

// ended ends the run, however it went, and shows what became of it. left reports
// whether something may still be at AWS: the house is needed then.
func (p *play) ended(ctx context.Context, status int, failed bool) (left bool, err error) {
	p.chapter("The run ends")
	outcome := fmt.Sprint("exit-", status)
	if failed {
		outcome = "failed"
	}
	// Without the cancelling: a run is ended however the program is. By the operator,
	// who may end what has not begun, too.
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	receipt, err := p.house.service.Complete(closing, operator, p.run, pipesecrets.Ending{Outcome: outcome})
	if err != nil { // AWS did not answer, say: sweeps go on
		err = p.explained(err)
		receipt, _ = p.until(closing, func(r stage.Receipt) bool { return removed(r) || hopeless(r) })
	}
	p.receipt(receipt)
	if receipt.Run.Phase < stage.Ending || !removed(receipt) {
		return true, fmt.Errorf("something may still be at AWS: %w", cmp.Or(err, errors.New("no receipt says that it is removed")))
	}
	if settled(receipt) {
		return false, p.looked(context.WithoutCancel(ctx))
	}
	horizon := p.driver.Capabilities().Horizon
	if p.cloud.fake == nil && !p.options.wait || ctx.Err() != nil {
		p.say("Removed, and seen absent once. What AWS is late with could still come: a sweep after %v", horizon)
		p.say("is the proof, which a launcher makes by itself, and this one with -wait or at its next call with -dir.")
	} else {
		p.say("Removed, and seen absent once. What AWS is late with could still come for %v. Then a sweep:", horizon)
		if receipt, err = p.until(ctx, settled); err != nil {
			return false, err
		}
		p.receipt(receipt)
	}
	err = p.looked(context.WithoutCancel(ctx))
	return err != nil, err
}

// settled reports whether nothing of the run is left, but for what AWS itself deletes
// in seven days, since a policy forbids that anybody deletes at once: nobody can read
// it any more, and it costs nothing.
func settled(r stage.Receipt) bool {
	return !slices.ContainsFunc(r.Rows, func(row stage.Row) bool { return !row.State.Over() && row.State != stage.Pending })
}

// removed reports whether nothing of the run is left that was seen.
func removed(r stage.Receipt) bool {
	r.Rows = slices.DeleteFunc(slices.Clone(r.Rows), func(row stage.Row) bool { return row.State == stage.AbsentOnce })
	return settled(r)
}

// hopeless reports whether somebody has to change something before what is left can
// be removed.
func hopeless(r stage.Receipt) bool {
	return slices.ContainsFunc(r.Rows, func(row stage.Row) bool {
		return row.NeedsHelp() || row.Code != "" && row.Code != provider.Unavailable && row.Code != provider.Throttled
	})
}

func (p *play) receipt(r stage.Receipt) {
	p.say("receipt of %s, %s: %s", p.run, r.Run.Outcome, cmp.Or(counted(r.Rows), "nothing was staged"))
}

func counted(rows []stage.Row) string {
	count := map[stage.State]int{}
	for _, row := range rows {
		count[row.State]++
	}
	var parts []string
	for s := stage.Intent; s <= stage.Released; s++ {
		if count[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[s], s))
		}
	}
	return strings.Join(parts, ", ")
}

// earlier tells what is not yet gone of runs of earlier calls with the same directory.
func (p *play) earlier(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	rows, err := p.house.others(ctx, p.run)
	if len(rows) == 0 {
		return err
	}
	p.say("of earlier runs in this directory: %s", counted(rows))
	if !removed(stage.Receipt{Rows: rows}) {
		err = errors.Join(err, fmt.Errorf("of earlier runs something is still at AWS: %s", counted(rows)))
	}
	return err
}

// until sweeps as a host does, on a ticker, until the receipt is as wished or the
// time for that is over.
func (p *play) until(ctx context.Context, wished func(stage.Receipt) bool) (stage.Receipt, error) {
	horizon := p.driver.Capabilities().Horizon
	ctx, cancel := context.WithTimeoutCause(ctx, horizon+2*time.Minute, errors.New("it takes longer than the horizon"))
	defer cancel()
	progress := newProgress(os.Stderr, horizon)
	defer progress.done()
	tick := time.NewTicker(max(100*time.Millisecond, horizon/100))
	defer tick.Stop()
	for {
		_, swept := p.house.service.Sweep(ctx, operator) // what fails is tried again
		receipt, err := p.house.service.Receipt(ctx, operator, p.run)
		if err == nil && wished(receipt) {
			return receipt, nil
		}
		progress.show()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return receipt, errors.Join(context.Cause(ctx), swept)
		}
	}
}

// looked sees with the job's own eyes that nothing can be read any more that it has
// read, and on the fake that nothing is there.
func (p *play) looked(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if p.read != nil || p.cloud.fake != nil {
		p.chapter("Nothing is left")
	}
	if p.read != nil {
		if err := p.unreadable(ctx); err != nil {
			return err
		}
	}
	if p.cloud.fake != nil {
		there := len(p.cloud.fake.Secrets())
		if there > 0 {
			return fmt.Errorf("the fake still has %d secret(s)", there)
		}
		p.say("The fake has none at all, after %d calls.", len(p.cloud.fake.Calls()))
	}
	return nil
}

func (p *play) unreadable(ctx context.Context) error {
	var seen error
	err := patiently(ctx, func() (again bool, _ error) { // a look may be stale for a while
		values, err := fetch.Values(ctx, p.cloud.job, p.read)
		for _, v := range values {
			v.Destroy()
		}
		seen = err
		return seen == nil || missing(seen) > 0 && missing(seen) < len(p.read), nil
	})
	if err != nil || missing(seen) < len(p.read) {
		return errors.Join(errors.New("the job can still read some of its secrets, or can't tell"), seen, err)
	}
	p.say("The job asks for its secrets again: %v.", seen)
	return nil
}
