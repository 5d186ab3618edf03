package providertest_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/providertest"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestTheSuiteRejectsNoDriverOfAPlatformThatIsMerelyDifferent(t *testing.T) {
	for what, differ := range map[string]func(*rigged){
		"it throttles now and then": throttle,
		"it holds no more than 64 bytes": func(r *rigged) {
			r.carries = func(_ secrets.Name, v secrets.Value) error {
				return v.Reveal(func(plain []byte) error {
					if len(plain) > 64 {
						return &secrets.InvalidError{Field: "value", Rule: "has at most 64 bytes"}
					}
					return nil
				})
			}
		},
		"it carries no name beside the secret that has it": func(r *rigged) {
			r.beside = func(_ secrets.Name, v secrets.Value, others []secrets.Name) error {
				return v.Reveal(func(plain []byte) error {
					for _, other := range others {
						if bytes.Contains(plain, []byte(other.String())) {
							return &secrets.InvalidError{Field: "value", Rule: "may not hold the name of another"}
						}
					}
					return nil
				})
			}
		},
		"it holds no more than 20 objects": func(r *rigged) {
			r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
				if len(r.platform.Objects()) >= 20 {
					return "", &provider.Error{Op: "create", Code: provider.Quota}
				}
				return r.whole.Create(ctx, o, open)
			}
		},
		"it forbids to touch what is not ours": func(r *rigged) {
			r.remove = func(ctx context.Context, o provider.Object, id string) error {
				return forbidden(r.whole.Remove(ctx, o, id))
			}
			r.withdraw = func(ctx context.Context, o provider.Object, id string, open provider.Opener) error {
				return forbidden(r.whole.Withdraw(ctx, o, id, open))
			}
		},
	} {
		for _, c := range []providertest.Config{{Joint: true, Concurrency: 4}, {Joint: true, Horizon: 10 * time.Minute}} {
			t.Run(what, func(t *testing.T) {
				providertest.Run(t, harness(c, func(p *providertest.Platform, d provider.Provider) provider.Provider {
					r := &rigged{whole: d.(whole), platform: p}
					differ(r)
					return r
				}))
			})
		}
	}
}

// forbidden is what a platform says that can't tell why it refuses.
func forbidden(err error) error {
	var failure *provider.Error
	if errors.As(err, &failure) && failure.Code == provider.NotOurs {
		return &provider.Error{Op: failure.Op, Code: provider.Forbidden}
	}
	return err
}

// throttle lets a call fail now and then.
func throttle(r *rigged) {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, 0)) // the same calls each time, in a test that does one at a time
	busy := func() error {
		mu.Lock()
		defer mu.Unlock()
		if random.IntN(4) == 0 {
			return &provider.Error{Op: "call", Code: provider.Throttled}
		}
		return nil
	}
	r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
		if err := busy(); err != nil {
			return "", err
		}
		return r.whole.Create(ctx, o, open)
	}
	r.withdraw = func(ctx context.Context, o provider.Object, id string, open provider.Opener) error {
		if err := busy(); err != nil {
			return err
		}
		return r.whole.Withdraw(ctx, o, id, open)
	}
	r.remove = func(ctx context.Context, o provider.Object, id string) error {
		if err := busy(); err != nil {
			return err
		}
		return r.whole.Remove(ctx, o, id)
	}
	r.probe = func(ctx context.Context, o provider.Object) (provider.Presence, string, error) {
		if err := busy(); err != nil {
			return provider.Unknown, "", err
		}
		return r.whole.Probe(ctx, o)
	}
	r.list = func(ctx context.Context, mark [16]byte) iter.Seq2[provider.Object, error] {
		if err := busy(); err != nil {
			return func(yield func(provider.Object, error) bool) { yield(provider.Object{}, err) }
		}
		return r.whole.List(ctx, mark)
	}
}

func TestTheSuiteTakesWhatIsPendingForDaysAsRemoved(t *testing.T) {
	for what, shown := range map[string]bool{"and it is shown": true, "and it is not shown": false} {
		t.Run(what, func(t *testing.T) {
			var bin *bin
			h := harness(providertest.Config{Joint: true}, func(p *providertest.Platform, d provider.Provider) provider.Provider {
				bin.platform = p
				return bin.driver(d.(whole))
			})
			open := h.Open
			h.Open = func(t *testing.T) providertest.Place {
				bin = newBin()
				place := open(t)
				holds, left := place.Holds, place.Left
				place.Holds = func(r provider.Reference, plain []byte) bool { return !bin.hasID(r.Locator) && holds(r, plain) }
				place.Refuse = func(all bool) { bin.refuse = all }
				if !shown {
					place.Left = func() []string { return bin.without(left()) }
				}
				return place
			}
			providertest.Run(t, h)
		})
	}
}
