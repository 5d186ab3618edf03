//go:build unix

package hpc

import (
	"path/filepath"
	"strings"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Prologue returns text for a POSIX shell that gives a batch job the secrets in
// the memory of the node on which it runs. It stands in the job's script before all
// else, and holds paths only, so that whoever may read the script learns no more.
// An error is a *secrets.InvalidError: no reference is of this driver, or the root's
// path holds a line break, after which a scheduler might see a directive of its own.
//
// It makes a directory of mode 0700 below /dev/shm or, if that can't be written or is
// full, $TMPDIR, copies files/ and env.sh there and sources that env.sh; with NoEnv it
// copies the files only. PIPESECRETS_DIR and PIPESECRETS_ENV name the copies.
// /dev/shm comes first since it is memory on every node, where $TMPDIR may be a disk or
// a filesystem that is shared; no other place is tried. A job for which nothing can be
// copied ends with status 78 and one line on standard error. store.json stays where it
// was staged: Nextflow writes beside it what its tasks on other nodes read.
//
// The copy goes when the job ends: by itself, with whatever status, or by HUP, INT,
// PIPE, ALRM, TERM, USR1, USR2, XCPU or XFSZ, by which it then ends as if they were not
// trapped, once the command that it waits for has ended: schedulers signal that one
// too. The job may call the shell function pipesecrets_remove as soon as it needs the
// files no more. A job with a trap of its own for EXIT or one of these signals sets it
// after this text and calls pipesecrets_remove in it, since a shell has one trap for
// each. The copy outlives its job where no trap runs: if the shell is killed by KILL,
// as schedulers do some time after TERM, or by a signal that is none of these, or gives
// way to another program by exec. Then it is the node that removes it: by the mount
// namespace of the job, in Slurm job_container/tmpfs, by the scheduler's own $TMPDIR,
// or by the site's epilog, which removes /dev/shm/pipesecrets.* of the job's user.
//
// The text runs under any options that the job has set, and leaves them as they are. "set
// -x" and "set -v" show no value while it runs; a job that has set them shows, later,
// what it expands itself. Core files, which would hold the job's environment, are
// turned off by a soft limit, which the job may raise.
func (d *Driver) Prologue(refs []provider.Reference) (string, error) {
	files := d.Environment(refs)["PIPESECRETS_DIR"]
	if files == "" {
		return "", errNoReference
	}
	if strings.ContainsAny(files, "\r\n") {
		return "", rootError("may hold no line break to stand in a job's script")
	}
	copyEnv, load, show := ` && cp -- "$2/`+envFile+`" "$PIPESECRETS_COPY/"`, "\t. \"$2/"+envFile+"\"\n",
		"\tPIPESECRETS_ENV=$2/"+envFile+"\n\texport PIPESECRETS_ENV\n"
	if d.config.NoEnv {
		copyEnv, load, show = "", "", ""
	}
	return strings.NewReplacer(
		"@STAGED@", quote(filepath.Dir(files)), "@FILES@", filesDir,
		"@COPY_ENV@", copyEnv, "@LOAD@", load, "@SHOW@", show,
	).Replace(prologue), nil
}

var errNoReference = &secrets.InvalidError{Field: "references", Rule: "must be to files in this staging root"}

// prologue is what [Driver.Prologue] fills in. What must outlast the sourced file,
// which sets variables of any name, stands in positional parameters: the options of the
// shell in $1, the staged directory and later its copy in $2.
const prologue = `# pipesecrets: this job's secrets, copied to the memory of its node
PIPESECRETS_COPY=
pipesecrets_remove() {
	if [ -n "${PIPESECRETS_COPY:-}" ]; then
		rm -rf -- "$PIPESECRETS_COPY" 2>/dev/null || (
			set +f # no program starts in an environment of some megabytes
			for pipesecrets in "$PIPESECRETS_COPY/@FILES@"/*; do unset "${pipesecrets##*/}"; done
			rm -rf -- "$PIPESECRETS_COPY"
		) || echo "pipesecrets: $PIPESECRETS_COPY could not be removed" >&2
		PIPESECRETS_COPY=
	fi
}
pipesecrets_signal() {
	trap - EXIT "$1"
	pipesecrets_remove
	kill -s "$1" "$$"
	exit 1 # as process 1 of a container, which no signal ends
}
trap pipesecrets_remove EXIT
for pipesecrets in HUP INT PIPE ALRM TERM USR1 USR2 XCPU XFSZ; do
	trap "pipesecrets_signal $pipesecrets" "$pipesecrets"
done
pipesecrets_load() {
	set +xv
	ulimit -S -c 0 2>/dev/null || :
	for pipesecrets in /dev/shm "${TMPDIR:-}"; do
		case $pipesecrets in /*) ;; *) continue ;; esac
		PIPESECRETS_COPY=$(mktemp -d "$pipesecrets/pipesecrets.XXXXXXXXXX" 2>/dev/null) || continue
		if (umask 077 && mkdir -- "$PIPESECRETS_COPY/@FILES@" &&
			cp -R -- "$2/@FILES@/." "$PIPESECRETS_COPY/@FILES@/"@COPY_ENV@) 2>/dev/null; then
			break
		fi
		pipesecrets_remove
	done
	if [ -z "$PIPESECRETS_COPY" ]; then
		if [ -r "$2/@FILES@" ]; then
			echo "pipesecrets: the staged secrets could not be copied: is there no room in /dev/shm and TMPDIR?"
		else
			echo "pipesecrets: there is no $2 here that can be read: the secrets of a run are removed when it has ended"
		fi >&2
		exit 78
	fi
	set -- "$1" "$PIPESECRETS_COPY"
@LOAD@	PIPESECRETS_COPY=$2
	PIPESECRETS_DIR=$2/@FILES@
	export PIPESECRETS_DIR
@SHOW@	case $1 in *v*) set -v ;; esac
	case $1 in *x*) set -x ;; esac
}
pipesecrets_load "$-" @STAGED@
`

// quote returns s between single quotes, in which a POSIX shell expands nothing.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
