package awssmtest

import (
	"regexp"
	"strings"
)

// suffixed is a name that looks like the end of a whole ARN.
var suffixed = regexp.MustCompile(`^(.+)-[A-Za-z0-9]{6}$`)

// target is what a SecretId names.
type target struct {
	name string // of the secret that it can only be
	arn  string // if it is a whole ARN, or is taken for one
}

// target reads a SecretId: a name, a whole ARN, or a partial ARN, which lacks the
// hyphen and the six random characters. "If your secret has a name that ends in a
// hyphen followed by six characters ... and you try to use that as a partial ARN,
// then those characters cause Secrets Manager to assume that you're specifying a
// complete ARN" (API_DescribeSecret and others, SecretId, as of 2020; user guide,
// troubleshoot, ARN_secretnamehyphen).
//
// Another account's ARN is denied: the fake models no resource policies. What AWS
// does with another Region's is not documented. Reports in the open have it answer
// ResourceNotFoundException, or deny access to a secret of its own Region; the fake
// does the former.
func (o *operation) target(id string) (target, *refusal) {
	rest, isARN := strings.CutPrefix(id, "arn:")
	if !isARN {
		return target{name: id}, nil
	}
	parts := strings.SplitN(rest, ":", 6) // partition, service, Region, account, "secret", name
	switch {
	case len(parts) != 6 || parts[0] != o.f.partition() || parts[1] != "secretsmanager" || parts[4] != "secret" || !secretName.MatchString(parts[5]):
		return target{}, refuse("ValidationException", "Invalid ARN.")
	case parts[3] != o.f.config.Account:
		return target{}, o.denied(id, "no resource-based policy allows")
	case parts[2] != o.f.config.Region:
		return target{}, notFound
	}
	if m := suffixed.FindStringSubmatch(parts[5]); m != nil {
		return target{name: m[1], arn: id}, nil
	}
	return target{name: parts[5]}, nil
}

// of reports whether a secret is what is meant.
func (t target) of(s *secret) bool { return s != nil && (t.arn == "" || t.arn == s.arn) }

// find is the secret that an operation is to change: the truth, or nil.
func (o *operation) find(t target) *secret {
	if s := o.f.there(t.name); t.of(s) {
		return s
	}
	return nil
}

// look is the secret that an operation is to show, which may be late; or nil.
func (o *operation) look(t target, what Freedom) *secret {
	if s := o.f.seen(o.f.slots[t.name], o.now, what); t.of(s) {
		return s
	}
	return nil
}

// resource is the ARN by which IAM knows what is meant. Of what is not there it is
// the ARN that was asked for, or the partial one of the name.
func (o *operation) resource(t target) string {
	switch s := o.f.there(t.name); {
	case t.of(s):
		return s.arn
	case t.arn != "":
		return t.arn
	default:
		return o.f.partialARN(t.name)
	}
}
