package awssm_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/awssm"
	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// object is an object of one secret and an opener of its value.
func object(t *testing.T, name string) (provider.Object, provider.Opener) {
	t.Helper()
	n, err := secrets.ParseName(name)
	if err != nil {
		t.Fatal(err)
	}
	run, err := secrets.ParseRunID("r")
	if err != nil {
		t.Fatal(err)
	}
	o := provider.Object{Stage: rand.Text(), Name: "tower-r/" + name, Token: strings.Repeat("t", 32), Mark: mark, Run: run, Items: []provider.Item{{Name: n}}}
	return o, func(context.Context) (map[secrets.Name]secrets.Value, error) {
		v, err := secrets.NewValue([]byte(rand.Text()))
		return map[secrets.Name]secrets.Value{n: v}, err
	}
}

func TestANameWithKMSInItIsScheduledToBeDeletedLikeAnyOther(t *testing.T) {
	f := awssmtest.New(awssmtest.Config{})
	c := config(f)
	c.Client = f.Client("AKKMSLAUNCHER")
	d := newDriver(t, c)
	if err := f.Allow("AKKMSLAUNCHER", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"secretsmanager:*","Resource":"*"},
		{"Effect":"Deny","Action":"secretsmanager:DeleteSecret","Resource":"*","Condition":{"Bool":{"secretsmanager:ForceDeleteWithoutRecovery":"true"}}}]}`); err != nil {
		t.Fatal(err)
	}
	o, open := object(t, "KMS_TOKEN")
	id, err := d.Create(t.Context(), o, open)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(t.Context(), o, id); err != nil {
		t.Error(err)
	}
	if p, _, err := d.Probe(t.Context(), o); p != provider.Pending || err != nil {
		t.Errorf("it is %d, %v", p, err)
	}
}

func TestCleaningUpInAnotherAccountEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := awssmtest.New(awssmtest.Config{})
		c := config(f)
		c.Account = "210987654321"
		d := newDriver(t, c)
		f.Intercept(func(c awssmtest.Call) awssmtest.Fault {
			if c.Op == "DeleteSecret" {
				return awssmtest.HangBefore
			}
			return awssmtest.None
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		o, open := object(t, "TOKEN")
		if _, err := d.Create(ctx, o, open); err == nil || time.Since(began) > time.Minute {
			t.Errorf("after %v it says %v", time.Since(began), err)
		}
	})
}

func TestACopyOfOursUnderAnotherNameIsNotOurs(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *awssmtest.Fake, l *launcher) {
		if _, err := l.launch("r", 3); err != nil {
			t.Fatal(err)
		}
		tags := f.Secrets()[0].Tags
		if tags["pipesecrets-mark"] != hex.EncodeToString(mark[:]) {
			t.Fatalf("it has the tags %v", tags)
		}
		for _, name := range []string{"tower-database", "tower-other/TOKEN0", "tower-/TOKEN0"} {
			f.Plant(awssmtest.Secret{Name: name, Tags: tags}, []byte("theirs"))
		}
		if _, err := l.complete("r"); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			time.Sleep(time.Hour)
			if _, err := l.sweep(); err != nil {
				t.Fatal(err)
			}
		}
		if left := f.Secrets(); len(left) != 3 {
			t.Errorf("of three copies there are %v", left)
		}
	})
}

func TestReferencesAreOfTheLayoutThatTheRunWasLaunchedIn(t *testing.T) {
	layouts(t, func(t *testing.T, layout awssm.Layout) {
		synctest.Test(t, func(t *testing.T) {
			f := awssmtest.New(awssmtest.Config{})
			l := newLauncher(t, f, 3, func(c *awssm.Config) { c.Layout = layout })
			if _, err := l.launch("r", 3); err != nil {
				t.Fatal(err)
			}
			c := config(f)
			c.Layout = 1 - layout
			now := newDriver(t, c)
			n := 0
			for _, row := range l.rows("r") {
				for _, ref := range now.References(row.Object, row.ID) {
					n++
					i := 0
					for l.items[i].Name != ref.Name {
						i++
					}
					if !holds(f, ref, l.plain[l.items[i].Pin]) {
						t.Errorf("%s is not at %s", ref.Name, ref.Locator)
					}
				}
			}
			if n != 3 {
				t.Errorf("%d references", n)
			}
		})
	})
}

// deaf is a client that drops the options of the calls that look and delete.
type deaf struct{ awssm.Client }

func (d deaf) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	return d.Client.DescribeSecret(ctx, in)
}

func (d deaf) DeleteSecret(ctx context.Context, in *secretsmanager.DeleteSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error) {
	return d.Client.DeleteSecret(ctx, in)
}

func (d deaf) ListSecrets(ctx context.Context, in *secretsmanager.ListSecretsInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretsOutput, error) {
	return d.Client.ListSecrets(ctx, in)
}

func TestAClientThatLooksInAnotherRegionProvesNothing(t *testing.T) {
	bubble(t, func(_ *awssmtest.Fake, c *awssm.Config) { c.Client = deaf{c.Client} }, func(t *testing.T, f *awssmtest.Fake, l *launcher) {
		if _, err := l.launch("r", 3); err != nil {
			t.Fatal(err)
		}
		if _, err := l.complete("r"); code(err) != "remove: internal" {
			t.Errorf("it says %v", err)
		}
		for _, row := range l.rows("r") {
			if row.State != stage.Stuck {
				t.Errorf("it is %s", row.State)
			}
		}
		for _, err := range l.driver.List(t.Context(), mark) {
			if code(err) != "list: internal" {
				t.Errorf("a list says %v", err)
			}
		}
	})
}

func TestWhatPreflightTakesFitsIntoAJobDefinition(t *testing.T) {
	f := awssmtest.New(awssmtest.Config{})
	c := config(f)
	c.Prefix = strings.Repeat("p", 100)
	d := newDriver(t, c)
	role := "arn:aws:iam::123456789012:role/" + strings.Repeat("r", 512) + "/" + strings.Repeat("n", 64)
	long, err := secrets.ParseRunID(strings.Repeat("r", secrets.MaxRunID))
	if err != nil {
		t.Fatal(err)
	}
	taken := 0
	for n := 1; ; n++ {
		var items []provider.Item
		for i := range n {
			name, err := secrets.ParseName(fmt.Sprint("TOKEN", i))
			if err != nil {
				t.Fatal(err)
			}
			items = append(items, provider.Item{Name: name})
		}
		if _, err := d.Plan(secrets.RunID{}, items, nil); err != nil {
			break
		}
		objects, err := d.Plan(long, items, nil)
		if err != nil {
			t.Fatalf("%d secrets: without a run's id it was taken, and now: %v", n, err)
		}
		taken = n
		var refs []provider.Reference
		for _, o := range objects {
			arn := "arn:aws:secretsmanager:" + region + ":" + account + ":secret:" + o.Name + "-Ab12Cd"
			refs = append(refs, d.References(o, arn)...)
		}
		if _, err := awssm.JobDefinition(refs, role); err != nil {
			t.Fatalf("%d secrets: %v", n, err)
		}
	}
	if taken < 50 {
		t.Errorf("only %d are taken", taken)
	}
}

func TestACreateThatWaitedForItsTurnIsNotMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late atomic.Bool
		f := awssmtest.New(awssmtest.Config{Choose: func(f awssmtest.Freedom, n int) int {
			if late.Load() && (strings.HasPrefix(string(f), string(awssmtest.LandLate)) || f == awssmtest.StaleDescribe) {
				return n - 1
			}
			return 0
		}})
		l := newLauncher(t, f, 1, nil)
		began := time.Now()
		f.Intercept(func(c awssmtest.Call) awssmtest.Fault {
			if c.Op == "CreateSecret" && time.Since(began) < 45*time.Second {
				return awssmtest.Throttled
			}
			late.Store(true) // from here on all is as late as it can be
			return awssmtest.None
		})
		done := make(chan error)
		go func() {
			_, err := l.launch("r", 1)
			done <- err
		}()
		time.Sleep(500 * time.Millisecond)
		_, _ = l.complete("r") // its launcher is still at work
		<-done
		for range 60 {
			time.Sleep(30 * time.Second)
			_, _ = l.engine.Sweep(t.Context(), "operator:x", [16]byte{}) // which does not list
			for _, row := range l.rows("r") {
				if row.State == stage.Gone && len(f.Secrets()) > 0 {
					t.Fatalf("%v after the launch it is gone by the ledger, and there", time.Since(began))
				}
			}
		}
		if len(f.Secrets()) != 0 {
			t.Error("it is still there")
		}
	})
}
