package providertest_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// brokenRest breaks values, errors, concurrency and the protocol.
var brokenRest = map[string]func(*rigged){
	"Values/ArriveExactlyWhateverTheyAreOrAreRefused: without the newline at their end": func(r *rigged) {
		r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
			return r.whole.Create(ctx, o, changed(open, func(values map[secrets.Name]secrets.Value) {
				for name, v := range values {
					_ = v.Reveal(func(plain []byte) error {
						if trimmed, err := secrets.NewValue([]byte(strings.TrimSuffix(string(plain), "\n"))); err == nil {
							values[name] = trimmed
						}
						return nil
					})
				}
			}))
		}
	},
	"Values/ArriveUnderAnyNameOrItIsRefused: without regard to case": func(r *rigged) {
		r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
			return r.whole.Create(ctx, o, changed(open, func(values map[secrets.Name]secrets.Value) {
				folded := map[string]secrets.Value{}
				for name, v := range values {
					folded[strings.ToLower(name.String())] = v
				}
				for name := range values {
					values[name] = folded[strings.ToLower(name.String())]
				}
			}))
		}
	},
	"Values/ArriveBesideAnyOthersOrAreRefused: takes what holds another's name for it": func(r *rigged) {
		r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
			return r.whole.Create(ctx, o, changed(open, func(values map[secrets.Name]secrets.Value) {
				for _, v := range values {
					_ = v.Reveal(func(plain []byte) error {
						for name := range values {
							if _, rest, holds := strings.Cut(string(plain), "\n"+name.String()+"="); holds {
								if taken, err := secrets.NewValue([]byte(rest)); err == nil {
									values[name] = taken
								}
							}
						}
						return nil
					})
				}
			}))
		}
	},
	"Values/ArriveBesideAnyOthersOrAreRefused: refuses with a quote": func(r *rigged) {
		r.beside = func(_ secrets.Name, v secrets.Value, _ []secrets.Name) error {
			return v.Reveal(func(plain []byte) error {
				return &secrets.InvalidError{Field: "value", Rule: "may not be " + string(plain)}
			})
		}
	},
	"Values/OfPlainTextAreCarried: only if short": func(r *rigged) {
		r.carries = func(_ secrets.Name, v secrets.Value) error {
			return v.Reveal(func(plain []byte) error {
				if len(plain) > 63 {
					return &secrets.InvalidError{Field: "value", Rule: "is too long"}
				}
				return nil
			})
		}
	},
	"Values/ArriveExactlyWhateverTheyAreOrAreRefused: refuses with a quote": func(r *rigged) {
		r.carries = func(_ secrets.Name, v secrets.Value) error {
			return v.Reveal(func(plain []byte) error {
				return &secrets.InvalidError{Field: "value", Rule: "may not be " + string(plain)}
			})
		}
	},
	"Values/AreExposedNowhere: refers to it by itself": func(r *rigged) {
		var last string
		r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
			return r.whole.Create(ctx, o, changed(open, func(values map[secrets.Name]secrets.Value) {
				for _, v := range values {
					_ = v.Reveal(func(plain []byte) error { last = string(plain); return nil })
				}
			}))
		}
		r.references = func(o provider.Object, id string) []provider.Reference {
			refs := r.whole.References(o, id)
			refs[0].Locator += "?" + last
			return refs
		}
	},
	"Errors/AreCodesOfTheContractAndNoTextOfThePlatform: wraps what it was told": func(r *rigged) {
		r.probe = func(ctx context.Context, o provider.Object) (provider.Presence, string, error) {
			p, id, err := r.whole.Probe(ctx, o)
			if err != nil {
				err = fmt.Errorf("GET %s: %w", o.Name, err)
			}
			return p, id, err
		}
	},
	"Errors/AreCodesOfTheContractAndNoTextOfThePlatform: has a code of its own": func(r *rigged) {
		r.remove = func(ctx context.Context, o provider.Object, id string) error {
			if r.whole.Remove(ctx, o, id) != nil {
				return &provider.Error{Op: "remove", Code: "ResourceNotFoundException"}
			}
			return nil
		}
	},
	"Errors/AreCodesOfTheContractAndNoTextOfThePlatform: tells of the object": func(r *rigged) {
		r.remove = func(ctx context.Context, o provider.Object, id string) error {
			if r.whole.Remove(ctx, o, id) != nil {
				return &provider.Error{Op: "remove " + o.Name, Code: provider.Unavailable}
			}
			return nil
		}
	},
	"Errors/OfWhatIsOutOfReachAreWorthAnotherAttempt: are internal": func(r *rigged) {
		r.probe = func(ctx context.Context, o provider.Object) (provider.Presence, string, error) {
			p, id, err := r.whole.Probe(ctx, o)
			if err != nil {
				err = &provider.Error{Op: "probe", Code: provider.Internal}
			}
			return p, id, err
		}
	},
	"Concurrency/ManyRunsAtOnceGetWhatIsTheirs: one buffer for all": func(r *rigged) {
		r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
			return r.whole.Create(ctx, o, func(ctx context.Context) (map[secrets.Name]secrets.Value, error) {
				values, err := open(ctx)
				buffer.Lock()
				buffer.values = values
				buffer.Unlock()
				time.Sleep(time.Millisecond) // in the bubble all others are there by now
				buffer.Lock()
				defer buffer.Unlock()
				return buffer.values, err
			})
		}
	},
	"Concurrency/TwoWhoMakeTheSameObjectMakeItOnce: the second one makes it anew": func(r *rigged) { r.create = r.overwrite },
	"Protocol/LeavesNothingWhicheverCallGoesWrong: leaves a temporary object": func(r *rigged) {
		r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
			tidy := r.litter(o)
			id, err := r.whole.Create(ctx, o, open)
			if err == nil {
				tidy()
			}
			return id, err
		}
	},
	"Protocol/LeavesNothingOfAProcessThatIsKilledAtAnyCall: leaves a temporary object": func(r *rigged) { r.create = r.tidily },
	"Protocol/LeavesNothingOfAProcessThatIsKilledAtAnyCall: tells a horizon too short": func(r *rigged) {
		r.can = func() provider.Capabilities { return provider.Capabilities{Horizon: time.Minute} }
	},
	"Protocol/FindsWhatTheLedgerForgot: lists nothing": func(r *rigged) { r.list = none },

	"Protocol/LeavesNothingWhicheverCallGoesWrong: refuses what is needed for more than a week":          func(r *rigged) { r.create = r.forAWeek },
	"Protocol/LeavesNothingOfAProcessThatIsKilledAtAnyCall: refuses what is needed for more than a week": func(r *rigged) { r.create = r.forAWeek },
	"Protocol/FindsWhatTheLedgerForgot: refuses what is needed for more than a week":                     func(r *rigged) { r.create = r.forAWeek },
	"Protocol/LeavesNothingWhicheverCallGoesWrong: can't cut down what is needed for more than a week": func(r *rigged) {
		r.withdraw = func(ctx context.Context, o provider.Object, id string, open provider.Opener) error {
			if isLong(o) {
				return &provider.Error{Op: "withdraw", Code: provider.Refused}
			}
			return r.whole.Withdraw(ctx, o, id, open)
		}
	},
	"Protocol/LeavesNothingWhicheverCallGoesWrong: removes what is needed for more than a week at the second attempt": func(r *rigged) {
		var told sync.Map
		r.remove = func(ctx context.Context, o provider.Object, id string) error {
			if _, twice := told.LoadOrStore(o.Name, true); !twice && isLong(o) {
				return &provider.Error{Op: "remove", Code: provider.Internal}
			}
			return r.whole.Remove(ctx, o, id)
		}
	},
}

// buffer is what a driver shares that should not.
var buffer struct {
	sync.Mutex
	values map[secrets.Name]secrets.Value
}

// changed is an Opener whose values are changed.
func changed(open provider.Opener, change func(map[secrets.Name]secrets.Value)) provider.Opener {
	return func(ctx context.Context) (map[secrets.Name]secrets.Value, error) {
		values, err := open(ctx)
		if err == nil {
			change(values)
		}
		return values, err
	}
}
