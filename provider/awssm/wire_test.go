package awssm_test

import (
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/pipesecrets/pipesecrets/provider/awssm"
	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
)

func TestARunTakesOneCreateOneDeleteAndTwoLooksASecret(t *testing.T) {
	for _, c := range []struct {
		layout  awssm.Layout
		n       int
		objects int
	}{{awssm.PerSecret, 1, 1}, {awssm.PerSecret, 20, 20}, {awssm.JSONMap, 20, 1}} {
		synctest.Test(t, func(t *testing.T) {
			f := awssmtest.New(awssmtest.Config{})
			l := newLauncher(t, f, c.n, func(c2 *awssm.Config) { c2.Layout = c.layout })
			if _, err := l.launch("r", c.n); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]int{"CreateSecret": c.objects}, calls(f)); diff != "" {
				t.Errorf("a launch: %s", diff)
			}
			if _, err := l.complete("r"); err != nil {
				t.Fatal(err)
			}
			want := map[string]int{"CreateSecret": c.objects, "DeleteSecret": c.objects, "DescribeSecret": c.objects}
			if diff := cmp.Diff(want, calls(f)); diff != "" {
				t.Errorf("until it was completed: %s", diff)
			}
			time.Sleep(16 * time.Minute)
			if _, err := l.engine.Sweep(t.Context(), "operator:x", [16]byte{}); err != nil {
				t.Fatal(err)
			}
			want["DescribeSecret"] *= 2
			if diff := cmp.Diff(want, calls(f)); diff != "" {
				t.Errorf("until it was gone: %s", diff)
			}
			l.gone("r")
			if left := f.Secrets(); len(left) != 0 {
				t.Errorf("there is %v", left)
			}
		})
	}
}

func TestAMapTakesOneCreateAndOneDeleteAShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := awssmtest.New(awssmtest.Config{})
		l := newLauncher(t, f, 5, func(c *awssm.Config) { c.Layout = awssm.JSONMap })
		for pin := range l.plain {
			l.plain[pin] = []byte(fmt.Sprintf("%030000d", pin.ID))
		}
		refs, err := l.launch("r", 5)
		if err != nil {
			t.Fatal(err)
		}
		for i, ref := range refs {
			if !holds(f, ref, l.plain[l.items[i].Pin]) {
				t.Errorf("%s can't be read by %s", ref.Name, ref.Locator)
			}
		}
		_, err = l.complete("r")
		got := calls(f)
		if err != nil || got["CreateSecret"] != 3 || got["DeleteSecret"] != 3 {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// slow lets each call take a while.
func slow(f *awssmtest.Fake, d time.Duration) {
	f.Intercept(func(awssmtest.Call) awssmtest.Fault {
		time.Sleep(d)
		return awssmtest.None
	})
}

func TestALaunchOf20SecretsTakesFourRoundTrips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const trip = 50 * time.Millisecond
		f := awssmtest.New(awssmtest.Config{Quota: awssmtest.DefaultQuota()})
		slow(f, trip)
		l := newLauncher(t, f, 20, nil)
		began := time.Now()
		if _, err := l.launch("r", 20); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 4*trip {
			t.Errorf("it takes %v", took)
		}
		t.Log(time.Since(began))
	})
}

// launches launches runs of so many secrets each, all from now on, and answers
// when each was launched. None may fail.
func launches(t *testing.T, l *launcher, sizes map[string]int) map[string]time.Duration {
	t.Helper()
	began := time.Now()
	took := map[string]time.Duration{}
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, run := range slices.Sorted(maps.Keys(sizes)) {
		group.Go(func() {
			refs, err := l.launch(run, sizes[run])
			if err != nil || len(refs) != sizes[run] {
				t.Errorf("%s: %d references, %v", run, len(refs), err)
			}
			mu.Lock()
			defer mu.Unlock()
			took[run] = time.Since(began)
		})
	}
	group.Wait()
	return took
}

func hundred(n int) map[string]int {
	sizes := map[string]int{}
	for i := range 100 {
		sizes[fmt.Sprint("r", i)] = n
	}
	return sizes
}

func TestAHundredLaunchesAtOnceTakeWhatTheQuotaDemands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := awssmtest.New(awssmtest.Config{Quota: awssmtest.DefaultQuota()})
		slow(f, 50*time.Millisecond)
		l := newLauncher(t, f, 10, nil)
		began := time.Now()
		took := slices.Max(slices.Collect(maps.Values(launches(t, l, hundred(10)))))
		const bound = 19 * time.Second // 1,000 creates, 50 of them at once, 50 a second
		if took > bound*11/10 {
			t.Errorf("it takes %v, and the quota demands %v", took, bound)
		}
		if n := calls(f)["CreateSecret"]; n > 1050 {
			t.Errorf("it takes %d creates", n)
		}
		t.Logf("launched in %v", took)
		var group sync.WaitGroup
		for run := range hundred(10) {
			group.Go(func() {
				if _, err := l.complete(run); err != nil {
					t.Errorf("%s: %v", run, err)
				}
			})
		}
		group.Wait()
		if left := f.Secrets(); len(left) != 0 {
			t.Errorf("%d are left", len(left))
		}
		t.Logf("completed after %v", time.Since(began))
	})
}

func TestASmallLaunchDoesNotWaitForALargeOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := awssmtest.New(awssmtest.Config{Quota: awssmtest.DefaultQuota()})
		slow(f, 50*time.Millisecond)
		l := newLauncher(t, f, 500, func(c *awssm.Config) { c.MaxJobDefinition = -1 })
		var large map[string]time.Duration
		var group sync.WaitGroup
		group.Go(func() { large = launches(t, l, map[string]int{"large": 500}) })
		time.Sleep(3 * time.Second)
		small := launches(t, l, map[string]int{"small": 1})["small"]
		group.Wait()
		if small > 2*time.Second || large["large"] < 5*time.Second {
			t.Errorf("the small one takes %v, the large one %v", small, large["large"])
		}
		t.Logf("%v behind one of %v", small, large["large"])
	})
}

func TestAStrangerWhoUsesHalfTheQuotaMakesNoLaunchFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := awssmtest.New(awssmtest.Config{Quota: awssmtest.DefaultQuota()})
		slow(f, 50*time.Millisecond)
		stranger := f.Client("AKSTRANGER", func(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} })
		over := make(chan struct{})
		var group sync.WaitGroup
		group.Go(func() {
			for tick := time.NewTicker(40 * time.Millisecond); ; { // 25 a second
				select {
				case <-over:
					return
				case <-tick.C:
					group.Go(func() { // who is throttled gives up
						_, _ = stranger.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
							Name: aws.String("theirs/" + rand.Text()), SecretString: aws.String("x"),
						})
					})
				}
			}
		})
		l := newLauncher(t, f, 10, nil)
		took := slices.Max(slices.Collect(maps.Values(launches(t, l, hundred(10)))))
		close(over)
		group.Wait()
		throttled := 0
		for _, c := range f.Calls() {
			if c.Code == "ThrottlingException" {
				throttled++
			}
		}
		if throttled == 0 {
			t.Error("nobody was throttled: the stranger used nothing")
		}
		t.Logf("launched in %v, %d calls were throttled", took, throttled)
	})
}
