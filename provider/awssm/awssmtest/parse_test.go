package awssmtest_test

import (
	"testing"

	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
)

func TestAPolicyThatIsNotEvaluatedInFullIsAnError(t *testing.T) {
	for _, policy := range []string{
		``, `{`, `[]`, `{}`,
		`{"Version":"2012-10-17","Statement":[{"Effect":"allow","Action":"*","Resource":"*"}]}`,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*"}]}`,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*"}]}`,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":"x","Resource":"*"}]}`,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}]}`,
		`{"Version":"2012","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`,
		allow(everybody, `"secret:x"`, ""),
		allow(everybody, `"arn:aws:secretsmanager:*:*:secret:${aws:username}"`, ""),
		allow(everybody, anything, `{"StringMatches":{"secretsmanager:Name":"x"}}`),
		allow(everybody, anything, `{"ForSomeValues:StringEquals":{"aws:TagKeys":"x"}}`),
		allow(everybody, anything, `{"StringEquals":{"aws:SourceIp":"x"}}`),
		allow(everybody, anything, `{"StringEquals":{"aws:RequestTag/":"x"}}`),
		allow(everybody, anything, `{"StringEquals":{"secretsmanager:Name":"${aws:username}"}}`),
		allow(everybody, anything, `{"StringEquals":{"secretsmanager:Name":{}}}`),
		allow(everybody, anything, `{"StringEquals":{"secretsmanager:Name":[]}}`),
		allow(everybody, anything, `{"StringEquals":{}}`),
		allow(everybody, anything, `null`),
		allow(everybody, anything, `{"Null":{"secretsmanager:Name":"maybe"}}`),
		allow(everybody, anything, `{"Null":{"secretsmanager:Name":["true","maybe"]}}`),
		allow(everybody, anything, `{"Bool":{"secretsmanager:ForceDeleteWithoutRecovery":"maybe"}}`),
		allow(everybody, anything, `{"Bool":{"secretsmanager:ForceDeleteWithoutRecovery":1}}`),
		allow(everybody, anything, `{"NumericEquals":{"secretsmanager:RecoveryWindowInDays":"abc"}}`),
		allow(everybody, anything, `{"NumericNotEquals":{"secretsmanager:RecoveryWindowInDays":"NaN"}}`),
		allow(everybody, anything, `{"NumericLessThan":{"secretsmanager:RecoveryWindowInDays":""}}`),
		allow(everybody, anything, `{"ArnLike":{"secretsmanager:SecretId":"arn:aws:*"}}`),
		allow(everybody, anything, `{"ArnEquals":{"secretsmanager:SecretId":"x"}}`),
		allow(everybody, anything, `{"NullIfExists":{"secretsmanager:Name":"true"}}`),
		allow(everybody, anything, `{"ForAllValues:Null":{"aws:TagKeys":"true"}}`),
		allow(everybody, anything, `{"ForAnyValue:Null":{"aws:TagKeys":"true"}}`),
		allow(everybody, anything, `{"StringEqualsIfExistsIfExists":{"secretsmanager:Name":"x"}}`),
		allow(everybody, anything, `{"stringequals":{"secretsmanager:Name":"x"}}`),
		allow(everybody, anything, `{":StringEquals":{"secretsmanager:Name":"x"}}`),
		allow(`"GetSecretValue"`, anything, ""),
		allow(`"secretsmanager:"`, anything, ""),
		allow(`":GetSecretValue"`, anything, ""),
		allow(`"secretsmanager:Get SecretValue"`, anything, ""),
		allow(`"secrets*:GetSecretValue"`, anything, ""),
		allow(`"**"`, anything, ""),
		allow(``, anything, ""),
		allow(everybody, anything, "") + deny(everybody, anything, ""),
		allow(everybody, anything, "") + "x",
		`{"Version":"2012-10-17","Statement":[]}`,
		`{"Version":"2012-10-17","Statement":null}`,
		`{"Version":"2012-10-17","Statement":[null]}`,
		`{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"a","Effect":"Deny","Action":"*","Resource":"*"}]}`,

		// Twice, of which encoding/json would take the last.
		`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"},"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`,
		`{"Statement":{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}}`,
		`{"Statement":{"Effect":"Allow","Action":"s3:*","Action":"*","Resource":"*"}}`,
		allow(everybody, anything, `{"StringEquals":{"secretsmanager:Name":"x"},"StringEquals":{"secretsmanager:Description":"x"}}`),
		allow(everybody, anything, `{"StringEquals":{"secretsmanager:Name":"x","secretsmanager:Name":"y"}}`),
		allow(everybody, anything, `{"StringEquals":{"secretsmanager:Name":"x","SecretsManager:name":"y"}}`),

		// In another case, of which encoding/json takes no notice.
		`{"statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`,
		`{"version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`,
		`{"Statement":{"effect":"Allow","Action":"*","Resource":"*"}}`,
		`{"Statement":{"Effect":"Allow","action":"*","Resource":"*"}}`,
		`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","condition":{}}}`,
	} {
		if err := awssmtest.New(awssmtest.Config{}).Allow("p", policy); err == nil {
			t.Errorf("no error: %s", policy)
		}
	}
}

func TestAPolicyThatIAMTakesIsTaken(t *testing.T) {
	for _, policy := range []string{
		`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`,
		`{"Id":"i","Version":"2008-10-17","Statement":[{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"b","Effect":"Deny","Action":["s3:Get*","kms:Decrypt"],"Resource":["arn:aws:s3:::x"]}]}`,
		`{"Statement":[{"Sid":"","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"","Effect":"Allow","Action":"*","Resource":"*"}]}`,
		" " + allow(everybody, anything, `{}`) + "\n",
		allow(everybody, anything, `{"StringEquals":{"secretsmanager:Name":"x"},"ForAllValues:StringEquals":{"aws:TagKeys":"x"},"StringEqualsIfExists":{"secretsmanager:Name":"x"}}`),
		allow(everybody, anything, `{"Null":{"secretsmanager:Name":true},"NumericLessThan":{"secretsmanager:RecoveryWindowInDays":[7,"-1.5"]}}`),
	} {
		if err := awssmtest.New(awssmtest.Config{}).Allow("p", policy); err != nil {
			t.Errorf("%v: %s", err, policy)
		}
	}
}
