package awssm

import (
	"encoding/json"
	"strings"
)

// Principal is whom a policy is for.
type Principal uint8

// The principals. A program may be several of them; a sweeper apart from the
// launchers lets only itself list, which AWS can't limit to a prefix.
const (
	Launcher  Principal = iota // launches and completes runs
	Sweeper                    // sweeps; needs no right to create
	Execution                  // the execution role of Batch jobs and ECS tasks
	Reader                     // a job that uses provider/awssm/fetch
)

// IAMPolicy returns the identity policy that the principal needs with this driver,
// and no more, as JSON: its prefix, account, Region, key, and tags. Neither launcher
// nor sweeper may read a value. Where the key is not of the account, its own key
// policy must allow the same.
//
// Conditions have creates carry the driver's tags, and deletes only meet what has
// them. The right to delete at once can be taken away by a condition on
// secretsmanager:ForceDeleteWithoutRecovery: see Remove.
func (d *Driver) IAMPolicy(p Principal) []byte {
	ours := d.arn(d.config.Prefix + "*")
	// Tagged by us: whose mark it is, a driver does not know before it is asked.
	tagged := map[string]map[string]string{"Null": {"aws:ResourceTag/" + tagMark: "false"}}
	tagging := map[string]map[string]string{"Null": {"aws:RequestTag/" + tagMark: "false"}}
	look := statement{"Look", "Allow", []string{"secretsmanager:DescribeSecret"}, ours, nil}
	remove := statement{"Remove", "Allow", []string{"secretsmanager:DeleteSecret"}, ours, tagged}
	read := statement{"Read", "Allow", []string{"secretsmanager:GetSecretValue"}, ours, nil}

	policy := document{Version: "2012-10-17"}
	switch p {
	case Launcher:
		policy.Statement = []statement{
			{"Create", "Allow", []string{"secretsmanager:CreateSecret", "secretsmanager:TagResource"}, ours, tagging}, look, remove,
		}
		policy.use(d, "kms:GenerateDataKey", "kms:Decrypt")
	case Sweeper:
		policy.Statement = []statement{{"List", "Allow", []string{"secretsmanager:ListSecrets"}, "*", nil}, look, remove}
	case Execution:
		policy.Statement = []statement{read}
		policy.use(d, "kms:Decrypt")
	case Reader:
		// Each secret of a batch needs the right to be read, too.
		policy.Statement = []statement{{"Batch", "Allow", []string{"secretsmanager:BatchGetSecretValue"}, "*", nil}, read}
		policy.use(d, "kms:Decrypt")
	}
	text, err := json.MarshalIndent(policy, "", "  ")
	if err != nil {
		panic("awssm: a policy can't be encoded: " + err.Error()) // strings only
	}
	return text
}

type document struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid       string
	Effect    string
	Action    []string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

// use lets the customer's key be used, through Secrets Manager alone. An alias is no
// resource of a policy: it is a condition on all keys of the account.
func (p *document) use(d *Driver, actions ...string) {
	if d.config.KMSKeyID == "" {
		return
	}
	suffix := ".amazonaws.com"
	if d.partition == "aws-cn" {
		suffix += ".cn"
	}
	s := statement{"Key", "Allow", actions, d.config.KMSKeyID, map[string]map[string]string{
		"StringEquals": {"kms:ViaService": "secretsmanager." + d.config.Region + suffix},
	}}
	if owner, alias, is := strings.Cut(d.config.KMSKeyID, ":alias/"); is {
		s.Resource = owner + ":key/*"
		s.Condition["ForAnyValue:StringEquals"] = map[string]string{"kms:ResourceAliases": "alias/" + alias}
	}
	p.Statement = append(p.Statement, s)
}
