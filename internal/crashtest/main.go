// Crashtest kills launchers by SIGKILL, again and again, and looks whether what
// they left is cleaned up by those that come after:
//
//	go run ./internal/crashtest -kills 500
//
// Two launchers at a time, each a process, work on one SQLite database with three
// targets: a staging directory (provider/hpc), and in a process of their own a
// platform that is late, forgetful and repeats itself as an eventually consistent one
// may (provider/providertest), and AWS Secrets Manager, which is so too, behind its
// driver and on the wire (provider/awssm, provider/awssm/awssmtest). They create,
// update and revoke secrets, launch, renew and complete runs, sweep, and rewrap under
// new keys, and tell the parent what they set out to do and what was acknowledged.
// The parent kills one at a moment of its choice and starts another, all the while
// looking at what is staged for the runs under way.
//
// Every fifty kills it sweeps until nothing is left, on a bound, and holds what it
// was told against what there is: leftovers are objects, files, directories, lines
// of the ledger that are not over, and whatever a sweep had to put in quarantine,
// since the ledger had called it gone; corrupt is what SQLite's integrity_check
// complains of, and every record that does not open; lost_acknowledged is what was
// acknowledged and is not so, such as a value that is another one, a file that was
// taken from a run that needs it, or an event that is not in the audit log.
//
// It also fails if the times are not kept, if the kills missed what they were aimed
// at, if too little was acknowledged for anything to be lost, and if an operation
// failed for a reason that nothing here explains.
//
// A killed process leaves the page cache behind: this test can't tell whether a
// commit was synced.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/pipesecrets/pipesecrets"
)

func main() {
	if role := os.Getenv(roleEnv); role != "" {
		fmt.Fprintln(os.Stderr, play(role, func(*pipesecrets.Config) {}))
		os.Exit(1)
	}
	kills := flag.Int("kills", 500, "how many launchers to kill")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := trial{*kills, workerRole, platformRole, limit, nil}.crash(ctx, newBar(os.Stderr, *kills))
	if err == nil {
		fmt.Print(s)
		err = s.judge()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "crashtest:", err)
		os.Exit(1)
	}
}

// play is what a child does until it is killed or fails.
func play(role string, change func(*pipesecrets.Config)) error {
	dieWithParent()
	dir := os.Getenv(dirEnv)
	switch role {
	case platformRole, calmRole:
		return servePlatform(dir, role == calmRole)
	}
	return work(context.Background(), dir, kind(os.Getenv(favourEnv)), change)
}
