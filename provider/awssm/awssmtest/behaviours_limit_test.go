package awssmtest_test

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// created is the code of a create with a field of its own.
func created(field string, value func(w *world) any) func(w *world) string {
	return func(w *world) string { return w.do("CreateSecret", w.secret().with(field, value(w))).code }
}

func long(n int) func(*world) any {
	return func(w *world) any { return w.prefix + strings.Repeat("x", n-len(w.prefix)) }
}

func random(n int) func(*world) any {
	return func(*world) any { return randomHex(n)[:n] }
}

func tagged(n int) func(*world) any {
	return func(*world) any {
		tags := []f{}
		for i := range n {
			tags = append(tags, f{"Key": fmt.Sprint("k", i), "Value": "v"})
		}
		return tags
	}
}

func tag(key, value string) func(*world) any {
	return func(*world) any { return []f{{"Key": key, "Value": value}} }
}

const noLimit = "it has no such limit"

var limitRows = []row{
	{says: "a name may have 512 characters", source: "API_CreateSecret, Name",
		look: created("Name", long(512)), want: "ok"},
	{says: "a name may not have 513", source: "API_CreateSecret, Name",
		look: created("Name", long(513)), want: "ValidationException", moto: "ok", why: noLimit},
	{says: "a name may not be empty", source: "API_CreateSecret, Name",
		look: created("Name", func(*world) any { return "" }), want: "ValidationException", moto: "ok", why: noLimit},
	{says: "a name may have the characters /_+=.@-", source: "API_CreateSecret, Name",
		look: created("Name", func(w *world) any { return w.name("/_+=.@-") }), want: "ok"},
	{says: "a name may not have a space", source: "smithy-lang/smithy-typescript#1546",
		look: created("Name", func(w *world) any { return w.name(" x") }), want: "ValidationException", moto: "ok", why: noLimit},
	{says: "a name may not have a colon", source: "hashicorp/terraform-provider-aws#39406",
		look: created("Name", func(w *world) any { return w.name(":x") }), want: "ValidationException", moto: "ok", why: noLimit},
	{says: "a name may not have a letter that is not of ASCII", source: "API_CreateSecret, Name",
		look: created("Name", func(w *world) any { return w.name("é") }), want: "ValidationException", moto: "ok", why: noLimit},
	{says: "a token may have 32 characters", source: "API_CreateSecret, ClientRequestToken",
		look: created("ClientRequestToken", random(32)), want: "ok"},
	{says: "a token may have 64 characters", source: "API_CreateSecret, ClientRequestToken",
		look: created("ClientRequestToken", random(64)), want: "ok"},
	{says: "a token may not have 31 characters", source: "API_CreateSecret, ClientRequestToken; the code as in kubernetes-sigs/cluster-api-provider-aws#1531",
		look: created("ClientRequestToken", random(31)), want: "ValidationException", moto: "InvalidParameterException", why: "it knows the limit, by another code"},
	{says: "a token may not have 65 characters", source: "API_CreateSecret, ClientRequestToken; the code as in kubernetes-sigs/cluster-api-provider-aws#1531",
		look: created("ClientRequestToken", random(65)), want: "ValidationException", moto: "InvalidParameterException", why: "it knows the limit, by another code"},
	{says: "a text may have 65,536 bytes", source: "API_CreateSecret, SecretString; user guide, reference_limits",
		look: created("SecretString", random(65_536)), want: "ok"},
	{says: "a text may not have 65,537 bytes", source: "user guide, reference_limits; the code as in kubernetes-sigs/cluster-api-provider-aws#1531",
		look: created("SecretString", random(65_537)), want: "ValidationException", moto: "ok", why: noLimit},
	{says: "of a text it is bytes that are counted, not characters", source: "user guide, reference_limits: 65,536 bytes",
		look: created("SecretString", func(*world) any { return strings.Repeat("é", 32_769) }), want: "ValidationException", moto: "ok", why: noLimit},
	{says: "a text may not be empty", source: "API_CreateSecret, SecretString: minimum length of 1",
		look: created("SecretString", func(*world) any { return "" }), want: "ValidationException", moto: "ok", why: noLimit},
	{says: "bytes may not be 65,537", source: "kubernetes-sigs/cluster-api-provider-aws#1531, when it was 10,240",
		look: func(w *world) string {
			blob := base64.StdEncoding.EncodeToString([]byte(randomHex(32_769)[:65_537]))
			return w.do("CreateSecret", w.secret().with("SecretString", nil).with("SecretBinary", blob)).code
		},
		want: "ValidationException", moto: "ok", why: noLimit},
	{says: "a description may not have 2,049 characters", source: "API_CreateSecret, Description",
		look: created("Description", func(*world) any { return strings.Repeat("x", 2049) }), want: "ValidationException", moto: "ok", why: noLimit},
	{says: "a secret may have 50 tags", source: "general reference, service quotas for tagging",
		look: created("Tags", tagged(50)), want: "ok"},
	{says: "a secret may not have 51 tags", source: "general reference, service quotas for tagging; the code is " + known,
		look: created("Tags", tagged(51)), want: "InvalidParameterException", moto: "ok", why: noLimit},
	{says: "the key of a tag may have 128 characters", source: "API_Tag, Key",
		look: created("Tags", tag(strings.Repeat("k", 128), "")), want: "ok"},
	{says: "the key of a tag may not have 129 characters", source: "API_Tag, Key",
		look: created("Tags", tag(strings.Repeat("k", 129), "")), want: "ValidationException", moto: "ok", why: noLimit},
	{says: "the key of a tag may not be empty", source: "API_Tag, Key",
		look: created("Tags", tag("", "v")), want: "ValidationException", moto: "ok", why: noLimit},
	{says: "the value of a tag may have 256 characters", source: "API_Tag, Value",
		look: created("Tags", tag("k", strings.Repeat("v", 256))), want: "ok"},
	{says: "the value of a tag may not have 257 characters", source: "API_Tag, Value",
		look: created("Tags", tag("k", strings.Repeat("v", 257))), want: "ValidationException", moto: "ok", why: noLimit},
	{says: "the key of a tag may not begin with aws:", source: "general reference, service quotas for tagging; the code is " + known,
		look: created("Tags", tag("aws:k", "v")), want: "InvalidParameterException", moto: "ok", why: noLimit},
	{says: "a tag may not have an asterisk", source: "general reference, service quotas for tagging; the code is " + known,
		look: created("Tags", tag("k", "v*")), want: "InvalidParameterException", moto: "ok", why: noLimit},
	{says: "a tag may not be there twice", source: known,
		look: created("Tags", func(*world) any { return []f{{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}} }),
		want: "InvalidParameterException", moto: "ok", why: "it keeps both"},
}
