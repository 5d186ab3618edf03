package awssmtest

import "time"

// operation is one call that is to have its effect. The lock is held.
type operation struct {
	f      *Fake
	call   Call
	in     input
	now    time.Time
	signed time.Time
	out    *outcome
	same   bool // it changes nothing
}

// run has the effect and makes the answer.
func (o *operation) run() (any, *refusal) {
	if wrong := o.in.check(o.call.Op); wrong != nil {
		return nil, wrong
	}
	switch o.call.Op { // those that are not about one secret that has to be there
	case "CreateSecret":
		return o.create()
	case "ListSecrets":
		return o.list()
	case "BatchGetSecretValue":
		return o.batch()
	}
	t, wrong := o.target(*o.in.SecretId)
	if wrong == nil {
		wrong = o.allowed(o.call.Op, o.resource(t), o.find(t))
	}
	if wrong != nil {
		return nil, wrong
	}
	switch o.call.Op {
	case "DeleteSecret":
		return o.delete(t)
	case "DescribeSecret":
		return o.describe(t)
	case "GetSecretValue":
		return o.get(o.look(t, StaleGet), o.in.VersionId, o.in.VersionStage)
	}
	s := o.find(t)
	switch {
	case s == nil:
		return nil, notFound
	case s.going:
		return nil, deleted
	case !s.deleted.IsZero() && o.call.Op != "RestoreSecret":
		return nil, marked
	}
	s = s.clone() // to change
	var answer any
	switch o.call.Op {
	case "PutSecretValue":
		answer, wrong = o.put(s)
	case "UpdateSecret":
		answer, wrong = o.update(s)
	case "UpdateSecretVersionStage":
		answer, wrong = o.updateStage(s)
	case "RestoreSecret":
		s.deleted = time.Time{}
		answer = answerOf(s, "")
	case "TagResource":
		answer, wrong = o.tag(s)
	case "UntagResource":
		answer, wrong = o.untag(s)
	}
	if wrong != nil {
		return nil, wrong
	}
	if answer == nil {
		answer = struct{}{}
	}
	if !o.same {
		s.changed = o.now
		o.f.set(s.name, s, o.now)
	}
	return answer, nil
}

// answered is the answer of most operations.
type answered struct {
	ARN           string
	Name          string
	VersionId     string    `json:",omitempty"`
	VersionStages []string  `json:",omitempty"`
	DeletionDate  *unixTime `json:",omitempty"`
}

func answerOf(s *secret, versionID string) answered {
	return answered{ARN: s.arn, Name: s.name, VersionId: versionID}
}
