package awssmtest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/pipesecrets/pipesecrets/internal/moto"
	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
)

// row is one behaviour of AWS: who says so, how it is looked at, and what is seen.
// Where moto does otherwise the row says what and why, and fails once moto agrees.
type row struct {
	says   string
	source string
	look   func(w *world) string
	want   string
	moto   string // what is seen at moto; "" is the same
	why    string // of a difference
}

// behaviours is the one table of them.
var behaviours = slices.Concat(createRows, limitRows, idRows, deleteRows, readRows, listRows, changeRows)

func TestTheFakeBehavesAsAWSIsKnownTo(t *testing.T) {
	server := httptest.NewServer(awssmtest.New(awssmtest.Config{}))
	t.Cleanup(server.Close)
	for _, r := range behaviours {
		if got := r.look(newWorld(t, server.URL)); got != r.want {
			t.Errorf("%s (%s)\ngot  %s\nwant %s", r.says, r.source, got, r.want)
		}
	}
}

func TestMotoBehavesAsTheTableSays(t *testing.T) {
	endpoint := moto.Start(t)
	differs := 0
	for _, r := range behaviours {
		want := r.want
		if r.moto != "" {
			want = r.moto
			differs++
		}
		got := r.look(newWorld(t, endpoint))
		switch {
		case got == want:
		case got == r.want:
			t.Errorf("%s: moto agrees after all, and was to differ: %s", r.says, r.why)
		default:
			t.Errorf("%s (%s)\nmoto %s\nwant %s", r.says, r.source, got, want)
		}
	}
	t.Logf("moto differs in %d of %d rows", differs, len(behaviours))
}

func TestTheTableSaysWhoSaysSo(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range behaviours {
		switch {
		case r.says == "" || r.source == "" || r.look == nil || r.want == "":
			t.Errorf("a row lacks something: %q, %q", r.says, r.source)
		case (r.moto == "") != (r.why == ""):
			t.Errorf("%s: what moto does and why go together", r.says)
		case r.moto == r.want:
			t.Errorf("%s: moto does not differ", r.says)
		case seen[r.says]:
			t.Errorf("two rows say: %s", r.says)
		}
		seen[r.says] = true
	}
	if len(behaviours) < 60 {
		t.Errorf("the table has %d rows", len(behaviours))
	}
}

// world is where one row looks: names of its own at a service that others use too.
type world struct {
	t        *testing.T
	endpoint string
	prefix   string
	client   *secretsmanager.Client
}

func newWorld(t *testing.T, endpoint string) *world {
	client := secretsmanager.New(secretsmanager.Options{
		Region:       "eu-west-1",
		BaseEndpoint: aws.String(endpoint),
		HTTPClient:   http.DefaultClient,
		Retryer:      aws.NopRetryer{}, // a row sees each answer
		Credentials:  credentials,
	})
	return &world{t, endpoint, "row/" + randomHex(8) + "/", client}
}

var credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "launcher", SecretAccessKey: "launcher"}, nil
})

// name is a new name, with an ending if one is given.
func (w *world) name(ending ...string) string {
	return w.prefix + randomHex(6) + strings.Join(ending, "")
}

// f are the fields of a request.
type f map[string]any

// with returns the fields and more of them.
func (a f) with(name string, value any) f {
	b := f{name: value}
	for k, v := range a {
		if _, has := b[k]; !has {
			b[k] = v
		}
	}
	return b
}

// secret are the fields of a create, all random.
func (w *world) secret() f {
	return f{"Name": w.name(), "ClientRequestToken": randomHex(16), "SecretString": randomHex(12)}
}

// made creates a secret and returns its fields, with its ARN as SecretId.
func (w *world) made(more ...f) f {
	w.t.Helper()
	in := w.secret()
	for _, m := range more {
		for k, v := range m {
			in = in.with(k, v)
		}
	}
	a := w.do("CreateSecret", in)
	if a.code != "ok" {
		w.t.Fatalf("a secret to look at was not created: %s: %s", a.code, a.message)
	}
	return in.with("SecretId", a.text("ARN"))
}

// scheduled is a secret that is scheduled for deletion.
func (w *world) scheduled() f {
	w.t.Helper()
	in := w.made()
	if a := w.do("DeleteSecret", f{"SecretId": in["SecretId"]}); a.code != "ok" {
		w.t.Fatalf("a secret was not scheduled for deletion: %s: %s", a.code, a.message)
	}
	return in
}

// answer is what a call answered: "ok", or the code of its error.
type answer struct {
	code    string
	message string
	fields  map[string]any
}

func (a answer) text(field string) string {
	s, _ := a.fields[field].(string)
	return s
}

func (a answer) list(field string) []any {
	l, _ := a.fields[field].([]any)
	return l
}

// each is a field of each entry of a list.
func (a answer) each(list, field string) []string {
	var all []string
	for _, entry := range a.list(list) {
		s, _ := entry.(map[string]any)[field].(string)
		all = append(all, s)
	}
	return all
}

// in days from now.
func (a answer) days(field string) int {
	at, err := time.Parse(time.RFC3339Nano, a.text(field))
	if err != nil {
		return -1
	}
	return int(time.Until(at).Hours()/24 + 0.5)
}

func say(all ...any) string { return strings.TrimSpace(fmt.Sprintln(all...)) }

// do makes a call through the SDK.
func (w *world) do(op string, in f) answer {
	w.t.Helper()
	call := calls[op]
	if call == nil {
		w.t.Fatalf("no call %s", op)
	}
	out, err := call(w.t.Context(), w.client, marshal(w.t, in))
	if err != nil {
		var api smithy.APIError
		if !errors.As(err, &api) {
			w.t.Fatalf("%s: %v", op, err)
		}
		return answer{code: api.ErrorCode(), message: api.ErrorMessage()}
	}
	a := answer{code: "ok"}
	if err := json.Unmarshal(marshal(w.t, out), &a.fields); err != nil {
		w.t.Fatal(err)
	}
	return a
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// by makes a call of the SDK of one that takes its fields as JSON: the SDK's types
// have the API's names.
func by[In, Out any](call func(*secretsmanager.Client, context.Context, *In, ...func(*secretsmanager.Options)) (*Out, error)) func(context.Context, *secretsmanager.Client, []byte) (any, error) {
	return func(ctx context.Context, c *secretsmanager.Client, text []byte) (any, error) {
		var in In
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&in); err != nil {
			return nil, err
		}
		return call(c, ctx, &in)
	}
}

var calls = map[string]func(context.Context, *secretsmanager.Client, []byte) (any, error){
	"BatchGetSecretValue":      by((*secretsmanager.Client).BatchGetSecretValue),
	"CreateSecret":             by((*secretsmanager.Client).CreateSecret),
	"DeleteSecret":             by((*secretsmanager.Client).DeleteSecret),
	"DescribeSecret":           by((*secretsmanager.Client).DescribeSecret),
	"GetSecretValue":           by((*secretsmanager.Client).GetSecretValue),
	"ListSecrets":              by((*secretsmanager.Client).ListSecrets),
	"PutSecretValue":           by((*secretsmanager.Client).PutSecretValue),
	"RestoreSecret":            by((*secretsmanager.Client).RestoreSecret),
	"TagResource":              by((*secretsmanager.Client).TagResource),
	"UntagResource":            by((*secretsmanager.Client).UntagResource),
	"UpdateSecret":             by((*secretsmanager.Client).UpdateSecret),
	"UpdateSecretVersionStage": by((*secretsmanager.Client).UpdateSecretVersionStage),
}

// raw makes a call that the SDK would not make.
func (w *world) raw(op string, in f) answer {
	w.t.Helper()
	r := signed(w.t, w.endpoint, op, marshal(w.t, in), time.Now(), nil)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return read(w.t, response)
}

func read(t *testing.T, response *http.Response) answer {
	t.Helper()
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{code: "ok"}
	if json.Unmarshal(text, &a.fields) != nil {
		return answer{code: response.Status}
	}
	if response.StatusCode != http.StatusOK {
		a.code, a.message = a.text("__type"), a.text("Message")
	}
	return a
}

// signed is a request as the SDK makes it, but for what change changes before it is
// signed.
func signed(t *testing.T, endpoint, op string, body []byte, at time.Time, change func(*http.Request)) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint+"/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "secretsmanager."+op)
	if change != nil {
		change(r)
	}
	c, _ := credentials.Retrieve(t.Context())
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(t.Context(), c, r, hex.EncodeToString(sum[:]), "secretsmanager", "eu-west-1", at); err != nil {
		t.Fatal(err)
	}
	return r
}
