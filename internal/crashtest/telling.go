package main

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// What a worker does and a kill hits.
type kind string

const (
	launching  kind = "launch"
	renewing   kind = "renewal"
	completing kind = "completion"
	sweeping   kind = "sweep"
	rewrapping kind = "rewrap"
	creating   kind = "create"
	updating   kind = "update"
	revoking   kind = "revoke"
	rotating   kind = "rotate"
	retiring   kind = "retire"

	between  kind = "intent..record" // a part of launching
	starting kind = "start"          // the process is opening its state
	idle     kind = "idle"           // between two operations
)

// operations are what a worker tells the acknowledgement of.
var operations = []kind{launching, renewing, completing, sweeping, rewrapping, creating, updating, revoking, rotating, retiring}

// step is where an operation stands.
type step string

const (
	begun     step = "begun"
	intent    step = "intent"    // a launch: its intent is committed
	recording step = "recording" // a launch: all is created, and about to be recorded
	ending    step = "ending"    // a launch: it failed, and is about to be undone
	done      step = "done"      // acknowledged
	refused   step = "refused"   // it failed as it may, with another at work on the same
	failed    step = "failed"    // it failed as it may not
)

// line is one line that a worker tells its parent. It holds no value.
type line struct {
	At   time.Time
	Kind kind
	Step step
	Err  string `json:",omitempty"` // for failed

	Run     string          `json:",omitempty"`
	Name    string          `json:",omitempty"` // of a secret
	Version secrets.Version `json:",omitempty"`
	Digest  string          `json:",omitempty"` // of its value
	Key     uint32          `json:",omitempty"`
	Files   []staged        `json:",omitempty"` // of a launch that is done
}

// staged is one secret of a launch.
type staged struct {
	Name    string
	Version secrets.Version
	Path    string // of its file; "" if it is not on the cluster
	Cloud   bool   // it is on the cloud
	AWS     bool   // it is on aws
}

// teller writes lines to the parent. A line is one write, which a pipe takes
// whole: what is acknowledged was read by the parent, or will be.
type teller struct {
	to  io.Writer
	now line // the operation under way
}

func (t *teller) tell(l line) {
	l.At = time.Now()
	text, err := json.Marshal(l)
	if err == nil {
		_, err = t.to.Write(append(text, '\n'))
	}
	if err != nil {
		panic(err) // the parent is gone, and nothing that is done here counts
	}
}

func (t *teller) begin(l line) {
	t.now, l.Step = l, begun
	t.tell(l)
}

// at tells that the operation under way has come to a step.
func (t *teller) at(s step) {
	l := t.now
	l.Step = s
	t.tell(l)
}

// witness is a backend that tells how far a launch has come.
type witness struct {
	pipesecrets.Backend
	*teller
}

func (w witness) Begin(ctx context.Context, r stage.Run, rows []stage.Row, t stage.Terms, ev ...secrets.Event) (stage.Run, error) {
	run, err := w.Backend.Begin(ctx, r, rows, t, ev...)
	if err == nil {
		w.at(intent)
	}
	return run, err
}

func (w witness) Advance(ctx context.Context, r stage.Run, to stage.Phase, lease time.Duration, rows []stage.Row, ev ...secrets.Event) (stage.Run, error) {
	if to == stage.Active && r.Phase == stage.Staging {
		w.at(recording)
	}
	return w.Backend.Advance(ctx, r, to, lease, rows, ev...)
}

func (w witness) End(ctx context.Context, id secrets.RunID, c stage.Closing, ev ...secrets.Event) (stage.Run, []stage.Row, error) {
	if w.now.Kind == launching {
		w.at(ending)
	}
	return w.Backend.End(ctx, id, c, ev...)
}
