// Package secrets is the domain of pipesecrets: what a pipeline secret is,
// where it belongs, and what a store of secrets must promise.
//
// A [Secret] is named metadata in a [Scope]: an organization, a workspace or a
// user. Each of its versions is one immutable pair of a [Value] and a [Policy];
// changing either makes a new [Version], and neither ids nor versions are ever
// used again. A [Record] is a version as it lies in a [Store], its value
// sealed. An [Event] tells what somebody did or was refused, never a value.
//
// # Plaintext
//
// A [Value] holds plaintext and can't be printed, encoded or decoded: every
// fmt verb, encoder and reflecting logger shows [Mark] in its place, in any
// nesting. [Value.Reveal] is the only reader.
//
// # Purity
//
// The package does no I/O, reads no clock and starts no goroutine; it imports
// the standard library only. Time is always an argument.
//
// # Errors
//
// Bad input is refused with an [InvalidError] that names the field and the rule
// it broke, never what was given: a name and a value are easily swapped by a
// caller, so that even a bad name is not echoed. All of them match [ErrInvalid].
package secrets
