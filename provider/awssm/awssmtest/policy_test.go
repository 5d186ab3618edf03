package awssmtest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
)

// allow is a policy with one statement.
func allow(actions, resources, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":[%s],"Resource":[%s]%s}}`, actions, resources, condition)
}

func deny(actions, resources, condition string) string {
	return strings.Replace(allow(actions, resources, condition), `"Allow"`, `"Deny"`, 1)
}

const (
	anything  = `"*"`
	towers    = `"arn:aws:secretsmanager:*:123456789012:secret:tower-*"`
	everybody = `"secretsmanager:*"`
)

func TestPoliciesAreEvaluatedAsIAMDoes(t *testing.T) {
	mark := []f{{"Key": "mark", "Value": "ours"}}
	describe := func(a *account, name string) answer { return a.by("p", "DescribeSecret", f{"SecretId": name}) }
	for _, c := range []struct {
		name     string
		policies []string
		try      func(a *account) answer
		denied   bool
	}{
		{"no policy allows nothing", []string{}, func(a *account) answer { return describe(a, "tower-a/B") }, true},
		{"an action that is allowed", []string{allow(`"secretsmanager:DescribeSecret"`, anything, "")},
			func(a *account) answer { return describe(a, "tower-a/B") }, false},
		{"an action in another case", []string{allow(`"SecretsManager:describesecret"`, anything, "")},
			func(a *account) answer { return describe(a, "tower-a/B") }, false},
		{"an action by a wildcard", []string{allow(`"secretsmanager:Desc*"`, anything, "")},
			func(a *account) answer { return describe(a, "tower-a/B") }, false},
		{"another action", []string{allow(`"secretsmanager:GetSecretValue"`, anything, "")},
			func(a *account) answer { return describe(a, "tower-a/B") }, true},
		{"a resource by a prefix", []string{allow(everybody, towers, "")},
			func(a *account) answer { return describe(a, "tower-a/B") }, false},
		{"another resource", []string{allow(everybody, towers, "")},
			func(a *account) answer { return describe(a, "other") }, true},
		{"a resource by six characters", []string{allow(everybody, `"arn:aws:secretsmanager:eu-west-1:123456789012:secret:other-??????"`, "")},
			func(a *account) answer { return describe(a, "other") }, false},
		{"a longer name by six characters", []string{allow(everybody, `"arn:aws:secretsmanager:eu-west-1:123456789012:secret:oth-??????"`, "")},
			func(a *account) answer { return describe(a, "other") }, true},
		{"an explicit deny", []string{allow(everybody, anything, ""), deny(`"secretsmanager:DescribeSecret"`, towers, "")},
			func(a *account) answer { return describe(a, "tower-a/B") }, true},
		{"a deny of something else", []string{allow(everybody, anything, ""), deny(`"secretsmanager:DescribeSecret"`, towers, "")},
			func(a *account) answer { return describe(a, "other") }, false},
		{"what is not there, by its name", []string{allow(everybody, towers, "")},
			func(a *account) answer { return describe(a, "none") }, true},

		{"a create within the prefix", []string{allow(`"secretsmanager:CreateSecret"`, towers, "")},
			func(a *account) answer { return a.by("p", "CreateSecret", f{"Name": "tower-b/C"}) }, false},
		{"a create beside the prefix", []string{allow(`"secretsmanager:CreateSecret"`, towers, "")},
			func(a *account) answer { return a.by("p", "CreateSecret", f{"Name": "b/C"}) }, true},
		{"a create by its name", []string{allow(`"secretsmanager:CreateSecret"`, anything, `{"StringLike":{"secretsmanager:Name":"tower-*"}}`)},
			func(a *account) answer { return a.by("p", "CreateSecret", f{"Name": "tower-b/C"}) }, false},
		{"a create by another name", []string{allow(`"secretsmanager:CreateSecret"`, anything, `{"StringLike":{"secretsmanager:Name":"tower-*"}}`)},
			func(a *account) answer { return a.by("p", "CreateSecret", f{"Name": "b/C"}) }, true},
		{"a create with tags and no TagResource", []string{allow(`"secretsmanager:CreateSecret"`, anything, "")},
			func(a *account) answer { return a.by("p", "CreateSecret", f{"Name": "tower-b/C", "Tags": mark}) }, true},
		{"a create with tags", []string{allow(`"secretsmanager:CreateSecret","secretsmanager:TagResource"`, anything, "")},
			func(a *account) answer { return a.by("p", "CreateSecret", f{"Name": "tower-b/C", "Tags": mark}) }, false},
		{"a create with the tag that it has to have", []string{allow(everybody, anything, `{"StringEquals":{"aws:RequestTag/mark":"ours"}}`)},
			func(a *account) answer { return a.by("p", "CreateSecret", f{"Name": "tower-b/C", "Tags": mark}) }, false},
		{"a create without it", []string{allow(everybody, anything, `{"StringEquals":{"aws:RequestTag/mark":"ours"}}`)},
			func(a *account) answer { return a.by("p", "CreateSecret", f{"Name": "tower-b/C"}) }, true},
		{"tags that are all among some", []string{allow(everybody, anything, `{"ForAllValues:StringEquals":{"aws:TagKeys":["mark","run"]}}`)},
			func(a *account) answer { return a.by("p", "CreateSecret", f{"Name": "tower-b/C", "Tags": mark}) }, false},
		{"no tags, which are all among some", []string{allow(everybody, anything, `{"ForAllValues:StringEquals":{"aws:TagKeys":["mark","run"]}}`)},
			func(a *account) answer { return a.by("p", "CreateSecret", f{"Name": "tower-b/C"}) }, false},
		{"a tag that is not among some", []string{allow(everybody, anything, `{"ForAllValues:StringEquals":{"aws:TagKeys":["run"]}}`)},
			func(a *account) answer { return a.by("p", "CreateSecret", f{"Name": "tower-b/C", "Tags": mark}) }, true},
		{"tags of which one is among some", []string{allow(everybody, anything, `{"ForAnyValue:StringEquals":{"aws:TagKeys":["mark","run"]}}`)},
			func(a *account) answer { return a.by("p", "CreateSecret", f{"Name": "tower-b/C", "Tags": mark}) }, false},
		{"no tags, of which none is among some", []string{allow(everybody, anything, `{"ForAnyValue:StringEquals":{"aws:TagKeys":["mark","run"]}}`)},
			func(a *account) answer { return a.by("p", "CreateSecret", f{"Name": "tower-b/C"}) }, true},
		{"a create with a key that has to be there", []string{allow(everybody, anything, `{"Null":{"secretsmanager:KmsKeyArn":"false"}}`)},
			func(a *account) answer { return a.by("p", "CreateSecret", f{"Name": "tower-b/C", "KmsKeyId": "k"}) }, false},
		{"a create without one", []string{allow(everybody, anything, `{"Null":{"secretsmanager:KmsKeyArn":"false"}}`)},
			func(a *account) answer { return a.by("p", "CreateSecret", f{"Name": "tower-b/C"}) }, true},
		{"a description that is not there differs", []string{allow(everybody, anything, `{"StringNotEquals":{"secretsmanager:Description":"x"}}`)},
			func(a *account) answer { return a.by("p", "CreateSecret", f{"Name": "tower-b/C"}) }, false},
		{"a description that is the same", []string{allow(everybody, anything, `{"StringNotEquals":{"secretsmanager:Description":["x","y"]}}`)},
			func(a *account) answer {
				return a.by("p", "CreateSecret", f{"Name": "tower-b/C", "Description": "y"})
			}, true},
		{"what is not there, if it exists", []string{allow(everybody, anything, `{"StringEqualsIfExists":{"secretsmanager:Description":"x"}}`)},
			func(a *account) answer { return a.by("p", "CreateSecret", f{"Name": "tower-b/C"}) }, false},

		{"a delete by a tag of the secret", []string{allow(everybody, anything, `{"StringEquals":{"aws:ResourceTag/mark":"ours"}}`)},
			func(a *account) answer { return a.by("p", "DeleteSecret", f{"SecretId": "tower-a/B"}) }, false},
		{"a delete by another value", []string{allow(everybody, anything, `{"StringEquals":{"secretsmanager:ResourceTag/mark":"theirs"}}`)},
			func(a *account) answer { return a.by("p", "DeleteSecret", f{"SecretId": "tower-a/B"}) }, true},
		{"a delete by the key of a tag in another case", []string{allow(everybody, anything, `{"StringEquals":{"secretsmanager:ResourceTag/MARK":"ours"}}`)},
			func(a *account) answer { return a.by("p", "DeleteSecret", f{"SecretId": "tower-a/B"}) }, false},
		{"a delete by force that is forbidden", []string{allow(everybody, anything, ""), deny(everybody, anything, `{"Bool":{"secretsmanager:ForceDeleteWithoutRecovery":"true"}}`)},
			func(a *account) answer { return a.by("p", "DeleteSecret", forced.with("SecretId", "tower-a/B")) }, true},
		{"a delete with a window where force is forbidden", []string{allow(everybody, anything, ""), deny(everybody, anything, `{"Bool":{"secretsmanager:ForceDeleteWithoutRecovery":true}}`)},
			func(a *account) answer { return a.by("p", "DeleteSecret", f{"SecretId": "tower-a/B"}) }, false},
		{"a window that is too short", []string{allow(everybody, anything, ""), deny(everybody, anything, `{"NumericLessThan":{"secretsmanager:RecoveryWindowInDays":"14"}}`)},
			func(a *account) answer {
				return a.by("p", "DeleteSecret", f{"SecretId": "tower-a/B", "RecoveryWindowInDays": 7})
			}, true},
		{"a window that is long enough", []string{allow(everybody, anything, ""), deny(everybody, anything, `{"NumericLessThan":{"secretsmanager:RecoveryWindowInDays":14}}`)},
			func(a *account) answer {
				return a.by("p", "DeleteSecret", f{"SecretId": "tower-a/B", "RecoveryWindowInDays": 14})
			}, false},

		{"a list on everything", []string{allow(`"secretsmanager:ListSecrets"`, anything, "")},
			func(a *account) answer { return a.by("p", "ListSecrets", nil) }, false},
		{"a list on a prefix", []string{allow(`"secretsmanager:ListSecrets"`, towers, "")},
			func(a *account) answer { return a.by("p", "ListSecrets", nil) }, true},
		{"a batch on a prefix", []string{allow(everybody, towers, "")},
			func(a *account) answer {
				return a.by("p", "BatchGetSecretValue", f{"SecretIdList": []string{"tower-a/B"}})
			}, true},
		{"a batch with filters and no list", []string{allow(`"secretsmanager:BatchGetSecretValue","secretsmanager:GetSecretValue"`, anything, "")},
			func(a *account) answer {
				return a.by("p", "BatchGetSecretValue", f{"Filters": filters("name", "tower-")})
			}, true},
	} {
		a := newAccount(t, awssmtest.Config{})
		for _, name := range []string{"tower-a/B", "other"} {
			a.fake.Plant(awssmtest.Secret{Name: name, Tags: map[string]string{"mark": "ours"}}, []byte(randomHex(8)))
		}
		if err := a.fake.Allow("p", c.policies...); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := c.try(a); (got.code == "AccessDeniedException") != c.denied || !c.denied && got.code != "ok" {
			t.Errorf("%s: %s: %s", c.name, got.code, got.message)
		}
	}
}

func TestABatchAnswersADenialForEachSecretThatIsDenied(t *testing.T) {
	a := newAccount(t, awssmtest.Config{})
	for _, name := range []string{"tower-a/B", "other"} {
		a.fake.Plant(awssmtest.Secret{Name: name}, []byte(randomHex(8)))
	}
	if err := a.fake.Allow("p",
		allow(`"secretsmanager:BatchGetSecretValue","secretsmanager:ListSecrets"`, anything, ""),
		allow(`"secretsmanager:GetSecretValue"`, towers, ""),
	); err != nil {
		t.Fatal(err)
	}
	for _, in := range []f{{"SecretIdList": []string{"tower-a/B", "other", "none"}}, {"Filters": filters("name", "tower-", "other")}} {
		b := a.by("p", "BatchGetSecretValue", in)
		if b.code != "ok" || len(b.list("SecretValues")) != 1 || len(b.list("Errors")) < 1 {
			t.Errorf("%v: %v", in, b)
		}
		for _, code := range b.each("Errors", "ErrorCode") {
			if code != "AccessDeniedException" {
				t.Errorf("%v: %s", in, code)
			}
		}
	}
}

func TestADenialSaysWhoMayNotDoWhatToWhat(t *testing.T) {
	a := newAccount(t, awssmtest.Config{})
	arn := a.fake.Plant(awssmtest.Secret{Name: "other"}, []byte(randomHex(8)))
	who := "User: arn:aws:iam::123456789012:user/p is not authorized to perform: secretsmanager:GetSecretValue on resource: " + arn
	for _, c := range []struct {
		policies []string
		why      string
	}{
		{nil, " because no identity-based policy allows the secretsmanager:GetSecretValue action"},
		{[]string{deny(everybody, anything, "")}, " with an explicit deny in an identity-based policy"},
		{[]string{allow(everybody, anything, ""), deny(everybody, anything, "")}, " with an explicit deny in an identity-based policy"},
		{[]string{deny(everybody, anything, ""), allow(everybody, anything, "")}, " with an explicit deny in an identity-based policy"},
	} {
		if err := a.fake.Allow("p", c.policies...); err != nil {
			t.Fatal(err)
		}
		if got := a.by("p", "GetSecretValue", f{"SecretId": "other"}); got.code != "AccessDeniedException" || got.message != who+c.why {
			t.Errorf("got  %s\nwant %s", got.message, who+c.why)
		}
	}
}
