package providertest_test

import (
	"context"
	"fmt"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// brokenMaking breaks what makes or changes objects.
var brokenMaking = map[string]func(*rigged){
	"Location/IsTheSameForEveryDriverOfThePlace: has one of its own": func(r *rigged) {
		place := fmt.Sprintf("%p", r)
		r.location = func() provider.Location { return provider.Location{Kind: "fake", Place: place} }
	},
	"Plan/PutsEachItemInExactlyOneObject: forgets one": func(r *rigged) {
		r.plan = func(items []provider.Item, nonce func() string) []provider.Object {
			return []provider.Object{{Name: nonce(), Items: items[:(len(items)+1)/2]}}
		}
	},
	"Plan/PutsEachItemInExactlyOneObject: puts one in two": func(r *rigged) {
		r.plan = func(items []provider.Item, nonce func() string) []provider.Object {
			return []provider.Object{{Name: nonce(), Items: items}, {Name: nonce(), Items: items[:1]}}
		}
	},
	"Plan/NamesNoTwoObjectsAlike: by the secret": func(r *rigged) {
		r.plan = func(items []provider.Item, _ func() string) []provider.Object {
			return []provider.Object{{Name: items[0].Name.String(), Items: items}}
		}
	},
	"Plan/NamesNoTwoObjectsAlike: by a counter of its process": func(r *rigged) {
		n := 0
		r.plan = func(items []provider.Item, _ func() string) []provider.Object {
			n++
			return []provider.Object{{Name: fmt.Sprint("run-", n), Items: items}}
		}
	},
	"Plan/NamesByANonceOrByTheRunAlone: by the process and a counter of it": func(r *rigged) {
		n := 0
		r.plan = func(items []provider.Item, _ func() string) []provider.Object {
			n++
			return []provider.Object{{Name: fmt.Sprintf("run-%p-%d", r, n), Items: items}}
		}
	},
	"Create/MakesWhatItsReferencesTellOf: makes nothing": func(r *rigged) {
		r.create = func(ctx context.Context, _ provider.Object, open provider.Opener) (string, error) {
			_, err := open(ctx)
			return "id", err
		}
	},
	"Create/MakesWhatItsReferencesTellOf: gives all the same value": func(r *rigged) {
		r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
			return r.whole.Create(ctx, o, changed(open, func(values map[secrets.Name]secrets.Value) {
				for _, item := range o.Items {
					values[item.Name] = values[o.Items[0].Name]
				}
			}))
		}
	},
	"Create/MakesWhatItsReferencesTellOf: refers to all but one": func(r *rigged) {
		r.references = func(o provider.Object, id string) []provider.Reference { return r.whole.References(o, id)[1:] }
	},
	"Create/AsksOnce: twice": func(r *rigged) {
		r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
			_, _ = open(ctx)
			return r.whole.Create(ctx, o, open)
		}
	},
	"Create/LeavesNothingIfItGetsNoValues: leaves a temporary object": func(r *rigged) {
		r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
			tidy := r.litter(o)
			id, err := r.whole.Create(ctx, o, open)
			if err == nil {
				tidy()
			}
			return id, err
		}
	},
	"Create/LeavesNothingIfItGetsNoValues: hides why": func(r *rigged) {
		r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
			id, err := r.whole.Create(ctx, o, open)
			if err != nil {
				err = &provider.Error{Op: "create", Code: provider.Unavailable}
			}
			return id, err
		}
	},
	"Create/LeavesNothingAndAsksNobodyIfItsContextIsDone: does not look": func(r *rigged) {
		r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
			return r.whole.Create(context.WithoutCancel(ctx), o, open)
		}
	},
	"Create/LeavesNothingThatARemoveMissesIfItIsCancelledWhileItAsks: leaves a temporary object": func(r *rigged) {
		r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
			id, err := r.whole.Create(ctx, o, open)
			if ctx.Err() != nil {
				r.litter(o)
			}
			return id, err
		}
	},
	"Create/LeavesNothingThatARemoveMissesIfItDiesWhileItAsks: leaves a temporary object": func(r *rigged) { r.create = r.tidily },
	"Create/MakesNothingThatWasRemovedWhileItAsks: asks first": func(r *rigged) {
		r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
			values, err := open(ctx)
			if err != nil {
				return "", err
			}
			return r.whole.Create(ctx, o, had(values))
		}
	},
	"Create/MakesNothingThatWasRemovedWhileItAsks: makes it long after its context is done, with a horizon": func(r *rigged) {
		r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
			values, err := open(ctx)
			if err != nil {
				return "", err
			}
			time.Sleep(25 * time.Minute) // in a queue of its own
			return r.whole.Create(context.WithoutCancel(ctx), o, had(values))
		}
	},
	"Create/CompletesWhatDiedWhileItAskedOrSaysTaken: takes what is empty for its own": func(r *rigged) {
		r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
			for _, there := range r.platform.Objects() {
				if ctx.Err() == nil && there.Name == o.Name && there.Token == o.Token && there.Mark == o.Mark {
					return there.ID, nil
				}
			}
			return r.whole.Create(ctx, o, open)
		}
	},
	"Create/CompletesWhatDiedWhileItAskedOrSaysTaken: says refused": func(r *rigged) {
		r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
			for _, there := range r.platform.Objects() {
				if there.Name == o.Name && len(there.Items) == 0 {
					return "", &provider.Error{Op: "create", Code: provider.Refused}
				}
			}
			return r.whole.Create(ctx, o, open)
		}
	},
	"Create/CompletesWhatAnEarlierAttemptMadeOrSaysTaken: makes it again": func(r *rigged) {
		r.create = r.overwrite
	},
	"Create/CompletesWhatAnEarlierAttemptMadeOrSaysTaken: answers another id": func(r *rigged) {
		r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
			p, _, _ := r.whole.Probe(ctx, o)
			id, err := r.whole.Create(ctx, o, open)
			if p == provider.Present && err == nil {
				id += "-again"
			}
			return id, err
		}
	},
	"Create/CompletesWhatAnEarlierAttemptMadeOrSaysTaken: says refused": func(r *rigged) {
		r.create = func(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
			if p, _, _ := r.whole.Probe(ctx, o); p == provider.Present {
				return "", &provider.Error{Op: "create", Code: provider.Refused}
			}
			return r.whole.Create(ctx, o, open)
		}
	},
	"Create/SaysTakenForANameThatBelongsToAnotherToken: overwrites it": func(r *rigged) { r.create = r.overwrite },
	"Create/SaysTakenForANameThatIsSomebodyElses: overwrites it":       func(r *rigged) { r.create = r.overwrite },
	"Withdraw/LeavesExactlyTheRest: leaves all": func(r *rigged) {
		r.withdraw = func(ctx context.Context, _ provider.Object, _ string, open provider.Opener) error {
			_, err := open(ctx)
			return err
		}
	},
	"Withdraw/AsksOnce: twice": func(r *rigged) {
		r.withdraw = func(ctx context.Context, o provider.Object, id string, open provider.Opener) error {
			_, _ = open(ctx)
			return r.whole.Withdraw(ctx, o, id, open)
		}
	},
	"Withdraw/ChangesNothingIfItGetsNoValues: removes it before": func(r *rigged) {
		r.withdraw = func(ctx context.Context, o provider.Object, id string, open provider.Opener) error {
			_ = r.whole.Remove(ctx, o, id)
			_, err := r.whole.Create(ctx, o, open)
			return err
		}
	},
	"Withdraw/MakesNothingThatIsGone: makes it": func(r *rigged) {
		r.withdraw = func(ctx context.Context, o provider.Object, _ string, open provider.Opener) error {
			_, err := r.whole.Create(ctx, o, open)
			return err
		}
	},
	"Withdraw/MakesNothingThatWasRemovedWhileItAsks: makes it again": func(r *rigged) { r.withdraw = r.upsert },
	"Withdraw/MakesNothingThatWasRemovedWhileItAsks: makes it again a horizon later": func(r *rigged) {
		r.withdraw = r.upsert
	},
	"Withdraw/PutsNothingBackThatALaterActorTookWhileItAsks: does not look at the epoch": func(r *rigged) {
		r.withdraw = func(ctx context.Context, o provider.Object, id string, open provider.Opener) error {
			values, err := open(ctx)
			if err != nil {
				return err
			}
			o.Epoch = 1 << 40
			return r.whole.Withdraw(ctx, o, id, had(values))
		}
	},
	"Withdraw/TouchesNothingOfAnotherMark: does not look at it": func(r *rigged) {
		r.withdraw = func(ctx context.Context, o provider.Object, id string, open provider.Opener) error {
			o.Mark, o.Stage = r.truth(o).Mark, ""
			return r.whole.Withdraw(ctx, o, id, open)
		}
	},
}
