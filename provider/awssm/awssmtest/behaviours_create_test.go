package awssmtest_test

import (
	"encoding/base64"
	"regexp"
	"strings"
)

// The sources: "API_X" is a page of the API reference, "user guide, X" one of the
// user guide, "moto, aws_verified" a test of moto that its authors ran at AWS too,
// owner/name#n a report in the open. What only the fake's authors know is marked so.
const known = "known, not documented"

var wholeARN = regexp.MustCompile(`^arn:aws:secretsmanager:eu-west-1:\d{12}:secret:(.+)-[A-Za-z0-9]{6}$`)

var createRows = []row{
	{
		says: "a create answers the name, and the token as the version", source: "API_CreateSecret, Response Elements",
		look: func(w *world) string {
			in := w.secret()
			a := w.do("CreateSecret", in)
			return say(a.code, a.text("Name") == in["Name"], a.text("VersionId") == in["ClientRequestToken"])
		},
		want: "ok true true",
	},
	{
		says: "an ARN is the name, a hyphen and six characters", source: "API_CreateSecret, ARN",
		look: func(w *world) string {
			in := w.made()
			m := wholeARN.FindStringSubmatch(in["SecretId"].(string))
			return say(m != nil && m[1] == in["Name"])
		},
		want: "true",
	},
	{
		says: "a create labels its version AWSCURRENT", source: "API_CreateSecret",
		look: func(w *world) string {
			in := w.made()
			a := w.do("DescribeSecret", f{"SecretId": in["Name"]})
			versions, _ := a.fields["VersionIdsToStages"].(map[string]any)
			return say(len(versions), versions[in["ClientRequestToken"].(string)])
		},
		want: "1 [AWSCURRENT]",
	},
	{
		says: "a create without a value makes no version", source: "API_CreateSecret, ClientRequestToken",
		look: func(w *world) string {
			name := w.name()
			a := w.do("CreateSecret", f{"Name": name})
			d := w.do("DescribeSecret", f{"SecretId": name})
			return say(a.code, a.text("VersionId") == "", d.fields["VersionIdsToStages"], w.do("GetSecretValue", f{"SecretId": name}).code)
		},
		want: "ok true <nil> ResourceNotFoundException",
	},
	{
		says: "a text comes back as it was", source: "API_GetSecretValue, SecretString",
		look: func(w *world) string {
			text := randomHex(9) + "\"\\ \n\r\n\t$`'\u2028é<&>🗝"
			in := w.made(f{"SecretString": text})
			return say(w.do("GetSecretValue", f{"SecretId": in["Name"]}).text("SecretString") == text)
		},
		want: "true",
	},
	{
		says: "bytes come back as they were", source: "API_GetSecretValue, SecretBinary",
		look: func(w *world) string {
			blob := base64.StdEncoding.EncodeToString([]byte(randomHex(9) + "\x00\xff\xfe"))
			in := w.secret().with("SecretString", nil).with("SecretBinary", blob)
			w.do("CreateSecret", in)
			a := w.do("GetSecretValue", f{"SecretId": in["Name"]})
			return say(a.text("SecretBinary") == blob, a.fields["SecretString"])
		},
		want: "true <nil>",
	},
	{
		says: "a value is text or bytes, not both", source: "API_CreateSecret, SecretString",
		look: func(w *world) string {
			return w.do("CreateSecret", w.secret().with("SecretBinary", "AAEC")).code
		},
		want: "InvalidParameterException", moto: "ok", why: "it takes both",
	},
	{
		says: "the same name, token and value is the same secret", source: "moto, aws_verified: test_create_duplicate_secret_with_same_token",
		look: func(w *world) string {
			in := w.secret()
			a, b := w.do("CreateSecret", in), w.do("CreateSecret", in)
			return say(b.code, a.text("ARN") == b.text("ARN"), b.text("VersionId") == in["ClientRequestToken"])
		},
		want: "ok true true",
	},
	{
		says: "the same token with another value exists already", source: "moto, aws_verified: test_create_different_secret_with_same_token",
		look: func(w *world) string {
			in := w.made().with("SecretString", randomHex(12))
			delete(in, "SecretId")
			a := w.do("CreateSecret", in)
			return say(a.code, strings.Contains(a.message, "because that value is already in use for a version of secret"))
		},
		want: "ResourceExistsException true",
	},
	{
		says: "another token with the same value exists already", source: "moto, aws_verified: test_create_duplicate_secret_without_specifying_token",
		look: func(w *world) string {
			in := w.made().with("ClientRequestToken", randomHex(16))
			delete(in, "SecretId")
			return w.do("CreateSecret", in).code
		},
		want: "ResourceExistsException",
	},
	{
		says: "the SDK's own token is another for each call", source: "moto, aws_verified: test_create_duplicate_secret_without_specifying_token",
		look: func(w *world) string {
			in := w.secret().with("ClientRequestToken", nil)
			return say(w.do("CreateSecret", in).code, w.do("CreateSecret", in).code)
		},
		want: "ok ResourceExistsException",
	},
	{
		says: "the same bytes as a text are another value", source: "API_CreateSecret, ClientRequestToken: both SecretString and SecretBinary are compared",
		look: func(w *world) string {
			in := w.made()
			blob := base64.StdEncoding.EncodeToString([]byte(in["SecretString"].(string)))
			in = in.with("SecretString", nil).with("SecretBinary", blob)
			delete(in, "SecretId")
			return w.do("CreateSecret", in).code
		},
		want: "ResourceExistsException",
	},
	{
		says: "a create that is repeated changes no tags", source: "API_CreateSecret, ClientRequestToken: the request is ignored",
		look: func(w *world) string {
			in := w.secret()
			w.do("CreateSecret", in)
			a := w.do("CreateSecret", in.with("Tags", []f{{"Key": "k", "Value": "v"}}))
			return say(a.code, len(w.do("DescribeSecret", f{"SecretId": in["Name"]}).list("Tags")))
		},
		want: "ok 0",
	},
	{
		says: "a create that is repeated after a put is still the same secret", source: "API_CreateSecret, ClientRequestToken: a version with this value already exists",
		look: func(w *world) string {
			in := w.made()
			w.do("PutSecretValue", f{"SecretId": in["Name"], "SecretString": randomHex(8)})
			arn := in["SecretId"]
			delete(in, "SecretId")
			a := w.do("CreateSecret", in)
			return say(a.code, a.text("ARN") == arn)
		},
		want: "ok true",
	},
	{
		says: "a request without a token is refused", source: "API_CreateSecret, ClientRequestToken: a raw request must include one",
		look: func(w *world) string {
			in := w.secret()
			delete(in, "ClientRequestToken")
			return w.raw("CreateSecret", in).code
		},
		want: "InvalidRequestException", moto: "ok", why: "it makes one up",
	},
	{
		says: "a name that is scheduled for deletion is not free", source: "hashicorp/terraform-provider-aws#8219",
		look: func(w *world) string {
			in := w.scheduled()
			a := w.do("CreateSecret", w.secret().with("Name", in["Name"]))
			return say(a.code, strings.Contains(a.message, "already scheduled for deletion"))
		},
		want: "InvalidRequestException true", moto: "ResourceExistsException false", why: "to it, it is there",
	},
	{
		says: "a name that is scheduled for deletion is not free for the request that had it either", source: known,
		look: func(w *world) string {
			in := w.scheduled()
			delete(in, "SecretId")
			return w.do("CreateSecret", in).code
		},
		want: "InvalidRequestException", moto: "ok", why: "it compares the token first",
	},
	{
		says: "names differ by case", source: "API_CreateSecret, Name; user guide, reference_limits",
		look: func(w *world) string {
			in := w.secret()
			a := w.do("CreateSecret", in.with("Name", w.prefix+"name"))
			b := w.do("CreateSecret", in.with("Name", w.prefix+"NAME"))
			return say(a.code, b.code, a.text("ARN") != b.text("ARN"))
		},
		want: "ok ok true",
	},
	{
		says: "a create has its tags and description from the start", source: "API_CreateSecret, Tags, Description",
		look: func(w *world) string {
			in := w.made(f{"Description": "of a run", "Tags": []f{{"Key": "k", "Value": "v"}, {"Key": "empty", "Value": ""}}})
			a := w.do("DescribeSecret", f{"SecretId": in["Name"]})
			return say(a.text("Description"), a.each("Tags", "Key"), a.each("Tags", "Value"))
		},
		want: "of a run [k empty] [v ]",
	},
	{
		says: "a customer's key is shown", source: "API_DescribeSecret, KmsKeyId",
		look: func(w *world) string {
			in := w.made(f{"KmsKeyId": "alias/mine"})
			return w.do("DescribeSecret", f{"SecretId": in["Name"]}).text("KmsKeyId")
		},
		want: "alias/mine",
	},
	{
		says: "the account's own key is not shown", source: "API_DescribeSecret, KmsKeyId: omitted for aws/secretsmanager",
		look: func(w *world) string {
			in := w.made(f{"KmsKeyId": "alias/aws/secretsmanager"})
			return say(w.do("DescribeSecret", f{"SecretId": in["Name"]}).fields["KmsKeyId"])
		},
		want: "<nil>",
	},
}
