// Package sim holds the staging protocol to its promise by simulation: several
// launchers, a reaper, sweepers and an administrator over platforms that are late
// in every way that they are free to be, on a clock of their own, with faults,
// crashes and pauses at every call and every commit. The package has nothing but
// tests.
//
// The platforms are those in memory of the conformance suite, or Secrets Manager
// on the wire behind provider/awssm, where each request is a fault point too, or one
// of those in memory beside a staging root of provider/hpc.
//
// One actor at a time runs to its next fault point. Which one, and what befalls
// it there, comes from the seed alone, so that a seed is a history: what it did
// once it does again, on any machine.
//
// After every step the invariants are checked against what is really on the
// platforms and in the ledger. A violation names the claim that it broke and the
// command that shows it again. At the end every process is killed; one that
// sweeps must then find everything in time.
package sim
