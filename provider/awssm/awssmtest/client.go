package awssmtest

import (
	"context"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// HTTPClient returns a client that hands each request to the fake: no network, no
// goroutine, so that it works in a testing/synctest bubble too. It heeds the
// context of a request, before the effect and after it. A connection that the fake
// refuses or resets is the error that the system would answer.
func (f *Fake) HTTPClient() *http.Client { return &http.Client{Transport: transport{f}} }

type transport struct{ f *Fake }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	o, err := t.f.serve(ctx, r, body)
	switch {
	case err != nil:
		return nil, err
	case o.refused:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	case o.hang:
		<-ctx.Done()
	case o.reset:
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	if err := ctx.Err(); err != nil {
		return nil, err // it had its effect, and nobody waits for the answer
	}
	return o.response(r), nil
}

// Client returns a client of the SDK for a principal, by its access key. It signs
// by the fake's clock. The SDK's own retries are on, and wait in real time unless
// in a bubble: set another Retryer where that is too slow.
func (f *Fake) Client(accessKey string, more ...func(*secretsmanager.Options)) *secretsmanager.Client {
	return secretsmanager.New(secretsmanager.Options{
		Region:       f.config.Region,
		BaseEndpoint: aws.String("https://secretsmanager." + f.config.Region + ".amazonaws.com"),
		HTTPClient:   f.HTTPClient(),
		HTTPSignerV4: signer{v4.NewSigner(), f.config.Now},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: accessKey, Source: "awssmtest"}, nil
		}),
	}, more...)
}

// signer signs by the fake's clock and not by the system's.
type signer struct {
	*v4.Signer
	now func() time.Time
}

// SignHTTP implements secretsmanager.HTTPSignerV4.
func (s signer) SignHTTP(ctx context.Context, c aws.Credentials, r *http.Request, payloadHash, service, region string, _ time.Time, more ...func(*v4.SignerOptions)) error {
	return s.Signer.SignHTTP(ctx, c, r, payloadHash, service, region, s.now(), more...)
}
