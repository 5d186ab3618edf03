// Package providertest is what a driver, or the protocol above it, is tested with.
//
// # The suite
//
// [Run] holds any driver to the contract of package provider. It has a test for
// each sentence of the contract, named after it: that Create asks for the values
// once and leaves nothing without them, that what is removed while it asks is not
// made, that a failure to look is no absence, that nothing of another mark or of
// somebody else is touched, that hostile names and values arrive byte for byte or
// are refused, that errors are codes and no text of the platform. Then it stages
// runs by the protocol itself, lets each call of the driver go wrong in each way in
// which a call can, kills the process at each call, and sees that the sweeps leave
// nothing and touch nothing else.
//
// What is there is told by the [Place], and never by the driver under test. Of a
// driver it needs no more than the example of [Run] shows; what a place can't tell
// is not tested, and the test says so.
//
// The suite does not test what only real components can: that a task reads what
// was staged, that the platform's own limits are known to Carries, that a horizon
// is long enough, that the credentials allow no more than they must.
//
// Each test can fail: this package's own tests have a broken driver for each.
//
// # The platform
//
// [Platform] is a platform in memory that does everything that a real, eventually
// consistent one is free to do, as a test chooses: see [Freedom]. Its truth is
// known, and it reads time from a clock that is given to it.
//
// # Faults
//
// [Intercept] wraps any driver so that any call fails in any way; [Fault] names
// the common ones.
package providertest
