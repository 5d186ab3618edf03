package awssmtest_test

import (
	"fmt"
	"slices"
	"strings"
)

// staged are the labels of a version.
func (w *world) staged(id, version any) string {
	w.t.Helper()
	versions, _ := w.do("DescribeSecret", f{"SecretId": id}).fields["VersionIdsToStages"].(map[string]any)
	labels := []string{}
	list, _ := versions[version.(string)].([]any)
	for _, label := range list {
		labels = append(labels, label.(string))
	}
	slices.Sort(labels)
	return fmt.Sprint(labels)
}

// put adds a version and returns its id.
func (w *world) put(id any, stages ...string) string {
	w.t.Helper()
	in := f{"SecretId": id, "SecretString": randomHex(8), "ClientRequestToken": randomHex(16)}
	if stages != nil {
		in = in.with("VersionStages", stages)
	}
	if a := w.do("PutSecretValue", in); a.code != "ok" {
		w.t.Fatalf("a version was not put: %s: %s", a.code, a.message)
	}
	return in["ClientRequestToken"].(string)
}

var changeRows = []row{
	{
		says: "a put moves AWSCURRENT, and AWSPREVIOUS to what had it", source: "API_PutSecretValue, VersionStages",
		look: func(w *world) string {
			in := w.made()
			id := in["SecretId"]
			two := w.put(id)
			three := w.put(id)
			return say(w.staged(id, in["ClientRequestToken"]), w.staged(id, two), w.staged(id, three))
		},
		want: "[] [AWSPREVIOUS] [AWSCURRENT]",
	},
	{
		says: "a put with labels of its own leaves AWSCURRENT where it is", source: "API_PutSecretValue, VersionStages",
		look: func(w *world) string {
			in := w.made()
			id := in["SecretId"]
			two := w.put(id, "MINE")
			return say(w.staged(id, in["ClientRequestToken"]), w.staged(id, two))
		},
		want: "[AWSCURRENT] [MINE]",
	},
	{
		says: "the first version is AWSCURRENT whatever its labels", source: "API_PutSecretValue",
		look: func(w *world) string {
			name := w.name()
			w.do("CreateSecret", f{"Name": name})
			return w.staged(name, w.put(name, "MINE"))
		},
		want: "[AWSCURRENT MINE]",
	},
	{
		says: "a put with the same token and value is ignored", source: "moto, aws_verified: test_put_same_secret_value_with_same_token",
		look: func(w *world) string {
			in := f{"SecretId": w.made()["SecretId"], "SecretString": randomHex(8), "ClientRequestToken": randomHex(16)}
			a, b := w.do("PutSecretValue", in), w.do("PutSecretValue", in)
			return say(b.code, a.text("VersionId") == b.text("VersionId"))
		},
		want: "ok true",
	},
	{
		says: "a put with the same token and another value is an error", source: "moto, aws_verified: test_put_different_secret_value_with_same_token",
		look: func(w *world) string {
			in := f{"SecretId": w.made()["SecretId"], "SecretString": randomHex(8), "ClientRequestToken": randomHex(16)}
			w.do("PutSecretValue", in)
			return w.do("PutSecretValue", in.with("SecretString", randomHex(8))).code
		},
		want: "ResourceExistsException",
	},
	{
		says: "a put needs a value", source: "moto, test of PutSecretValue",
		look: func(w *world) string { return w.do("PutSecretValue", f{"SecretId": w.made()["SecretId"]}).code },
		want: "InvalidRequestException",
	},
	{
		says: "a put makes no secret", source: "API_PutSecretValue, SecretId: if it doesn't exist, use CreateSecret",
		look: func(w *world) string {
			return w.do("PutSecretValue", f{"SecretId": w.name(), "SecretString": randomHex(8)}).code
		},
		want: "ResourceNotFoundException",
	},
	{
		says: "an update of the description makes no version", source: "API_UpdateSecret",
		look: func(w *world) string {
			in := w.made()
			a := w.do("UpdateSecret", f{"SecretId": in["SecretId"], "Description": "new"})
			return say(a.code, a.text("VersionId") == "", w.do("DescribeSecret", f{"SecretId": in["SecretId"]}).text("Description"), w.staged(in["SecretId"], in["ClientRequestToken"]))
		},
		want: "ok true new [AWSCURRENT]",
	},
	{
		says: "an update of the value makes a version", source: "API_UpdateSecret, SecretString",
		look: func(w *world) string {
			in := w.made()
			token, value := randomHex(16), randomHex(8)
			a := w.do("UpdateSecret", f{"SecretId": in["SecretId"], "SecretString": value, "ClientRequestToken": token})
			g := w.do("GetSecretValue", f{"SecretId": in["SecretId"]})
			return say(a.text("VersionId") == token, g.text("SecretString") == value)
		},
		want: "true true",
	},
	{
		says: "an update with the token and value of the create is the same version", source: "moto, aws_verified: test_update_same_secret_value_with_same_token",
		look: func(w *world) string {
			in := w.made()
			a := w.do("UpdateSecret", f{"SecretId": in["Name"], "SecretString": in["SecretString"], "ClientRequestToken": in["ClientRequestToken"]})
			return say(a.code, a.text("VersionId") == in["ClientRequestToken"])
		},
		want: "ok true",
	},
	{
		says: "an update with its token and another value is an error", source: "moto, aws_verified: test_update_different_secret_value_with_same_token",
		look: func(w *world) string {
			in := w.made()
			return w.do("UpdateSecret", f{"SecretId": in["Name"], "SecretString": randomHex(8), "ClientRequestToken": in["ClientRequestToken"]}).code
		},
		want: "ResourceExistsException",
	},
	{
		says: "a tag that is there is overwritten", source: "API_TagResource",
		look: func(w *world) string {
			in := w.made(f{"Tags": []f{{"Key": "k", "Value": "1"}, {"Key": "l", "Value": "1"}}})
			w.do("TagResource", f{"SecretId": in["SecretId"], "Tags": []f{{"Key": "k", "Value": "2"}, {"Key": "m", "Value": "2"}}})
			a := w.do("DescribeSecret", f{"SecretId": in["SecretId"]})
			return say(a.each("Tags", "Key"), a.each("Tags", "Value"))
		},
		want: "[k l m] [2 1 2]",
	},
	{
		says: "a secret can't come to have 51 tags", source: "general reference, service quotas for tagging; the code is " + known,
		look: func(w *world) string {
			in := w.made(f{"Tags": tagged(50)(w)})
			return w.do("TagResource", f{"SecretId": in["SecretId"], "Tags": []f{{"Key": "more", "Value": ""}}}).code
		},
		want: "InvalidParameterException", moto: "ok", why: noLimit,
	},
	{
		says: "what was never created has no tags", source: "API_TagResource, Errors",
		look: func(w *world) string {
			return w.do("TagResource", f{"SecretId": w.name(), "Tags": []f{{"Key": "k", "Value": "v"}}}).code
		},
		want: "ResourceNotFoundException",
	},
	{
		says: "a tag that is not there can be taken off", source: "API_UntagResource: the operation is idempotent",
		look: func(w *world) string {
			in := w.made(f{"Tags": []f{{"Key": "k", "Value": "1"}, {"Key": "l", "Value": "1"}}})
			a := w.do("UntagResource", f{"SecretId": in["SecretId"], "TagKeys": []string{"l", "none"}})
			return say(a.code, w.do("DescribeSecret", f{"SecretId": in["SecretId"]}).each("Tags", "Key"))
		},
		want: "ok [k]",
	},
	{
		says: "AWSCURRENT can be moved back, and takes AWSPREVIOUS along", source: "API_UpdateSecretVersionStage",
		look: func(w *world) string {
			in := w.made()
			id, one := in["SecretId"], in["ClientRequestToken"]
			two := w.put(id)
			a := w.do("UpdateSecretVersionStage", f{"SecretId": id, "VersionStage": "AWSCURRENT", "RemoveFromVersionId": two, "MoveToVersionId": one})
			return say(a.code, w.staged(id, one), w.staged(id, two))
		},
		want: "ok [AWSCURRENT] [AWSPREVIOUS]",
	},
	{
		says: "who moves AWSCURRENT says from where", source: "moto, test of UpdateSecretVersionStage; API_UpdateSecretVersionStage, RemoveFromVersionId",
		look: func(w *world) string {
			in := w.made()
			w.put(in["SecretId"])
			a := w.do("UpdateSecretVersionStage", f{"SecretId": in["SecretId"], "VersionStage": "AWSCURRENT", "MoveToVersionId": in["ClientRequestToken"]})
			return say(a.code, strings.Contains(a.message, "RemoveFromVersionId can't be empty"))
		},
		want: "InvalidParameterException true",
	},
	{
		says: "AWSCURRENT can't be taken off", source: "API_UpdateSecretVersionStage, VersionStage",
		look: func(w *world) string {
			in := w.made()
			return w.do("UpdateSecretVersionStage", f{"SecretId": in["SecretId"], "VersionStage": "AWSCURRENT", "RemoveFromVersionId": in["ClientRequestToken"]}).code
		},
		want: "InvalidParameterException", moto: "ok", why: "it takes it off",
	},
	{
		says: "a label of one's own can be taken off", source: "API_UpdateSecretVersionStage",
		look: func(w *world) string {
			id := w.made()["SecretId"]
			two := w.put(id, "MINE")
			a := w.do("UpdateSecretVersionStage", f{"SecretId": id, "VersionStage": "MINE", "RemoveFromVersionId": two})
			return say(a.code, w.staged(id, two))
		},
		want: "ok []",
	},
	{
		says: "a label can't be taken off a version that has not got it", source: "moto, test of UpdateSecretVersionStage",
		look: func(w *world) string {
			in := w.made()
			w.put(in["SecretId"], "MINE")
			return w.do("UpdateSecretVersionStage", f{"SecretId": in["SecretId"], "VersionStage": "MINE", "RemoveFromVersionId": in["ClientRequestToken"]}).code
		},
		want: "InvalidParameterException",
	},
	{
		says: "an update of the key shows another key", source: "API_UpdateSecret, KmsKeyId",
		look: func(w *world) string {
			in := w.made(f{"KmsKeyId": "alias/mine"})
			w.do("UpdateSecret", f{"SecretId": in["SecretId"], "KmsKeyId": "alias/other"})
			return w.do("DescribeSecret", f{"SecretId": in["SecretId"]}).text("KmsKeyId")
		},
		want: "alias/other",
	},
	{
		says: "a label can't be moved to a version that is not there", source: "moto, test of UpdateSecretVersionStage",
		look: func(w *world) string {
			return w.do("UpdateSecretVersionStage", f{"SecretId": w.made()["SecretId"], "VersionStage": "MINE", "MoveToVersionId": randomHex(16)}).code
		},
		want: "InvalidParameterException",
	},
}
