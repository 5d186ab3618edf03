// Package crypto seals the values of secrets for storage.
//
// A [Keyring] holds two Tink keysets of one installation: an AEAD keyset, by
// which each version of a secret is sealed on its own, and a MAC keyset for the
// audit chain and the digests of requests. They lie in a [KeysetStore], wrapped
// by a key encryption key (KEK): a cloud KMS by the host's tink.AEADWithContext,
// or the key file of [FileKEK]. Opening them costs one KEK call per process and
// generation; saving them one, and one more when a KEK is first used and tried;
// no secret costs any.
//
// [Create] makes the keysets, once in an installation's life; [Load] never does.
// Whoever loses the KEK loses every secret: there is no other way in.
//
// # What a sealed record is bound to
//
// The ciphertext of a record is Tink's: 0x01, the key's id in 4 bytes, and what
// the key's algorithm makes of it. Its associated data is this sequence, each
// field preceded by its length in 4 bytes, numbers big-endian:
//
//	"pipesecrets/record/v1"
//	the installation's id      16 bytes
//	the secret's id             8 bytes
//	the scope's kind            1 byte
//	the scope's id
//	the name
//	the version                 8 bytes
//	policy: expires             8 bytes of Unix seconds, none for never
//	policy: disabled            1 byte, 0 or 1
//	policy: locked              1 byte, 0 or 1
//	policy: number of pipelines 4 bytes
//	policy: each pipeline, in canonical order
//
// So a sealed value can't be moved to another secret, scope, name, version or
// installation, nor be given another policy. The description, the times and the
// names of users are not bound. One thing can't be seen from a record alone: that
// all of it was replaced by an older version of the same secret, as it once was.
// The audit chain tells that.
//
// # What the store holds
//
// The keysets are saved as one blob: the 8 bytes "PSKEYS\x00\x01", then three
// parts, each preceded by its length in 4 bytes, and nothing after them:
//
//	a 32-byte data key, new for each save, as the KEK encrypted it (1 byte to 64 KiB)
//	the record keyset, in Tink's binary form of an encrypted keyset (1 byte to 1 MiB)
//	the MAC keyset, likewise
//
// The keysets are encrypted under the data key by AES-256-GCM; a key that seals
// two messages in its life is far from that mode's limits. The associated data of
// each part is, with lengths as above, "pipesecrets/keysets/v1", the
// installation's id, the purpose ("data key", "record keyset" or "mac keyset")
// and the generation in 8 bytes; that of the data key ends with the SHA-256 of
// the two other parts and their lengths, so that the one KEK call authenticates
// every byte. A KMS sees the 32-byte key and about 100 bytes of associated data,
// whatever the size of the keysets.
//
// # Rotation
//
// [Keyring.AddKey] adds a key that opens and does not seal yet. Once every
// replica has reloaded, [Keyring.Promote] makes it the primary one, which seals.
// Then the host reseals in the background what is behind ([Keyring.Reseal]), and
// [Keyring.Retire] drops the old key when nothing is sealed under it any more. A
// replica that was not told meets an unknown key id and reloads by itself, so
// that promoting early costs a reload and breaks nothing; a replica that still
// seals under a retired key is refused by the store with secrets.ErrKeyRetired,
// reloads and seals again.
//
// The MAC keyset keeps its one key: what it authenticated must stay verifiable.
//
// # Plaintext in memory
//
// Keys and plaintexts that this package holds in its own buffers are wiped after
// use. What Tink, the protocol buffers library and the standard library hold, and
// what the garbage collector or the kernel copied, can't be. This is against
// casual disclosure: a core dump, a heap profile or root on the machine may still
// show keys and values. What fmt, encoders and reflecting loggers show of a
// Keyring, of its MAC and of a key file's KEK holds none of it.
//
// # Errors
//
// Errors tell what failed by sentinel values. They hold nothing of a value or a
// key, and no text of a KEK or of Tink; the errors of the host's KeysetStore and
// of contexts are wrapped. A call that was cancelled, or failed in the store, may
// have had its effect.
package crypto
