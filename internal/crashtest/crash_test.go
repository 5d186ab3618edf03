package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Roles of workers that are broken on purpose.
const (
	eagerRole      = "eager worker"
	eagerOnAWSRole = "worker that is eager on AWS"
	hastyRole      = "hasty worker"
	tardyRole      = "tardy worker"

	quitterRole = "quitter" // ends by itself
)

func TestMain(m *testing.M) {
	role := os.Getenv(roleEnv)
	if role == "" {
		syscall.Umask(0o022) // a staging root may be writable by nobody else
		os.Exit(m.Run())
	}
	if role == quitterRole {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, play(role, map[string]func(*pipesecrets.Config){
		workerRole:     func(*pipesecrets.Config) {},
		eagerRole:      func(c *pipesecrets.Config) { beEager(c, cluster) },
		eagerOnAWSRole: func(c *pipesecrets.Config) { beEager(c, awsCloud) },
		hastyRole:      beHasty,
		tardyRole:      beTardy,
	}[role]))
	os.Exit(1)
}

// crashed runs a trial on a platform without freedoms, which cost a test too much
// time. settler may be nil.
func crashed(t *testing.T, worker string, kills int, limit time.Duration, settler func(*pipesecrets.Config)) (*summary, verdict) {
	t.Helper()
	var said bytes.Buffer
	s, err := trial{kills, worker, calmRole, limit, settler}.crash(t.Context(), &bar{to: &said, kills: kills})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v", s)
	if s.tally.kills != kills {
		t.Errorf("%d kills", s.tally.kills)
	}
	return s, s.sum()
}

func TestAProcessThatEndsByItselfWasNotKilled(t *testing.T) {
	p, err := start(t.Context(), quitterRole, t.TempDir(), idle)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.stdout.ReadByte(); err == nil { // until it has ended
		t.Error("it said something")
	}
	if err := p.kill(); err == nil {
		t.Error("a kill was counted")
	}
}

func TestKilledLaunchersLeaveNothingAndLoseNothing(t *testing.T) {
	s, total := crashed(t, workerRole, 40, limit, nil)
	if err := s.judge(); err != nil {
		t.Error(err)
	}
	for _, k := range []kind{launching, between} {
		if s.tally.count(k) == 0 {
			t.Errorf("no kill within %s", k)
		}
	}
	if total.looks == 0 || total.platform.Creates == 0 || total.aws.Creates == 0 {
		t.Error("nothing was staged while it was looked at")
	}
}

// eager is a launcher that creates before it commits that it will.
type eager struct {
	pipesecrets.Backend
	target string
	driver eagerDriver
}

type eagerDriver struct {
	provider.Provider
	provider.Lister
	made map[string]string
}

func beEager(c *pipesecrets.Config, target string) {
	d := eagerDriver{c.Targets[target], c.Targets[target].(provider.Lister), map[string]string{}}
	c.Targets[target] = d
	c.Backend = eager{c.Backend, target, d}
}

func (e eager) Begin(ctx context.Context, r stage.Run, rows []stage.Row, t stage.Terms, ev ...secrets.Event) (stage.Run, error) {
	for _, row := range rows {
		if row.Target != e.target {
			continue
		}
		id, err := e.driver.Provider.Create(ctx, row.Object, func(context.Context) (map[secrets.Name]secrets.Value, error) {
			values := map[secrets.Name]secrets.Value{}
			for _, item := range row.Object.Items {
				values[item.Name], _ = newValue()
			}
			return values, nil
		})
		if err != nil {
			return stage.Run{}, err
		}
		e.driver.made[row.Object.Stage] = id
	}
	time.Sleep(200 * time.Millisecond) // for a kill to fall into
	return e.Backend.Begin(ctx, r, rows, t, ev...)
}

func (d eagerDriver) Create(_ context.Context, o provider.Object, _ provider.Opener) (string, error) {
	return d.made[o.Stage], nil
}

func TestALauncherThatCreatesBeforeItsIntentIsCommittedLeavesSomething(t *testing.T) {
	for _, role := range []string{eagerRole, eagerOnAWSRole} {
		t.Run(role, func(t *testing.T) {
			for range 5 { // a trial's kills may all fall elsewhere
				if _, total := crashed(t, role, 40, 2*bound, nil); len(total.leftovers) > 0 {
					return
				}
			}
			t.Error("nothing was left: the crash test can't see what it is for")
		})
	}
}

// hasty is a database that acknowledges a write and commits it soon after.
type hasty struct{ pipesecrets.Backend }

func beHasty(c *pipesecrets.Config) { c.Backend = hasty{c.Backend} }

func (h hasty) Put(ctx context.Context, r secrets.Record, prev secrets.Version, ev ...secrets.Event) error {
	go func() {
		time.Sleep(100 * time.Millisecond) // for a kill to fall into
		_ = h.Backend.Put(context.WithoutCancel(ctx), r, prev, ev...)
	}()
	return nil
}

func TestADatabaseThatAcknowledgesBeforeItCommitsLosesSomething(t *testing.T) {
	for range 5 {
		if _, total := crashed(t, hastyRole, 40, limit, nil); len(total.lost) > 0 {
			return
		}
	}
	t.Error("nothing was lost: the crash test can't see what it is for")
}

// tardy is a database that tells what is due twenty seconds after it is.
type tardy struct{ pipesecrets.Backend }

func beTardy(c *pipesecrets.Config) { c.Backend = tardy{c.Backend} }

func (l tardy) Due(ctx context.Context, at time.Time, n int) ([]secrets.RunID, error) {
	return l.Backend.Due(ctx, at.Add(-20*time.Second), n)
}

func TestASweepThatComesLateIsNoticed(t *testing.T) {
	s, total := crashed(t, tardyRole, 10, limit, beTardy)
	if err := s.judge(); err == nil || len(total.leftovers) != 0 || !strings.Contains(err.Error(), "may take") {
		t.Errorf("it says %v", err)
	}
}
