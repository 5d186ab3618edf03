package providertest_test

import (
	"context"
	"errors"
	"iter"
	"sync"

	"github.com/pipesecrets/pipesecrets/provider"
)

// brokenLooking breaks what looks and removes.
var brokenLooking = map[string]func(*rigged){
	"Probe/TellsWhatIsThere: knows only what it made itself": func(r *rigged) {
		var made sync.Map
		r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
			made.Store(o.Name, true)
			return r.whole.Create(ctx, o, open)
		}
		r.probe = func(ctx context.Context, o provider.Object) (provider.Presence, string, error) {
			if _, ours := made.Load(o.Name); !ours {
				return provider.Absent, "", nil
			}
			return r.whole.Probe(ctx, o)
		}
	},
	"Probe/TellsWhatIsThere: answers no id": func(r *rigged) {
		r.probe = func(ctx context.Context, o provider.Object) (provider.Presence, string, error) {
			p, _, err := r.whole.Probe(ctx, o)
			return p, "", err
		}
	},
	"Probe/SaysForeignOfWhatIsSomebodyElses: says present": func(r *rigged) {
		r.probe = func(ctx context.Context, o provider.Object) (provider.Presence, string, error) {
			return r.whole.Probe(ctx, r.truth(o))
		}
	},
	"Probe/FailsIfItCanNotLook: says absent": func(r *rigged) {
		r.probe = func(ctx context.Context, o provider.Object) (provider.Presence, string, error) {
			p, id, err := r.whole.Probe(ctx, o)
			if err != nil {
				return provider.Absent, "", nil
			}
			return p, id, nil
		}
	},
	"Remove/LeavesNothing: leaves a trash": func(r *rigged) {
		r.remove = func(ctx context.Context, o provider.Object, id string) error {
			p, _, _ := r.whole.Probe(ctx, o)
			if p == provider.Present {
				r.litter(o)
			}
			return r.whole.Remove(ctx, o, id)
		}
	},
	"Remove/LeavesNothing: only when it is told twice": func(r *rigged) {
		var told sync.Map
		r.remove = func(ctx context.Context, o provider.Object, id string) error {
			if _, twice := told.LoadOrStore(o.Name, true); !twice {
				return nil
			}
			return r.whole.Remove(ctx, o, id)
		}
	},
	"Remove/LeavesNothing: does nothing": func(r *rigged) {
		r.remove = func(context.Context, provider.Object, string) error { return nil }
	},
	"Remove/LeavesNothing: says that it is pending, and leaves it": func(r *rigged) {
		var told sync.Map
		r.remove = func(_ context.Context, o provider.Object, _ string) error {
			told.Store(o.Name, true)
			return nil
		}
		r.probe = func(ctx context.Context, o provider.Object) (provider.Presence, string, error) {
			p, id, err := r.whole.Probe(ctx, o)
			if _, removed := told.Load(o.Name); removed && p == provider.Present {
				return provider.Pending, "", nil
			}
			return p, id, err
		}
	},
	"Remove/OfWhatIsGoneSucceeds: says that it is not there": func(r *rigged) {
		r.remove = func(ctx context.Context, o provider.Object, id string) error {
			if p, _, _ := r.whole.Probe(ctx, o); p == provider.Absent {
				return &provider.Error{Op: "remove", Code: provider.Refused}
			}
			return r.whole.Remove(ctx, o, id)
		}
	},
	"Remove/ByAnotherProcessNeedsNoMoreThanWhatIsFoundByName: needs to have made it": func(r *rigged) {
		var made sync.Map
		r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
			made.Store(o.Name, true)
			return r.whole.Create(ctx, o, open)
		}
		r.remove = func(ctx context.Context, o provider.Object, id string) error {
			if _, ours := made.Load(o.Name); !ours {
				return nil
			}
			return r.whole.Remove(ctx, o, id)
		}
	},
	"Remove/TouchesNothingElse: removes all that carries the mark": func(r *rigged) {
		r.remove = func(ctx context.Context, o provider.Object, id string) error {
			for other := range r.whole.List(ctx, o.Mark) {
				_ = r.whole.Remove(ctx, other, "")
			}
			return r.whole.Remove(ctx, o, id)
		}
	},
	"Remove/TouchesNothingOfAnotherMark: does not look at it":       func(r *rigged) { r.remove = r.removeAnybodys },
	"Remove/TouchesNothingThatIsSomebodyElses: does not look at it": func(r *rigged) { r.remove = r.removeAnybodys },
	"Remove/TouchesNothingThatHasAnotherID: does not look at the id": func(r *rigged) {
		r.remove = func(ctx context.Context, o provider.Object, _ string) error { return r.whole.Remove(ctx, o, "") }
	},
	"Remove/FailsIfThePlatformForbidsIt: says that it removed it": func(r *rigged) {
		r.remove = func(ctx context.Context, o provider.Object, id string) error {
			var failure *provider.Error
			if err := r.whole.Remove(ctx, o, id); !errors.As(err, &failure) || failure.Code != provider.Forbidden {
				return err
			}
			return nil
		}
	},
	"Remove/FailsIfThePlatformForbidsIt: asks for another attempt": func(r *rigged) {
		r.remove = func(ctx context.Context, o provider.Object, id string) error {
			if r.whole.Remove(ctx, o, id) != nil {
				return &provider.Error{Op: "remove", Code: provider.Unavailable}
			}
			return nil
		}
	},
	"Remove/FailsIfItsContextIsDone: says that it removed it": func(r *rigged) {
		r.remove = func(ctx context.Context, o provider.Object, id string) error {
			if err := r.whole.Remove(ctx, o, id); ctx.Err() == nil {
				return err
			}
			return nil
		}
	},
	"List/YieldsWhatCarriesTheMarkAndNothingElse: does not look at the mark": func(r *rigged) {
		r.list = func(_ context.Context, mark [16]byte) iter.Seq2[provider.Object, error] {
			return func(yield func(provider.Object, error) bool) {
				for _, o := range r.platform.Objects() {
					if !yield(provider.Object{Name: o.Name, Mark: mark}, nil) {
						return
					}
				}
			}
		}
	},
	"List/YieldsWhatCarriesTheMarkAndNothingElse: yields none": func(r *rigged) { r.list = none },
	"List/YieldsAllOfManyOrFails: yields a page": func(r *rigged) {
		r.list = func(ctx context.Context, mark [16]byte) iter.Seq2[provider.Object, error] {
			return func(yield func(provider.Object, error) bool) {
				n := 0
				for o, err := range r.whole.List(ctx, mark) {
					if n++; n > 10 || !yield(o, err) {
						return
					}
				}
			}
		}
	},
	"List/YieldsAllOfManyOrFails: takes a page that it can't read for the end": func(r *rigged) {
		r.list = func(ctx context.Context, mark [16]byte) iter.Seq2[provider.Object, error] {
			return func(yield func(provider.Object, error) bool) {
				n := 0
				for o, err := range r.whole.List(ctx, mark) {
					if n++; n%10 == 0 {
						if _, _, err := r.whole.Probe(ctx, o); err != nil {
							return
						}
					}
					if !yield(o, err) {
						return
					}
				}
			}
		}
	},
	"List/YieldsWhatDiedWhileItWasMade: yields what is whole": func(r *rigged) {
		r.list = func(ctx context.Context, mark [16]byte) iter.Seq2[provider.Object, error] {
			return func(yield func(provider.Object, error) bool) {
				empty := map[string]bool{}
				for _, o := range r.platform.Objects() {
					empty[o.Name] = len(o.Items) == 0
				}
				for o, err := range r.whole.List(ctx, mark) {
					if !empty[o.Name] && !yield(o, err) {
						return
					}
				}
			}
		}
	},
	"List/FailsIfItCanNotLook: yields none": func(r *rigged) {
		r.list = func(ctx context.Context, mark [16]byte) iter.Seq2[provider.Object, error] {
			return func(yield func(provider.Object, error) bool) {
				for o, err := range r.whole.List(ctx, mark) {
					if err != nil || !yield(o, nil) {
						return
					}
				}
			}
		}
	},
	"List/StopsWhenItIsToldTo: goes on": func(r *rigged) {
		r.list = func(ctx context.Context, mark [16]byte) iter.Seq2[provider.Object, error] {
			return func(yield func(provider.Object, error) bool) {
				for o, err := range r.whole.List(ctx, mark) {
					yield(o, err)
				}
			}
		}
	},
}

func none(context.Context, [16]byte) iter.Seq2[provider.Object, error] {
	return func(func(provider.Object, error) bool) {}
}
