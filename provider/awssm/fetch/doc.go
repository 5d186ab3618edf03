// Package fetch is the run's side of the driver for AWS Secrets Manager: with the
// role of its own job, a head job or a task's wrapper reads what a launcher staged
// for the run.
//
//	references, err := fetch.Parse(list)
//	values, err := fetch.Values(ctx, secretsmanager.NewFromConfig(cfg), references)
//	cmd.Env, err = fetch.Environ(os.Environ(), values)
//
// Where AWS Batch or ECS inject the secrets of a job definition themselves, nothing
// of this is needed. It is for jobs that can't have a definition of their own, and
// for head jobs.
//
// # The list
//
// What to read is told by the list that AWS Batch and ECS call "secrets". Its
// entries are a launcher's references of the kind [Kind]:
//
//	[{"name": "TOKEN", "valueFrom": "ARN"},
//	 {"name": "LICENSE", "valueFrom": "ARN:LICENSE::"}]
//
// The first is a secret of its own, the second a key of a secret that holds a JSON
// object of strings. A list holds no value.
//
// # Calls
//
// [Values] asks for 20 secrets a call, the most that BatchGetSecretValue takes, and
// for a secret that holds several values once. The role needs
// secretsmanager:BatchGetSecretValue, which can't be limited to some secrets, and
// GetSecretValue on those of the run; kms:Decrypt too where they are under a key of
// the customer's. The client's Region must be that of the ARNs. Its own retries stay
// on, since reading may be repeated; beyond them nothing is retried.
//
// # Errors
//
// It is all or nothing: one name that fails fails the rest, and what was read
// already is destroyed. An [Error] tells every name that failed and why, in codes
// and never in the words of AWS, which may quote anything:
//
//   - Forbidden, Unauthenticated: the role may not read the secret, or is not
//     believed to be the role.
//   - KeyUnusable: the key that the secret is sealed with is disabled or denied.
//   - [NotFound]: there is no such secret, or no such key in it; it may be on its way
//     out.
//   - [Altered]: the secret does not hold what a launcher puts there.
//   - Refused: AWS rejects the request.
//   - Throttled, Unavailable: worth another attempt.
//   - Internal: the answer is not one to what was asked.
//
// # Plaintext
//
// Of the SDK's logging only deprecations stay on for these calls,
// whatever the client is set to: the rest may print bodies, which hold the values.
// Buffers that this package makes are wiped. The SDK's own copies, of a response
// and of its strings, can't be.
package fetch
