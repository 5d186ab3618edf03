// Package purity holds the tests that keep the module's arrows pointing one way:
// secrets, precedence and rbac import only the standard library and this module,
// do no I/O, read no clock and start no goroutine; and who imports the root
// package links no adapter, no database driver and no cloud SDK. There is nothing
// in it to import.
package purity
