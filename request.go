package pipesecrets

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pipesecrets/pipesecrets/precedence"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// LaunchRequest says which secrets a run is to get, and where.
type LaunchRequest struct {
	// Run is the host's id of the run, never used before. The host makes it and
	// takes it from nobody: ids are one namespace, and a used one is refused.
	Run secrets.RunID

	// Workspace is where the run runs: a workspace, or the caller's own user
	// scope for a run outside of any.
	Workspace secrets.Scope

	// Wants are the names that the pipeline references.
	Wants []precedence.Want

	// All asks for every secret of these kinds of scopes too. If both it and
	// Wants are nil it is the workspace's and the organization's; the caller's own
	// only where the request says so, since what is staged for a run can be read
	// by the workspace's jobs. Empty and not nil asks for none.
	All []secrets.Kind

	// Pipeline identifies what runs, in the notation of secrets.Policy.Pipelines.
	Pipeline string

	// Targets says which names go to which target; a nil list means all of them.
	// If Targets is nil, all go to the one target that is configured.
	Targets map[string][]secrets.Name
}

// Problem is one thing that is wrong with a request. It holds no value.
type Problem struct {
	Name   secrets.Name // zero if the problem is not about one secret
	Target string       // "" if it is not about one target
	Rule   string
}

func (p Problem) String() string {
	var b strings.Builder
	if !p.Name.IsZero() {
		fmt.Fprintf(&b, "%s: ", p.Name)
	}
	if p.Target != "" {
		fmt.Fprintf(&b, "target %s: ", p.Target)
	}
	return b.String() + p.Rule
}

// RequestError names everything that is wrong with a request at once. It
// matches [ErrRefused].
type RequestError struct{ Problems []Problem }

func (e *RequestError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return "request can't be met: " + strings.Join(lines, "; ")
}

// Is reports whether target is [ErrRefused].
func (e *RequestError) Is(target error) bool { return target == ErrRefused }

// plan is a request that was resolved and checked.
type plan struct {
	resolution precedence.Resolution
	items      []stage.Item
	targets    map[string][]provider.Item
	values     map[secrets.Name]secrets.Value // destroy after use
}

func (p *plan) destroy() { destroy(p.values) }

// Preflight answers what a launch of this request would choose, and why. A bad
// request is refused with a [RequestError] that names everything that is wrong
// with it: names that are missing, expired, disabled or not allowed; values that
// a target can't carry, or not all together; names and targets that don't fit
// together. Nothing is
// staged and the run's id is not used up; it may be zero. It needs the right to
// use the workspace.
//
// What the caller may not read is left out of the reports of shadowed and of
// withheld secrets; of a winner it tells only the name, the scope and the version
// then, and of one that can't be had, why not: whoever may use a workspace hears
// what that gives them.
func (s *Service) Preflight(ctx context.Context, c rbac.Caller, r LaunchRequest) (precedence.Resolution, error) {
	ev := secrets.Event{Caller: c.Name(), Action: secrets.ActionPreflight, Scope: r.Workspace, Run: r.Run}
	if err := s.gateLaunch(ctx, c, r, ev); err != nil {
		return precedence.Resolution{}, err
	}
	p, err := s.prepare(ctx, c, r)
	defer p.destroy()
	ev.Outcome, ev.Reason = outcome(err), reason(err)
	if failed := s.record(ctx, ev); failed != nil {
		return precedence.Resolution{}, failed
	}
	return p.resolution, err
}

// gateLaunch checks the workspace and the caller's right to launch in it.
func (s *Service) gateLaunch(ctx context.Context, c rbac.Caller, r LaunchRequest, ev secrets.Event) error {
	if err := r.Workspace.Check(); err != nil {
		return err
	}
	if r.Workspace.Kind == secrets.Organization {
		return &secrets.InvalidError{Field: "workspace", Rule: "must be a workspace, or the caller's own user scope"}
	}
	return s.gate(ctx, c, rbac.Use, r.Workspace, ev)
}

// prepare resolves a request and checks all of it. The plan's values are the
// caller's to destroy, whatever the error.
func (s *Service) prepare(ctx context.Context, c rbac.Caller, r LaunchRequest) (*plan, error) {
	p := &plan{targets: map[string][]provider.Item{}, values: map[secrets.Name]secrets.Value{}}
	if r.Wants == nil && r.All == nil {
		r.All = []secrets.Kind{secrets.Organization, secrets.Workspace}
		if r.Workspace.Kind == secrets.User {
			r.All = []secrets.Kind{secrets.User}
		}
	}
	layers, records, err := s.layers(ctx, c, r)
	if err != nil {
		return p, err
	}
	resolution := precedence.Resolve(precedence.Request{
		Wants: r.Wants, All: r.All, Pipeline: r.Pipeline, Now: time.Now(),
	}, layers...)

	problems := s.unresolved(resolution)
	for _, choice := range resolution.Choices {
		winner := choice.Winner
		if why, reserved := winner.Name.Reserved(); reserved && !slices.Contains(s.config.Reserved, winner.Name) {
			problems = append(problems, Problem{Name: winner.Name, Rule: "is reserved: it " + why})
		}
		value, err := s.keyring.Open(ctx, records[winner.Pin])
		if err != nil {
			return p, err
		}
		p.values[winner.Name] = value
		p.items = append(p.items, stage.Item{
			Item: provider.Item{Name: winner.Name, Pin: winner.Pin}, Scope: winner.Scope,
		})
	}
	problems = append(problems, s.aim(p, r, resolution)...)
	p.resolution = s.readable(ctx, c, resolution)
	if len(problems) == 0 {
		problems, err = s.fits(p, r.Run)
	}
	if err == nil && len(problems) > 0 {
		err = &RequestError{problems}
	}
	return p, err
}

// fits answers which targets refuse the whole of what is to go there.
func (s *Service) fits(p *plan, run secrets.RunID) (problems []Problem, err error) {
	for _, target := range slices.Sorted(maps.Keys(p.targets)) {
		_, err := s.engine.Plan(run, [16]byte{}, map[string][]provider.Item{target: p.targets[target]})
		var invalid *secrets.InvalidError
		if errors.As(err, &invalid) {
			problems = append(problems, Problem{Target: target, Rule: invalid.Error()})
		} else if err != nil {
			return nil, err
		}
	}
	return problems, nil
}

// layers reads the candidates of every scope that has a say: the workspace, its
// organization, and the caller's own. A service has no layer of its own.
func (s *Service) layers(ctx context.Context, c rbac.Caller, r LaunchRequest) ([]precedence.Layer, map[secrets.Pin]secrets.Record, error) {
	organization, err := s.organization(ctx, r.Workspace)
	if err != nil {
		return nil, nil, err
	}
	scopes := []secrets.Scope{r.Workspace}
	if !organization.IsZero() {
		scopes = append(scopes, organization)
	}
	own := secrets.Scope{Kind: secrets.User, ID: c.User}
	if r.Workspace.Kind == secrets.Workspace && c.User != "" {
		scopes = append(scopes, own)
	}
	var names []secrets.Name // nil reads all, which All needs
	if len(r.All) == 0 {
		names = []secrets.Name{}
		for _, want := range r.Wants {
			names = append(names, want.Name)
		}
	}
	candidates, err := s.backend.Candidates(ctx, scopes, names)
	if err != nil {
		return nil, nil, err
	}
	layers := make([]precedence.Layer, len(scopes))
	records := make(map[secrets.Pin]secrets.Record, len(candidates))
	for i, scope := range scopes {
		layers[i] = precedence.Layer{Scope: scope, Read: true}
		for _, record := range candidates {
			if record.Scope == scope {
				layers[i].Secrets = append(layers[i].Secrets, record.Secret)
				records[record.Pin] = record
			}
		}
	}
	return layers, records, nil
}

// unresolved returns what precedence found wrong.
func (s *Service) unresolved(r precedence.Resolution) []Problem {
	var problems []Problem
	for _, refusal := range r.Refused {
		problems = append(problems, Problem{Name: refusal.Name, Rule: string(refusal.Why) + ": " + refusal.Rule})
	}
	for _, problem := range r.Problems {
		rule := string(problem.Why)
		if !problem.Scope.IsZero() {
			rule += " (the " + problem.Scope.Kind.String() + "'s)"
		}
		problems = append(problems, Problem{Name: problem.Name, Rule: rule})
	}
	return problems
}

// aim decides which secret goes to which target and whether the target can carry
// it.
func (s *Service) aim(p *plan, r LaunchRequest, resolution precedence.Resolution) []Problem {
	var problems []Problem
	targets := r.Targets
	if targets == nil && len(p.items) > 0 {
		if len(s.config.Targets) != 1 {
			return []Problem{{Rule: "targets: must be named unless exactly one is configured"}}
		}
		targets = map[string][]secrets.Name{}
		for name := range s.config.Targets {
			targets[name] = nil
		}
	}
	aimed := map[secrets.Name]bool{}
	for _, target := range slices.Sorted(maps.Keys(targets)) {
		driver := s.config.Targets[target]
		if driver == nil {
			if !visible(target) || len(target) > maxTarget {
				target = "" // not to be quoted
			}
			problems = append(problems, Problem{Target: target, Rule: "target is not configured"})
			continue
		}
		names := targets[target]
		for _, name := range names {
			if p.values[name].IsZero() && !known(resolution, name) {
				problems = append(problems, Problem{Name: name, Target: target, Rule: "is not among what the request wants"})
			}
		}
		var together []secrets.Name
		for _, item := range p.items {
			if names == nil || slices.Contains(names, item.Name) {
				together = append(together, item.Name)
			}
		}
		for _, item := range p.items {
			if !slices.Contains(together, item.Name) {
				continue
			}
			aimed[item.Name] = true
			rule := ""
			item.Weight, rule = carries(driver, item.Name, p.values[item.Name], together)
			if rule != "" {
				problems = append(problems, Problem{Name: item.Name, Target: target, Rule: rule})
			}
			p.targets[target] = append(p.targets[target], item.Item)
		}
	}
	for _, item := range p.items {
		if !aimed[item.Name] {
			problems = append(problems, Problem{Name: item.Name, Rule: "goes to no target"})
		}
	}
	return problems
}

// maxTarget is the longest name of a target that is quoted, in bytes.
const maxTarget = 64

// carries returns how much of an object a value takes, if the driver says so, and why
// the driver can't carry it, or not beside the others that go there, or "". A driver's
// own error text, or the text of its panic, is not passed on: it was handed the value.
func carries(driver provider.Provider, name secrets.Name, value secrets.Value, together []secrets.Name) (weight int, rule string) {
	const unknown = "value: the target can't carry it"
	defer func() {
		if recover() != nil {
			rule = unknown
		}
	}()
	err := driver.Carries(name, value)
	if neighbor, minds := driver.(provider.Neighbor); err == nil && minds {
		others := slices.DeleteFunc(slices.Clone(together), func(n secrets.Name) bool { return n == name })
		err = neighbor.CarriesBeside(name, value, others)
	}
	var invalid *secrets.InvalidError
	switch {
	case errors.As(err, &invalid):
		return 0, invalid.Error()
	case err != nil:
		return 0, unknown
	}
	if w, weighs := driver.(provider.Weigher); weighs {
		weight = w.Weigh(name, value)
	}
	return weight, ""
}

// known reports whether the resolution has an answer for the name other than a
// choice.
func known(r precedence.Resolution, name secrets.Name) bool {
	return slices.Contains(r.Absent, name) ||
		slices.ContainsFunc(r.Problems, func(p precedence.Problem) bool { return p.Name == name }) ||
		slices.ContainsFunc(r.Withheld, func(p precedence.Problem) bool { return p.Name == name })
}

// readable leaves out of a resolution what the caller may not read.
func (s *Service) readable(ctx context.Context, c rbac.Caller, r precedence.Resolution) precedence.Resolution {
	may := map[secrets.Scope]bool{}
	visible := func(scope secrets.Scope) bool {
		allowed, asked := may[scope]
		if !asked {
			allowed = s.decide(ctx, c, rbac.Read, scope).Allowed
			may[scope] = allowed
		}
		return allowed
	}
	r.Withheld = slices.DeleteFunc(r.Withheld, func(p precedence.Problem) bool { return !visible(p.Scope) })
	for i := range r.Choices {
		choice := &r.Choices[i]
		choice.Shadowed = slices.DeleteFunc(choice.Shadowed, func(shadow precedence.Shadow) bool {
			return !visible(shadow.Secret.Scope)
		})
		if w := choice.Winner; !visible(w.Scope) {
			choice.Winner = secrets.Secret{Pin: w.Pin, Name: w.Name, Scope: w.Scope}
		}
	}
	return r
}

// digest returns a keyed digest of who asks for what, by which a retry is told
// from another request under the same run id.
func (r LaunchRequest) digest(c rbac.Caller) []byte {
	var b []byte
	text := func(parts ...string) { b = appendTexts(b, parts...) }
	count := func(n int) { b = binary.BigEndian.AppendUint32(b, uint32(n)) }

	text("pipesecrets/request/v1", c.Name(), r.Run.String(), r.Workspace.String(), r.Pipeline)
	wants := make([]string, len(r.Wants))
	for i, want := range r.Wants {
		from := slices.Sorted(slices.Values(want.From))
		wants[i] = fmt.Sprintf("%s %t %t %d", want.Name, want.Optional, want.From == nil, from)
	}
	slices.Sort(wants)
	count(len(wants))
	text(wants...)
	text(fmt.Sprintf("%t %t %d", r.Wants == nil, r.All == nil, slices.Sorted(slices.Values(r.All))))
	count(len(r.Targets))
	for _, target := range slices.Sorted(maps.Keys(r.Targets)) {
		names := slices.SortedFunc(slices.Values(r.Targets[target]), secrets.Name.Compare)
		text(target, fmt.Sprintf("%t %v", r.Targets[target] == nil, names))
	}
	text(fmt.Sprint(r.Targets == nil))
	return b
}

// outcome is how an event tells of err.
func outcome(err error) secrets.Outcome {
	switch {
	case err == nil:
		return secrets.Done
	case isAny(err, ErrRefused, ErrRunUsed, ErrHome, ErrBusy, secrets.ErrInvalid, secrets.ErrExists, secrets.ErrConflict,
		secrets.ErrNotFound, stage.ErrNoRun, stage.ErrEnded):
		return secrets.Refused
	default:
		return secrets.Failed
	}
}
