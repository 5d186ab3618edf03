// Package awssm is the driver for AWS Secrets Manager: what AWS Batch, ECS and
// Nextflow's executors for them read a run's secrets from.
//
// # Names
//
// A secret of a run is the AWS secret "<prefix><run>/<name>", such as
// tower-3kx9/NCBI_API_KEY: what Nextflow's Seqera executor and the IAM policies
// that Seqera documents expect. Its tags, set by the request that creates it, say
// whose it is. A name that is taken by somebody else is refused as
// [provider.Taken], and nothing is ever done to what has it.
//
// # Layouts
//
// [PerSecret], the default, makes one AWS secret of each pipeline secret:
// permissions per secret, and the names above. [JSONMap] makes one AWS secret of a
// run, a JSON object, or several where one would pass 65,536 bytes as it is
// encoded: two calls a run rather than two a secret, and a tenth of the price at
// ten secrets. Whoever may read it reads all of it, Nextflow does not know it, and
// since Secrets Manager keeps what a secret held before, a revoked secret can only
// be pulled with all that share its map.
//
// # What is late
//
// All operations of Secrets Manager are eventually consistent, lists by up to five
// minutes (API_ListSecrets). A signed request stays valid for five minutes, so that
// one that was delayed has its effect as much later, and for another five where the
// signer's clock is ahead, which AWS tolerates for as long. A create may wait for its
// turn for most of a minute. The horizon is all of that: what was not seen for sixteen
// minutes can't come any more.
//
// # Quotas
//
// Creating and deleting are limited to 50 calls a second each for an account in a
// Region, whoever makes them. A [Budget] that all drivers of the process share keeps
// below, serves the runs in turn, and slows down where AWS says that others call
// too. What can't begin ten seconds before its call must end, which is a minute for a
// create and half of one for a removal, is [provider.Throttled].
//
// # Plaintext
//
// Values go into SecretString of CreateSecret and nowhere else. The driver never
// reads one and its [Client] has no call for that; the run's side is
// provider/awssm/fetch. Of the SDK's logging only deprecations stay on for the
// driver's calls, since the rest may print bodies, digests of them, or what AWS says.
// The SDK's own copies of a value can't be wiped.
package awssm
