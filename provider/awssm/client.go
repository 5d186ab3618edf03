package awssm

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/middleware"

	"github.com/pipesecrets/pipesecrets/internal/stopwatch"
	"github.com/pipesecrets/pipesecrets/provider/awssm/internal/answer"
)

// Client is what the driver needs of a *secretsmanager.Client. What wraps one must pass
// the options on: they hold the fence, the Region, and keep values out of the SDK's
// log. A client that drops them is refused.
type Client interface {
	CreateSecret(context.Context, *secretsmanager.CreateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error)
	DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
	DeleteSecret(context.Context, *secretsmanager.DeleteSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error)
	ListSecrets(context.Context, *secretsmanager.ListSecretsInput, ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretsOutput, error)
}

// option is an option of the SDK's calls.
type option = func(*secretsmanager.Options)

// read makes a call that changes nothing. The SDK may repeat it. An error is the
// SDK's, or errCareless.
func (d *Driver) read(call func(option) error) error {
	heeded := false
	err := call(func(o *secretsmanager.Options) {
		heeded = true
		o.Region = d.config.Region // whatever the client was made for: absence elsewhere proves nothing
		answer.Quiet(o)
	})
	if !heeded {
		return errCareless
	}
	return err
}

// change makes a call that creates or deletes. The SDK must not repeat it: it knows
// neither of the budget nor of the fence.
func (d *Driver) change(call func(option) error) error {
	return d.read(func(reading option) error {
		return call(func(o *secretsmanager.Options) {
			reading(o)
			o.Retryer = aws.NopRetryer{}
		})
	})
}

// errCareless is what the answer of a client is that has dropped the options.
var errCareless = errors.New("the client drops options")

// errLate is why a request was not sent.
var errLate = errors.New("the time to send this is over")

// fence keeps a request from being sent when the time of its call is over. It stands
// after the signature, which takes a while if credentials have to be fetched first;
// from there on AWS refuses what is older than five minutes.
type fence struct {
	watch stopwatch.Watch
	limit time.Duration // from the watch's start
}

// newFence returns the fence of a call that begins now.
func newFence(ctx context.Context) *fence {
	f := &fence{watch: stopwatch.Start(), limit: 1<<63 - 1}
	if until, ok := ctx.Deadline(); ok {
		f.limit = time.Until(until)
	}
	return f
}

func (*fence) ID() string { return "pipesecrets.fence" }

func (f *fence) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	if ctx.Err() != nil || f.watch.Elapsed() >= f.limit {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, errLate
	}
	return next.HandleFinalize(ctx, in)
}

// options puts the fence into a call.
func (f *fence) options(o *secretsmanager.Options) {
	o.APIOptions = append(o.APIOptions[:len(o.APIOptions):len(o.APIOptions)], func(stack *middleware.Stack) error {
		return stack.Finalize.Add(f, middleware.After)
	})
}
