package awssmtest_test

// ids are the names of n secrets that are made for it.
func (w *world) ids(n int) []any {
	var all []any
	for range n {
		all = append(all, w.made()["Name"])
	}
	return all
}

var readRows = []row{
	{
		says: "a get answers AWSCURRENT", source: "API_GetSecretValue, VersionStage",
		look: func(w *world) string {
			in := w.made()
			value := randomHex(8)
			w.do("PutSecretValue", f{"SecretId": in["Name"], "SecretString": value})
			a := w.do("GetSecretValue", f{"SecretId": in["Name"]})
			return say(a.text("SecretString") == value, a.list("VersionStages"))
		},
		want: "true [AWSCURRENT]",
	},
	{
		says: "a get answers the label that it asks for", source: "API_GetSecretValue, VersionStage",
		look: func(w *world) string {
			in := w.made()
			w.do("PutSecretValue", f{"SecretId": in["Name"], "SecretString": randomHex(8)})
			a := w.do("GetSecretValue", f{"SecretId": in["Name"], "VersionStage": "AWSPREVIOUS"})
			return say(a.text("SecretString") == in["SecretString"], a.text("VersionId") == in["ClientRequestToken"])
		},
		want: "true true",
	},
	{
		says: "a get answers the version that it asks for", source: "API_GetSecretValue, VersionId",
		look: func(w *world) string {
			in := w.made()
			w.do("PutSecretValue", f{"SecretId": in["Name"], "SecretString": randomHex(8)})
			a := w.do("GetSecretValue", f{"SecretId": in["Name"], "VersionId": in["ClientRequestToken"]})
			return say(a.text("SecretString") == in["SecretString"])
		},
		want: "true",
	},
	{
		says: "a version that is not there is not found", source: "API_GetSecretValue, Errors",
		look: func(w *world) string {
			return w.do("GetSecretValue", f{"SecretId": w.made()["Name"], "VersionId": randomHex(16)}).code
		},
		want: "ResourceNotFoundException",
	},
	{
		says: "a label that nothing has is not found", source: "API_GetSecretValue, Errors",
		look: func(w *world) string {
			return w.do("GetSecretValue", f{"SecretId": w.made()["Name"], "VersionStage": "AWSPREVIOUS"}).code
		},
		want: "ResourceNotFoundException",
	},
	{
		says: "a version and a label have to belong together", source: "API_GetSecretValue, VersionStage: must refer to the same version",
		look: func(w *world) string {
			in := w.made()
			return w.do("GetSecretValue", f{"SecretId": in["Name"], "VersionId": in["ClientRequestToken"], "VersionStage": "OTHER"}).code
		},
		want: "InvalidRequestException",
	},
	{
		says: "a get of what was never created is not found", source: "API_GetSecretValue, Errors",
		look: func(w *world) string { return w.do("GetSecretValue", f{"SecretId": w.name()}).code },
		want: "ResourceNotFoundException",
	},
	{
		says: "neither a description nor a list shows a value", source: "API_DescribeSecret; API_ListSecrets",
		look: func(w *world) string {
			in := w.made()
			d := w.do("DescribeSecret", f{"SecretId": in["Name"]})
			l := w.list(in["Name"].(string), nil)
			_, described := d.fields["SecretString"]
			_, listed := l.list("SecretList")[0].(map[string]any)["SecretString"]
			return say(described, listed)
		},
		want: "false false",
	},
	{
		says: "a batch may get 20 secrets", source: "API_BatchGetSecretValue, SecretIdList",
		look: func(w *world) string {
			a := w.do("BatchGetSecretValue", f{"SecretIdList": w.ids(20)})
			return say(a.code, len(a.list("SecretValues")), len(a.list("Errors")))
		},
		want: "ok 20 0",
	},
	{
		says: "a batch may not get 21 secrets", source: "API_BatchGetSecretValue, SecretIdList",
		look: func(w *world) string {
			var names []string
			for range 21 {
				names = append(names, w.name())
			}
			return w.do("BatchGetSecretValue", f{"SecretIdList": names}).code
		},
		want: "ValidationException", moto: "ok", why: noLimit,
	},
	{
		says: "a batch answers an error for what is not there, and the rest", source: "API_BatchGetSecretValue, Errors",
		look: func(w *world) string {
			name := w.name()
			a := w.do("BatchGetSecretValue", f{"SecretIdList": append(w.ids(1), name)})
			return say(a.code, len(a.list("SecretValues")), a.each("Errors", "ErrorCode"), a.each("Errors", "SecretId")[0] == name)
		},
		want: "ok 1 [ResourceNotFoundException] true",
	},
	{
		says: "a batch answers an error for what is scheduled for deletion", source: "API_BatchGetSecretValue, Errors",
		look: func(w *world) string {
			a := w.do("BatchGetSecretValue", f{"SecretIdList": append(w.ids(1), w.scheduled()["Name"])})
			return say(a.code, len(a.list("SecretValues")), a.each("Errors", "ErrorCode"))
		},
		want: "ok 1 [InvalidRequestException]",
	},
	{
		says: "a batch answers an error for what has no value", source: "API_BatchGetSecretValue, Errors",
		look: func(w *world) string {
			name := w.name()
			w.do("CreateSecret", f{"Name": name})
			a := w.do("BatchGetSecretValue", f{"SecretIdList": append(w.ids(1), name)})
			return say(a.code, len(a.list("SecretValues")), a.each("Errors", "ErrorCode"))
		},
		want: "ok 1 [ResourceNotFoundException]", moto: "ResourceNotFoundException 0 []", why: "the whole call fails",
	},
	{
		says: "a batch has ids or filters, not both", source: "API_BatchGetSecretValue, SecretIdList",
		look: func(w *world) string {
			return w.do("BatchGetSecretValue", f{"SecretIdList": w.ids(1), "Filters": filters("name", w.prefix)}).code
		},
		want: "InvalidParameterException",
	},
	{
		says: "a batch has ids or filters, one of them", source: "API_BatchGetSecretValue, SecretIdList",
		look: func(w *world) string { return w.do("BatchGetSecretValue", f{}).code },
		want: "InvalidParameterException", moto: "ok", why: "it answers nothing",
	},
	{
		says: "a batch of ids has no pages", source: "API_BatchGetSecretValue, MaxResults: you must also use Filters",
		look: func(w *world) string {
			return w.do("BatchGetSecretValue", f{"SecretIdList": w.ids(1), "MaxResults": 2}).code
		},
		want: "InvalidParameterException",
	},
	{
		says: "a batch with filters gets what they match, in pages", source: "API_BatchGetSecretValue, NextToken",
		look: func(w *world) string {
			w.ids(3)
			in := f{"Filters": filters("name", w.prefix), "MaxResults": 2}
			a := w.do("BatchGetSecretValue", in)
			b := w.do("BatchGetSecretValue", in.with("NextToken", a.text("NextToken")))
			return say(len(a.list("SecretValues")), len(b.list("SecretValues")), b.fields["NextToken"])
		},
		want: "2 1 <nil>",
	},
	{
		says: "a page of a batch has at most 20", source: "API_BatchGetSecretValue, MaxResults",
		look: func(w *world) string {
			return w.do("BatchGetSecretValue", f{"Filters": filters("name", w.prefix), "MaxResults": 21}).code
		},
		want: "ValidationException", moto: "ok", why: noLimit,
	},
}
