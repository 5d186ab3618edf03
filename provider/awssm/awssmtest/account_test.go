package awssmtest_test

import (
	"errors"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
)

// clock is one that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// account is a fake with a clock, and one who calls it. A row's names and calls
// serve here too.
type account struct {
	*world
	*clock
	fake *awssmtest.Fake
}

func newAccount(t *testing.T, c awssmtest.Config) *account {
	t.Helper()
	watch := &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	c.Now = watch.Now
	fake := awssmtest.New(c)
	a := &account{world: newWorld(t, ""), clock: watch, fake: fake}
	a.client = a.as("launcher")
	return a
}

// as is the client of a principal, which sees each answer.
func (a *account) as(accessKey string) *secretsmanager.Client {
	return a.fake.Client(accessKey, func(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} })
}

// by makes a call as a principal.
func (a *account) by(accessKey, op string, in f) answer {
	a.t.Helper()
	w := *a.world
	w.client = a.as(accessKey)
	return w.do(op, in)
}

// reset reports whether a call fails by a connection that is reset.
func (a *account) reset(op string, in f) bool {
	a.t.Helper()
	return errors.Is(a.fails(op, in), syscall.ECONNRESET)
}

// fails is the error of a call.
func (a *account) fails(op string, in f) error {
	a.t.Helper()
	_, err := calls[op](a.t.Context(), a.client, marshal(a.t, in))
	return err
}

// has reports whether the fake has, in truth, what was asked for.
func (a *account) has(in f) bool {
	for _, s := range a.fake.Secrets() {
		if s.Name == in["Name"] {
			return s.Holds([]byte(in["SecretString"].(string)))
		}
	}
	return false
}

// free is a Choose that uses these freedoms to the full, and no other.
func free(freedoms ...awssmtest.Freedom) func(awssmtest.Freedom, int) int {
	return func(f awssmtest.Freedom, n int) int {
		for _, used := range freedoms {
			if f == used {
				return n - 1
			}
		}
		return 0
	}
}

// once uses a freedom once only.
func once(freedom awssmtest.Freedom) func(awssmtest.Freedom, int) int {
	used := false
	return func(f awssmtest.Freedom, n int) int {
		if f == freedom && !used {
			used = true
			return n - 1
		}
		return 0
	}
}
