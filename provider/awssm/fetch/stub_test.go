package fetch_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/awssm/fetch"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// service is the other end of the wire: what the real client of the SDK sends is
// read there, and answered in JSON 1.1.
type service struct {
	mu     sync.Mutex
	held   map[string]object // by ARN
	calls  []request
	answer func(call int, asked request) (status int, body any) // in the place of what is held
}

type object = map[string]any

// request is the body of a call.
type request struct {
	SecretIdList []string
	NextToken    string
}

func newService() *service { return &service{held: map[string]object{}} }

// put holds text as a secret and returns its ARN.
func (s *service) put(text string) string {
	name := "tower-" + rand.Text() + "/" + rand.Text()
	arn := "arn:aws:secretsmanager:eu-west-1:123456789012:secret:" + name + "-" + rand.Text()[:6]
	s.held[arn] = entry(arn, text)
	return arn
}

// entry is what the service answers for one secret.
func entry(arn, text string) object {
	return object{"ARN": arn, "Name": "x", "SecretString": text, "VersionId": rand.Text(), "VersionStages": []string{"AWSCURRENT"}}
}

// failure is what it answers for one that can't be read.
func failure(arn, code string) object {
	return object{"SecretId": arn, "ErrorCode": code, "Message": "quoted by AWS"}
}

func (s *service) lookUp(asked request) (int, any) {
	var values, errors []object
	for _, id := range asked.SecretIdList {
		if e, ok := s.held[id]; ok {
			values = append(values, e)
		} else {
			errors = append(errors, failure(id, "ResourceNotFoundException"))
		}
	}
	return http.StatusOK, object{"SecretValues": values, "Errors": errors}
}

func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := r.Header.Get("X-Amz-Target"); got != "secretsmanager.BatchGetSecretValue" {
		return nil, fmt.Errorf("target %q", got)
	}
	var asked request
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, err
	}
	s.calls = append(s.calls, asked)
	if n := len(asked.SecretIdList); n < 1 || n > 20 {
		return nil, fmt.Errorf("%d ids", n)
	}
	status, body := s.lookUp(asked)
	if s.answer != nil {
		status, body = s.answer(len(s.calls), asked)
	}
	if status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status,
		Header:     http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body:       io.NopCloser(bytes.NewReader(text)),
		Request:    r,
	}, nil
}

// client returns the SDK's client, which waits for nothing before it tries again.
func (s *service) client(options ...func(*secretsmanager.Options)) *secretsmanager.Client {
	return secretsmanager.New(secretsmanager.Options{
		Region:     "eu-west-1",
		HTTPClient: &http.Client{Transport: s},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: rand.Text(), SecretAccessKey: rand.Text()}, nil
		}),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		}),
	}, options...)
}

// secretOf makes n secrets of their own, and returns references to them and what
// they hold.
func (s *service) secretOf(t testing.TB, n int) ([]provider.Reference, map[string]string) {
	t.Helper()
	var references []provider.Reference
	plain := map[string]string{}
	for i := range n {
		name := fmt.Sprintf("SECRET_%d", i)
		plain[name] = rand.Text()
		references = append(references, reference(t, name, s.put(plain[name])))
	}
	return references, plain
}

func reference(t testing.TB, name, locator string) provider.Reference {
	t.Helper()
	return provider.Reference{Name: parseName(t, name), Kind: fetch.Kind, Locator: locator}
}

func parseName(t testing.TB, s string) secrets.Name {
	t.Helper()
	n, err := secrets.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// reveal returns what the values hold.
func reveal(t testing.TB, values map[secrets.Name]secrets.Value) map[string]string {
	t.Helper()
	plain := map[string]string{}
	for name, v := range values {
		if err := v.Reveal(func(b []byte) error { plain[name.String()] = string(b); return nil }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	return plain
}

// sizes returns how many secrets each call asked for.
func (s *service) sizes() []int {
	var sizes []int
	for _, c := range s.calls {
		sizes = append(sizes, len(c.SecretIdList))
	}
	return slices.Clip(sizes)
}
