package awssm_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/middleware"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/awssm"
	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// bubble runs a test on a launcher of three secrets, in a bubble.
func bubble(t *testing.T, change func(*awssmtest.Fake, *awssm.Config), test func(*testing.T, *awssmtest.Fake, *launcher)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := awssmtest.New(awssmtest.Config{})
		test(t, f, newLauncher(t, f, 3, func(c *awssm.Config) {
			if change != nil {
				change(f, c)
			}
		}))
	})
}

// refused ends the test unless a launch fails with this, and leaves nothing of
// ours after a sweep.
func refused(t *testing.T, l *launcher, run, want string) {
	t.Helper()
	refs, err := l.launch(run, 3)
	if refs != nil || code(err) != want {
		t.Errorf("it says %v, want %s", err, want)
	}
}

func TestARunIDThatEndsLikeAnARNMeetsNoOther(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *awssmtest.Fake, l *launcher) {
		// The ARN of the first ends as the name of the second does.
		runs := []string{"wf", "wf-abc123", "wf-abc123-abc123"}
		for _, run := range runs {
			refs, err := l.launch(run, 3)
			if err != nil {
				t.Fatal(err)
			}
			for i, ref := range refs {
				if !holds(f, ref, l.plain[l.items[i].Pin]) {
					t.Errorf("%s is not at %s", ref.Name, ref.Locator)
				}
			}
		}
		for i, run := range runs {
			if _, err := l.complete(run); err != nil {
				t.Fatal(err)
			}
			if left := len(f.Secrets()); left != 3*(len(runs)-i-1) {
				t.Errorf("after %s there are %d", run, left)
			}
		}
	})
}

func TestAPrefixIsNoPattern(t *testing.T) {
	for _, prefix := range []string{".+", "tower-.", "a+b=@/", "=._-@"} {
		bubble(t, func(_ *awssmtest.Fake, c *awssm.Config) { c.Prefix = prefix }, func(t *testing.T, f *awssmtest.Fake, l *launcher) {
			f.Plant(awssmtest.Secret{Name: "tower-xr/TOKEN0", Tags: map[string]string{}}, []byte("theirs"))
			if _, err := l.launch("r", 3); err != nil {
				t.Fatal(err)
			}
			time.Sleep(16 * time.Minute)
			n := 0
			for o, err := range l.driver.List(t.Context(), mark) {
				if n++; err != nil || !strings.HasPrefix(o.Name, prefix+"r/") {
					t.Errorf("%q lists %q, %v", prefix, o.Name, err)
				}
			}
			if n != 3 {
				t.Errorf("%q lists %d", prefix, n)
			}
			if _, err := l.complete("r"); err != nil || len(f.Secrets()) != 1 {
				t.Errorf("%q leaves %d, %v", prefix, len(f.Secrets()), err)
			}
		})
	}
}

func TestANameThatIsScheduledToBeDeletedIsTaken(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *awssmtest.Fake, l *launcher) {
		f.Plant(awssmtest.Secret{Name: "tower-r/TOKEN1", DeletedDate: time.Now().Add(7 * 24 * time.Hour)}, []byte("theirs"))
		refused(t, l, "r", "create: taken")
		l.gone("r")
		if left := f.Secrets(); len(left) != 1 || left[0].DeletedDate.IsZero() {
			t.Errorf("there is %+v", left)
		}
		if n := calls(f)["RestoreSecret"]; n != 0 {
			t.Errorf("it was restored %d times", n)
		}
	})
}

func TestAForeignSecretUnderOurNameIsTakenAndStays(t *testing.T) {
	for _, tags := range []map[string]string{nil, {"pipesecrets-mark": "00000000000000000000000000000000"}, {"owner": "07000000000000000000000000000000"}} {
		bubble(t, nil, func(t *testing.T, f *awssmtest.Fake, l *launcher) {
			arn := f.Plant(awssmtest.Secret{Name: "tower-r/TOKEN1", Tags: tags}, []byte("theirs"))
			refused(t, l, "r", "create: taken")
			l.gone("r")
			if left := f.Secrets(); len(left) != 1 || left[0].ARN != arn || !left[0].Holds([]byte("theirs")) {
				t.Errorf("there is %+v", left)
			}
			for _, c := range f.Calls() {
				if c.Op == "DeleteSecret" && strings.Contains(c.Field("SecretId"), "TOKEN1") {
					t.Errorf("a delete was sent for it: %v", c.Fields)
				}
			}
		})
	}
}

func TestCredentialsThatExpireHalfWayLeaveNothingOnceThereAreOthers(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *awssmtest.Fake, l *launcher) {
		var n atomic.Int32
		f.Intercept(func(c awssmtest.Call) awssmtest.Fault {
			if c.Op == "CreateSecret" && n.Add(1) == 2 {
				f.Expire("AKLAUNCHER", time.Now())
			}
			return awssmtest.None
		})
		refused(t, l, "r", "create: unauthenticated")
		if len(f.Secrets()) == 0 {
			t.Fatal("nothing was made before they expired")
		}
		if _, err := l.sweep(); err == nil {
			t.Error("a sweep without credentials succeeds")
		}
		stats, err := l.ledger.Stats(t.Context())
		if err != nil || stats.Stuck == 0 {
			t.Errorf("what can't be removed is not stuck: %+v, %v", stats, err)
		}
		f.Expire("AKLAUNCHER", time.Now().Add(1000*time.Hour))
		l.gone("r")
		if left := f.Secrets(); len(left) != 0 {
			t.Errorf("there is %+v", left)
		}
	})
}

const key = "arn:aws:kms:eu-west-1:123456789012:key/12345678-1234-1234-1234-123456789012"

func TestAKeyThatCanNotBeUsedIsNamedAsTheReason(t *testing.T) {
	for _, state := range []awssmtest.KeyState{awssmtest.KeyDisabled, awssmtest.KeyDenied} {
		bubble(t, func(f *awssmtest.Fake, c *awssm.Config) {
			c.KMSKeyID = key
			f.KMS(key, state)
		}, func(t *testing.T, f *awssmtest.Fake, l *launcher) {
			refused(t, l, "r", "create: key unusable")
			l.gone("r")
			f.KMS(key, awssmtest.KeyEnabled)
			if _, err := l.launch("again", 3); err != nil {
				t.Fatal(err)
			}
			for _, s := range f.Secrets() {
				if s.KMSKeyID != key {
					t.Errorf("%s is sealed by %q", s.Name, s.KMSKeyID)
				}
			}
		})
	}
}

func TestWhereDeletingAtOnceIsDeniedItIsScheduledAndStaysVisible(t *testing.T) {
	const deny = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"secretsmanager:*","Resource":"*"},
		{"Effect":"Deny","Action":"secretsmanager:DeleteSecret","Resource":"*","Condition":{"Bool":{"secretsmanager:ForceDeleteWithoutRecovery":"true"}}}]}`
	bubble(t, nil, func(t *testing.T, f *awssmtest.Fake, l *launcher) {
		if err := f.Allow("AKLAUNCHER", deny); err != nil {
			t.Fatal(err)
		}
		if _, err := l.launch("r", 3); err != nil {
			t.Fatal(err)
		}
		receipt, err := l.complete("r")
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range receipt.Rows {
			if row.State != stage.Pending {
				t.Errorf("it is %s", row.State)
			}
		}
		for _, s := range f.Secrets() {
			if d := time.Until(s.DeletedDate); d != 7*24*time.Hour {
				t.Errorf("%s goes in %v", s.Name, d)
			}
		}
		before := calls(f)["DeleteSecret"]
		for range 24 * 6 {
			time.Sleep(time.Hour)
			if _, err := l.sweep(); err != nil {
				t.Fatal(err)
			}
			if stats, err := l.ledger.Stats(t.Context()); err != nil || stats.Staged != 3 {
				t.Fatalf("it is no longer visible: %+v, %v", stats, err)
			}
		}
		if n := calls(f)["DeleteSecret"]; n != before || before != 6 {
			t.Errorf("%d deletes, and then %d", before, n-before)
		}
		time.Sleep(24 * time.Hour)
		l.gone("r")
	})
}

func TestWhereDeletingIsDeniedAltogetherItIsStuck(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *awssmtest.Fake, l *launcher) {
		if _, err := l.launch("r", 3); err != nil {
			t.Fatal(err)
		}
		f.Refuse(func(string) bool { return true })
		if _, err := l.complete("r"); code(err) != "remove: forbidden" {
			t.Errorf("it says %v", err)
		}
		for _, row := range l.rows("r") {
			if row.State != stage.Stuck || row.Code != provider.Forbidden {
				t.Errorf("it is %s, %s", row.State, row.Code)
			}
		}
		f.Refuse(nil)
		l.gone("r")
	})
}

func TestWhereListingIsDeniedASweepSaysSoAndRemovesWhatItKnows(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *awssmtest.Fake, l *launcher) {
		if _, err := l.launch("r", 3); err != nil {
			t.Fatal(err)
		}
		err := f.Allow("AKLAUNCHER", string(l.driver.IAMPolicy(awssm.Launcher)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.complete("r"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(16 * time.Minute)
		if _, err := l.sweep(); code(err) != "list: forbidden" {
			t.Errorf("it says %v", err)
		}
		for _, row := range l.rows("r") {
			if row.State != stage.Gone {
				t.Errorf("it is %s", row.State)
			}
		}
	})
}

func TestCredentialsOfAnotherAccountAreNoProofOfAbsence(t *testing.T) {
	bubble(t, func(_ *awssmtest.Fake, c *awssm.Config) { c.Account = "210987654321" }, func(t *testing.T, f *awssmtest.Fake, l *launcher) {
		if p, _, err := l.driver.Probe(t.Context(), provider.Object{Name: "tower-r/TOKEN0", Mark: mark}); err == nil || p != provider.Unknown {
			t.Errorf("a look says %d, %v", p, err)
		}
		refused(t, l, "r", "create: elsewhere")
		if left := f.Secrets(); len(left) != 0 {
			t.Errorf("in the other account there is %v", left)
		}
	})
}

func TestARequestWhoseTimeIsOverIsNotSent(t *testing.T) {
	bubble(t, func(f *awssmtest.Fake, c *awssm.Config) {
		// Signing takes longer than a call may, as where credentials are fetched first.
		c.Client = f.Client("AKLAUNCHER", func(o *secretsmanager.Options) {
			was := o.Credentials
			o.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
				time.Sleep(2 * time.Minute)
				return was.Retrieve(context.WithoutCancel(ctx))
			})
		})
	}, func(t *testing.T, f *awssmtest.Fake, l *launcher) {
		if _, err := l.launch("r", 3); err == nil {
			t.Error("it was launched")
		}
		for _, c := range f.Calls() {
			if c.Op == "CreateSecret" {
				t.Errorf("at %v a create was sent", c.At)
			}
		}
	})
}

// careless is a client that drops the options of a call.
type careless struct{ awssm.Client }

func (c careless) CreateSecret(ctx context.Context, in *secretsmanager.CreateSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error) {
	return c.Client.CreateSecret(ctx, in)
}

func TestAClientThatDropsOptionsIsFoundOut(t *testing.T) {
	bubble(t, func(_ *awssmtest.Fake, c *awssm.Config) { c.Client = careless{c.Client} }, func(t *testing.T, f *awssmtest.Fake, l *launcher) {
		refused(t, l, "r", "create: internal")
		l.gone("r")
		if left := f.Secrets(); len(left) != 0 {
			t.Errorf("there is %v", left)
		}
	})
}

func TestCallsGoToTheConfiguredRegion(t *testing.T) {
	var mu sync.Mutex
	var regions []string
	bubble(t, func(f *awssmtest.Fake, c *awssm.Config) {
		c.Client = f.Client("AKLAUNCHER", func(o *secretsmanager.Options) {
			o.Region = "us-east-1"
			o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
				return s.Finalize.Add(middleware.FinalizeMiddlewareFunc("region", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
					mu.Lock()
					defer mu.Unlock()
					regions = append(regions, awsmiddleware.GetRegion(ctx))
					return next.HandleFinalize(ctx, in)
				}), middleware.After)
			})
		})
	}, func(t *testing.T, _ *awssmtest.Fake, l *launcher) {
		if _, err := l.launch("r", 3); err != nil {
			t.Fatal(err)
		}
		if len(regions) != 3 || slices.ContainsFunc(regions, func(r string) bool { return r != region }) {
			t.Errorf("they go to %q", regions)
		}
	})
}

func TestWhatHasMoreThanAWSHoldsIsNotSent(t *testing.T) {
	bubble(t, func(_ *awssmtest.Fake, c *awssm.Config) { c.Layout = awssm.JSONMap }, func(t *testing.T, f *awssmtest.Fake, l *launcher) {
		n := l.items[0].Name
		o := provider.Object{Name: "tower-r/map.1", Token: strings.Repeat("t", 32), Mark: mark, Stage: "s", Items: []provider.Item{{Name: n}}}
		_, err := l.driver.Create(t.Context(), o, func(context.Context) (map[secrets.Name]secrets.Value, error) {
			v, err := secrets.NewValue([]byte(strings.Repeat("\"", 40000)))
			return map[secrets.Name]secrets.Value{n: v}, err
		})
		if code(err) != "create: quota" || len(f.Calls()) != 0 {
			t.Errorf("it says %v after %d calls", err, len(f.Calls()))
		}
		deposed := errors.New("deposed")
		_, err = l.driver.Create(t.Context(), o, func(context.Context) (map[secrets.Name]secrets.Value, error) { return nil, deposed })
		if !errors.Is(err, deposed) || len(f.Calls()) != 0 {
			t.Errorf("it says %v after %d calls", err, len(f.Calls()))
		}
	})
}
