package awssmtest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
)

// may reports whether a principal whose one statement has this condition may make
// the call, in an account with tower-a/B, whose tags have the keys Mark and run.
func may(t *testing.T, condition, op string, in f) bool {
	t.Helper()
	a := newAccount(t, awssmtest.Config{})
	arn := a.fake.Plant(awssmtest.Secret{Name: "tower-a/B", Tags: map[string]string{"Mark": "ours", "run": "r"}}, []byte(randomHex(8)))
	if in["SecretId"] == "its ARN" {
		in = in.with("SecretId", arn)
	}
	if err := a.fake.Allow("p", allow(everybody, anything, condition)); err != nil {
		t.Fatalf("%s: %v", condition, err)
	}
	got := a.by("p", op, in)
	if got.code != "ok" && got.code != "AccessDeniedException" {
		t.Errorf("%s: %s: %s", condition, got.code, got.message)
	}
	return got.code == "ok"
}

func TestAConditionIsMetAsTheIAMUserGuideHasIt(t *testing.T) {
	create := f{"Name": "tower-b/C"}
	tags := func(keys ...string) f {
		var all []f
		for _, key := range keys {
			all = append(all, f{"Key": key, "Value": "v"})
		}
		return create.with("Tags", all)
	}
	untag := f{"SecretId": "tower-a/B", "TagKeys": []string{"Mark", "run"}}
	look := f{"SecretId": "its ARN"}
	twins := func(one, two string) f {
		return create.with("Tags", []f{{"Key": "mark", "Value": one}, {"Key": "MARK", "Value": two}})
	}
	for _, c := range []struct {
		condition string
		op        string
		in        f
		want      bool
	}{
		{`{"StringLike":{"secretsmanager:Name":"tower-*"}}`, "CreateSecret", create, true},
		{`{"StringLike":{"secretsmanager:Name":"TOWER-*"}}`, "CreateSecret", create, false},
		{`{"StringNotLike":{"secretsmanager:Name":"tower-*"}}`, "CreateSecret", create, false},
		{`{"StringNotLike":{"secretsmanager:Name":"tower-a*"}}`, "CreateSecret", create, true},
		{`{"StringNotLike":{"secretsmanager:Name":["tower-a*","*C"]}}`, "CreateSecret", create, false},
		{`{"StringEquals":{"secretsmanager:Name":"Tower-B/c"}}`, "CreateSecret", create, false},
		{`{"StringEquals":{"secretsmanager:Name":"tower-b/*"}}`, "CreateSecret", create, false},
		{`{"StringEquals":{"SecretsManager:name":"tower-b/C"}}`, "CreateSecret", create, true},
		{`{"StringEqualsIgnoreCase":{"secretsmanager:Name":"Tower-B/c"}}`, "CreateSecret", create, true},
		{`{"StringEqualsIgnoreCase":{"secretsmanager:Name":"tower-b/D"}}`, "CreateSecret", create, false},

		{`{"ArnLike":{"secretsmanager:SecretId":"arn:aws:secretsmanager:*:*:secret:tower-*"}}`, "DescribeSecret", look, true},
		{`{"ArnEquals":{"secretsmanager:SecretId":"arn:*:secretsmanager:eu-west-?:*:secret:tower-a/B-??????"}}`, "DescribeSecret", look, true},
		{`{"ArnLike":{"secretsmanager:SecretId":"arn:aws:secretsmanager:*:*:*"}}`, "DescribeSecret", look, true},
		{`{"ArnLike":{"secretsmanager:SecretId":"arn:aws:secretsmanager:*:*:secret:other-*"}}`, "DescribeSecret", look, false},
		{`{"ArnLike":{"secretsmanager:SecretId":"arn:aws:*:*:secret:tower-*"}}`, "DescribeSecret", look, false},
		{`{"ArnLike":{"secretsmanager:SecretId":"arn:*:*:*:*:*:secret:*"}}`, "DescribeSecret", look, false},
		{`{"ArnEquals":{"secretsmanager:SecretId":"arn:aws:secretsmanager:*:*:secret:tower-*"}}`, "DescribeSecret", f{"SecretId": "tower-a/B"}, false},
		{`{"StringLike":{"secretsmanager:SecretId":"arn:aws:*:secret:tower-*"}}`, "DescribeSecret", look, true},

		{`{"Bool":{"secretsmanager:ForceDeleteWithoutRecovery":"True"}}`, "DeleteSecret", forced.with("SecretId", "tower-a/B"), true},
		{`{"Bool":{"secretsmanager:ForceDeleteWithoutRecovery":"false"}}`, "DeleteSecret", forced.with("SecretId", "tower-a/B"), false},
		{`{"Bool":{"secretsmanager:ForceDeleteWithoutRecovery":"false"}}`, "DeleteSecret", f{"SecretId": "tower-a/B"}, false},
		{`{"BoolIfExists":{"secretsmanager:ForceDeleteWithoutRecovery":"false"}}`, "DeleteSecret", f{"SecretId": "tower-a/B"}, true},
		{`{"Null":{"aws:TagKeys":"true"}}`, "CreateSecret", create, true},
		{`{"Null":{"aws:TagKeys":"true"}}`, "CreateSecret", tags("Mark"), false},
		{`{"Null":{"aws:TagKeys":["true","false"]}}`, "CreateSecret", tags("Mark"), true},

		{`{"StringEquals":{"aws:ResourceTag/mark":"ours"}}`, "DescribeSecret", look, true},
		{`{"StringEquals":{"secretsmanager:ResourceTag/MARK":"ours"}}`, "DescribeSecret", look, true},
		{`{"StringEquals":{"aws:ResourceTag/Mark":"Ours"}}`, "DescribeSecret", look, false},
		{`{"StringEquals":{"aws:RequestTag/mark":"v"}}`, "CreateSecret", tags("MARK"), true},
		{`{"StringEquals":{"aws:RequestTag/mark":"v"}}`, "CreateSecret", twins("v", "w"), false},
		{`{"StringEquals":{"aws:RequestTag/mark":"v"}}`, "CreateSecret", twins("w", "v"), false},
		{`{"StringEquals":{"aws:RequestTag/mark":"v"}}`, "CreateSecret", twins("v", "v"), true},
		{`{"StringNotEquals":{"aws:RequestTag/mark":"v"}}`, "CreateSecret", tags("MARK"), false},
		{`{"ForAnyValue:StringEquals":{"aws:TagKeys":"mark"}}`, "CreateSecret", tags("MARK"), false},

		{`{"ForAnyValue:StringEquals":{"aws:TagKeys":"a"}}`, "CreateSecret", create, false},
		{`{"ForAnyValue:StringNotEquals":{"aws:TagKeys":"a"}}`, "CreateSecret", create, false},
		{`{"ForAnyValue:StringEqualsIfExists":{"aws:TagKeys":"a"}}`, "CreateSecret", create, true},
		{`{"ForAnyValue:StringEqualsIfExists":{"aws:TagKeys":"a"}}`, "CreateSecret", tags("b"), false},
		{`{"ForAnyValue:StringNotEquals":{"aws:TagKeys":"a"}}`, "CreateSecret", tags("a"), false},
		{`{"ForAnyValue:StringNotEquals":{"aws:TagKeys":"a"}}`, "CreateSecret", tags("a", "b"), true},
		{`{"ForAllValues:StringNotEquals":{"aws:TagKeys":"a"}}`, "CreateSecret", create, true},
		{`{"ForAllValues:StringNotEquals":{"aws:TagKeys":"a"}}`, "CreateSecret", tags("a", "b"), false},
		{`{"ForAllValues:StringNotEquals":{"aws:TagKeys":"a"}}`, "CreateSecret", tags("b", "c"), true},
		{`{"StringNotEquals":{"aws:RequestTag/a":"v"}}`, "CreateSecret", create, true},

		{`{"ForAllValues:StringEquals":{"aws:TagKeys":["run"]}}`, "UntagResource", untag, false},
		{`{"ForAllValues:StringEquals":{"aws:TagKeys":["run","Mark"]}}`, "UntagResource", untag, true},
		{`{"ForAnyValue:StringEquals":{"aws:TagKeys":["run"]}}`, "UntagResource", untag, true},
		{`{"ForAnyValue:StringEquals":{"aws:TagKeys":["other"]}}`, "UntagResource", untag, false},

		{`{"StringEquals":{"secretsmanager:VersionStage":"AWSCURRENT"}}`, "GetSecretValue", f{"SecretId": "tower-a/B", "VersionStage": "AWSCURRENT"}, true},
		{`{"StringEquals":{"secretsmanager:VersionStage":"AWSPREVIOUS"}}`, "GetSecretValue", f{"SecretId": "tower-a/B", "VersionStage": "AWSCURRENT"}, false},
		{`{"Null":{"secretsmanager:VersionId":"true"}}`, "GetSecretValue", f{"SecretId": "tower-a/B", "VersionStage": "AWSCURRENT"}, true},
		{`{"StringEquals":{"secretsmanager:Description":"d"}}`, "CreateSecret", create.with("Description", "d"), true},
		{`{"StringEquals":{"secretsmanager:KmsKeyArn":"d"}}`, "CreateSecret", create.with("Description", "d"), false},
	} {
		if got := may(t, c.condition, c.op, c.in); got != c.want {
			t.Errorf("%s of %s %v: got %v", c.condition, c.op, c.in, got)
		}
	}
}

func TestNumbersAreComparedAsTheirOperatorsSay(t *testing.T) {
	for operator, want := range map[string]string{ // of 13, 14 and 15 against 14
		"NumericEquals": "no yes no", "NumericNotEquals": "yes no yes",
		"NumericLessThan": "yes no no", "NumericLessThanEquals": "yes yes no",
		"NumericGreaterThan": "no no yes", "NumericGreaterThanEquals": "no yes yes",
	} {
		for _, fourteen := range []string{`14`, `"14"`, `"14.0"`} {
			var got []string
			for _, days := range []int{13, 14, 15} {
				condition := fmt.Sprintf(`{%q:{"secretsmanager:RecoveryWindowInDays":%s}}`, operator, fourteen)
				said := "no"
				if may(t, condition, "DeleteSecret", f{"SecretId": "tower-a/B", "RecoveryWindowInDays": days}) {
					said = "yes"
				}
				got = append(got, said)
			}
			if got := strings.Join(got, " "); got != want {
				t.Errorf("%s %s: got %s, want %s", operator, fourteen, got, want)
			}
		}
	}
}

func TestAVersionIsTestedByItsIdAndItsLabelApart(t *testing.T) {
	a := newAccount(t, awssmtest.Config{})
	in := a.made()
	call := f{"SecretId": in["SecretId"], "VersionId": in["ClientRequestToken"], "VersionStage": "AWSCURRENT"}
	for _, c := range []struct {
		key, value string
		want       string
	}{
		{"VersionId", in["ClientRequestToken"].(string), "ok"},
		{"VersionId", "AWSCURRENT", "AccessDeniedException"},
		{"VersionStage", "AWSCURRENT", "ok"},
		{"VersionStage", in["ClientRequestToken"].(string), "AccessDeniedException"},
	} {
		if err := a.fake.Allow("p", allow(everybody, anything, fmt.Sprintf(`{"StringEquals":{"secretsmanager:%s":%q}}`, c.key, c.value))); err != nil {
			t.Fatal(err)
		}
		if got := a.by("p", "GetSecretValue", call).code; got != c.want {
			t.Errorf("%s %s: %s", c.key, c.value, got)
		}
	}
}
