package fetch

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/awssm/internal/answer"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Client is what of the SDK's client is used.
type Client interface {
	BatchGetSecretValue(context.Context, *secretsmanager.BatchGetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.BatchGetSecretValueOutput, error)
}

const (
	maxBatch = 20 // secrets a call (Secrets Manager, quotas)
	maxPages = 40 // of one call; a page may be short, and even empty, but not for ever
)

// Values reads what the references are to. It answers a value for every reference,
// which the caller destroys, or none.
//
// Each secret must be answered once, under exactly the ARN that was asked for, with
// its current version. It fails with an [Error]; with a [secrets.InvalidError]
// before any call if a reference is of another kind, is malformed or names a secret
// again; and with the context's error once that has ended, though all was read. A
// call that fails as a whole is the last one: the error tells the names that were
// still to be read too.
func Values(ctx context.Context, client Client, references []provider.Reference) (map[secrets.Name]secrets.Value, error) {
	values := map[secrets.Name]secrets.Value{}
	if err := read(ctx, client, references, values); err != nil {
		return nil, err
	}
	return values, nil
}

// read fills values. Unless it returns nil, those that it got are destroyed.
func read(ctx context.Context, client Client, references []provider.Reference, values map[secrets.Name]secrets.Value) error {
	sources, err := plan(references)
	if err != nil {
		return err
	}
	done := false
	defer func() { // also when the client panics
		if !done {
			for _, v := range values {
				v.Destroy()
			}
		}
	}()
	r := reading{values, map[secrets.Name]provider.Code{}}
	for len(sources) > 0 {
		n := min(len(sources), maxBatch)
		if code := r.batch(ctx, client, sources[:n]); code != "" {
			r.fail(code, sources...)
			break
		}
		sources = sources[n:]
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(r.failed) > 0 {
		return &Error{r.failed}
	}
	done = true
	return nil
}

// reading is what is known so far.
type reading struct {
	values map[secrets.Name]secrets.Value
	failed map[secrets.Name]provider.Code
}

// fail notes that the sources could not be read. What failed before keeps its code.
func (r *reading) fail(code provider.Code, sources ...source) {
	for _, s := range sources {
		for _, w := range s.wants {
			if _, known := r.failed[w.name]; !known {
				r.failed[w.name] = code
			}
		}
	}
}

// batch reads sources by one call and its further pages. It answers a code if
// nothing more should be asked, and else has a value or a failure for every name.
func (r *reading) batch(ctx context.Context, client Client, sources []source) provider.Code {
	var ids []string
	pending := map[string]source{} // by ARN: not answered yet
	for _, s := range sources {
		ids = append(ids, s.arn)
		pending[s.arn] = s
	}
	answered := func(arn *string) (source, bool) {
		s, ok := pending[aws.ToString(arn)]
		delete(pending, s.arn)
		return s, ok
	}
	var token *string
	for range maxPages {
		page, err := client.BatchGetSecretValue(ctx, &secretsmanager.BatchGetSecretValueInput{SecretIdList: ids, NextToken: token}, answer.Quiet)
		if err != nil {
			if answer.Is(err, "ResourceNotFoundException") {
				return NotFound
			}
			return answer.Code(err)
		}
		for _, e := range page.Errors {
			code := codeOf(aws.ToString(e.ErrorCode), aws.ToString(e.Message))
			if s, ok := answered(e.SecretId); ok {
				r.fail(code, s)
			} else {
				r.fail(provider.Internal, sources...)
			}
		}
		for _, e := range page.SecretValues {
			if s, ok := answered(e.ARN); ok {
				r.take(s, e)
			} else { // whose it is, nobody knows
				r.fail(provider.Internal, sources...)
			}
		}
		if token = page.NextToken; aws.ToString(token) == "" {
			for _, s := range pending {
				r.fail(provider.Unavailable, s)
			}
			return ""
		}
	}
	return provider.Internal
}

// take keeps the values that were read for s, or notes its failure.
func (r *reading) take(s source, e types.SecretValueEntry) {
	text := aws.ToString(e.SecretString)
	if len(text) > secrets.MaxValue || e.SecretBinary != nil || !slices.Contains(e.VersionStages, "AWSCURRENT") {
		r.fail(Altered, s)
		return
	}
	plain := []byte(text)
	defer clear(plain)

	byKey := map[string][]want{}
	for _, w := range s.wants {
		byKey[w.key] = append(byKey[w.key], w)
	}
	keep := func(key string, plain []byte) {
		for _, w := range byKey[key] {
			if v, err := secrets.NewValue(plain); err == nil {
				r.values[w.name] = v
			} else {
				r.fail(Altered, source{wants: []want{w}})
			}
		}
	}
	keep("", plain)
	delete(byKey, "") // a member of that name is nobody's
	if len(byKey) > 0 && !object(plain, keep) {
		for _, wants := range byKey {
			r.fail(Altered, source{wants: wants})
		}
		return
	}
	for _, w := range s.wants {
		if _, found := r.values[w.name]; !found {
			r.fail(NotFound, source{wants: []want{w}})
		}
	}
}
