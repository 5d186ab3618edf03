// Package awssmtest is AWS Secrets Manager of one account in one Region, in memory
// and on the wire: what a program that stages secrets there is tested with.
//
// [Fake] speaks AWS JSON 1.1, as an http.Handler or, without a network, through
// [Fake.HTTPClient] and [Fake.Client]. It reads time from a clock that is given to
// it, so that a test of a week takes no time, and works in a testing/synctest
// bubble. Its truth is known, whatever a client sees: [Fake.Secrets].
//
// # What is modelled
//
// CreateSecret, DescribeSecret, DeleteSecret, RestoreSecret, ListSecrets,
// GetSecretValue, BatchGetSecretValue, PutSecretValue, UpdateSecret,
// UpdateSecretVersionStage, TagResource and UntagResource, with the limits of the
// API reference. How each behaves is told by one table in the tests, row by row
// with its source: the page of the API reference or of the user guide, a test that
// the authors of moto ran at AWS, a report in the open. The same table is held
// against moto, and says where moto differs and why.
//
// What AWS only may do is a [Freedom], which Config.Choose uses or not: a create
// that lands after its caller gave up, or twice, even after a delete; a forced
// delete that takes its time, and the name with it; lists that are five minutes
// late ("ListSecrets might not reflect changes from the last five minutes") and
// looks that are ("All Secrets Manager operations are eventually consistent", both
// of API_ListSecrets). AWS says how late a list may be and not how late the rest;
// Config.Late bounds all of it.
//
// # What is checked
//
// The fake is stricter than AWS where that finds mistakes: it refuses fields that
// it does not know, at any depth, that are there twice or in another case, text that
// is not UTF-8, another content type, and headers of AWS that are not signed.
// It checks the scope and the age of a signature, five minutes, but not the
// signature: it knows no secret keys.
//
// A principal is an access key. With policies of its own, [Fake.Allow], it may do
// what they allow: statements with Action, Resource, and the conditions StringEquals,
// StringNotEquals, StringEqualsIgnoreCase, StringLike, StringNotLike, ArnEquals,
// ArnLike, Bool, Null and Numeric..., with IfExists, ForAllValues and ForAnyValue, on
// the keys secretsmanager:Name, Description, SecretId, KmsKeyArn,
// ForceDeleteWithoutRecovery, RecoveryWindowInDays, VersionId, VersionStage and
// ResourceTag/x, aws:ResourceTag/x, aws:RequestTag/x and aws:TagKeys. A create is
// evaluated against the ARN without its six characters, which nobody knows before.
// The case of a key does not matter, nor does that of the tag's key in it; the parts
// of an ARN are matched each by itself.
//
// # What is not
//
// Rotation, replication, resource policies, secrets of other services and of other
// accounts. That AWS refuses a change of tags by which the caller would lose its
// permissions. A customer's KMS key is a name with a state, [Fake.KMS]. Versions
// without a label stay. A recovery window ends at its end, and AWS may take longer.
// LastAccessedDate is not kept. Messages are AWS's where they are known; a program
// that reads them reads what AWS does not promise.
//
// Not known, and so the fake's own choice: the codes for too many tags, for tags
// with reserved or doubled keys, and for tokens of a wrong length; whether AWS
// answers ResourceNotFoundException for another Region's ARN; that to schedule a
// deletion twice is refused; that DeletedDate is the end of the recovery window;
// that of two tags whose keys differ by their case alone both have to match; and
// whether the ARN of another partition is one.
package awssmtest
