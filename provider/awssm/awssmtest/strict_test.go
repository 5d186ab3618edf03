package awssmtest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
)

// send sends a request that is changed before it is signed, and after it.
func (a *account) send(op, body string, at time.Time, before, after func(*http.Request)) answer {
	a.t.Helper()
	r := signed(a.t, "https://secretsmanager.eu-west-1.amazonaws.com", op, []byte(body), at, before)
	if after != nil {
		after(r)
	}
	response, err := a.fake.HTTPClient().Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	return read(a.t, response)
}

// scope replaces a text in the Authorization header.
func scope(old, new string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, new, 1))
	}
}

func TestARequestThatIsSignedOtherwiseThanAWSWantsIsRefused(t *testing.T) {
	const stranger = "X-Amz-Stranger"
	for _, c := range []struct {
		name   string
		late   time.Duration
		before func(*http.Request)
		after  func(*http.Request)
		want   string
	}{
		{name: "as the SDK signs", want: "ok"},
		{name: "five minutes ago", late: -5 * time.Minute, want: "ok"},
		{name: "five minutes ahead", late: 5 * time.Minute, want: "ok"},
		{name: "longer ago", late: -5*time.Minute - time.Second, want: "InvalidSignatureException"},
		{name: "further ahead", late: 5*time.Minute + time.Second, want: "InvalidSignatureException"},
		{name: "not at all", after: func(r *http.Request) { r.Header.Del("Authorization") }, want: "MissingAuthenticationTokenException"},
		{name: "by another algorithm", after: scope("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"), want: "IncompleteSignatureException"},
		{name: "without a credential", after: scope("Credential=", "Credit="), want: "IncompleteSignatureException"},
		{name: "without an access key", after: scope("launcher/", "/"), want: "IncompleteSignatureException"},
		{name: "without an end of the scope", after: scope("/aws4_request", ""), want: "IncompleteSignatureException"},
		{name: "without a signature", after: scope("Signature=", "Signature=x"), want: "IncompleteSignatureException"},
		{name: "without a date", after: func(r *http.Request) { r.Header.Del("X-Amz-Date") }, want: "IncompleteSignatureException"},
		{name: "for another day", after: scope("/20260301/", "/20260302/"), want: "InvalidSignatureException"},
		{name: "for another Region", after: scope("/eu-west-1/", "/us-east-1/"), want: "InvalidSignatureException"},
		{name: "for another service", after: scope("/secretsmanager/", "/s3/"), want: "InvalidSignatureException"},
		{name: "without the host", after: scope("host;", ""), want: "InvalidSignatureException"},
		{name: "without a header of AWS", after: func(r *http.Request) { r.Header.Set(stranger, "x") }, want: "InvalidSignatureException"},
		{name: "with a header of AWS", before: func(r *http.Request) { r.Header.Set(stranger, "x") }, want: "ok"},
	} {
		a := newAccount(t, awssmtest.Config{})
		a.pass(time.Second / 2) // which a date on the wire does not tell
		if got := a.send("ListSecrets", "{}", a.Now().Add(c.late), c.before, c.after); got.code != c.want {
			t.Errorf("%s: got %s (%s), want %s", c.name, got.code, got.message, c.want)
		}
	}
}

func TestARequestThatTheProtocolDoesNotHaveIsRefused(t *testing.T) {
	for _, c := range []struct {
		name, op, body string
		before         func(*http.Request)
		want           string
	}{
		{name: "as the SDK sends", op: "ListSecrets", body: "{}", want: "ok"},
		{name: "an unknown operation", op: "ListSecret", body: "{}", want: "UnknownOperationException"},
		{name: "an operation that is not modelled", op: "RotateSecret", body: "{}", want: "UnknownOperationException"},
		{name: "another service", op: "ListSecrets", body: "{}", want: "UnknownOperationException",
			before: func(r *http.Request) { r.Header.Set("X-Amz-Target", "ssm.ListSecrets") }},
		{name: "another content", op: "ListSecrets", body: "{}", want: "UnknownOperationException",
			before: func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }},
		{name: "another method", op: "ListSecrets", body: "{}", want: "UnknownOperationException",
			before: func(r *http.Request) { r.Method = http.MethodPut }},
		{name: "another path", op: "ListSecrets", body: "{}", want: "UnknownOperationException",
			before: func(r *http.Request) { r.URL.Path = "/secrets" }},
		{name: "a query", op: "ListSecrets", body: "{}", want: "UnknownOperationException",
			before: func(r *http.Request) { r.URL.RawQuery = "x=y" }},
		{name: "an unknown field", op: "ListSecrets", body: `{"Colour":"red"}`, want: "SerializationException"},
		{name: "a field of another case", op: "ListSecrets", body: `{"maxResults":1}`, want: "SerializationException"},
		{name: "a field of another operation", op: "ListSecrets", body: `{"SecretId":"x"}`, want: "SerializationException"},
		{name: "a field that is not modelled", op: "CreateSecret", body: `{"Name":"x","AddReplicaRegions":[]}`, want: "SerializationException"},
		{name: "an unknown field within a field", op: "ListSecrets", body: `{"Filters":[{"Key":"name","Values":["x"],"Colour":"red"}]}`, want: "SerializationException"},
		{name: "the key of a filter in another case", op: "ListSecrets", body: `{"Filters":[{"key":"name","Values":["x"]}]}`, want: "SerializationException"},
		{name: "the key of a tag in another case", op: "CreateSecret", body: `{"Name":"x","Tags":[{"key":"k","Value":"v"}]}`, want: "SerializationException"},
		{name: "an unknown field of a tag", op: "CreateSecret", body: `{"Name":"x","Tags":[{"Key":"k","Value":"v","Colour":"red"}]}`, want: "SerializationException"},
		{name: "a tag that is nothing", op: "CreateSecret", body: `{"Name":"x","Tags":[null]}`, want: "SerializationException"},
		{name: "a field twice", op: "DescribeSecret", body: `{"SecretId":"x","SecretId":"y"}`, want: "SerializationException"},
		{name: "a field of a tag twice", op: "CreateSecret", body: `{"Name":"x","Tags":[{"Key":"k","Key":"l","Value":"v"}]}`, want: "SerializationException"},
		{name: "a second object", op: "ListSecrets", body: `{}{}`, want: "SerializationException"},
		{name: "a value that is not UTF-8", op: "CreateSecret", body: `{"Name":"x","SecretString":"` + "\xff" + `","ClientRequestToken":"` + strings.Repeat("x", 32) + `"}`, want: "SerializationException"},
		{name: "a field of another type", op: "ListSecrets", body: `{"MaxResults":"1"}`, want: "SerializationException"},
		{name: "no JSON", op: "ListSecrets", body: `{`, want: "SerializationException"},
		{name: "no object", op: "ListSecrets", body: `null`, want: "SerializationException"},
		{name: "nothing", op: "ListSecrets", body: "", want: "SerializationException"},
		{name: "a name as another's", op: "CreateSecret", body: `{"Name":"rds!x"}`, want: "ValidationException"},
		{name: "no ARN", op: "DescribeSecret", body: `{"SecretId":"arn:aws:s3:::x"}`, want: "ValidationException"},
		{name: "an ARN of another partition", op: "DescribeSecret", body: `{"SecretId":"arn:aws-cn:secretsmanager:eu-west-1:123456789012:secret:x"}`, want: "ValidationException"},
		{name: "no tags", op: "TagResource", body: `{"SecretId":"x"}`, want: "ValidationException"},
		{name: "no tag keys", op: "UntagResource", body: `{"SecretId":"x"}`, want: "ValidationException"},
		{name: "no label", op: "UpdateSecretVersionStage", body: `{"SecretId":"x"}`, want: "ResourceNotFoundException"},
		{name: "no name", op: "CreateSecret", body: `{}`, want: "ValidationException"},
		{name: "no labels", op: "PutSecretValue", body: `{"SecretId":"x","SecretString":"x","VersionStages":[],"ClientRequestToken":"` + strings.Repeat("x", 32) + `"}`, want: "ValidationException"},
		{name: "a label that is too long", op: "PutSecretValue", body: `{"SecretId":"x","SecretString":"x","VersionStages":["` + strings.Repeat("x", 257) + `"],"ClientRequestToken":"` + strings.Repeat("x", 32) + `"}`, want: "ValidationException"},
		{name: "no bytes", op: "CreateSecret", body: `{"Name":"x","SecretBinary":"","ClientRequestToken":"` + strings.Repeat("x", 32) + `"}`, want: "ValidationException"},
		{name: "the key of a tag that is too long, to take off", op: "UntagResource", body: `{"SecretId":"x","TagKeys":["` + strings.Repeat("x", 129) + `"]}`, want: "ValidationException"},
		{name: "an order that is none", op: "ListSecrets", body: `{"SortOrder":"up"}`, want: "ValidationException"},
		{name: "a key to sort by that is none", op: "ListSecrets", body: `{"SortBy":"colour"}`, want: "ValidationException"},
		{name: "no ids", op: "BatchGetSecretValue", body: `{"SecretIdList":[]}`, want: "ValidationException"},
		{name: "an id that is none, among others", op: "BatchGetSecretValue", body: `{"SecretIdList":["x","y z"]}`, want: "ValidationException"},
		{name: "an id that is too long, among others", op: "BatchGetSecretValue", body: `{"SecretIdList":["x","` + strings.Repeat("y", 2049) + `"]}`, want: "ValidationException"},
		{name: "the longest id, which nothing has", op: "BatchGetSecretValue", body: `{"SecretIdList":["` + strings.Repeat("y", 2048) + `"]}`, want: "ok"},
		{name: "an empty id, among others", op: "BatchGetSecretValue", body: `{"SecretIdList":["x",""]}`, want: "ValidationException"},
		{name: "a filter without a key", op: "ListSecrets", body: `{"Filters":[{"Values":["x"]}]}`, want: "InvalidParameterException"},
		{name: "a filter of 11 values", op: "ListSecrets", body: `{"Filters":[{"Key":"name","Values":["1","2","3","4","5","6","7","8","9","a","b"]}]}`, want: "ValidationException"},
	} {
		a := newAccount(t, awssmtest.Config{})
		if got := a.send(c.op, c.body, a.Now(), c.before, nil); got.code != c.want {
			t.Errorf("%s: got %s (%s), want %s", c.name, got.code, got.message, c.want)
		}
	}
}

func TestAnAnswerHasTheHeadersThatTheSDKReads(t *testing.T) {
	a := newAccount(t, awssmtest.Config{})
	for _, op := range []string{"ListSecrets", "Nonsense"} {
		r := signed(t, "https://example.org", op, []byte("{}"), a.Now(), nil)
		w := httptest.NewRecorder()
		a.fake.ServeHTTP(w, r)
		h := w.Result().Header
		if date, err := http.ParseTime(h.Get("Date")); err != nil || !date.Equal(a.Now()) {
			t.Errorf("%s: the date is %q", op, h.Get("Date"))
		}
		if h.Get("X-Amzn-Requestid") == "" || h.Get("Content-Type") != "application/x-amz-json-1.1" {
			t.Errorf("%s: %v", op, h)
		}
	}
}

func TestCredentialsExpire(t *testing.T) {
	a := newAccount(t, awssmtest.Config{})
	a.fake.Expire("launcher", a.Now().Add(time.Hour))
	a.pass(time.Hour - 1)
	if code := a.do("ListSecrets", nil).code; code != "ok" {
		t.Errorf("before: %s", code)
	}
	a.pass(1)
	if code := a.do("ListSecrets", nil).code; code != "ExpiredTokenException" {
		t.Errorf("after: %s", code)
	}
	if code := a.by("sweeper", "ListSecrets", nil).code; code != "ok" {
		t.Errorf("another's: %s", code)
	}
}
