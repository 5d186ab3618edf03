package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/pipesecrets/pipesecrets/provider/awssm"
	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
)

// The target aws is the driver for Secrets Manager over a fake that speaks its
// protocol, in the process of the platform. Of the real one's ten minutes, half are
// for a request on its way and half for a look that is stale; so they are here, of
// the horizon. Since requests are signed with a time in whole seconds, the fake and
// those who sign go by a clock that runs faster.
const (
	awsSpeed  = 300
	awsLate   = awsSpeed * horizon / 2  // by that clock
	awsValid  = awsLate - 3*time.Second // of a create, after it was signed: less what is rounded off, and what passes until it has its effect
	awsPrefix = "tower-"                // the driver's default
	awsDate   = "20060102T150405Z"      // the form of X-Amz-Date
	awsCreate = "secretsmanager.CreateSecret"
)

// awsClock returns the clock of a state, the same in all processes.
func awsClock(dir string) (now func() time.Time, err error) {
	born, err := os.Stat(keyFile(dir)) // written once
	if err != nil {
		return nil, err
	}
	return func() time.Time { return born.ModTime().Add(awsSpeed * time.Since(born.ModTime())) }, nil
}

// newAWS is the launcher's side of the target.
func newAWS(dir string) (*awssm.Driver, error) {
	now, err := awsClock(dir)
	if err != nil {
		return nil, err
	}
	through := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "unix", awsSocket(dir))
	}}
	// Of this fake nothing is used but how its clients sign.
	client := awssmtest.New(awssmtest.Config{Now: now}).Client("AKLAUNCHER", func(o *secretsmanager.Options) {
		o.BaseEndpoint, o.HTTPClient = aws.String("http://aws.invalid"), &http.Client{Transport: through}
	})
	return awssm.New(awssm.Config{Client: client, Account: "123456789012", Region: "eu-west-1", Horizon: horizon})
}

// awsServer is the platform's side.
type awsServer struct {
	fake *awssmtest.Fake
	now  func() time.Time
	calm *atomic.Bool

	mu  sync.Mutex
	did awsDeeds
}

// awsDeeds counts creates, those that were lost since they were under way for too
// long, and what the fake was free to do and did.
type awsDeeds struct {
	Creates, Lost int
	Took          map[awssmtest.Freedom]int
}

// serveAWS answers on a socket in dir. A server that is good uses none of its
// freedoms.
func serveAWS(dir string, good bool, calm *atomic.Bool) (*awsServer, error) {
	s := &awsServer{calm: calm, did: awsDeeds{Took: map[awssmtest.Freedom]int{}}}
	var err error
	if s.now, err = awsClock(dir); err != nil {
		return nil, err
	}
	config := awssmtest.Config{Now: s.now, Late: awsLate}
	if !good {
		config.Choose = s.choose
	}
	s.fake = awssmtest.New(config)
	s.fake.LogCalls(false)
	listener, err := net.Listen("unix", awsSocket(dir))
	if err != nil {
		return nil, err
	}
	go func() { panic(http.Serve(listener, s)) }() // this process ends before it does
	return s, nil
}

// awsFreedoms are all that a driver can meet that lists by one filter and reads no value.
var awsFreedoms = []awssmtest.Freedom{
	awssmtest.LandLate, awssmtest.Twice, awssmtest.LostReply, awssmtest.StaleDescribe, awssmtest.StaleList, awssmtest.StaleDelete,
	awssmtest.DeleteLater, awssmtest.StillShown, awssmtest.ShortPage, awssmtest.Throttle, awssmtest.InternalError,
}

// choose uses each freedom now and then, as that of the other platform does: what
// costs another attempt less often, and not at all once the platform is calm.
func (s *awsServer) choose(f awssmtest.Freedom, n int) int {
	switch f {
	case awssmtest.LostReply, awssmtest.StaleDescribe, awssmtest.StaleDelete, awssmtest.DeleteLater, awssmtest.StillShown,
		awssmtest.Throttle, awssmtest.InternalError:
		if s.calm.Load() || rand.N(16) != 0 { // there are more of these than on the other platform
			return 0
		}
	}
	chosen := rand.N(n)
	if slices.Contains(awsFreedoms, f) && chosen == n-1 { // of four, the one by which the fake takes it
		s.mu.Lock()
		defer s.mu.Unlock()
		s.did.Took[f]++
	}
	return chosen
}

// ServeHTTP carries a request out, whatever became of whoever sent it. A create is
// under way for a while, and lost if that is too long.
func (s *awsServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Amz-Target") == awsCreate {
		time.Sleep(rand.N(transit))
		signed, err := time.Parse(awsDate, r.Header.Get("X-Amz-Date"))
		lost := err == nil && s.now().Sub(signed) > awsValid
		s.mu.Lock()
		s.did.Creates++
		if lost {
			s.did.Lost++
		}
		s.mu.Unlock()
		if lost {
			panic(http.ErrAbortHandler)
		}
	}
	s.fake.ServeHTTP(w, r.WithContext(context.WithoutCancel(r.Context())))
}

// told returns what was counted.
func (s *awsServer) told() awsDeeds {
	s.mu.Lock()
	defer s.mu.Unlock()
	did := s.did
	did.Took = maps.Clone(did.Took)
	return did
}

// names are those of what is there in truth.
func (s *awsServer) names() (all []string) {
	for _, there := range s.fake.Secrets() {
		all = append(all, there.Name)
	}
	return all
}

func (d *awsDeeds) add(more awsDeeds) {
	d.Creates += more.Creates
	d.Lost += more.Lost
	if d.Took == nil {
		d.Took = map[awssmtest.Freedom]int{}
	}
	for f, n := range more.Took {
		d.Took[f] += n
	}
}

func (d awsDeeds) String() string {
	text := fmt.Sprintf("%d creates, %d lost on their way", d.Creates, d.Lost)
	for _, f := range awsFreedoms {
		text += fmt.Sprintf(", %d %s", d.Took[f], f)
	}
	return text
}
