// Package broken breaks the protocol on purpose, in one place at a time, and sees
// that what is to prove it fails, and names the promise that was broken. It has
// nothing but tests. The code is never changed: each break is laid over it for one
// build.
package broken
