// Package stage is the staging protocol: how a run's secrets get onto one or
// several platforms and off them again so that no crash, pause, retry or
// takeover at any point leaves one behind, deletes somebody else's, or takes one
// from a run that still needs it. It is written once, against the small drivers
// of package provider, and can be used without the rest of pipesecrets.
//
// # The protocol
//
//  1. Intent. [Ledger.Begin] commits the run, the pins of its versions, and one
//     [Row] for every object with its final name and idempotency token. Nothing
//     is created before that commit.
//  2. Create. The driver makes each object and asks its Opener for the values.
//     The Opener rechecks the ledger: a stager that was deposed meanwhile, or
//     whose lease is over by its own monotonic clock, gets none.
//  3. Record and publish. One [Ledger.Advance] writes the platform's ids and
//     makes the run Active. Only then are references handed out.
//  4. End. [Ledger.End] commits that every object is to go, under a new epoch:
//     from here no create can pass 2 and no record can pass 3.
//  5. Remove, by recorded id where there is one, by planned name where a crash
//     came before the record. What is seen absent is Gone, at once where the
//     platform's horizon is zero, else when it is still absent a horizon after
//     the last attempt.
//
// Whatever interrupts this, [Engine.Sweep], called from any process, goes on
// where it stopped. After a crash anywhere nothing is left after at most the
// actor's lease, the time until the next sweep, and the platform's horizon; one
// more sweep for each at which a call fails, and a fifth of the horizon where the
// host ends the run again in between, since what was just seen absent is not looked
// for at once.
//
// # What nobody answers for
//
// At its end a sweep lists what carries the installation's mark. What the ledger
// does not answer for is quarantined: it becomes a run of its own, visible as
// such, and the next sweep removes it. What the ledger never heard of stays in
// quarantine unless the host can tell that the ledger was not replaced by an
// older copy ([Config.Intact]), since it may belong to a run that a restored
// backup has forgotten. Nothing is removed if the ledger is empty, if more than
// ten objects are in quarantine that are more than half of what is staged, and
// no more than a hundred by one sweep. Objects are known by their names wherever
// they are found, so that a place which is reached by another path loses nothing.
//
// An older copy has also forgotten renewals: it ends no run whose time seems to
// be over unless [Config.Alive] says that it has ended.
//
// # What needs somebody's help
//
// An object that can't be removed is Stuck: after the platform refused, or its
// target is no longer configured or has moved, or after [StuckAfter] attempts in
// a row that might have gone better, one after which the object was still there
// included. It is tried again every hour and is never forgotten; [Ledger.Stuck]
// names it, [Ledger.Stats] counts it, as they do for one from which a revoked
// secret can't be pulled. An operator mends the cause and calls [Engine.Unstage],
// which tries at once, or gives it up by [Engine.Disown].
//
// A target that does not answer is not called for a minute after three calls that
// timed out, nor while a call is out that should have come back: its objects wait,
// and those of other targets do not.
//
// # Revocation
//
// [Ledger.Revoke] deletes a secret and marks it in the runs under way, in one
// commit. Whoever comes first, [Engine.Withdraw] or the sweep, then removes the
// object that holds it, or cuts it down where it holds others too. An object that
// its driver can't cut down is removed whole; one whose platform is away stays
// until it is back, since a run needs the others that it holds.
//
// # Two clocks
//
// The actor's lease, minutes long, says who stages or removes now: it guards
// against two processes acting at once. How long the run needs its secrets,
// days, is moved by Renew: it guards against a run that nobody ends. Both are
// read on the ledger's clock.
package stage
