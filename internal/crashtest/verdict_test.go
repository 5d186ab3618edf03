package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestWhatIsMissingFromARunUnderWayIsLostUnlessSomebodySetOutToTakeItAway(t *testing.T) {
	const id, name, other, digest = "R", "S", "T", "d"
	start := time.Now()
	at := func(d time.Duration, l line) line { l.At = start.Add(d); return l }
	launched := []line{
		at(0, line{Kind: creating, Step: begun, Name: name, Version: 1, Digest: digest}),
		at(0, line{Kind: launching, Step: begun, Run: id}),
		at(0, line{Kind: launching, Step: done, Run: id, Files: []staged{{Name: name, Version: 1}}}),
	}
	gone, read := sight{gone: []string{name}}, func(d string) sight { return sight{digests: map[string]string{name: d}} }
	renewal := line{Kind: renewing, Step: done, Run: id}
	for _, c := range []struct {
		what  string
		then  []line
		look  sight
		after time.Duration // since the launch
		want  int
	}{
		{"nothing happened", nil, gone, need / 2, 1},
		{"its time is over", nil, gone, need, 0},
		{"it was renewed", []line{at(need/2, renewal)}, gone, need + need/4, 1},
		{"it was renewed, and its time is over all the same", []line{at(need/2, renewal)}, gone, need + need/2, 0},
		{"it was renewed beyond the utmost", []line{at(maxNeed-need/2, renewal)}, gone, maxNeed, 0},
		{"somebody set out to complete it", []line{at(need/4, line{Kind: completing, Step: begun, Run: id})}, gone, need / 2, 0},
		{"somebody set out to complete it, and was heard first", []line{}, gone, need / 2, 0},
		{"somebody will complete it", []line{at(need/2, line{Kind: completing, Step: begun, Run: id})}, gone, need / 4, 1},
		{"somebody set out to revoke it", []line{at(need/4, line{Kind: revoking, Step: begun, Name: name})}, gone, need / 2, 0},
		{"somebody set out to revoke another one", []line{at(need/4, line{Kind: revoking, Step: begun, Name: other})}, gone, need / 2, 1},
		{"it holds what it should", nil, read(digest), need / 2, 0},
		{"it holds something else", nil, read("e"), need / 2, 1},
		{"its version was stored by another", []line{
			at(0, line{Kind: updating, Step: begun, Name: name, Version: 1, Digest: "e"}),
			at(0, line{Kind: updating, Step: done, Name: name, Version: 1, Digest: "e"}),
		}, read(digest), need / 2, 1},
	} {
		h := newHistory()
		if c.then != nil && len(c.then) == 0 {
			h.hear(at(need/4, line{Kind: completing, Step: begun, Run: id}), start)
		}
		for _, l := range append(launched[:len(launched):len(launched)], c.then...) {
			h.hear(l, l.At)
		}
		c.look.run, c.look.done = id, start.Add(c.after)
		h.saw(c.look)
		if lost := h.lostFiles(); len(lost) != c.want {
			t.Errorf("%s: %d are lost, want %d: %q", c.what, len(lost), c.want, lost)
		}
	}
}

// stateWithASecret makes a state and opens it.
func stateWithASecret(t *testing.T) (dir string, h *house, s secrets.Secret) {
	t.Helper()
	dir = t.TempDir()
	if err := build(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	h, err := enter(t.Context(), dir, func(*pipesecrets.Config) {})
	if err != nil {
		t.Fatal(err)
	}
	value, _ := newValue()
	defer value.Destroy()
	name, err := secrets.ParseName("KEY")
	if err == nil {
		s, err = h.service.Create(t.Context(), person, secrets.Secret{Name: name, Scope: workspace}, value)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir, h, s
}

func TestARecordThatDoesNotOpenIsCorrupt(t *testing.T) {
	_, h, s := stateWithASecret(t)
	if bad, err := broken(t.Context(), h); err != nil || len(bad) != 0 {
		t.Fatalf("%q, %v", bad, err)
	}
	record, err := h.backend.Find(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	record.Version++ // to which the seal is not bound
	if err := h.backend.Put(t.Context(), record, s.Version); err != nil {
		t.Fatal(err)
	}
	if bad, err := broken(t.Context(), h); err != nil || len(bad) != 1 {
		t.Errorf("%q, %v", bad, err)
	}
	if err := h.backend.Close(); err != nil {
		t.Error(err)
	}
}

func TestADamagedFileIsCorrupt(t *testing.T) {
	dir, h, _ := stateWithASecret(t)
	if err := h.backend.Close(); err != nil {
		t.Fatal(err)
	}
	path := database(dir)
	if bad := integrity(t.Context(), path); len(bad) != 0 {
		t.Fatalf("%q", bad)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(content[len(content)/2:])
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if bad := integrity(t.Context(), path); len(bad) == 0 {
		t.Error("half of the file is zero, and nothing is corrupt")
	}
}

func TestAKillIsCountedByTheLastLineOfWhoWasKilled(t *testing.T) {
	for _, c := range []struct {
		last line
		want kind
	}{
		{line{}, starting},
		{line{Kind: starting, Step: done}, idle},
		{line{Kind: launching, Step: begun}, launching},
		{line{Kind: launching, Step: intent}, between},
		{line{Kind: launching, Step: recording}, launching},
		{line{Kind: launching, Step: ending}, launching},
		{line{Kind: launching, Step: done}, idle},
		{line{Kind: sweeping, Step: begun}, sweeping},
		{line{Kind: sweeping, Step: refused}, idle},
	} {
		n := newTally()
		if got := n.struck(c.last); got != c.want || n.hit[c.want] != 1 || n.kills != 1 {
			t.Errorf("%v: %s, want %s", c.last, got, c.want)
		}
	}
}

func TestARunPassesIfNothingIsWrongAndEachAimHadItsShare(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func(*summary)
		want   string // "" if it passes
	}{
		{"all is well", func(*summary) {}, ""},
		{"leftovers", func(s *summary) { s.all[0].leftovers = []string{"a"} }, "harm"},
		{"corrupt", func(s *summary) { s.all[0].corrupt = []string{"a"} }, "harm"},
		{"lost", func(s *summary) { s.all[0].lost = []string{"a"} }, "harm"},
		{"late", func(s *summary) { s.all[0].clean = soon + retries + 1 }, "took"},
		{"late on a calm platform", func(s *summary) { s.calm, s.all[0].clean = true, soon+1 }, "took"},
		{"as late as tries allow", func(s *summary) { s.all[0].clean = soon + retries }, ""},
		{"late after a crash", func(s *summary) { s.all[0].crashes = []time.Duration{0, 0, soon + retries + 1} }, "took"},
		{"late after most crashes", func(s *summary) { s.all[0].crashes = []time.Duration{0, soon + 1, soon + 1} }, "half"},
		{"late after a few crashes", func(s *summary) { s.all[0].crashes = []time.Duration{0, 0, soon + 1} }, ""},
		{"nothing acknowledged", func(s *summary) { clear(s.all[0].done) }, "acknowledged"},
		{"nothing acknowledged in a few kills", func(s *summary) { s.tally.kills = sharesFrom - 1; clear(s.all[0].done) }, "acknowledged"},
		{"too few acknowledged of a kind", func(s *summary) { s.all[0].done[retiring] = sharesFrom/20 - 1 }, string(retiring)},
		{"odd", func(s *summary) { s.all[0].odd = map[string]int{"a": 1} }, "no reason"},
		{"a thin share", func(s *summary) { s.tally.hit[sweeping] = 9 }, "sweep"},
		{"nothing created on a platform", func(s *summary) { s.all[0].platform.Creates = 0 }, "created"},
		{"nothing created on AWS", func(s *summary) { s.all[0].aws.Creates = 0 }, "created"},
		{"a thin share of few", func(s *summary) { s.tally.hit[sweeping], s.tally.kills = 0, sharesFrom-1 }, ""},
		{"launches only between intent and record", func(s *summary) { s.tally.hit[launching] = 0 }, ""},
		{"launches never between intent and record", func(s *summary) { s.tally.hit[between] = 0 }, string(between)},
	} {
		s := &summary{tally: newTally(), all: make([]verdict, 2)}
		s.tally.kills = sharesFrom
		for _, k := range aims {
			s.tally.hit[k] = 10
		}
		s.all[0].done = map[kind]int{}
		for _, k := range operations {
			s.all[0].done[k] = sharesFrom / 20
		}
		s.all[0].platform.Creates, s.all[0].aws.Creates = sharesFrom/20, sharesFrom/20
		c.change(s)
		err := s.judge()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

func TestAFailureIsExpectedIfEachPartOfItIs(t *testing.T) {
	code := func(c provider.Code) error { return &provider.Error{Op: "op", Code: c} }
	unknown := errors.New("disk on fire")
	for _, c := range []struct {
		err  error
		want bool
	}{
		{stage.ErrHeld, true},
		{fmt.Errorf("sqlstore: put: %w", secrets.ErrConflict), true},
		{&pipesecrets.RequestError{}, true},
		{code(provider.Unavailable), true},
		{code(provider.Throttled), true},
		{code(provider.Internal), false},
		{code(provider.Forbidden), false},
		{code(provider.NotOurs), false},
		{code(provider.Refused), false},
		{&provider.Error{Op: "create", Code: provider.Refused}, true},
		{unknown, false},
		{errors.Join(stage.ErrFenced, code(provider.Internal)), true},
		{errors.Join(stage.ErrFenced, code(provider.Forbidden)), false},
		{errors.Join(stage.ErrFenced, unknown), false},
		{fmt.Errorf("launch: %w", errors.Join(stage.ErrHeld, unknown)), false},
		{errors.Join(stage.ErrHeld, errors.Join(code(provider.Unavailable), code(provider.Internal))), false},
	} {
		if got := expected(c.err); got != c.want {
			t.Errorf("%q: %t", c.err, got)
		}
	}
}
