package awssmtest_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
)

// looks are the names that are seen in each way to look.
func (a *account) looks(names []string) map[string][]string {
	seen := map[string][]string{"list": {}, "describe": {}, "get": {}, "truth": {}}
	for next := any(nil); ; {
		l := a.list("", f{"NextToken": next})
		seen["list"] = append(seen["list"], l.each("SecretList", "Name")...)
		if next = l.fields["NextToken"]; next == nil {
			break
		}
	}
	slices.Sort(seen["list"])
	for _, name := range names {
		if a.do("DescribeSecret", f{"SecretId": name}).code == "ok" {
			seen["describe"] = append(seen["describe"], name)
		}
		if a.do("GetSecretValue", f{"SecretId": name}).code == "ok" {
			seen["get"] = append(seen["get"], name)
		}
	}
	for _, s := range a.fake.Secrets() {
		seen["truth"] = append(seen["truth"], s.Name)
	}
	return seen
}

func TestWhateverItChoosesNothingIsOnItsWayAfterLateAndEveryLookIsTrueAfterTwiceThat(t *testing.T) {
	names := []string{"a", "b", "c"}
	values, tokens := map[string]string{}, map[string]string{}
	for _, name := range names {
		values[name], tokens[name] = randomHex(12), randomHex(16)
	}
	rapid.Check(t, func(r *rapid.T) {
		seed := rapid.Uint64().Draw(r, "seed")
		choices := rand.New(rand.NewPCG(seed, 0))
		steady := false // replies arrive
		a := newAccount(t, awssmtest.Config{Choose: func(f awssmtest.Freedom, n int) int {
			if f == awssmtest.Throttle || f == awssmtest.InternalError || steady && f == awssmtest.LostReply {
				return 0
			}
			return choices.IntN(n)
		}})
		for range rapid.IntRange(1, 12).Draw(r, "calls") {
			name := rapid.SampledFrom(names).Draw(r, "name")
			op, in := "CreateSecret", f{"Name": name, "SecretString": values[name], "ClientRequestToken": tokens[name]}
			switch rapid.IntRange(0, 3).Draw(r, "op") {
			case 0:
				op, in = "DeleteSecret", forced.with("SecretId", name)
			case 1:
				op, in = "TagResource", f{"SecretId": name, "Tags": []f{{"Key": "k", "Value": "v"}}}
			}
			a.fails(op, in) // or not
			for _, look := range []string{"DescribeSecret", "GetSecretValue"} {
				a.fails(look, f{"SecretId": name})
			}
			a.fails("ListSecrets", nil)
			a.pass(time.Duration(rapid.IntRange(0, 180).Draw(r, "seconds")) * time.Second)
		}
		a.pass(late)
		if n := a.fake.Coming(); n != 0 {
			r.Fatalf("%d effects are on their way after %v", n, late)
		}
		a.pass(late)
		steady = true
		before := a.fake.Changes()
		seen := a.looks(names)
		for how, got := range seen {
			if !slices.Equal(got, seen["truth"]) {
				r.Fatalf("a %s sees %v of %v", how, got, seen["truth"])
			}
		}
		if a.fake.Changes() != before {
			r.Fatal("a look changes something")
		}
	})
}
