package awssmtest

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The shapes of fields, from the API reference.
var (
	newName     = regexp.MustCompile(`^[A-Za-z0-9/_+=.@-]+$`)
	secretName  = regexp.MustCompile(`^[A-Za-z0-9/_+=.@!-]+$`) // AWS's own services have names with a !
	filterValue = regexp.MustCompile(`^!?[a-zA-Z0-9 :_@/+=.!-]*$`)
	tagText     = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
)

// long refuses a text that is too short or too long, in characters.
func long(field string, text *string, least, most int) *refusal {
	if text == nil {
		return nil
	}
	switch n := utf8.RuneCountInString(*text); {
	case n < least:
		return constraint(field, "Member must have length greater than or equal to "+strconv.Itoa(least))
	case n > most:
		return constraint(field, "Member must have length less than or equal to "+strconv.Itoa(most))
	}
	return nil
}

// check refuses what breaks a rule whatever the account holds.
func (in *input) check(op string) *refusal {
	if id := in.SecretId; id == nil && strings.Contains(operations[op], "SecretId") && op != "BatchGetSecretValue" {
		return constraint("secretId", "Member must not be null")
	}
	if op == "CreateSecret" && in.Name == nil {
		return constraint("name", "Member must not be null")
	}
	for _, wrong := range []*refusal{
		long("name", in.Name, 1, 512),
		long("secretId", in.SecretId, 1, 2048),
		long("clientRequestToken", in.ClientRequestToken, 32, 64),
		long("description", in.Description, 0, 2048),
		long("kmsKeyId", in.KmsKeyId, 0, 2048),
		long("versionId", in.VersionId, 32, 64),
		long("versionStage", in.VersionStage, 1, 256),
		long("moveToVersionId", in.MoveToVersionId, 32, 64),
		long("removeFromVersionId", in.RemoveFromVersionId, 32, 64),
		in.value(op), in.tags(op), in.filters(), in.page(op), in.window(op),
	} {
		if wrong != nil {
			return wrong
		}
	}
	if in.Name != nil && !newName.MatchString(*in.Name) || in.SecretId != nil && !isID(*in.SecretId) {
		return badName
	}
	return nil
}

var badName = refuse("ValidationException", "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")

func isID(id string) bool { return strings.HasPrefix(id, "arn:") || secretName.MatchString(id) }

// value: 65,536 bytes (reference_limits), one form only (API_CreateSecret).
func (in *input) value(op string) *refusal {
	if in.SecretString != nil {
		switch n := len(*in.SecretString); {
		case n < 1:
			return constraint("secretString", "Member must have length greater than or equal to 1")
		case n > 65_536:
			return constraint("secretString", "Member must have length less than or equal to 65536")
		}
	}
	if in.SecretBinary != nil {
		switch n := len(*in.SecretBinary); {
		case n < 1:
			return constraint("secretBinary", "Member must have length greater than or equal to 1")
		case n > 65_536:
			return constraint("secretBinary", "Member must have length less than or equal to 65536")
		}
	}
	if in.SecretString != nil && in.SecretBinary != nil {
		return parameter("You can't specify both a binary secret value and a string secret value in the same secret.")
	}
	hasValue := in.SecretString != nil || in.SecretBinary != nil
	switch {
	case op == "PutSecretValue" && !hasValue:
		return refuse("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
	case hasValue && in.ClientRequestToken == nil:
		return refuse("InvalidRequestException", "You must provide a ClientRequestToken value. We recommend a UUID-type value.")
	}
	if op == "PutSecretValue" && in.VersionStages != nil && (len(in.VersionStages) < 1 || len(in.VersionStages) > 20) {
		return constraint("versionStages", "Member must have length between 1 and 20")
	}
	for _, stage := range in.VersionStages {
		if wrong := long("versionStages", &stage, 1, 256); wrong != nil {
			return wrong
		}
	}
	return nil
}

// tags: API_Tag, and the service quotas for tagging.
func (in *input) tags(op string) *refusal {
	switch {
	case op == "TagResource" && in.Tags == nil:
		return constraint("tags", "Member must not be null")
	case op == "UntagResource" && in.TagKeys == nil:
		return constraint("tagKeys", "Member must not be null")
	case len(in.Tags) > 50:
		return tooManyTags
	}
	var keys []string
	for _, t := range in.Tags {
		for _, wrong := range []*refusal{long("tags", &t.Key, 1, 128), long("tags", &t.Value, 0, 256)} {
			if wrong != nil {
				return wrong
			}
		}
		switch {
		case !tagText.MatchString(t.Key), !tagText.MatchString(t.Value):
			return parameter("The tag %q has a character that tags may not have.", t.Key)
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return parameter("Tag keys starting with 'aws:' are reserved for system use.")
		case slices.Contains(keys, t.Key):
			return parameter("The tag key %q is there twice.", t.Key)
		}
		keys = append(keys, t.Key)
	}
	for _, key := range in.TagKeys {
		if wrong := long("tagKeys", &key, 1, 128); wrong != nil {
			return wrong
		}
	}
	return nil
}

var tooManyTags = parameter("A secret can have no more than 50 tags.")

// filters: API_Filter.
func (in *input) filters() *refusal {
	if len(in.Filters) > 10 {
		return constraint("filters", "Member must have length less than or equal to 10")
	}
	for _, f := range in.Filters {
		switch {
		case f.Key == "":
			return parameter("Invalid filter key")
		case !slices.Contains(filterKeys, f.Key):
			return constraint("filters.1.member.key", "Member must satisfy enum value set: ["+strings.Join(filterKeys, ", ")+"]")
		case len(f.Values) == 0:
			return parameter("Invalid filter values for key: %s", f.Key)
		case len(f.Values) > 10:
			return constraint("filters.1.member.values", "Member must have length less than or equal to 10")
		}
		for _, v := range f.Values {
			if len(v) > 512 || !filterValue.MatchString(v) {
				return constraint("filters.1.member.values", `Member must satisfy regular expression pattern: ^\!?[a-zA-Z0-9 :_@\/\+\=\.\-\!]*$, and have at most 512 characters`)
			}
		}
	}
	return nil
}

// page: API_ListSecrets and API_BatchGetSecretValue.
func (in *input) page(op string) *refusal {
	largest := 100
	if op == "BatchGetSecretValue" {
		largest = 20
		switch {
		case in.SecretIdList != nil && in.Filters != nil:
			return parameter("Either 'SecretIdList' or 'Filters' must be provided, but not both.")
		case in.SecretIdList == nil && in.Filters == nil:
			return parameter("Either 'SecretIdList' or 'Filters' must be provided.")
		case in.MaxResults != nil && in.Filters == nil:
			return parameter("'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided.")
		case in.SecretIdList != nil && (len(in.SecretIdList) < 1 || len(in.SecretIdList) > 20):
			return constraint("secretIdList", "Member must have length between 1 and 20")
		}
	}
	for _, id := range in.SecretIdList {
		if wrong := long("secretIdList", &id, 1, 2048); wrong != nil {
			return wrong
		}
	}
	if n := in.MaxResults; n != nil && (*n < 1 || *n > largest) {
		return constraint("maxResults", "Member must have value between 1 and "+strconv.Itoa(largest))
	}
	if by := in.SortBy; by != nil && *by != "created-date" && *by != "last-accessed-date" && *by != "last-changed-date" && *by != "name" {
		return constraint("sortBy", "Member must satisfy enum value set")
	}
	if order := in.SortOrder; order != nil && *order != "asc" && *order != "desc" {
		return constraint("sortOrder", "Member must satisfy enum value set: [asc, desc]")
	}
	return long("nextToken", in.NextToken, 1, 4096)
}

// window: API_DeleteSecret.
func (in *input) window(op string) *refusal {
	if op != "DeleteSecret" {
		return nil
	}
	days := in.RecoveryWindowInDays
	switch {
	case days != nil && in.forced():
		return parameter("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
	case days != nil && (*days < 7 || *days > 30):
		return parameter("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
	}
	return nil
}

func (in *input) forced() bool {
	return in.ForceDeleteWithoutRecovery != nil && *in.ForceDeleteWithoutRecovery
}
