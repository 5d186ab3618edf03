package sqlstore

import (
	"context"
	"crypto/rand"

	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func (t *tx) installation() (secrets.Installation, error) {
	var in secrets.Installation
	found, err := t.one([]any{fixedIn{in.ID[:]}, fixedIn{in.Mark[:]}, &in.Home, numberIn[uint64]{&in.Generation}},
		`SELECT id, mark, home, generation FROM installation`)
	if err == nil && !found {
		err = t.fail(errUnreadable)
	}
	return in, err
}

// Installation implements [secrets.Store].
func (s *Store) Installation(ctx context.Context, home string) (secrets.Installation, error) {
	var in secrets.Installation
	ask := func(t *tx) (err error) {
		in, err = t.installation()
		return err
	}
	if err := s.read(ctx, "installation", ask); err != nil || in.Home != "" || home == "" {
		return in, err
	}
	err := s.write(ctx, "installation", func(t *tx) error {
		// Another process may have been first.
		if _, err := t.exec(`UPDATE installation SET home = ? WHERE home = ''`, home); err != nil {
			return err
		}
		return ask(t)
	})
	return in, err
}

// Adopt implements [secrets.Store].
func (s *Store) Adopt(ctx context.Context, home string, cloned bool, ev ...secrets.Event) (secrets.Installation, error) {
	var in secrets.Installation
	err := s.write(ctx, "adopt", func(t *tx) error {
		var at string
		var before bool
		if _, err := t.one([]any{&at, &before}, `SELECT home, cloned FROM installation`); err != nil {
			return err
		}
		switch {
		case at == home && before != cloned:
			return errAtHome
		case at != home:
			if err := t.adopt(home, cloned); err != nil {
				return err
			}
		}
		if err := t.record(ev); err != nil {
			return err
		}
		var err error
		in, err = t.installation()
		return err
	})
	return in, err
}

var errAtHome = &secrets.InvalidError{Field: "cloned", Rule: "can't be changed while the database is at home here"}

func (t *tx) adopt(home string, cloned bool) error {
	if _, err := t.exec(`UPDATE installation SET home = ?, cloned = ?, generation = generation + 1`, home, cloned); err != nil || !cloned {
		return err
	}
	return t.leaveToOriginal()
}

// leaveToOriginal makes the copied ledger's objects somebody else's, and ends
// its runs: their pins are due to be dropped at once.
func (t *tx) leaveToOriginal() error {
	var mark [16]byte
	_, _ = rand.Read(mark[:]) // never fails
	if _, err := t.exec(`UPDATE installation SET mark = ?`, mark[:]); err != nil {
		return err
	}
	now := stamp(t.now)
	if _, err := t.exec(`UPDATE object SET state = ?, gone = ? WHERE `+notOver, stage.Released, now); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE run SET phase = ?, masked = ?, ended = CASE ended WHEN 0 THEN ? ELSE ended END,
		due = CASE pinned WHEN 1 THEN ? END WHERE phase <> ?`, stage.Closed, now, now, now, stage.Closed)
	return err
}
