package awssmtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

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

// action is one of a service, or a pattern of its actions; or all of all services.
var action = regexp.MustCompile(`^(\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+)$`)

// parsePolicy reads a policy by the grammar of IAM (user guide, reference_policies_grammar).
func parsePolicy(text string) ([]statement, error) {
	var document struct {
		Version, Id string
		Statement   json.RawMessage
	}
	if err := strict([]byte(text), &document, "Version", "Id", "Statement"); err != nil {
		return nil, err
	}
	if v := document.Version; v != "2012-10-17" && v != "2008-10-17" && v != "" {
		return nil, fmt.Errorf("no Version of a policy: %q", v)
	}
	var many []json.RawMessage
	if json.Unmarshal(document.Statement, &many) != nil {
		many = []json.RawMessage{document.Statement}
	}
	if len(many) == 0 {
		return nil, errors.New("it has no Statement")
	}
	var statements []statement
	sids := map[string]bool{}
	for i, one := range many {
		s, sid, err := parseStatement(one)
		if err == nil && sids[sid] {
			err = fmt.Errorf("the Sid %q is there twice", sid)
		}
		if err != nil {
			return nil, fmt.Errorf("statement %d: %w", i+1, err)
		}
		sids[sid] = sid != ""
		statements = append(statements, s)
	}
	return statements, nil
}

func parseStatement(text []byte) (s statement, sid string, err error) {
	var w struct {
		Sid, Effect      string
		Action, Resource texts
		Condition        json.RawMessage
	}
	if err := strict(text, &w, "Sid", "Effect", "Action", "Resource", "Condition"); err != nil {
		return s, "", err
	}
	s = statement{deny: w.Effect == "Deny", actions: w.Action, resources: w.Resource}
	switch {
	case w.Effect != "Allow" && w.Effect != "Deny":
		return s, "", errors.New("its Effect is neither Allow nor Deny")
	case len(w.Action) == 0 || len(w.Resource) == 0:
		return s, "", errors.New("its Action or Resource is missing")
	case strings.Contains(strings.Join(w.Resource, " "), "${"):
		return s, "", errors.New("policy variables are not modelled")
	}
	for _, a := range w.Action {
		if !action.MatchString(a) {
			return s, "", fmt.Errorf("no action: %q", a)
		}
	}
	for _, r := range w.Resource {
		if r != "*" && !strings.HasPrefix(r, "arn:") {
			return s, "", fmt.Errorf("no ARN: %q", r)
		}
	}
	if w.Condition != nil {
		s.conditions, err = parseConditions(w.Condition)
	}
	return s, w.Sid, err
}

// parseConditions reads operators, and for each the keys that it tests.
func parseConditions(text []byte) ([]condition, error) {
	var all []condition
	operators, err := members(text)
	if err != nil {
		return nil, fmt.Errorf("its Condition: %w", err)
	}
	for _, operator := range operators {
		keys, err := members(operator.value)
		switch {
		case err != nil:
			return nil, fmt.Errorf("the operator %s: %w", operator.name, err)
		case len(keys) == 0:
			return nil, fmt.Errorf("the operator %s has no key", operator.name)
		}
		var seen []string
		for _, key := range keys {
			var values texts
			if err := json.Unmarshal(key.value, &values); err != nil {
				return nil, fmt.Errorf("the condition on %s: %w", key.name, err)
			}
			c, err := newCondition(operator.name, key.name, values)
			if err != nil {
				return nil, err
			}
			if slices.Contains(seen, c.key) { // IAM takes no notice of its case
				return nil, fmt.Errorf("the condition key %s is there twice", key.name)
			}
			seen = append(seen, c.key)
			all = append(all, c)
		}
	}
	return all, nil
}
