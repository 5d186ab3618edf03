package awssm

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// ReferenceKind is the Kind of this driver's references. Their Locator is what ECS
// and Batch call valueFrom: the full ARN of the AWS secret, and for a secret in a map
// ARN:KEY::
// (docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html).
const ReferenceKind = "aws-secret"

// References returns what valueFrom is for each item.
func (d *Driver) References(o provider.Object, id string) []provider.Reference {
	refs := make([]provider.Reference, len(o.Items))
	for i, item := range o.Items {
		refs[i] = provider.Reference{Name: item.Name, Kind: ReferenceKind, Locator: arnOf(id)}
		if isMap(o.Name) {
			refs[i].Locator += ":" + item.Name.String() + "::"
		}
	}
	return refs
}

// ContainerSecret is an entry of the list that a job definition of AWS Batch, and a
// container definition of ECS, call secrets: the environment variable Name is to
// hold what is read from ValueFrom when the container starts.
type ContainerSecret struct {
	Name      string `json:"name"`
	ValueFrom string `json:"valueFrom"`
}

// ContainerSecrets returns the list for a run, in the order of names, to go into a
// job definition or, as JSON, to provider/awssm/fetch. References of other drivers
// are passed over. Two of one name, as of two targets, are refused with a
// *secrets.InvalidError. It holds no value.
func ContainerSecrets(refs []provider.Reference) ([]ContainerSecret, error) {
	list := []ContainerSecret{}
	for _, ref := range refs {
		if ref.Kind == ReferenceKind {
			list = append(list, ContainerSecret{ref.Name.String(), ref.Locator})
		}
	}
	slices.SortFunc(list, func(a, b ContainerSecret) int { return strings.Compare(a.Name, b.Name) })
	for i := range list {
		if i > 0 && list[i].Name == list[i-1].Name {
			return nil, &secrets.InvalidError{Field: "references", Rule: "must name each secret once: " + list[i].Name}
		}
	}
	return list, nil
}

// JobDefinition returns what a job definition of AWS Batch needs to hand a run its
// secrets, as JSON: containerProperties with secrets and executionRoleArn, to be
// merged into the rest. The role is the execution role, as whom the ECS agent reads
// them; without it Batch starts no job that has secrets. A *secrets.InvalidError if
// it is longer than a job definition may be, 24,576 bytes.
func JobDefinition(refs []provider.Reference, executionRole string) ([]byte, error) {
	if !goodRole(executionRole) {
		return nil, &secrets.InvalidError{Field: "execution role", Rule: "must be the ARN of an IAM role"}
	}
	list, err := fragment(refs, maxFragment)
	if err != nil {
		return nil, err
	}
	type container struct {
		ExecutionRole string            `json:"executionRoleArn"`
		Secrets       []ContainerSecret `json:"secrets"`
	}
	definition, err := json.Marshal(map[string]container{"containerProperties": {executionRole, list}})
	if err == nil && len(definition) > maxFragment {
		err = tooLong(maxFragment)
	}
	if err != nil {
		return nil, err
	}
	return definition, nil
}

// What a job definition holds beside the list: a role's ARN, whose path has 512 and
// whose name 64 characters at most (docs.aws.amazon.com/IAM, API_CreateRole), and
// names and braces.
const (
	maxRole   = 640
	maxAround = maxRole + 60
)

func goodRole(arn string) bool {
	parts := strings.SplitN(arn, ":", 6)
	return len(parts) == 6 && parts[0] == "arn" && parts[2] == "iam" && goodAccount.MatchString(parts[4]) &&
		strings.HasPrefix(parts[5], "role/") && len(arn) <= maxRole
}

// fragment returns the list if it takes no more than so many bytes as JSON.
func fragment(refs []provider.Reference, limit int) ([]ContainerSecret, error) {
	list, err := ContainerSecrets(refs)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(list)
	if err == nil && len(text) > limit {
		err = tooLong(limit)
	}
	return list, err
}

func tooLong(limit int) error {
	return &secrets.InvalidError{
		Field: "job definition", Rule: "must hold the references of the run's secrets in " + strconv.Itoa(limit) + " bytes: stage fewer",
	}
}
