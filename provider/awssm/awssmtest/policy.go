package awssmtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Allow gives a principal, by its access key, identity policies: JSON documents as
// IAM has them. A principal that was never given any may do everything. Given none,
// it may do nothing.
//
// What the fake does not evaluate is an error, not overlooked: NotAction,
// NotResource, policy variables, other condition operators and keys than those in
// the package doc.
func (f *Fake) Allow(accessKey string, policies ...string) error {
	statements := []statement{}
	for _, text := range policies {
		parsed, err := parsePolicy(text)
		if err != nil {
			return fmt.Errorf("awssmtest: policy of %s: %w", accessKey, err)
		}
		statements = append(statements, parsed...)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.policies[accessKey] = statements
	return nil
}

// statement is one of a policy.
type statement struct {
	deny       bool
	actions    []string
	resources  []string
	conditions []condition
}

// texts is a JSON string, or a list of them.
type texts []string

// UnmarshalJSON implements json.Unmarshaler. As IAM does, it takes booleans and
// numbers for texts.
func (t *texts) UnmarshalJSON(b []byte) error {
	var many []json.RawMessage
	if json.Unmarshal(b, &many) != nil {
		many = []json.RawMessage{b}
	}
	*t = texts{}
	for _, one := range many {
		var value any
		d := json.NewDecoder(bytes.NewReader(one))
		d.UseNumber()
		if err := d.Decode(&value); err != nil {
			return err
		}
		switch value := value.(type) {
		case string, bool, json.Number:
			*t = append(*t, fmt.Sprint(value))
		default:
			return errors.New("neither a string nor a list of strings")
		}
	}
	return nil
}

func parsePolicy(text string) ([]statement, error) {
	type written struct {
		Sid, Effect      string
		Action, Resource texts
		Condition        map[string]map[string]texts
	}
	var document struct {
		Version, Id string
		Statement   json.RawMessage
	}
	strict := func(b []byte, to any) error {
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		return d.Decode(to)
	}
	if err := strict([]byte(text), &document); err != nil {
		return nil, err
	}
	if v := document.Version; v != "2012-10-17" && v != "2008-10-17" && v != "" {
		return nil, fmt.Errorf("no Version of a policy: %q", v)
	}
	many := []written{{}}
	err := strict(document.Statement, &many[0])
	if err != nil {
		err = strict(document.Statement, &many)
	}
	if err != nil {
		return nil, fmt.Errorf("its Statement: %w", err)
	}
	var statements []statement
	for i, w := range many {
		s := statement{deny: w.Effect == "Deny", actions: w.Action, resources: w.Resource}
		switch {
		case w.Effect != "Allow" && w.Effect != "Deny":
			return nil, fmt.Errorf("statement %d: Effect is neither Allow nor Deny", i+1)
		case len(w.Action) == 0 || len(w.Resource) == 0:
			return nil, fmt.Errorf("statement %d: Action or Resource is missing", i+1)
		case strings.Contains(strings.Join(w.Resource, " "), "${"):
			return nil, fmt.Errorf("statement %d: policy variables are not modelled", i+1)
		}
		for _, r := range w.Resource {
			if r != "*" && !strings.HasPrefix(r, "arn:") {
				return nil, fmt.Errorf("statement %d: no ARN: %q", i+1, r)
			}
		}
		for operator, tests := range w.Condition {
			for key, values := range tests {
				c, err := newCondition(operator, key, values)
				if err != nil {
					return nil, fmt.Errorf("statement %d: %w", i+1, err)
				}
				s.conditions = append(s.conditions, c)
			}
		}
		statements = append(statements, s)
	}
	return statements, nil
}

// Why access is denied, in AWS's words.
const (
	implicit = "because no identity-based policy allows"
	explicit = "with an explicit deny in an identity-based policy"
)

// allowed evaluates the caller's policies: an explicit deny wins, and what nothing
// allows is denied. The secret is nil where there is none.
func (o *operation) allowed(action, resource string, s *secret) *refusal {
	statements, limited := o.f.policies[o.call.AccessKey]
	if !limited {
		return nil
	}
	action = "secretsmanager:" + action
	facts := o.facts(s)
	allowed := false
	for _, st := range statements {
		if !anyLike(st.actions, action, true) || !anyLike(st.resources, resource, false) || !facts.meet(st.conditions) {
			continue
		}
		if st.deny {
			return o.deniedTo(action, resource, explicit)
		}
		allowed = true
	}
	if !allowed {
		return o.deniedTo(action, resource, implicit)
	}
	return nil
}

func (o *operation) denied(resource, why string) *refusal {
	return o.deniedTo("secretsmanager:"+o.call.Op, resource, why)
}

func (o *operation) deniedTo(action, resource, why string) *refusal {
	message := fmt.Sprintf("User: arn:%s:iam::%s:user/%s is not authorized to perform: %s on resource: %s %s",
		o.f.partition(), o.f.config.Account, o.call.AccessKey, action, resource, why)
	if why != explicit {
		message += " the " + action + " action"
	}
	return &refusal{"AccessDeniedException", message}
}

func anyLike(patterns []string, s string, fold bool) bool {
	if fold {
		s = strings.ToLower(s)
	}
	for _, p := range patterns {
		if fold {
			p = strings.ToLower(p)
		}
		if like(p, s) {
			return true
		}
	}
	return false
}

// like matches a pattern in which * is any text and ? any character.
func like(pattern, s string) bool {
	star, mark := -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0: // let the last star have one more
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
