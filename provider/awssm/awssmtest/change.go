package awssmtest

import "slices"

// put adds a version. Without labels it is AWSCURRENT, and so is the first
// (API_PutSecretValue).
func (o *operation) put(s *secret) (any, *refusal) {
	done, wrong := o.repeated(s)
	if wrong == nil && !done {
		wrong = o.f.seal(s.kmsKey)
	}
	if wrong != nil {
		return nil, wrong
	}
	o.same = done
	if !done {
		stages := o.in.VersionStages
		if len(stages) == 0 || s.staged(current) == nil && !slices.Contains(stages, current) {
			stages = append(slices.Clone(stages), current)
		}
		s.versions = append(s.versions, o.version(o.now))
		for _, stage := range stages {
			s.move(stage, &s.versions[len(s.versions)-1])
		}
	}
	v := s.version(*o.in.ClientRequestToken)
	a := answerOf(s, v.id)
	a.VersionStages = v.stages
	return a, nil
}

// update changes what it names, and makes a version of a value.
func (o *operation) update(s *secret) (any, *refusal) {
	if o.in.Description != nil {
		s.description = *o.in.Description
	}
	if o.in.KmsKeyId != nil {
		s.kmsKey = o.key()
	}
	if !o.hasValue() {
		return answerOf(s, ""), nil
	}
	o.in.VersionStages = nil
	if _, wrong := o.put(s); wrong != nil {
		return nil, wrong
	}
	o.same = o.same && o.in.Description == nil && o.in.KmsKeyId == nil
	return answerOf(s, *o.in.ClientRequestToken), nil
}

// updateStage moves a label, or takes it off (API_UpdateSecretVersionStage).
func (o *operation) updateStage(s *secret) (any, *refusal) {
	if o.in.VersionStage == nil {
		return nil, constraint("versionStage", "Member must not be null")
	}
	label := *o.in.VersionStage
	from, to := s.staged(label), (*version)(nil)
	if id := o.in.MoveToVersionId; id != nil {
		if to = s.version(*id); to == nil {
			return nil, parameter("Not a valid version: %s", *id)
		}
	}
	switch id := o.in.RemoveFromVersionId; {
	case id == nil && from != nil && from != to:
		return nil, parameter("The parameter RemoveFromVersionId can't be empty. Staging label %s is currently attached to version %s, so you must explicitly reference that version in RemoveFromVersionId.", label, from.id)
	case id != nil && (from == nil || from.id != *id):
		return nil, parameter("Version stage %s not found in version %s", label, *id)
	case to == nil && label == current:
		return nil, parameter("You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.")
	case to != nil:
		s.move(label, to)
	case from != nil:
		from.drop(label)
	}
	return answerOf(s, ""), nil
}

// tag adds tags, and changes those that are there.
func (o *operation) tag(s *secret) (any, *refusal) {
	for _, t := range o.in.Tags {
		if i := slices.IndexFunc(s.tags, func(have tag) bool { return have.Key == t.Key }); i >= 0 {
			s.tags[i] = t
		} else {
			s.tags = append(s.tags, t)
		}
	}
	if len(s.tags) > 50 {
		return nil, tooManyTags
	}
	return nil, nil
}

func (o *operation) untag(s *secret) (any, *refusal) {
	s.tags = slices.DeleteFunc(s.tags, func(t tag) bool { return slices.Contains(o.in.TagKeys, t.Key) })
	return nil, nil
}
