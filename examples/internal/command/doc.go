//go:build unix

// Package command is what the examples have in common around the command that each
// of them wraps: secrets that its own command line names by file, signals that are
// the command's and not the wrapper's end, masked output, and an exit status as a
// shell would give it. How secrets are staged, handed over and removed is for each
// example to show.
package command
