package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"iter"
	"net"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/providertest"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// The platform lives in a process of its own, which nobody kills, and is spoken
// to through a socket: one connection, one JSON request and one JSON reply for
// each call.

// Operations beside those of a driver.
const (
	opObjects = "objects" // the truth, of both platforms
	opCalm    = "calm"    // from here on a removal shows at once, on both
)

type request struct {
	Op     string
	Object object
	ID     string
	Until  time.Time // the platform refuses what arrives later, as by a signature that has expired

	Digests map[string]string // of the values, by name: all that the platform is told of them
}

// object is what the platform keeps of a provider.Object.
type object struct {
	Stage, Name, Token string
	Mark               [16]byte
	Items              []provider.Item
}

func toWire(o provider.Object) object {
	return object{o.Stage, o.Name, o.Token, o.Mark, o.Items}
}

func (o object) object() provider.Object {
	return provider.Object{Stage: o.Stage, Name: o.Name, Token: o.Token, Mark: o.Mark, Items: o.Items}
}

type reply struct {
	Code     provider.Code // "" for success
	ID       string
	Presence provider.Presence
	Objects  []object
	Coming   int // effects that are on their way
	Stats    providertest.Stats
	AWS      awsDeeds
}

// platformConfig is what both sides know of the platform.
var platformConfig = providertest.Config{Horizon: horizon, Concurrency: 4}

// remote is the launcher's side of the driver.
type remote struct {
	provider.Provider // of an empty platform, for what does no I/O
	socket            string
}

var _ provider.Lister = remote{}

func newRemote(socket string) remote {
	return remote{providertest.New(platformConfig).Driver(), socket}
}

// call completes the request when the connection stands, and sends it.
func (r remote) call(ctx context.Context, asked request, complete func(*request) error) (reply, error) {
	unavailable := &provider.Error{Op: asked.Op, Code: provider.Unavailable}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", r.socket)
	if err != nil {
		return reply{}, unavailable
	}
	defer conn.Close()
	if until, ok := ctx.Deadline(); ok {
		asked.Until = until
		if conn.SetDeadline(until) != nil {
			return reply{}, unavailable
		}
	}
	if err := complete(&asked); err != nil {
		return reply{}, err
	}
	var answer reply
	if json.NewEncoder(conn).Encode(asked) != nil || json.NewDecoder(conn).Decode(&answer) != nil {
		return reply{}, unavailable
	}
	if answer.Code != "" {
		return reply{}, &provider.Error{Op: asked.Op, Code: answer.Code}
	}
	return answer, nil
}

func (r remote) ask(ctx context.Context, asked request) (reply, error) {
	return r.call(ctx, asked, func(*request) error { return nil })
}

// Create asks for the values when all that is left to do is to send them.
func (r remote) Create(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
	asked := request{Op: "create", Object: toWire(o), Digests: map[string]string{}}
	answer, err := r.call(ctx, asked, func(asked *request) error {
		values, err := open(ctx)
		for name, value := range values {
			if err == nil {
				asked.Digests[name.String()], err = digestOf(value)
			}
		}
		return err
	})
	return answer.ID, err
}

func (r remote) Probe(ctx context.Context, o provider.Object) (provider.Presence, string, error) {
	answer, err := r.ask(ctx, request{Op: "probe", Object: toWire(o)})
	return answer.Presence, answer.ID, err
}

func (r remote) Remove(ctx context.Context, o provider.Object, id string) error {
	_, err := r.ask(ctx, request{Op: "remove", Object: toWire(o), ID: id})
	return err
}

func (r remote) List(ctx context.Context, mark [16]byte) iter.Seq2[provider.Object, error] {
	return func(yield func(provider.Object, error) bool) {
		answer, err := r.ask(ctx, request{Op: "list", Object: object{Mark: mark}})
		for _, o := range answer.Objects {
			if !yield(o.object(), nil) {
				return
			}
		}
		if err != nil {
			yield(provider.Object{}, err)
		}
	}
}

// digestOf returns the SHA-256 of a value.
func digestOf(v secrets.Value) (digest string, err error) {
	err = v.Reveal(func(plain []byte) error {
		digest = digestBytes(plain)
		return nil
	})
	return digest, err
}

func digestBytes(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
