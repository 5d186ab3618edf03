package awssm

import (
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Tags of the driver's own, set by the request that creates a secret.
const (
	tagPrefix  = "pipesecrets-"
	tagMark    = tagPrefix + "mark" // the installation's, in hexadecimal
	tagRun     = tagPrefix + "run"
	tagStage   = tagPrefix + "stage"
	tagExpires = tagPrefix + "expires" // from when on nobody needs it, by the ledger's first opinion
)

// Create makes the AWS secret of an object by one request. Another attempt with the
// same token answers the secret that an earlier one made. What is throttled waits for
// its turn again, until its time is over.
func (d *Driver) Create(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
	const op = "create"
	gate := newFence(ctx) // its time runs from here, before the values are asked for
	var in *secretsmanager.CreateSecretInput
	var out *secretsmanager.CreateSecretOutput
	err := d.inTurn(ctx, d.budget.creates, o.Run, op, func() (sent bool, err error) {
		if in == nil {
			if in, err = d.input(ctx, o, open); err != nil {
				return false, err
			}
		}
		return true, failure(op, d.change(func(changing option) (err error) {
			out, err = d.config.Client.CreateSecret(ctx, in, changing, gate.options)
			return err
		}))
	})
	if err != nil {
		return "", err
	}
	arn := aws.ToString(out.ARN)
	if !d.isARN(arn, o.Name) {
		return "", d.undo(ctx, arn)
	}
	return idOf(arn, o.Mark), nil
}

// undo deletes what was created in another account, where nobody will look for it
// again, and answers why it was.
func (d *Driver) undo(ctx context.Context, arn string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
	defer cancel()
	err := d.change(func(changing option) error {
		_, err := d.config.Client.DeleteSecret(ctx, deletion(arn, true), changing)
		return err
	})
	if err != nil {
		return failure("create", err)
	}
	return &provider.Error{Op: "create", Code: provider.Elsewhere}
}

// input asks for the values and makes the request of them.
func (d *Driver) input(ctx context.Context, o provider.Object, open provider.Opener) (*secretsmanager.CreateSecretInput, error) {
	values, err := open(ctx)
	if err != nil {
		return nil, err
	}
	plain, err := d.secretString(o, values)
	switch {
	case err != nil:
		return nil, &provider.Error{Op: "create", Code: provider.Refused}
	case len(plain) > maxEncoded:
		return nil, &provider.Error{Op: "create", Code: provider.Quota}
	}
	in := &secretsmanager.CreateSecretInput{
		Name:               aws.String(o.Name),
		ClientRequestToken: aws.String(o.Token),
		Description:        aws.String("Staged for one run, and removed when it ends"),
		SecretString:       aws.String(plain),
		Tags:               d.tags(o),
	}
	if d.config.KMSKeyID != "" {
		in.KmsKeyId = aws.String(d.config.KMSKeyID)
	}
	return in, nil
}

// tags are the same in every attempt.
func (d *Driver) tags(o provider.Object) []types.Tag {
	all := maps.Clone(d.config.Tags)
	if all == nil {
		all = map[string]string{}
	}
	all[tagMark] = hex.EncodeToString(o.Mark[:])
	all[tagRun] = o.Run.String()
	all[tagStage] = o.Stage
	all[tagExpires] = o.Expires.UTC().Format(time.RFC3339)
	var tags []types.Tag
	for _, key := range slices.Sorted(maps.Keys(all)) {
		tags = append(tags, types.Tag{Key: aws.String(key), Value: aws.String(all[key])})
	}
	return tags
}

// inTurn makes a call when it is the run's turn, and again if it was throttled. What
// can't begin in time is throttled too: time is left for the call itself. A call that
// says that it sent nothing is over.
func (d *Driver) inTurn(ctx context.Context, l *line, run secrets.RunID, op string, call func() (sent bool, err error)) error {
	in, cancel := early(ctx)
	defer cancel()
	for again := false; ; again = true {
		if l.wait(in, run, again) != nil {
			if ctx.Err() != nil {
				return &provider.Error{Op: op, Code: provider.Unavailable}
			}
			return &provider.Error{Op: op, Code: provider.Throttled}
		}
		sent, err := call()
		switch {
		case !sent:
			l.back()
		case err == nil:
			l.passed()
		case codeOf(err) == provider.Throttled:
			l.throttled()
			continue
		}
		return err
	}
}

// callTime is what one call of AWS may take.
const callTime = 10 * time.Second

// early returns a context that ends while there still is time for a call.
func early(ctx context.Context) (context.Context, context.CancelFunc) {
	until, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, until.Add(-min(callTime, time.Until(until)/2)))
}
