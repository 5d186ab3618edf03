package awssmtest

import (
	"encoding/json"
	"slices"
	"strings"
)

// input has the fields of all operations that are modelled.
type input struct {
	Name                       *string
	SecretId                   *string
	SecretIdList               []string
	ClientRequestToken         *string
	Description                *string
	KmsKeyId                   *string
	SecretString               *string
	SecretBinary               *[]byte
	Tags                       []tag
	TagKeys                    []string
	ForceDeleteWithoutRecovery *bool
	RecoveryWindowInDays       *int64
	VersionId                  *string
	VersionStage               *string
	VersionStages              []string
	MoveToVersionId            *string
	RemoveFromVersionId        *string
	Filters                    []filter
	IncludePlannedDeletion     bool
	MaxResults                 *int
	NextToken                  *string
	SortBy                     *string
	SortOrder                  *string
}

type filter struct {
	Key    string
	Values []string
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *filter) UnmarshalJSON(b []byte) error {
	type plain filter
	return strict(b, (*plain)(f), "Key", "Values")
}

// operations are those that are modelled, with their fields. The API has more of
// both, of rotation, replication and resource policies.
var operations = map[string]string{
	"BatchGetSecretValue":      "Filters MaxResults NextToken SecretIdList",
	"CreateSecret":             "ClientRequestToken Description KmsKeyId Name SecretBinary SecretString Tags",
	"DeleteSecret":             "ForceDeleteWithoutRecovery RecoveryWindowInDays SecretId",
	"DescribeSecret":           "SecretId",
	"GetSecretValue":           "SecretId VersionId VersionStage",
	"ListSecrets":              "Filters IncludePlannedDeletion MaxResults NextToken SortBy SortOrder",
	"PutSecretValue":           "ClientRequestToken SecretBinary SecretId SecretString VersionStages",
	"RestoreSecret":            "SecretId",
	"TagResource":              "SecretId Tags",
	"UntagResource":            "SecretId TagKeys",
	"UpdateSecret":             "ClientRequestToken Description KmsKeyId SecretBinary SecretId SecretString",
	"UpdateSecretVersionStage": "MoveToVersionId RemoveFromVersionId SecretId VersionStage",
}

// decode reads the fields of an operation. AWS overlooks what it does not know; the
// fake refuses it, so that no test passes by a field that nothing heeds. What is
// wrong it says by names alone: the rest may be a value.
func decode(body []byte, fields string, in *input) *refusal {
	malformed := refuse("SerializationException", "The request is no JSON object of the right types, with each field once")
	given, err := members(body)
	if err != nil {
		return malformed
	}
	known := strings.Fields(fields)
	for _, m := range given {
		if !slices.Contains(known, m.name) {
			return refuse("SerializationException", "The field %q is unknown to this operation, or not modelled", m.name)
		}
	}
	if json.Unmarshal(body, in) != nil {
		return malformed
	}
	return nil
}
