//go:build unix

// Package hpc stages a run's secrets as files on a POSIX filesystem that batch
// jobs read: one directory of mode 0700 per run, with files of mode 0600.
//
//	ROOT/.psec-root   by which the root is known again
//	ROOT/psec-MARK-NONCE/
//	    env.sh        export NAME='...' for every secret; for any POSIX shell to source
//	    store.json    Nextflow's own store file, for NXF_SECRETS_FILE
//	    files/NAME    the bytes of one secret and nothing else
//
// [Driver.Environment] names them for a job: paths only, so that nothing of a
// value stands in a job's script, arguments or submitted environment.
//
// # Jobs
//
// A job's script begins with the text of [Driver.Prologue], which gives the job its
// secrets in the memory of its node. Nothing of a value is in that text, and so in no
// record of a scheduler. The rest of a record is the submitter's environment, with
// whatever the launcher has in its own, unless it is left out:
//
//	Slurm        --export=NONE   by default all is recorded (sbatch(1), --export)
//	LSF          -env "none"     by default all is recorded (bsub(1), -env)
//	SGE          without -V      by default none is (qsub(1), -V, -v; sge_request(5))
//	PBS, Torque  without -V      by default only HOME, PATH and the like (qsub(1B), -V)
//	Moab         without -V      msub takes the options of qsub (Moab, msub)
//
// These are arguments rather than directives in the script, which SBATCH_EXPORT in the
// submitter's environment would override. What a job exports under --export=NONE, srun
// gives to its steps only with SLURM_EXPORT_ENV=ALL (sbatch(1)). The prologue serves
// the node on which it runs: on other nodes a task begins with the same text. SGE and
// PBS may choose the user's login shell for a script; -S /bin/sh sees to a POSIX one.
//
// # Files
//
// The root must be a directory that nobody else can swap or write in: it, every
// parent and every symbolic link to it belongs to root or to the launcher, and
// parents are writable by their owners only, or sticky as /tmp is. A POSIX ACL by
// which others may write there shows in the mode and is refused with it; a default
// ACL of the root that names users or groups is refused too, since one chmod of a
// task would let these in. ACLs of NFSv4 can't be judged. A path under which
// another directory shows up, such as the one below a missing mount, is
// unavailable: nothing there is taken for gone. Whoever deletes the mark makes all
// that is staged there stuck until it is put back. Run directories have unguessable
// names. Every file is created by O_EXCL with its mode in the open call and again
// on the descriptor, whatever the umask, and gets no byte unless it then has that
// mode and this owner; files and directories are synced before their references are
// handed out. All access goes through os.Root, so that no link inside leads out.
//
// Creating makes the empty directory first and asks for the values then: a
// launcher that was paused in between and has been cleaned up after finds its
// fence closed, and one that is paused later writes into a directory that is
// gone, which fails. A full filesystem is refused with [provider.Quota], a
// read-only one with [provider.Forbidden], and nothing half-written stays.
//
// Removing takes the whole directory, with whatever a task or Nextflow left in
// it, and syncs the root. A file that has no other name is also emptied, so that
// whoever still has it open reads nothing. What is busy, such as the .nfs* that a
// client of NFS keeps as long as a process has a removed file open, makes the
// removal fail with [provider.Unavailable], to be repeated. Removed is not wiped:
// snapshots, backups and the disk's own blocks are out of reach, and so is a copy
// or a hard link that a task made.
//
// # Jobs of another user
//
// Where the launcher is root, [Config.JobUID] is the user whose jobs read: files
// and directories are handed over on their descriptors when they are written, the
// run's directory last. That user may then do anything in it, also while root
// removes it or withdraws from it. Removing takes each directory back, from the top
// down, before it looks into it; neither follows a link, changes a mode or an owner
// by name, or empties a directory that is neither that user's nor the driver's: the
// user could have moved it there and could not have emptied it. Such a directory
// makes the removal fail with [provider.Forbidden], and what was the run's is gone.
package hpc
