package sim

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/awssm"
	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// awsPrefix begins the name of every secret that the driver makes.
const awsPrefix = "tower-"

// awsLate is how late the fake is at most.
const awsLate = 5 * time.Minute

// awsAccount is AWS Secrets Manager of one Region as the driver sees it: on the
// wire, where every request is a point.
type awsAccount struct {
	w      *world
	name   string
	region string
	layout awssm.Layout
	fake   *awssmtest.Fake

	sent requests
}

// requests counts those that were sent to AWS, and what it was free to do and did.
type requests struct {
	all     int
	overdue int // had their effect when the time of their call was over
	expired int // came when their signature was valid no more
	took    map[awssmtest.Freedom]int
}

const awsID = "123456789012"

// awsAccounts are two Regions, one with a secret each, the other with maps.
func awsAccounts(w *world) map[string]platform {
	all := map[string]platform{}
	for _, a := range []*awsAccount{
		{name: "cloud", region: "eu-west-1", layout: awssm.PerSecret},
		{name: "cluster", region: "eu-central-1", layout: awssm.JSONMap},
	} {
		a.w, a.sent.took = w, map[awssmtest.Freedom]int{}
		a.fake = awssmtest.New(awssmtest.Config{Account: awsID, Region: a.region, Late: awsLate, Choose: a.choose})
		a.fake.LogCalls(false)
		all[a.name] = a
	}
	return all
}

// choose lets the seed choose. What is a failure to whoever asks comes seldom, and
// where and when nothing fails but by a crash it does not come at all: it puts
// removals off, for which no bound is told.
func (a *awsAccount) choose(f awssmtest.Freedom, n int) int {
	switch f {
	case awssmtest.Throttle, awssmtest.InternalError, awssmtest.LostReply:
		if a.w.calm || a.w.quiet || a.w.rng.IntN(8) != 0 {
			return 0
		}
	case awssmtest.ShortPage: // of which most lists would come in ten
		if a.w.rng.IntN(4) != 0 {
			return 0
		}
	}
	chosen := a.w.rng.IntN(n)
	if chosen > 0 && slices.Contains(freedoms, f) && chosen == n-1 { // of four, the one by which the fake takes it
		a.sent.took[f]++
	}
	return chosen
}

// freedoms are all that a driver can meet that lists by one filter and reads no value.
var freedoms = []awssmtest.Freedom{
	awssmtest.LandLate, awssmtest.Twice, awssmtest.LostReply, awssmtest.StaleDescribe, awssmtest.StaleList, awssmtest.StaleDelete,
	awssmtest.DeleteLater, awssmtest.StillShown, awssmtest.ShortPage, awssmtest.Throttle, awssmtest.InternalError,
}

// driver returns a driver with a client of its own. Its budget never makes it wait
// but after AWS has throttled it.
func (a *awsAccount) driver(p *process) provider.Provider {
	through := &http.Client{Transport: wire{a, p, a.fake.HTTPClient().Transport}}
	d, err := awssm.New(awssm.Config{
		Client: a.fake.Client("AKLAUNCHER", func(o *secretsmanager.Options) {
			o.HTTPClient, o.Credentials = through, credentials{a, p}
		}),
		Account: awsID, Region: a.region, Prefix: awsPrefix, Layout: a.layout, Budget: awssm.NewBudget(1e6), Horizon: horizon,
	})
	if err != nil {
		panic(err) // its configuration is always the same
	}
	return d
}

// credentials are fetched for each create, after the values were asked for: there a
// process may be paused before it signs.
type credentials struct {
	a *awsAccount
	p *process
}

// Retrieve implements aws.CredentialsProvider.
func (c credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	of, _ := ctx.Value(within{}).(string)
	if creating, _ := ctx.Value(creates{}).(bool); creating {
		err := c.a.w.point(ctx, c.p, c.a.name+".credentials "+of, func(context.Context) error { return nil })
		if err != nil {
			return aws.Credentials{}, err
		}
	}
	return aws.Credentials{AccessKeyID: "AKLAUNCHER", SecretAccessKey: "AKLAUNCHER", Source: "sim"}, nil
}

// wire makes each request a point: at which its process may die, be paused with the
// request signed and not yet sent, or not hear the answer.
type wire struct {
	a  *awsAccount
	p  *process
	to http.RoundTripper
}

// RoundTrip implements http.RoundTripper. A request that was sent arrives, though
// nobody waits for its answer any more: how long it may be under way is for the
// fake to judge, by its signature.
func (t wire) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	ctx := r.Context()
	op := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "secretsmanager.")
	of, _ := ctx.Value(within{}).(string)
	err = t.a.w.point(ctx, t.p, t.a.name+".wire "+op+" "+of, func(ctx context.Context) (err error) {
		sent := &t.a.sent
		sent.all++
		if signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date")); err == nil && time.Since(signed) > awsLate+time.Second {
			sent.expired++
		}
		answer, err = t.to.RoundTrip(r.WithContext(context.WithoutCancel(ctx)))
		if err == nil && answer.StatusCode == http.StatusOK && ctx.Err() != nil {
			sent.overdue++
		}
		return errors.Join(err, ctx.Err())
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

func (a *awsAccount) cuts() bool                     { return false }
func (a *awsAccount) named(run, rest string) string  { return awsPrefix + run + "/" + rest }
func (a *awsAccount) changes() uint64                { return a.fake.Changes() }
func (a *awsAccount) refuse(these func(string) bool) { a.fake.Refuse(these) }

func (a *awsAccount) plant(o provider.Object) {
	run, _, _ := strings.Cut(strings.TrimPrefix(o.Name, awsPrefix), "/")
	a.fake.Plant(awssmtest.Secret{Name: o.Name, Tags: map[string]string{
		"pipesecrets-mark": hex.EncodeToString(o.Mark[:]), "pipesecrets-stage": o.Stage, "pipesecrets-run": run,
	}}, []byte("planted"))
}

func (a *awsAccount) plantOld(o provider.Object) time.Time {
	a.plant(o)
	return time.Now().Add(awsLate) // the fake can't be told that it is old
}

func (a *awsAccount) objects() (all []object) {
	for _, s := range a.fake.Secrets() {
		o := object{Going: s.BeingDeleted || !s.DeletedDate.IsZero(), shown: fmt.Sprintf("%+v", s)}
		o.Name, o.Stage = s.Name, s.Tags["pipesecrets-stage"]
		if mark, err := hex.DecodeString(s.Tags["pipesecrets-mark"]); err == nil {
			copy(o.Mark[:], mark)
		}
		if run, err := secrets.ParseRunID(s.Tags["pipesecrets-run"]); err == nil {
			o.Run = run
		}
		o.holds = func(name secrets.Name, plain []byte) bool {
			if a.layout == awssm.JSONMap {
				return s.HoldsEntry(name.String(), plain)
			}
			return strings.HasSuffix(s.Name, "/"+name.String()) && s.Holds(plain)
		}
		o.Items = a.w.held(o)
		all = append(all, o)
	}
	return all
}

// held are the versions that an object holds, of all that were ever stored.
func (w *world) held(o object) (items []provider.Item) {
	for _, pin := range slices.SortedFunc(maps.Keys(w.plain), func(a, b secrets.Pin) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Version, b.Version))
	}) {
		if name := nameOf(pin.ID); o.holds(name, w.plain[pin]) {
			items = append(items, provider.Item{Name: name, Pin: pin})
		}
	}
	return items
}

func (a *awsAccount) count(sum *totals) {
	sum.late += a.sent.took[awssmtest.LandLate] + a.sent.took[awssmtest.Twice]
	sum.stale += a.sent.took[awssmtest.StaleList]
	sum.sent.all += a.sent.all
	sum.sent.overdue += a.sent.overdue
	sum.sent.expired += a.sent.expired
	if sum.sent.took == nil {
		sum.sent.took = map[awssmtest.Freedom]int{}
	}
	for f, n := range a.sent.took {
		sum.sent.took[f] += n
	}
}

func (r requests) String() string {
	text := fmt.Sprintf("requests=%d overdue=%d expired=%d", r.all, r.overdue, r.expired)
	for _, f := range freedoms {
		text += fmt.Sprintf(" %s=%d", strings.ReplaceAll(string(f), " ", "_"), r.took[f])
	}
	return text
}

func TestSimulationOnAWS(t *testing.T) {
	n := min(wanted(), max(wanted()/100, 200))
	sum := histories(t, n, awsAccounts)
	fmt.Println("on AWS:", sum.sent)
	least := min(sum.sent.overdue, sum.sent.expired, sum.crashes, sum.takeovers, sum.stuck, sum.lost)
	for _, f := range freedoms {
		least = min(least, sum.sent.took[f])
	}
	if n >= 200 && (sum.calls < 100*sum.seeds || least == 0) {
		t.Error("something that is rare has not happened")
	}
}
