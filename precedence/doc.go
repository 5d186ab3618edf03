// Package precedence decides which secret a run gets for each name that it asks
// for, where an organization, a workspace and a user may all have one of that
// name. It is pure: no I/O, no clock, no goroutine; it imports package secrets
// and the standard library, and can be used without the rest of pipesecrets.
//
// # The rule
//
// [Resolve] answers each name by itself, in three steps:
//
//  1. A lock decides. If secrets of the name are locked, the broadest locked one
//     wins, whatever the request says of where to look. A user's secret has
//     nothing narrower to lock out, so that a lock on it counts as none.
//  2. Without a lock the narrowest wins: user beats workspace beats
//     organization, among the kinds of scope that [Want.From] lists, or among
//     all.
//  3. Only then is the winner judged. One that is not allowed for the pipeline,
//     disabled or expired is a [Problem]. It never makes way for the next best:
//     a run must not get an older credential than the one that somebody
//     disabled, nor another person's than the one that ran out.
//
// For example, with these secrets named TOKEN:
//
//	organization   workspace   user      TOKEN is
//	yes            yes         yes       the user's
//	yes, locked    yes         yes       the organization's
//	yes            yes         expired   a problem: the user's has expired
//	yes            -           -         the organization's; missing if wanted from the user only
//
// A name that nobody has is a problem if it is required, and listed as absent if
// it is optional. [Request.All] asks for every name of some kinds of scope; what
// it finds for other pipelines is withheld, not a problem.
//
// # The answer
//
// Each requested name is in exactly one of [Resolution.Choices], Absent, Withheld
// and Problems. The answer does not depend on the order of anything in the
// request or the layers, and the answer for one name depends on no other name. A
// choice tells which secrets it shadows and why; there are no values in it.
//
// Where the question itself can't be trusted, nothing is answered: a layer that
// could not be read may hold a lock or an override, so that it refuses the whole
// resolution, as do contradictions in the input and a request without a time. See
// [Resolution.Refused].
//
// Resolve is total: it never panics and needs no error result. [Resolution.Err]
// turns all problems and refusals into one error. It takes O(n log n) time and
// O(n) space for n names.
package precedence
