package awssmtest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// condition is one test of a statement: the values of a key, by an operator.
type condition struct {
	test     func(have, want string) bool
	wants    func(want string) bool // what may be wanted of it; nil: anything
	negative bool                   // of the operators that begin with Not: none may match
	null     bool                   // of Null: whether the key is there at all
	lenient  bool                   // IfExists: true of a key that is not there
	set      string                 // "ForAllValues", "ForAnyValue", or "" for a key with one value
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
	"ArnLike":                  {test: isLikeARN, wants: sixParts},
	"ArnEquals":                {test: isLikeARN, wants: sixParts},
	"Bool":                     {test: strings.EqualFold, wants: isBool},
	"Null":                     {null: true, wants: isBool},
	"NumericEquals":            {test: numeric(func(a, b float64) bool { return a == b }), wants: isNumber},
	"NumericNotEquals":         {test: numeric(func(a, b float64) bool { return a == b }), wants: isNumber, negative: true},
	"NumericLessThan":          {test: numeric(func(a, b float64) bool { return a < b }), wants: isNumber},
	"NumericLessThanEquals":    {test: numeric(func(a, b float64) bool { return a <= b }), wants: isNumber},
	"NumericGreaterThan":       {test: numeric(func(a, b float64) bool { return a > b }), wants: isNumber},
	"NumericGreaterThanEquals": {test: numeric(func(a, b float64) bool { return a >= b }), wants: isNumber},
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

// isLikeARN matches each of the six parts of an ARN by itself: no wildcard reaches
// across a colon, but within the last (reference_policies_elements_condition_operators).
func isLikeARN(have, want string) bool {
	h, w := strings.SplitN(have, ":", 6), strings.SplitN(want, ":", 6)
	return slices.EqualFunc(h, w, isLike) // and so as many
}

func sixParts(want string) bool { return strings.Count(want, ":") >= 5 }

func isBool(want string) bool {
	return strings.EqualFold(want, "true") || strings.EqualFold(want, "false")
}

var number = regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]+)?$`)

func isNumber(want string) bool { return number.MatchString(want) }

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
	if !known || has && set != "ForAllValues" && set != "ForAnyValue" || c.null && (has || lenient) {
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
	for _, w := range want {
		if c.wants != nil && !c.wants(w) {
			return c, fmt.Errorf("%s can't compare %s with %q", operator, key, w)
		}
	}
	return c, nil
}

// canonical is a condition key in the case of which IAM takes no notice; nor of the
// case of the key of a tag in it (access_tags, reference_policies_condition-keys).
func canonical(key string) string { return strings.ToLower(key) }

// facts are the values of the condition keys of a call. A key that is not there has
// none.
type facts map[string][]string

func (o *operation) facts(s *secret) facts {
	in, known := o.in, facts{}
	add := func(key string, values ...string) { known[canonical(key)] = append(known[canonical(key)], values...) }
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
// operator and meets a negative one, but fails ForAnyValue and meets ForAllValues,
// and meets whatever ends in IfExists.
func (c condition) met(have []string) bool {
	if c.null {
		return slices.ContainsFunc(c.want, func(w string) bool { return strings.EqualFold(w, strconv.FormatBool(len(have) == 0)) })
	}
	if len(have) == 0 {
		return c.lenient || c.set == "ForAllValues" || c.set == "" && c.negative
	}
	one := func(h string) bool {
		return c.negative != slices.ContainsFunc(c.want, func(w string) bool { return c.test(h, w) })
	}
	if c.set == "ForAnyValue" {
		return slices.ContainsFunc(have, one)
	}
	return !slices.ContainsFunc(have, func(h string) bool { return !one(h) })
}
