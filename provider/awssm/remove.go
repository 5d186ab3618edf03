package awssm

import (
	"context"
	"encoding/hex"
	"iter"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/awssm/internal/answer"
)

// Probe looks for the AWS secret of an object by its name. It is ours if the tags
// say so.
func (d *Driver) Probe(ctx context.Context, o provider.Object) (provider.Presence, string, error) {
	const op = "probe"
	out, err := d.describe(ctx, d.arn(o.Name))
	if missing(err) && trap.MatchString(o.Name) {
		out, err = d.describe(ctx, o.Name)
	}
	switch {
	case missing(err):
		return provider.Absent, "", nil
	case err != nil:
		return provider.Unknown, "", failure(op, err)
	}
	arn := aws.ToString(out.ARN)
	switch {
	case !d.isARN(arn, o.Name):
		return provider.Unknown, "", &provider.Error{Op: op, Code: provider.Elsewhere}
	case !d.carries(out.Tags, o):
		return provider.Foreign, "", nil
	case out.DeletedDate != nil:
		return provider.Pending, "", nil
	}
	return provider.Present, idOf(arn, o.Mark), nil
}

// trap matches names that AWS may take for a full ARN when they stand at the end of
// one without its random end.
var trap = regexp.MustCompile(`-.{6}$`)

func missing(err error) bool { return answer.Is(err, "ResourceNotFoundException") }

func (d *Driver) describe(ctx context.Context, id string) (out *secretsmanager.DescribeSecretOutput, err error) {
	err = d.read(func(reading option) (err error) {
		out, err = d.config.Client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String(id)}, reading)
		return err
	})
	return out, err
}

// carries reports whether tags are those of the object: its mark, and its stage, which
// nobody can guess. Of what was found by its mark the stage is not known: there the
// run must be the one that its name tells, which is not so where somebody has copied
// the tags.
func (d *Driver) carries(tags []types.Tag, o provider.Object) bool {
	value := map[string]string{}
	for _, t := range tags {
		value[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	switch run := value[tagRun]; {
	case value[tagMark] != hex.EncodeToString(o.Mark[:]):
		return false
	case o.Stage != "":
		return value[tagStage] == o.Stage
	default:
		return run != "" && strings.HasPrefix(o.Name, d.config.Prefix+run+"/")
	}
}

// Remove deletes the AWS secret of an id at once, or, where an account's policy
// forbids that, schedules it to be deleted in seven days, the least that AWS allows;
// it is Pending then, can't be read any more, and costs nothing
// (docs.aws.amazon.com/secretsmanager/latest/userguide/manage_delete-secret.html).
func (d *Driver) Remove(ctx context.Context, o provider.Object, id string) error {
	const op = "remove"
	if id == "" {
		presence, found, err := d.Probe(ctx, o)
		switch {
		case err != nil:
			return err
		case presence == provider.Foreign:
			return &provider.Error{Op: op, Code: provider.NotOurs}
		case presence != provider.Present:
			return nil
		}
		id = found
	}
	arn := arnOf(id)
	if !d.isARN(arn, o.Name) || id != idOf(arn, o.Mark) {
		return &provider.Error{Op: op, Code: provider.NotOurs}
	}
	err := d.delete(ctx, o, arn, true)
	if codeOf(err) == provider.Forbidden {
		if d.delete(ctx, o, arn, false) == nil {
			return nil
		}
	}
	return err
}

// delete deletes the secret of an ARN. One that somebody has scheduled to be deleted
// already is as good as that: Probe tells of it.
func (d *Driver) delete(ctx context.Context, o provider.Object, arn string, force bool) error {
	const op = "remove"
	return d.inTurn(ctx, d.budget.deletes, o.Run, op, func() (sent bool, err error) {
		err = d.change(func(changing option) error {
			_, err := d.config.Client.DeleteSecret(ctx, deletion(arn, force), changing)
			return err
		})
		if missing(err) {
			return true, nil
		}
		if err = failure(op, err); codeOf(err) == provider.Taken {
			err = nil
		}
		return true, err
	})
}

// window is the shortest time, in days, in which a scheduled deletion can be undone.
const window = 7

func deletion(arn string, force bool) *secretsmanager.DeleteSecretInput {
	in := &secretsmanager.DeleteSecretInput{SecretId: aws.String(arn)}
	if force {
		in.ForceDeleteWithoutRecovery = aws.Bool(true)
	} else {
		in.RecoveryWindowInDays = aws.Int64(window)
	}
	return in
}

// List yields the AWS secrets under the prefix whose tags carry the mark. What is
// scheduled to be deleted is not among them.
func (d *Driver) List(ctx context.Context, mark [16]byte) iter.Seq2[provider.Object, error] {
	return func(yield func(provider.Object, error) bool) {
		// Filters match by their beginning, and those of tags do not say which value
		// belongs to which key: the tags are compared here.
		in := &secretsmanager.ListSecretsInput{
			Filters:    []types.Filter{{Key: types.FilterNameStringTypeName, Values: []string{d.config.Prefix}}},
			MaxResults: aws.Int32(100),
		}
		for {
			var out *secretsmanager.ListSecretsOutput
			err := d.read(func(reading option) (err error) {
				out, err = d.config.Client.ListSecrets(ctx, in, reading)
				return err
			})
			if err != nil {
				yield(provider.Object{}, failure("list", err))
				return
			}
			for _, entry := range out.SecretList {
				o := provider.Object{Name: aws.ToString(entry.Name), Mark: mark}
				if entry.DeletedDate == nil && d.carries(entry.Tags, o) && d.isARN(aws.ToString(entry.ARN), o.Name) && !yield(o, nil) {
					return
				}
			}
			if aws.ToString(out.NextToken) == "" {
				return
			}
			in.NextToken = out.NextToken
		}
	}
}
