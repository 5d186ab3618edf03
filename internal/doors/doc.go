// Package doors holds the test that lists where plaintext can leave the module:
// every place of its exported API by which a program can get a secrets.Value or a
// slice of bytes, each with the reason why it may. There is nothing in it to
// import.
package doors
