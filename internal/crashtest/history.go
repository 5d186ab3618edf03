package main

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// version names one version of one secret; no name is used twice.
type version struct {
	name string
	n    secrets.Version
}

// history is what the workers of a round told, from which follows what must be
// true now. What was begun may be true; what was acknowledged is.
type history struct {
	mu sync.Mutex

	tried    map[version][]string // digests that somebody set out to store
	stored   map[version]string   // the one that was acknowledged
	revoked  map[string]span
	launched map[string]*run
	keys     map[uint32]bool      // acknowledged; false: somebody set out to retire it, before or after
	logged   map[string]bool      // what the audit log must tell
	killed   map[string]time.Time // runs whose launcher was killed while it launched
	done     map[kind]int         // operations
	refused  int                  // operations that failed as they may
	odd      map[string]int       // failures that nothing explains
	seen     []sight
}

// span is an operation: from when it may have had its effect, and whether it was
// acknowledged.
type span struct {
	begun time.Time
	done  bool
}

type run struct {
	begun     time.Time
	done      bool
	files     []staged
	needed    time.Time // at least, if it was acknowledged
	completed span
}

// sight is a look at what is staged for a run.
type sight struct {
	run     string
	done    time.Time         // when it was over
	gone    []string          // names that were not where they should be
	digests map[string]string // of the files that were there
}

func newHistory() *history {
	return &history{
		tried: map[version][]string{}, stored: map[version]string{}, revoked: map[string]span{}, launched: map[string]*run{},
		keys: map[uint32]bool{}, logged: map[string]bool{}, killed: map[string]time.Time{}, done: map[kind]int{}, odd: map[string]int{},
	}
}

// hear takes in a line of an operation that had begun at began.
func (h *history) hear(l line, began time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := version{l.Name, l.Version}
	switch l.Step {
	case refused:
		h.refused++
	case failed:
		h.odd[fmt.Sprintf("%s: %s", l.Kind, l.Err)]++
	case begun:
		switch l.Kind {
		case creating, updating:
			h.tried[v] = append(h.tried[v], l.Digest)
		case revoking:
			if _, again := h.revoked[l.Name]; !again {
				h.revoked[l.Name] = span{begun: l.At}
			}
		case launching:
			h.run(l.Run).begun = l.At
		case completing:
			if r := h.run(l.Run); r.completed.begun.IsZero() {
				r.completed.begun = l.At
			}
		case retiring:
			h.keys[l.Key] = false
		}
	case done:
		h.done[l.Kind]++
		switch l.Kind {
		case creating, updating:
			h.stored[v] = l.Digest
		case revoking:
			h.revoked[l.Name] = span{h.revoked[l.Name].begun, true}
		case launching:
			r := h.run(l.Run)
			r.done, r.files, r.needed = true, l.Files, later(r.needed, r.begun.Add(need))
		case renewing:
			if r := h.run(l.Run); !r.begun.IsZero() {
				r.needed = later(r.needed, earlier(began.Add(need), r.begun.Add(maxNeed)))
			}
		case completing:
			h.run(l.Run).completed.done = true
		case rotating:
			if _, retired := h.keys[l.Key]; !retired {
				h.keys[l.Key] = true
			}
		}
		h.logged[entry(l)] = true
	}
}

// run returns what is known of a run. What others do to it may be heard of before
// its launch, since each worker has a line of its own.
func (h *history) run(id string) *run {
	r := h.launched[id]
	if r == nil {
		r = &run{}
		h.launched[id] = r
	}
	return r
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// actions are what the audit log calls what is acknowledged.
var actions = map[kind]secrets.Action{
	creating: secrets.ActionCreate, updating: secrets.ActionUpdate, revoking: secrets.ActionRevoke,
	launching: secrets.ActionLaunch, renewing: secrets.ActionRenew, completing: secrets.ActionComplete,
}

// entry is what the audit log tells of an acknowledged operation, "" if nothing.
func entry(l line) string {
	action, told := actions[l.Kind]
	if !told {
		return ""
	}
	return entryOf(action, l.Name, l.Version, l.Run)
}

func entryOf(action secrets.Action, name string, v secrets.Version, run string) string {
	if action == secrets.ActionRevoke {
		v = 0
	}
	return fmt.Sprint(action, " ", name, " ", v, " ", run)
}

// died notes that a launcher was killed while it launched a run.
func (h *history) died(run string, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.killed[run] = at
}

// underWay returns the launched runs that nobody set out to complete and that
// need their secrets for a while.
func (h *history) underWay(now time.Time) map[string][]staged {
	h.mu.Lock()
	defer h.mu.Unlock()
	runs := map[string][]staged{}
	for id, r := range h.launched {
		if r.done && r.completed.begun.IsZero() && now.Before(r.needed) {
			runs[id] = r.files
		}
	}
	return runs
}

// saw notes a look.
func (h *history) saw(s sight) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = append(h.seen, s)
}

// lostFiles returns what was missed at some look at a run, while nobody had set
// out to take it away. To be asked when every worker's last line was heard.
func (h *history) lostFiles() (lost []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.seen {
		r := h.launched[s.run]
		if !s.done.Before(r.needed) || mayBeDone(r.completed.begun, s.done) {
			continue
		}
		for _, name := range s.gone {
			if !mayBeDone(h.revoked[name].begun, s.done) {
				lost = append(lost, fmt.Sprintf("%s of run %s is not staged, %v before its time", name, s.run, r.needed.Sub(s.done)))
			}
		}
		for _, f := range r.files {
			if digest, read := s.digests[f.Name]; read && !h.mayBe(version{f.Name, f.Version}, digest) {
				lost = append(lost, fmt.Sprintf("%s of run %s holds something else", f.Name, s.run))
			}
		}
	}
	return lost
}

// mayBeDone reports whether an operation that had begun at a time, zero for never,
// may have had its effect by now.
func mayBeDone(begun, now time.Time) bool { return !begun.IsZero() && !begun.After(now) }

// mayBe reports whether a version may have this content.
func (h *history) mayBe(v version, digest string) bool {
	if acknowledged, ok := h.stored[v]; ok {
		return digest == acknowledged
	}
	return slices.Contains(h.tried[v], digest)
}
