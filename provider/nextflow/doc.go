// Package nextflow knows what Nextflow itself reads and says of secrets: the store
// file of its local provider, what becomes of a value on the way from there to a
// task, and which secrets the sources of a pipeline refer to.
//
// # The store file and the tasks
//
// What [WriteStore] and [Store.Write] write is read by Nextflow's local secrets
// provider (NXF_SECRETS_FILE) if the file's mode is exactly 0600 (Nextflow:
// LocalSecretsProvider, which compares the permissions with "rw-------").
//
// Stock Nextflow then puts all secrets of the store, one a line, into a file of
// lines such as
//
//	export NAME="VALUE"
//
// in which it has escaped the dollar signs and nothing else, and each task's shell
// sources those that grep selects:
//
//	source /dev/stdin <<<"$(cat <(grep -w -e 'NAME=.*' FILE))"
//
// So bash cuts, changes or executes what it finds between double quotes, a line
// break ends the line, and grep selects another secret's line too if NAME= stands
// in its value. [Form] chooses what a store does about it:
//
//   - [AsIs] writes any valid UTF-8 as it is, as "nextflow secrets set" would.
//   - [Unharmed] refuses, by name and rule, what a task would not get byte for byte.
//   - [Escaped] writes such a value with backslashes that the shell takes away
//     again, so that the task's variable is the value and nothing is executed. What
//     no backslash helps is refused: a line feed, a carriage return, a NUL byte, and
//     NAME= of another secret. So is a value that needs the backslashes and that the
//     pipeline also reads as secrets.NAME ([Store.Read]): it would see them.
//
// The environment of a process has a limit of its own, about 2 MB on Linux for all
// variables and arguments together, which thirty values of the largest size reach.
//
// Nextflow puts the file of lines, .nf-*.secrets, beside the store. Versions 24.05
// to 24.10 remove it when they end, unless they are killed; others leave it. So the
// store belongs into a directory that is removed after the run with all that is in
// it, as provider/hpc does. It is written in the default encoding of Nextflow's Java,
// which Nextflow's own launcher makes UTF-8, whatever the locale; one that does not,
// in the C locale, makes question marks of what is not ASCII.
//
// On a grid a task's .command.run is the script that Nextflow submits, so that the
// scheduler keeps what a pipeline's configuration puts into the environment of tasks
// (env { NAME = secrets.NAME }). Slurm keeps Nextflow's own environment with it, which
// should be paths and nothing secret. A task that begins when the store is gone runs
// without its secrets, and only a line of grep's in its log says so; by the route below
// it ends.
//
// # The byte-safe route
//
// A file in which values stand between single quotes, as provider/hpc writes it
// (PIPESECRETS_ENV), carries any value but a NUL byte. [Route] is the configuration
// that has all processes, or selected ones, take their secrets from there.
//
// # What a pipeline refers to
//
// [Scan] reads the sources of a pipeline and answers which secrets they refer to,
// where, how, and which of them the pipeline does without ([References.Needs]), so
// that a launch stages what is needed and no more, and says what is missing before
// anything starts.
package nextflow
