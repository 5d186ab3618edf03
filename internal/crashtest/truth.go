package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/precedence"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// broken names what the database holds and nobody can use.
func broken(ctx context.Context, h *house) (bad []string, err error) {
	const noKey, page = 0, 500 // every record is sealed under another key than none
	for after := (secrets.Pin{}); ; {
		records, err := h.backend.Behind(ctx, noKey, after, page)
		if err != nil || len(records) == 0 {
			return bad, err
		}
		for _, record := range records {
			after = record.Pin
			value, err := h.keyring.Open(ctx, record)
			if err != nil {
				bad = append(bad, fmt.Sprintf("version %d of %s: %v", record.Version, record.Name, err))
			}
			value.Destroy()
		}
	}
}

// integrity asks SQLite itself.
func integrity(ctx context.Context, path string) (bad []string) {
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return []string{err.Error()}
	}
	defer db.Close()
	for _, pragma := range []string{"integrity_check", "foreign_key_check"} {
		rows, err := db.QueryContext(ctx, "PRAGMA "+pragma)
		if err != nil {
			return append(bad, err.Error())
		}
		columns, _ := rows.Columns()
		for rows.Next() {
			said := make([]any, len(columns))
			at := make([]any, len(columns))
			for i := range said {
				at[i] = &said[i]
			}
			if err := rows.Scan(at...); err != nil {
				bad = append(bad, err.Error())
			} else if text := fmt.Sprint(said...); text != "ok" {
				bad = append(bad, pragma+": "+text)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			bad = append(bad, err.Error())
		}
	}
	return bad
}

// lost names what was acknowledged and is not so.
func (r *round) lost(ctx context.Context, h *house) (lost []string, err error) {
	lost = r.history.lostFiles()
	living, err := h.living(ctx)
	if err != nil {
		return nil, err
	}
	there := map[string]secrets.Secret{}
	for _, s := range living {
		there[s.Name.String()] = s
	}
	for v := range r.history.stored {
		revoked := r.history.revoked[v.name]
		s, is := there[v.name]
		switch {
		case !is && revoked.begun.IsZero():
			lost = append(lost, fmt.Sprintf("secret %s, version %d", v.name, v.n))
		case is && s.Version < v.n:
			lost = append(lost, fmt.Sprintf("version %d of %s, which is at %d", v.n, v.name, s.Version))
		}
	}
	for name, revoked := range r.history.revoked {
		if _, is := there[name]; is && revoked.done {
			lost = append(lost, "revocation of "+name)
		}
	}
	for id, run := range r.history.launched {
		now, _, err := load(ctx, h, id)
		if err != nil {
			return nil, err
		}
		if run.done && now.Phase < stage.Active {
			lost = append(lost, fmt.Sprintf("launch of %s, which is %v", id, now.Phase))
		}
		if run.completed.done && now.Phase < stage.Ending {
			lost = append(lost, fmt.Sprintf("completion of %s, which is %v", id, now.Phase))
		}
	}
	for key, kept := range r.history.keys {
		if kept && !slices.Contains(h.keyring.Keys(), key) {
			lost = append(lost, fmt.Sprintf("key %d", key))
		}
	}
	unlogged, err := r.unlogged(ctx, h)
	if err != nil {
		return nil, err
	}
	misread, err := r.read(ctx, h, living)
	return append(append(lost, unlogged...), misread...), err
}

// unlogged names what was acknowledged and is not in the audit log.
func (r *round) unlogged(ctx context.Context, h *house) (missing []string, err error) {
	told := map[string]bool{"": true}
	for e, err := range h.backend.Entries(ctx, 0) {
		if err != nil {
			return nil, err
		}
		ev := e.Event
		if ev.Outcome != secrets.Done {
			continue
		}
		switch ev.Action {
		case secrets.ActionCreate, secrets.ActionUpdate, secrets.ActionRevoke:
			told[entryOf(ev.Action, ev.Name.String(), ev.Pin.Version, "")] = true
		default:
			told[entryOf(ev.Action, "", 0, ev.Run.String())] = true
		}
	}
	for what := range r.history.logged {
		if !told[what] {
			missing = append(missing, "event "+what)
		}
	}
	return missing, nil
}

// read launches one more run, with all secrets, and compares what its tasks would
// read with what was stored.
func (r *round) read(ctx context.Context, h *house, living []secrets.Secret) (lost []string, err error) {
	if len(living) == 0 {
		return nil, nil
	}
	request := pipesecrets.LaunchRequest{Workspace: workspace, Targets: map[string][]secrets.Name{cluster: nil}}
	if request.Run, err = secrets.ParseRunID("verdict"); err != nil {
		return nil, err
	}
	for _, s := range living {
		request.Wants = append(request.Wants, precedence.Want{Name: s.Name})
	}
	r.history.launched[request.Run.String()] = &run{}
	launch, err := h.service.Launch(ctx, person, request)
	if err != nil {
		return []string{"nothing can be launched: " + err.Error()}, nil
	}
	for _, f := range files(launch) {
		content, err := os.ReadFile(f.Path)
		if err != nil || !r.history.mayBe(version{f.Name, f.Version}, digestBytes(content)) {
			lost = append(lost, fmt.Sprintf("the value of %s, version %d", f.Name, f.Version))
		}
	}
	_, err = h.service.Complete(ctx, person, request.Run, pipesecrets.Ending{Outcome: "read"})
	return lost, errors.Join(err, launch.Redactor.Close())
}
