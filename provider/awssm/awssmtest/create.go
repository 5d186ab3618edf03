package awssmtest

import (
	"slices"
	"time"
)

// create has its effect now, later, or both.
func (o *operation) create() (any, *refusal) {
	f, name := o.f, *o.in.Name
	resource := f.partialARN(name) // the six characters are not known to who writes a policy
	wrong := o.allowed("CreateSecret", resource, nil)
	if wrong == nil && len(o.in.Tags) > 0 {
		wrong = o.allowed("TagResource", resource, nil)
	}
	if wrong == nil && o.hasValue() {
		wrong = f.seal(o.key())
	}
	if wrong != nil {
		return nil, wrong
	}
	again := func(at time.Time) { o.make(at) } // nobody is left to be told
	if by := f.late(LandLate, o.signed, o.now); by > 0 {
		o.out.reset = true
		f.land(o.now.Add(by), again)
		return nil, nil
	}
	made, wrong := o.make(o.now)
	if wrong != nil {
		return nil, wrong
	}
	if by := f.late(Twice, o.signed, o.now); by > 0 {
		f.land(o.now.Add(by), again)
	}
	if !o.hasValue() {
		return answerOf(made, ""), nil
	}
	return answerOf(made, *o.in.ClientRequestToken), nil
}

// make makes the secret, or answers the one that the same request made before.
func (o *operation) make(at time.Time) (*secret, *refusal) {
	f, name := o.f, *o.in.Name
	if there := f.there(name); there != nil {
		switch {
		case there.going:
			return nil, deleted
		case !there.deleted.IsZero():
			return nil, scheduled
		}
		if o.hasValue() {
			if done, wrong := o.repeated(there); done || wrong != nil {
				return there, wrong
			}
		}
		return nil, refuse("ResourceExistsException", "The operation failed because the secret %s already exists.", name)
	}
	if f.full() {
		return nil, refuse("LimitExceededException", "You've reached the limit of secrets in this account.")
	}
	made := &secret{
		name: name, arn: f.newARN(name), description: text(o.in.Description), kmsKey: o.key(),
		tags: slices.Clone(o.in.Tags), created: at, changed: at, by: o.call.AccessKey,
	}
	if o.hasValue() {
		v := o.version(at)
		v.stages = []string{current}
		made.versions = []version{v}
	}
	f.set(name, made, at)
	return made, nil
}

// repeated reports whether the secret has the version that the request asks for: a
// token makes one version, with one value (API_CreateSecret, ClientRequestToken).
func (o *operation) repeated(s *secret) (bool, *refusal) {
	v := s.version(*o.in.ClientRequestToken)
	switch {
	case v == nil:
		return false, nil
	case v.same(o.version(v.created)):
		return true, nil
	default:
		return false, refuse("ResourceExistsException",
			"You can't use ClientRequestToken %s because that value is already in use for a version of secret %s.", v.id, s.arn)
	}
}

func (o *operation) hasValue() bool { return o.in.SecretString != nil || o.in.SecretBinary != nil }

// version is the version that the request asks for, without labels.
func (o *operation) version(at time.Time) version {
	v := version{id: *o.in.ClientRequestToken, text: o.in.SecretString, created: at}
	if o.in.SecretBinary != nil {
		v.binary = *o.in.SecretBinary
	}
	return v
}

// key is the KMS key of a create; "" is the account's own.
func (o *operation) key() string {
	if key := text(o.in.KmsKeyId); key != "alias/aws/secretsmanager" {
		return key
	}
	return ""
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
