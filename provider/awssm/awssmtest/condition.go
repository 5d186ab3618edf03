package awssmtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// condition is one test of a statement: the values of a key, by an operator.
type condition struct {
	test     func(have, want string) bool
	negative bool   // of the operators that begin with Not: none may match
	null     bool   // of Null: whether the key is there at all
	lenient  bool   // IfExists: true of a key that is not there
	set      string // "ForAllValues", "ForAnyValue", or "" for a key with one value
	key      string
	want     []string
}

// operators are the condition operators of IAM that the fake evaluates.
var operators = map[string]condition{
	"StringEquals":             {test: equal},
	"StringNotEquals":          {test: equal, negative: true},
	"StringEqualsIgnoreCase":   {test: strings.EqualFold},
	"StringLike":               {test: isLike},
	"StringNotLike":            {test: isLike, negative: true},
	"ArnLike":                  {test: isLike},
	"ArnEquals":                {test: isLike},
	"Bool":                     {test: strings.EqualFold},
	"Null":                     {null: true},
	"NumericEquals":            {test: numeric(func(a, b float64) bool { return a == b })},
	"NumericNotEquals":         {test: numeric(func(a, b float64) bool { return a == b }), negative: true},
	"NumericLessThan":          {test: numeric(func(a, b float64) bool { return a < b })},
	"NumericLessThanEquals":    {test: numeric(func(a, b float64) bool { return a <= b })},
	"NumericGreaterThan":       {test: numeric(func(a, b float64) bool { return a > b })},
	"NumericGreaterThanEquals": {test: numeric(func(a, b float64) bool { return a >= b })},
}

// conditionKeys are the keys that the fake knows the values of; those with a slash
// are followed by the key of a tag.
var conditionKeys = []string{
	"secretsmanager:Name", "secretsmanager:Description", "secretsmanager:SecretId", "secretsmanager:KmsKeyArn",
	"secretsmanager:ForceDeleteWithoutRecovery", "secretsmanager:RecoveryWindowInDays",
	"secretsmanager:VersionId", "secretsmanager:VersionStage",
	"secretsmanager:ResourceTag/", "aws:ResourceTag/", "aws:RequestTag/", "aws:TagKeys",
}

func equal(have, want string) bool  { return have == want }
func isLike(have, want string) bool { return like(want, have) }

func numeric(compare func(a, b float64) bool) func(have, want string) bool {
	return func(have, want string) bool {
		a, err1 := strconv.ParseFloat(have, 64)
		b, err2 := strconv.ParseFloat(want, 64)
		return err1 == nil && err2 == nil && compare(a, b)
	}
}

func newCondition(operator, key string, want []string) (condition, error) {
	set, name, has := strings.Cut(operator, ":")
	if !has {
		set, name = "", operator
	}
	name, lenient := strings.CutSuffix(name, "IfExists")
	c, known := operators[name]
	if !known || has && set != "ForAllValues" && set != "ForAnyValue" {
		return c, fmt.Errorf("the operator %s is none of IAM's, or not modelled", operator)
	}
	c.lenient, c.set, c.key, c.want = lenient, set, canonical(key), want
	known = slices.ContainsFunc(conditionKeys, func(k string) bool {
		k = canonical(k)
		if strings.HasSuffix(k, "/") {
			return strings.HasPrefix(c.key, k) && c.key != k
		}
		return c.key == k
	})
	switch {
	case !known:
		return c, fmt.Errorf("the condition key %s is none of AWS's, or not modelled", key)
	case strings.Contains(strings.Join(want, " "), "${"):
		return c, fmt.Errorf("policy variables are not modelled: %s", key)
	case len(want) == 0:
		return c, fmt.Errorf("the condition on %s has no value", key)
	}
	return c, nil
}

// canonical is a condition key in the case of which IAM takes no notice; the key of
// a tag keeps its own.
func canonical(key string) string {
	name, tag, has := strings.Cut(key, "/")
	if !has {
		return strings.ToLower(name)
	}
	return strings.ToLower(name) + "/" + tag
}

// facts are the values of the condition keys of a call. A key that is not there has
// none.
type facts map[string][]string

func (o *operation) facts(s *secret) facts {
	in, known := o.in, facts{}
	add := func(key string, values ...string) { known[canonical(key)] = values }
	for key, value := range map[string]*string{
		"secretsmanager:Name":         in.Name,
		"secretsmanager:Description":  in.Description,
		"secretsmanager:SecretId":     in.SecretId,
		"secretsmanager:KmsKeyArn":    in.KmsKeyId,
		"secretsmanager:VersionId":    in.VersionId,
		"secretsmanager:VersionStage": in.VersionStage,
	} {
		if value != nil {
			add(key, *value)
		}
	}
	if in.ForceDeleteWithoutRecovery != nil {
		add("secretsmanager:ForceDeleteWithoutRecovery", strconv.FormatBool(*in.ForceDeleteWithoutRecovery))
	}
	if in.RecoveryWindowInDays != nil {
		add("secretsmanager:RecoveryWindowInDays", strconv.FormatInt(*in.RecoveryWindowInDays, 10))
	}
	if s != nil {
		for _, t := range s.tags {
			add("secretsmanager:ResourceTag/"+t.Key, t.Value)
			add("aws:ResourceTag/"+t.Key, t.Value)
		}
	}
	keys := slices.Clone(in.TagKeys)
	for _, t := range in.Tags {
		add("aws:RequestTag/"+t.Key, t.Value)
		keys = append(keys, t.Key)
	}
	if len(keys) > 0 {
		add("aws:TagKeys", keys...)
	}
	return known
}

// meet reports whether the facts meet all conditions.
func (f facts) meet(all []condition) bool {
	return !slices.ContainsFunc(all, func(c condition) bool { return !c.met(f[c.key]) })
}

// met follows the IAM user guide: several values wanted are alternatives, of a
// negative operator all are excluded; a key that is not there fails a positive
// operator and meets a negative one, and meets ForAllValues.
func (c condition) met(have []string) bool {
	if c.null {
		return slices.ContainsFunc(c.want, func(w string) bool { return strings.EqualFold(w, strconv.FormatBool(len(have) == 0)) })
	}
	if len(have) == 0 {
		return c.set == "ForAllValues" || c.set == "" && (c.negative || c.lenient)
	}
	one := func(h string) bool {
		return c.negative != slices.ContainsFunc(c.want, func(w string) bool { return c.test(h, w) })
	}
	if c.set == "ForAnyValue" {
		return slices.ContainsFunc(have, one)
	}
	return !slices.ContainsFunc(have, func(h string) bool { return !one(h) })
}
