package awssmtest

import (
	"fmt"
	"strings"
)

// Allow gives a principal, by its access key, identity policies: JSON documents as
// IAM has them. A principal that was never given any may do everything. Given none,
// it may do nothing.
//
// What the fake does not evaluate is an error, not overlooked: NotAction,
// NotResource, policy variables, other condition operators and keys than those in
// the package doc. So is what IAM would not take: an element that is there twice or
// in another case, a value that its operator can't compare.
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
