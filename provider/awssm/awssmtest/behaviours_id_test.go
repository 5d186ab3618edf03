package awssmtest_test

import "strings"

// partial is an ARN without its six characters.
func partial(arn any) string {
	s := arn.(string)
	return s[:len(s)-len("-123456")]
}

var idRows = []row{
	{
		says: "a secret is found by its name, its ARN and its partial ARN", source: "API_DescribeSecret, SecretId",
		look: func(w *world) string {
			in := w.made()
			var found []string
			for _, id := range []any{in["Name"], in["SecretId"], partial(in["SecretId"])} {
				found = append(found, w.do("DescribeSecret", f{"SecretId": id}).text("ARN"))
			}
			return say(found[0] == in["SecretId"], found[1] == in["SecretId"], found[2] == in["SecretId"])
		},
		want: "true true true",
	},
	{
		says: "a partial ARN that ends in a hyphen and six characters is taken for a whole one", source: "user guide, troubleshoot, ARN_secretnamehyphen",
		look: func(w *world) string {
			in := w.made(f{"Name": w.name("/DB-SECRET")})
			return w.do("DescribeSecret", f{"SecretId": partial(in["SecretId"])}).code
		},
		want: "ResourceNotFoundException", moto: "ok", why: "it looks the name up too",
	},
	{
		says: "a secret whose name ends so is found by its name and its ARN", source: "user guide, troubleshoot, ARN_secretnamehyphen",
		look: func(w *world) string {
			in := w.made(f{"Name": w.name("/API-TOKENS")})
			return say(w.do("DescribeSecret", f{"SecretId": in["Name"]}).code, w.do("DescribeSecret", f{"SecretId": in["SecretId"]}).code)
		},
		want: "ok ok",
	},
	{
		says: "a name with the six characters is another name", source: "API_DescribeSecret, SecretId: the ARN or name",
		look: func(w *world) string {
			arn := w.made()["SecretId"].(string)
			return w.do("DescribeSecret", f{"SecretId": arn[strings.LastIndex(arn, ":")+1:]}).code
		},
		want: "ResourceNotFoundException",
	},
	{
		says: "what has the name again has another ARN, and the old one finds nothing", source: "API_CreateSecret, ARN",
		look: func(w *world) string {
			in := w.made()
			w.do("DeleteSecret", f{"SecretId": in["SecretId"], "ForceDeleteWithoutRecovery": true})
			b := w.do("CreateSecret", w.secret().with("Name", in["Name"]))
			return say(b.code, b.text("ARN") != in["SecretId"], w.do("DescribeSecret", f{"SecretId": in["SecretId"]}).code)
		},
		want: "ok true ResourceNotFoundException",
	},
	{
		says: "an ARN with other characters finds nothing", source: "API_DescribeSecret, SecretId",
		look: func(w *world) string {
			in := w.made()
			return w.do("DescribeSecret", f{"SecretId": partial(in["SecretId"]) + "-aaaaaa"}).code
		},
		want: "ResourceNotFoundException",
	},
	{
		says: "another account's ARN is denied", source: "aws/aws-cdk#28537",
		look: func(w *world) string {
			in := w.made()
			parts := strings.Split(in["SecretId"].(string), ":")
			parts[4] = "999999999999"
			return w.do("GetSecretValue", f{"SecretId": strings.Join(parts, ":")}).code
		},
		want: "AccessDeniedException", moto: "ResourceNotFoundException", why: "it checks no permissions",
	},
	{
		says: "another Region's ARN finds nothing", source: "newrelic/newrelic-lambda-extension#208; aws/aws-cli#3474 has it otherwise",
		look: func(w *world) string {
			in := w.made()
			return w.do("GetSecretValue", f{"SecretId": strings.Replace(in["SecretId"].(string), "eu-west-1", "us-east-1", 1)}).code
		},
		want: "ResourceNotFoundException",
	},
	{
		says: "another Region's partial ARN finds nothing", source: "newrelic/newrelic-lambda-extension#208; aws/aws-cli#3474 has it otherwise",
		look: func(w *world) string {
			in := w.made()
			return w.do("GetSecretValue", f{"SecretId": strings.Replace(partial(in["SecretId"]), "eu-west-1", "us-east-1", 1)}).code
		},
		want: "ResourceNotFoundException", moto: "ok", why: "it looks at the name alone",
	},
	{
		says: "what was never created is not found", source: "API_DescribeSecret, Errors",
		look: func(w *world) string {
			a := w.do("DescribeSecret", f{"SecretId": w.name()})
			return say(a.code, a.message)
		},
		want: "ResourceNotFoundException Secrets Manager can't find the specified secret.",
	},
	{
		says: "an id that is no name is refused", source: "hashicorp/terraform-provider-aws#39406",
		look: func(w *world) string { return w.do("DescribeSecret", f{"SecretId": w.name("*")}).code },
		want: "ValidationException", moto: "ResourceNotFoundException", why: noLimit,
	},
	{
		says: "an id has to be there", source: "API_DescribeSecret, SecretId: required",
		look: func(w *world) string { return w.raw("DescribeSecret", f{}).code },
		want: "ValidationException", moto: "500 INTERNAL SERVER ERROR", why: "it falls over",
	},
	{
		says: "an operation that is unknown is refused", source: "AWS JSON 1.1 protocol; API reference, common errors",
		look: func(w *world) string { return w.raw("ConjureSecret", f{}).code },
		want: "UnknownOperationException", moto: "500 INTERNAL SERVER ERROR", why: "it falls over",
	},
}
