// Package faultpoints holds the staging protocol to this: whatever call of a
// driver and whatever commit fails, in whatever way, alone or after another one,
// nothing is left behind, and nothing of anybody else's is touched.
//
// It runs one scenario without a fault to learn its calls, and then once for each
// call and each fault; a smaller scenario for each ordered pair of them. The
// package has nothing but tests.
package faultpoints
