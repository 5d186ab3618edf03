package awssmtest

import (
	"strconv"
	"time"
)

// unixTime is a time on the wire: seconds since 1970, with milliseconds.
type unixTime time.Time

func unix(t time.Time) *unixTime {
	if t.IsZero() {
		return nil
	}
	return (*unixTime)(&t)
}

// MarshalJSON implements json.Marshaler.
func (t unixTime) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(time.Time(t).UnixMilli())/1000, 'f', 3, 64), nil
}

// described is a secret as DescribeSecret and ListSecrets show it.
type described struct {
	ARN                    string
	Name                   string
	Description            string    `json:",omitempty"`
	KmsKeyId               string    `json:",omitempty"`
	Tags                   []tag     `json:",omitempty"`
	CreatedDate            *unixTime `json:",omitempty"`
	LastChangedDate        *unixTime `json:",omitempty"`
	DeletedDate            *unixTime `json:",omitempty"`
	VersionIdsToStages     stages    `json:",omitempty"` // in DescribeSecret
	SecretVersionsToStages stages    `json:",omitempty"` // in ListSecrets
}

type stages map[string][]string

func describedOf(s *secret) described {
	return described{
		ARN: s.arn, Name: s.name, Description: s.description, KmsKeyId: s.kmsKey, Tags: s.tags,
		CreatedDate: unix(s.created), LastChangedDate: unix(s.changed), DeletedDate: unix(s.deleted),
	}
}

// stages are the versions that have labels; without one a version is deprecated,
// and not shown.
func (s *secret) stages() stages {
	all := stages{}
	for _, v := range s.versions {
		if len(v.stages) > 0 {
			all[v.id] = v.stages
		}
	}
	return all
}

// describe shows what is scheduled for deletion too, with its DeletedDate.
func (o *operation) describe(t target) (any, *refusal) {
	s := o.look(t, StaleDescribe)
	if s == nil {
		return nil, notFound
	}
	d := describedOf(s)
	d.VersionIdsToStages = s.stages()
	if s.going && o.f.takes(StillShown) {
		d.DeletedDate = nil
	}
	return d, nil
}

// got is a value as GetSecretValue and BatchGetSecretValue show it.
type got struct {
	ARN           string
	Name          string
	VersionId     string
	VersionStages []string
	SecretString  *string `json:",omitempty"`
	SecretBinary  []byte  `json:",omitempty"`
	CreatedDate   *unixTime
}

// get answers the version that is asked for, AWSCURRENT if none is.
func (o *operation) get(s *secret, id, stage *string) (any, *refusal) {
	switch {
	case s == nil:
		return nil, notFound
	case s.going:
		return nil, deleted
	case !s.deleted.IsZero():
		return nil, marked
	}
	var v *version
	switch {
	case id != nil:
		v = s.version(*id)
		if v == nil {
			return nil, refuse(notFound.code, "Secrets Manager can't find the specified secret value for VersionId: %s", *id)
		}
		if stage != nil && s.staged(*stage) != v {
			return nil, refuse("InvalidRequestException", "You provided a VersionStage that is not associated to the provided VersionId.")
		}
	default:
		label := current
		if stage != nil {
			label = *stage
		}
		if v = s.staged(label); v == nil {
			return nil, refuse(notFound.code, "Secrets Manager can't find the specified secret value for staging label: %s", label)
		}
	}
	if wrong := o.f.open(s.kmsKey); wrong != nil {
		return nil, wrong
	}
	return got{s.arn, s.name, v.id, v.stages, v.text, v.binary, unix(v.created)}, nil
}

// batched is the answer of BatchGetSecretValue.
type batched struct {
	SecretValues []any
	Errors       []batchError
	NextToken    string `json:",omitempty"`
}

type batchError struct{ SecretId, ErrorCode, Message string }

// batch answers a value or an error for each secret. The caller needs
// GetSecretValue for each, and ListSecrets too if it filters
// (API_BatchGetSecretValue).
func (o *operation) batch() (any, *refusal) {
	if wrong := o.allowed("BatchGetSecretValue", "*", nil); wrong != nil {
		return nil, wrong
	}
	b := batched{SecretValues: []any{}, Errors: []batchError{}}
	add := func(id string, value any, wrong *refusal) {
		if wrong != nil {
			b.Errors = append(b.Errors, batchError{id, wrong.code, wrong.message})
		} else {
			b.SecretValues = append(b.SecretValues, value)
		}
	}
	one := func(t target, s *secret) (any, *refusal) {
		if wrong := o.allowed("GetSecretValue", o.resource(t), o.find(t)); wrong != nil {
			return nil, wrong
		}
		return o.get(s, nil, nil)
	}
	if o.in.Filters != nil {
		if wrong := o.allowed("ListSecrets", "*", nil); wrong != nil {
			return nil, wrong
		}
		page, next, wrong := o.page(20, StaleGet)
		if wrong != nil {
			return nil, wrong
		}
		for _, s := range page {
			value, wrong := one(target{name: s.name, arn: s.arn}, s)
			add(s.arn, value, wrong)
		}
		b.NextToken = next
		return b, nil
	}
	for _, id := range o.in.SecretIdList {
		if !isID(id) {
			return nil, badName
		}
		t, wrong := o.target(id)
		var value any
		if wrong == nil {
			value, wrong = one(t, o.look(t, StaleGet))
		}
		add(id, value, wrong)
	}
	return b, nil
}
