package sqlstore

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// End implements [stage.Ledger].
func (s *Store) End(ctx context.Context, id secrets.RunID, c stage.Closing, ev ...secrets.Event) (stage.Run, []stage.Row, error) {
	if _, err := secrets.ParseRunID(id.String()); err != nil {
		return stage.Run{}, nil, err
	}
	var r stage.Run
	var rows []stage.Row
	err := s.write(ctx, "end", func(t *tx) (err error) {
		r, err = t.run(id)
		unknown := errors.Is(err, stage.ErrNoRun)
		again := r.IsKept(t.now) && c.Keep <= 0 && !c.Overdue && c.Staging == 0
		switch {
		case err != nil && !unknown:
			return err
		case (r.Phase == stage.Ending || r.Phase == stage.Closed) && !again:
			if rows, err = t.rows(id); err == nil {
				err = stage.ErrEnded
			}
			return err
		case again:
			c.Outcome = r.Outcome
		case c.Staging != 0 && (r.Phase != stage.Staging || r.Epoch != c.Staging):
			return stage.ErrFenced
		case c.Overdue && !overdue(r, t.now):
			return stage.ErrHeld
		case unknown:
			r = stage.Run{ID: id, Phase: stage.Closed, Epoch: 1}
			err = t.addRun(r)
		}
		if err != nil {
			return err
		}
		if !unknown {
			if err := t.end(&r, c); err != nil {
				return err
			}
		}
		r.Outcome, r.Masked = c.Outcome, toMicro(later(t.now, r.Kept).Add(c.MaskFor))
		if !again {
			r.Ended = t.now
		}
		if err := t.setRun(r); err != nil {
			return err
		}
		if rows, err = t.rows(id); err != nil {
			return err
		}
		return t.record(ev)
	})
	if err != nil && !errors.Is(err, stage.ErrEnded) {
		return stage.Run{}, nil, err
	}
	return r, rows, err
}

// end moves a run to Ending with its rows, but for what is kept.
func (t *tx) end(r *stage.Run, c stage.Closing) error {
	r.Kept = time.Time{}
	if r.Phase == stage.Active && c.Keep > 0 && !slices.ContainsFunc(r.Items, func(it stage.Item) bool { return it.Revoked }) {
		if until := toMicro(sooner(t.now.Add(c.Keep), r.Started.Add(c.Limit))); until.After(t.now) {
			r.Kept = until
		}
	}
	r.Phase, r.Epoch, r.Actor = stage.Ending, r.Epoch+1, t.now
	if !r.Kept.IsZero() {
		if _, err := t.exec(`UPDATE object SET next = ?, attempts = 0 WHERE run = ? AND state = ?`,
			stamp(r.Kept), r.ID.String(), stage.Created); err != nil {
			return err
		}
	}
	return t.deleting(*r)
}

// deleting lets a run's rows be removed, but for what is kept.
func (t *tx) deleting(r stage.Run) error {
	kept := stage.State(0)
	if !r.Kept.IsZero() {
		kept = stage.Created
	}
	_, err := t.exec(`UPDATE object SET state = ?, next = 0, attempts = 0, absent = 0 WHERE run = ? AND state <> ? AND `+notOver,
		stage.Deleting, r.ID.String(), kept)
	return err
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func sooner(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// overdue reports whether nobody needs the run any longer, or the one who staged
// it is gone. An unknown run is not overdue.
func overdue(r stage.Run, now time.Time) bool {
	return r.Phase == stage.Staging && !now.Before(r.Actor) || r.Phase == stage.Active && !now.Before(r.Needed)
}
