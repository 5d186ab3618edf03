package awssmtest_test

var forced = f{"ForceDeleteWithoutRecovery": true}

var deleteRows = []row{
	{
		says: "a recovery window is of 30 days unless the request says otherwise", source: "API_DeleteSecret, RecoveryWindowInDays",
		look: func(w *world) string {
			a := w.do("DeleteSecret", f{"SecretId": w.made()["SecretId"]})
			return say(a.code, a.days("DeletionDate"))
		},
		want: "ok 30",
	},
	{
		says: "a recovery window may be of 7 days", source: "API_DeleteSecret, RecoveryWindowInDays",
		look: func(w *world) string {
			a := w.do("DeleteSecret", f{"SecretId": w.made()["SecretId"], "RecoveryWindowInDays": 7})
			return say(a.code, a.days("DeletionDate"))
		},
		want: "ok 7",
	},
	{
		says: "a recovery window may not be of 6 days", source: "API_DeleteSecret, RecoveryWindowInDays",
		look: func(w *world) string {
			return w.do("DeleteSecret", f{"SecretId": w.made()["SecretId"], "RecoveryWindowInDays": 6}).code
		},
		want: "InvalidParameterException",
	},
	{
		says: "a recovery window may not be of 31 days", source: "API_DeleteSecret, RecoveryWindowInDays",
		look: func(w *world) string {
			return w.do("DeleteSecret", f{"SecretId": w.made()["SecretId"], "RecoveryWindowInDays": 31}).code
		},
		want: "InvalidParameterException",
	},
	{
		says: "a delete by force has no recovery window", source: "API_DeleteSecret, ForceDeleteWithoutRecovery",
		look: func(w *world) string {
			return w.do("DeleteSecret", forced.with("SecretId", w.made()["SecretId"]).with("RecoveryWindowInDays", 7)).code
		},
		want: "InvalidParameterException",
	},
	{
		says: "a delete that says it is not by force may have a recovery window", source: "API_DeleteSecret, ForceDeleteWithoutRecovery",
		look: func(w *world) string {
			return w.do("DeleteSecret", f{"SecretId": w.made()["SecretId"], "ForceDeleteWithoutRecovery": false, "RecoveryWindowInDays": 8}).code
		},
		want: "ok",
	},
	{
		says: "what is deleted by force is gone", source: "API_DeleteSecret, ForceDeleteWithoutRecovery",
		look: func(w *world) string {
			in := w.made()
			a := w.do("DeleteSecret", forced.with("SecretId", in["SecretId"]))
			return say(a.code, a.text("ARN") == in["SecretId"], a.text("Name") == in["Name"], w.do("DescribeSecret", f{"SecretId": in["Name"]}).code)
		},
		want: "ok true true ResourceNotFoundException",
	},
	{
		says: "to delete by force what never existed is a success", source: "API_DeleteSecret, ForceDeleteWithoutRecovery",
		look: func(w *world) string {
			name := w.name()
			a := w.do("DeleteSecret", forced.with("SecretId", name))
			m := wholeARN.FindStringSubmatch(a.text("ARN"))
			return say(a.code, a.text("Name") == name, m != nil && m[1] == name)
		},
		want: "ok true true",
	},
	{
		says: "to delete by force twice is a success", source: "API_DeleteSecret, ForceDeleteWithoutRecovery",
		look: func(w *world) string {
			in := w.made()
			w.do("DeleteSecret", forced.with("SecretId", in["Name"]))
			return w.do("DeleteSecret", forced.with("SecretId", in["Name"])).code
		},
		want: "ok",
	},
	{
		says: "to delete by force by an ARN that finds nothing is a success, and touches nothing", source: "API_DeleteSecret, ForceDeleteWithoutRecovery",
		look: func(w *world) string {
			in := w.made()
			a := w.do("DeleteSecret", forced.with("SecretId", partial(in["SecretId"])+"-aaaaaa"))
			return say(a.code, w.do("DescribeSecret", f{"SecretId": in["Name"]}).code)
		},
		want: "ok ok",
	},
	{
		says: "to delete with a window what never existed is an error", source: "API_DeleteSecret, Errors",
		look: func(w *world) string { return w.do("DeleteSecret", f{"SecretId": w.name()}).code },
		want: "ResourceNotFoundException",
	},
	{
		says: "what is scheduled for deletion is not scheduled again", source: "moto, test of DeleteSecret; " + known,
		look: func(w *world) string { return w.do("DeleteSecret", f{"SecretId": w.scheduled()["SecretId"]}).code },
		want: "InvalidRequestException",
	},
	{
		says: "what is scheduled for deletion can be deleted by force", source: "API_DeleteSecret, ForceDeleteWithoutRecovery: an already deleted secret",
		look: func(w *world) string {
			in := w.scheduled()
			a := w.do("DeleteSecret", forced.with("SecretId", in["SecretId"]))
			return say(a.code, w.do("DescribeSecret", f{"SecretId": in["SecretId"]}).code)
		},
		want: "ok ResourceNotFoundException",
	},
	{
		says: "a name is free after a delete by force, in the end", source: "API_DeleteSecret, ForceDeleteWithoutRecovery",
		look: func(w *world) string {
			in := w.made()
			w.do("DeleteSecret", forced.with("SecretId", in["SecretId"]))
			delete(in, "SecretId")
			return w.do("CreateSecret", in).code
		},
		want: "ok",
	},
	{
		says: "what is scheduled for deletion is described, with a date", source: "API_DescribeSecret, DeletedDate",
		look: func(w *world) string {
			a := w.do("DescribeSecret", f{"SecretId": w.scheduled()["SecretId"]})
			return say(a.code, a.fields["DeletedDate"] != nil)
		},
		want: "ok true",
	},
	{
		says: "what is not scheduled for deletion has no such date", source: "API_DescribeSecret, DeletedDate: omitted",
		look: func(w *world) string {
			return say(w.do("DescribeSecret", f{"SecretId": w.made()["SecretId"]}).fields["DeletedDate"])
		},
		want: "<nil>",
	},
	{
		says: "the value of what is scheduled for deletion can't be read", source: "API_DeleteSecret",
		look: func(w *world) string { return w.do("GetSecretValue", f{"SecretId": w.scheduled()["SecretId"]}).code },
		want: "InvalidRequestException",
	},
	{
		says: "the value of what is scheduled for deletion can't be put", source: "API_PutSecretValue, Errors, InvalidRequestException",
		look: func(w *world) string {
			return w.do("PutSecretValue", f{"SecretId": w.scheduled()["SecretId"], "SecretString": randomHex(8)}).code
		},
		want: "InvalidRequestException", moto: "ok", why: "it does not look",
	},
	{
		says: "what is scheduled for deletion can't be updated", source: "API_UpdateSecret, Errors, InvalidRequestException",
		look: func(w *world) string {
			return w.do("UpdateSecret", f{"SecretId": w.scheduled()["SecretId"], "SecretString": randomHex(8)}).code
		},
		want: "InvalidRequestException",
	},
	{
		says: "what is scheduled for deletion can't be tagged", source: "API_TagResource, Errors, InvalidRequestException",
		look: func(w *world) string {
			return w.do("TagResource", f{"SecretId": w.scheduled()["SecretId"], "Tags": []f{{"Key": "k", "Value": "v"}}}).code
		},
		want: "InvalidRequestException", moto: "ok", why: "it does not look",
	},
	{
		says: "what is scheduled for deletion can't be rid of a tag", source: "API_UntagResource, Errors, InvalidRequestException",
		look: func(w *world) string {
			return w.do("UntagResource", f{"SecretId": w.scheduled()["SecretId"], "TagKeys": []string{"k"}}).code
		},
		want: "InvalidRequestException", moto: "ok", why: "it does not look",
	},
	{
		says: "what is restored can be read again", source: "API_RestoreSecret",
		look: func(w *world) string {
			in := w.scheduled()
			a := w.do("RestoreSecret", f{"SecretId": in["SecretId"]})
			g := w.do("GetSecretValue", f{"SecretId": in["SecretId"]})
			return say(a.code, a.text("ARN") == in["SecretId"], g.text("SecretString") == in["SecretString"])
		},
		want: "ok true true",
	},
	{
		says: "what was never created can't be restored", source: "API_RestoreSecret, Errors",
		look: func(w *world) string { return w.do("RestoreSecret", f{"SecretId": w.name()}).code },
		want: "ResourceNotFoundException",
	},
	{
		says: "what is deleted by force can't be restored", source: "API_DeleteSecret, ForceDeleteWithoutRecovery: you lose the secret permanently",
		look: func(w *world) string {
			in := w.made()
			w.do("DeleteSecret", forced.with("SecretId", in["SecretId"]))
			return w.do("RestoreSecret", f{"SecretId": in["SecretId"]}).code
		},
		want: "ResourceNotFoundException",
	},
}
