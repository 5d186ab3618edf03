package sqlstore

import (
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// How a run and its rows are read and written.

const runColumns = `id, kind, scope, caller, request, chosen, items, phase, outcome, epoch, actor, started, needed, ended, kept, masked, pinned`

// runs returns the runs of a query.
func (t *tx) runs(query string, args ...any) ([]stage.Run, error) {
	var all []stage.Run
	err := t.each(func(row scanner) error {
		var r stage.Run
		var items []itemJSON
		err := row.Scan(textIn{&r.ID}, &r.Workspace.Kind, &r.Workspace.ID, &r.Caller, bytesIn{&r.Request}, bytesIn{&r.Chosen}, listIn[itemJSON]{&items},
			&r.Phase, &r.Outcome, numberIn[uint64]{&r.Epoch}, stampIn{&r.Actor}, stampIn{&r.Started}, stampIn{&r.Needed},
			stampIn{&r.Ended}, stampIn{&r.Kept}, stampIn{&r.Masked}, &r.Pinned)
		for _, j := range items {
			it, bad := j.item()
			if bad != nil {
				return bad
			}
			it.Revoked = j.Revoked
			r.Items = append(r.Items, it)
		}
		all = append(all, r)
		return err
	}, query, args...)
	return all, err
}

// ids returns the ids of a query's runs.
func (t *tx) ids(query string, args ...any) ([]secrets.RunID, error) {
	var all []secrets.RunID
	err := t.each(func(row scanner) error {
		var id secrets.RunID
		err := row.Scan(textIn{&id})
		all = append(all, id)
		return err
	}, query, args...)
	return all, err
}

// run returns one run, or ErrNoRun.
func (t *tx) run(id secrets.RunID) (stage.Run, error) {
	found, err := t.runs(`SELECT `+runColumns+` FROM run WHERE id = ?`, id.String())
	if err != nil {
		return stage.Run{}, err
	}
	if len(found) == 0 {
		return stage.Run{}, stage.ErrNoRun
	}
	return found[0], nil
}

// addRun inserts a run that is due as [tx.setRun] says, once that is called.
func (t *tx) addRun(r stage.Run) error {
	items := make([]itemJSON, len(r.Items))
	for i, it := range r.Items {
		items[i] = itemOut(it.Item, it.Scope)
	}
	_, err := t.exec(`INSERT INTO run (`+runColumns+`, due) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)`,
		r.ID.String(), r.Workspace.Kind, r.Workspace.ID, r.Caller, bytesOut(r.Request), bytesOut(r.Chosen), listOut(items),
		r.Phase, r.Outcome, int64(r.Epoch), stamp(r.Actor), stamp(r.Started), stamp(r.Needed), stamp(r.Ended), stamp(r.Kept), stamp(r.Masked), r.Pinned)
	return err
}

// revoke marks the items of a secret in a run, and reports whether any was not
// marked before.
func (t *tx) revoke(r *stage.Run, id secrets.ID) (changed bool, err error) {
	items := make([]itemJSON, len(r.Items))
	for i := range r.Items {
		it := &r.Items[i]
		changed = changed || it.Pin.ID == id && !it.Revoked
		it.Revoked = it.Revoked || it.Pin.ID == id
		items[i] = itemOut(it.Item, it.Scope)
		items[i].Revoked = it.Revoked
	}
	if changed {
		_, err = t.exec(`UPDATE run SET items = ? WHERE id = ?`, listOut(items), r.ID.String())
	}
	return changed, err
}

// setRun stores what may change of a run, and when it is due. It comes last:
// that depends on the rows.
func (t *tx) setRun(r stage.Run) error {
	due, err := t.due(r)
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE run SET phase = ?, outcome = ?, epoch = ?, actor = ?, needed = ?, ended = ?, kept = ?, masked = ?, pinned = ?, due = ?
		WHERE id = ?`,
		r.Phase, r.Outcome, int64(r.Epoch), stamp(r.Actor), stamp(r.Needed), stamp(r.Ended), stamp(r.Kept), stamp(r.Masked), r.Pinned, due, r.ID.String())
	return err
}

const rowColumns = `stage, target, kind, account, at, name, token, mark, epoch, expires, items, id, state, intent, absent, gone, next, attempts, code`

// rows returns the rows of a run in the order of their places.
func (t *tx) rows(run secrets.RunID) ([]stage.Row, error) {
	var all []stage.Row
	err := t.each(func(row scanner) error {
		var r stage.Row
		o := &r.Object
		var items []itemJSON
		err := row.Scan(&o.Stage, &r.Target, &r.Location.Kind, &r.Location.Account, &r.Location.Place, &o.Name, &o.Token, fixedIn{o.Mark[:]},
			numberIn[uint64]{&o.Epoch}, stampIn{&o.Expires}, listIn[itemJSON]{&items}, &r.ID, &r.State, stampIn{&r.Intent},
			stampIn{&r.Absent}, stampIn{&r.Gone}, stampIn{&r.Next}, &r.Attempts, &r.Code)
		for _, j := range items {
			it, bad := j.item()
			if bad != nil {
				return bad
			}
			o.Items = append(o.Items, it.Item)
		}
		o.Run = run
		all = append(all, r)
		return err
	}, `SELECT `+rowColumns+` FROM object WHERE run = ? ORDER BY place`, run.String())
	return all, err
}

// addRow stores a row after the others of its run; setRow stores it whole,
// whether it is there or not. Both refuse a stage that another row uses.
func (t *tx) addRow(run secrets.RunID, r stage.Row) error {
	return t.putRow(run, r, `DO NOTHING`)
}

func (t *tx) setRow(run secrets.RunID, r stage.Row) error {
	return t.putRow(run, r, `DO UPDATE SET target = excluded.target, kind = excluded.kind, account = excluded.account, at = excluded.at,
		name = excluded.name, token = excluded.token, mark = excluded.mark, epoch = excluded.epoch, expires = excluded.expires,
		items = excluded.items, id = excluded.id, state = excluded.state, intent = excluded.intent, absent = excluded.absent,
		gone = excluded.gone, next = excluded.next, attempts = excluded.attempts, code = excluded.code WHERE object.run = excluded.run`)
}

var errStage = &secrets.InvalidError{Field: "stage", Rule: "is another row's"}

func (t *tx) putRow(run secrets.RunID, r stage.Row, taken string) error {
	items := make([]itemJSON, len(r.Object.Items))
	for i, it := range r.Object.Items {
		items[i] = itemOut(it, secrets.Scope{})
	}
	o := r.Object
	changed, err := t.exec(`INSERT INTO object (run, place, `+rowColumns+`)
		VALUES (?, (SELECT coalesce(max(place), 0) + 1 FROM object WHERE run = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (stage) `+taken,
		run.String(), run.String(), o.Stage, r.Target, r.Location.Kind, r.Location.Account, r.Location.Place, o.Name, o.Token, o.Mark[:],
		int64(o.Epoch), stamp(o.Expires), listOut(items), r.ID, r.State, stamp(r.Intent), stamp(r.Absent), stamp(r.Gone), stamp(r.Next),
		r.Attempts, string(r.Code))
	if err == nil && changed == 0 {
		err = errStage
	}
	return err
}
