package main

import (
	"context"
	"crypto/rand"
	"errors"
	random "math/rand/v2"
	"os"
	"slices"
	"strings"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/crypto"
	"github.com/pipesecrets/pipesecrets/precedence"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// worker is a launcher that does whatever launchers do, one thing after another,
// until it is killed.
type worker struct {
	*house
	*teller
}

// work opens the state in dir and never returns without an error. More than half
// of what it does is of the kind favour, so that the parent need not wait long.
func work(ctx context.Context, dir string, favour kind, change func(*pipesecrets.Config)) error {
	w := worker{teller: &teller{to: os.Stdout}}
	var err error
	w.house, err = enter(ctx, dir, func(c *pipesecrets.Config) {
		change(c)
		c.Backend = witness{c.Backend, w.teller}
	})
	if err != nil {
		return err
	}
	w.tell(line{Kind: starting, Step: done})
	// Drawn from with repetition: what is here twice is done twice as often.
	kinds := []kind{creating, updating, launching, launching, launching, renewing, completing, completing, sweeping, sweeping, rewrapping, revoking}
	for {
		next := kinds[random.N(len(kinds))]
		if favour != idle && random.N(10) < 6 {
			next = favour
		}
		if err := w.do(ctx, next); err != nil {
			return err
		}
	}
}

// Bounds of how many secrets there are, while workers may differ on it.
const (
	fewSecrets  = 4
	manySecrets = 12
)

// do does one thing of the kind, or what is needed before that can be done.
func (w worker) do(ctx context.Context, k kind) error {
	living, err := w.living(ctx)
	if err != nil {
		return err
	}
	switch {
	case len(living) < fewSecrets:
		k = creating
	case k == creating && len(living) >= manySecrets:
		k = revoking
	}
	var run secrets.RunID
	if k == renewing || k == completing {
		if run, err = w.active(ctx, living); err != nil {
			return err
		}
		if run.IsZero() {
			k = launching
		}
	}
	one := func() secrets.Secret { return living[random.N(len(living))] }
	switch k {
	case creating:
		w.create(ctx)
	case updating:
		w.update(ctx, one())
	case revoking:
		s := one()
		w.try(line{Kind: k, Name: s.Name.String()}, func(*line) error {
			_, err := w.service.Revoke(ctx, person, s.ID)
			return err
		})
	case launching:
		return w.launch(ctx, living)
	case renewing:
		w.try(line{Kind: k, Run: run.String()}, func(*line) error {
			_, err := w.service.Renew(ctx, person, run)
			return err
		})
	case completing:
		w.try(line{Kind: k, Run: run.String()}, func(*line) error {
			_, err := w.service.Complete(ctx, person, run, pipesecrets.Ending{Outcome: "succeeded"})
			return err
		})
	case sweeping:
		w.try(line{Kind: k}, func(*line) error {
			_, err := w.service.Sweep(ctx, operator)
			return err
		})
	case rewrapping:
		return w.rewrap(ctx)
	}
	return nil
}

// try tells of an operation before and after it. What do writes into the line is
// told with the acknowledgement.
func (w worker) try(l line, do func(*line) error) {
	w.begin(l)
	err := do(&l)
	switch {
	case err == nil:
		l.Step = done
	case expected(err):
		l.Step = refused
	default:
		l.Step, l.Err = failed, err.Error()
	}
	w.tell(l)
}

// expected reports whether others who work on the same, or the platform's
// freedoms, explain a failure: where several are joined, each of them. One to
// remove is told and tried again: if it matters, something is left in the end.
func expected(err error) bool {
	codes := []provider.Code{provider.Unavailable, provider.Throttled}
	if errors.Is(err, stage.ErrFenced) {
		// Whoever took over removes what this one works on: a write goes into a
		// directory that is gone, or an object that is going has the name.
		codes = append(codes, provider.Internal, provider.Taken)
	}
	return explained(err, codes)
}

func explained(err error, codes []provider.Code) bool {
	for _, e := range []error{
		pipesecrets.ErrBusy, pipesecrets.ErrRefused, secrets.ErrConflict, secrets.ErrNotFound, secrets.ErrExists,
		secrets.ErrKeyInUse, secrets.ErrKeyRetired, crypto.ErrUnknownKey, crypto.ErrPrimaryKey,
		stage.ErrMoved, stage.ErrFenced, stage.ErrHeld, stage.ErrEnded, stage.ErrRevoked,
		context.DeadlineExceeded, // a lease's: the worker has none
		stage.ErrUnrecorded,      // the database was busy for longer than it waits
	} {
		if by, can := err.(interface{ Is(error) bool }); err == e || can && by.Is(e) { // and not errors.Is, for which one of several is enough
			return true
		}
	}
	switch of := err.(type) {
	case *provider.Error:
		late := of.Op == "create" && of.Code == provider.Refused // it came after its signature had expired
		return late || slices.Contains(codes, of.Code)
	case interface{ Unwrap() []error }:
		return !slices.ContainsFunc(of.Unwrap(), func(err error) bool { return !explained(err, codes) })
	case interface{ Unwrap() error }:
		return explained(of.Unwrap(), codes)
	}
	return false
}

// active returns some run that is under way, or the zero id.
func (w worker) active(ctx context.Context, living []secrets.Secret) (secrets.RunID, error) {
	for _, i := range random.Perm(len(living)) {
		runs, err := w.backend.UsedBy(ctx, living[i].ID)
		if err != nil {
			return secrets.RunID{}, err
		}
		if len(runs) > 0 {
			return runs[random.N(len(runs))].ID, nil
		}
	}
	return secrets.RunID{}, nil
}

// newValue returns a random value of 26 to 2,600 bytes and its digest.
func newValue() (secrets.Value, string) {
	plain := []byte(strings.Repeat(rand.Text(), 1+random.N(100)))
	value, err := secrets.NewValue(plain)
	if err != nil {
		panic(err) // its length is within the limits
	}
	return value, digestBytes(plain)
}

func (w worker) create(ctx context.Context) {
	value, digest := newValue()
	defer value.Destroy()
	name := "S" + rand.Text()
	w.try(line{Kind: creating, Name: name, Version: 1, Digest: digest}, func(*line) error {
		parsed, err := secrets.ParseName(name)
		if err != nil {
			return err
		}
		_, err = w.service.Create(ctx, person, secrets.Secret{Name: parsed, Scope: workspace}, value)
		return err
	})
}

func (w worker) update(ctx context.Context, s secrets.Secret) {
	value, digest := newValue()
	defer value.Destroy()
	w.try(line{Kind: updating, Name: s.Name.String(), Version: s.Version + 1, Digest: digest}, func(*line) error {
		_, err := w.service.Update(ctx, person, s, value)
		return err
	})
}

// launch launches a run with one to three of the secrets, most often on the cluster
// and a cloud.
func (w worker) launch(ctx context.Context, living []secrets.Secret) error {
	id, err := secrets.ParseRunID(rand.Text())
	if err != nil {
		return err
	}
	r := pipesecrets.LaunchRequest{Run: id, Workspace: workspace, Targets: map[string][]secrets.Name{cluster: nil}}
	switch random.N(8) {
	case 0:
		r.Targets = map[string][]secrets.Name{cloud: nil}
	case 1:
		r.Targets = map[string][]secrets.Name{awsCloud: nil}
	case 2:
	case 3:
		r.Targets[cloud], r.Targets[awsCloud] = nil, nil
	case 4, 5:
		r.Targets[cloud] = nil
	default:
		r.Targets[awsCloud] = nil
	}
	for _, i := range random.Perm(len(living))[:1+random.N(3)] {
		r.Wants = append(r.Wants, precedence.Want{Name: living[i].Name})
	}
	w.try(line{Kind: launching, Run: id.String()}, func(l *line) error {
		launch, err := w.service.Launch(ctx, person, r)
		if err != nil {
			return errors.Join(err, w.lostTo(ctx, id))
		}
		l.Files = files(launch)
		return launch.Redactor.Close()
	})
	return nil
}

// lostTo returns ErrFenced if a sweep took a run from its launcher, whose lease was
// over: what its targets said then may be explained by that.
func (w worker) lostTo(ctx context.Context, id secrets.RunID) error {
	run, _, err := w.backend.Load(ctx, id)
	switch {
	case errors.Is(err, stage.ErrNoRun): // it never began
		return nil
	case err == nil && run.Phase >= stage.Ending && run.Outcome != "launch failed":
		return stage.ErrFenced
	}
	return err
}

// files tells what was staged where.
func files(launch *pipesecrets.Launch) []staged {
	var all []staged
	for _, choice := range launch.Resolution.Choices {
		s := staged{Name: choice.Winner.Name.String(), Version: choice.Winner.Version}
		for _, ref := range launch.References {
			switch {
			case ref.Name != choice.Winner.Name:
			case ref.Target == cluster:
				s.Path = ref.Locator
			case ref.Target == awsCloud:
				s.AWS = true
			default:
				s.Cloud = true
			}
		}
		all = append(all, s)
	}
	return all
}

// rewrap seals a few records again: first all that are behind, then, in a new
// round, under a new key.
func (w worker) rewrap(ctx context.Context) error {
	behind, err := w.backend.CountBehind(ctx, w.keyring.Primary())
	if err != nil {
		return err
	}
	if behind == 0 {
		for _, key := range w.keyring.Keys() {
			if key != w.keyring.Primary() {
				w.try(line{Kind: retiring, Key: key}, func(*line) error { return w.keyring.Retire(ctx, key) })
			}
		}
		w.try(line{Kind: rotating}, func(l *line) error {
			key, err := w.keyring.AddKey(ctx, crypto.XChaCha20Poly1305)
			if err != nil {
				return err
			}
			l.Key = key
			return w.keyring.Promote(ctx, key)
		})
	}
	w.try(line{Kind: rewrapping}, func(*line) error {
		_, err := w.service.Rewrap(ctx, operator, 1+random.N(8))
		return err
	})
	return nil
}
