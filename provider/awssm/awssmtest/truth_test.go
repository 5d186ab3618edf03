package awssmtest_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
)

func TestTheTruthHasWhatIsThereAndTellsValuesWithoutShowingThem(t *testing.T) {
	a := newAccount(t, awssmtest.Config{})
	in := a.made(f{"Description": "d", "KmsKeyId": "k", "Tags": []f{{"Key": "mark", "Value": "ours"}}})
	second := a.put(in["SecretId"], "MINE")
	theirs := randomHex(8)
	arn := a.fake.Plant(awssmtest.Secret{Name: "a/theirs", DeletedDate: a.Now().Add(time.Hour)}, []byte(theirs))
	want := []awssmtest.Secret{
		{Name: "a/theirs", ARN: arn, Created: a.Now(), DeletedDate: a.Now().Add(time.Hour)},
		{Name: in["Name"].(string), ARN: in["SecretId"].(string), Description: "d", KMSKeyID: "k", Tags: map[string]string{"mark": "ours"},
			Tokens: []string{in["ClientRequestToken"].(string), second}, Created: a.Now(), CreatedBy: "launcher"},
	}
	got := a.fake.Secrets()
	want[0].Tokens = got[0].Tokens
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(awssmtest.Secret{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !got[0].Holds([]byte(theirs)) || got[0].Holds(nil) || !got[1].Holds([]byte(in["SecretString"].(string))) || got[1].Holds([]byte(theirs)) {
		t.Error("it does not tell values")
	}
	a.pass(time.Hour)
	if len(a.fake.Secrets()) != 1 {
		t.Error("what was planted is there after its window")
	}
}

func TestANumberGrowsWithEveryChangeAndWithNothingElse(t *testing.T) {
	a := newAccount(t, awssmtest.Config{Choose: free(awssmtest.DeleteLater)})
	last := a.fake.Changes()
	changed := func() bool {
		now := a.fake.Changes()
		defer func() { last = now }()
		return now > last
	}
	in := a.made()
	if !changed() {
		t.Error("a create")
	}
	again := in.with("Name", in["Name"])
	delete(again, "SecretId")
	a.do("CreateSecret", again)
	a.do("PutSecretValue", in.with("SecretId", in["Name"]).only("SecretId", "SecretString", "ClientRequestToken"))
	a.do("UpdateSecret", in.only("SecretId", "SecretString", "ClientRequestToken"))
	a.do("DescribeSecret", f{"SecretId": in["Name"]})
	a.do("ListSecrets", nil)
	a.do("DeleteSecret", forced.with("SecretId", "none"))
	if changed() {
		t.Error("what changes nothing")
	}
	a.do("TagResource", f{"SecretId": in["Name"], "Tags": []f{{"Key": "k", "Value": "v"}}})
	if !changed() {
		t.Error("a tag")
	}
	a.do("DeleteSecret", forced.with("SecretId", in["Name"]))
	if !changed() {
		t.Error("a delete")
	}
	a.pass(late)
	if !changed() {
		t.Error("its effect")
	}
	a.pass(late)
	if changed() {
		t.Error("time")
	}
}

// only are some of the fields.
func (a f) only(names ...string) f {
	b := f{}
	for _, name := range names {
		b[name] = a[name]
	}
	return b
}

func TestAKeyThatCannotBeUsedFailsWritesAndReads(t *testing.T) {
	for _, c := range []struct {
		state       awssmtest.KeyState
		write, read string
	}{
		{awssmtest.KeyEnabled, "ok", "ok"},
		{awssmtest.KeyDisabled, "EncryptionFailure", "DecryptionFailure"},
		{awssmtest.KeyDenied, "AccessDeniedException", "AccessDeniedException"},
	} {
		a := newAccount(t, awssmtest.Config{})
		with, without := a.made(f{"KmsKeyId": "mine"}), a.made()
		a.fake.KMS("mine", c.state)
		for _, try := range []struct {
			op   string
			in   f
			want string
		}{
			{"CreateSecret", a.secret().with("KmsKeyId", "mine"), c.write},
			{"PutSecretValue", f{"SecretId": with["Name"], "SecretString": randomHex(8)}, c.write},
			{"GetSecretValue", f{"SecretId": with["Name"], "VersionId": with["ClientRequestToken"]}, c.read},
			{"DescribeSecret", f{"SecretId": with["Name"]}, "ok"},
			{"CreateSecret", a.secret(), "ok"},
			{"GetSecretValue", f{"SecretId": without["Name"]}, "ok"},
		} {
			if code := a.do(try.op, try.in).code; code != try.want {
				t.Errorf("%d: %s: got %s, want %s", c.state, try.op, code, try.want)
			}
		}
		b := a.do("BatchGetSecretValue", f{"SecretIdList": []any{with["Name"], without["Name"]}})
		if failed := c.read != "ok"; b.code != "ok" || failed != (len(b.list("Errors")) == 1) || failed && b.each("Errors", "ErrorCode")[0] != c.read {
			t.Errorf("%d: a batch: %v", c.state, b.each("Errors", "ErrorCode"))
		}
	}
}

func TestQuotasAreOfOneSecondAndSharedByAll(t *testing.T) {
	a := newAccount(t, awssmtest.Config{Quota: awssmtest.DefaultQuota()})
	burst := func(op string, in f) int {
		for n := 0; ; n++ {
			by := []string{"one", "two"}[n%2]
			if code := a.by(by, op, in).code; code == "ThrottlingException" {
				return n
			}
		}
	}
	if n := burst("DeleteSecret", forced.with("SecretId", "none")); n != 50 {
		t.Errorf("%d deletes at once", n)
	}
	a.pass(100 * time.Millisecond)
	if n := burst("DeleteSecret", forced.with("SecretId", "none")); n != 5 {
		t.Errorf("%d deletes after a tenth of a second", n)
	}
	a.pass(time.Hour)
	if n := burst("DeleteSecret", forced.with("SecretId", "none")); n != 50 {
		t.Errorf("%d deletes after an hour", n)
	}
	if n := burst("ListSecrets", f{"MaxResults": 1}); n != 100 {
		t.Errorf("%d lists", n)
	}
	tag := f{"SecretId": a.made()["Name"], "Tags": []f{{"Key": "k", "Value": "v"}}}
	for range 20 {
		a.do("UntagResource", f{"SecretId": tag["SecretId"], "TagKeys": []string{"k"}})
	}
	if n := burst("TagResource", tag); n != 30 {
		t.Errorf("%d tags after 20 untags", n)
	}
}

func TestAQuotaBelowOneIsOneCallInMoreThanASecond(t *testing.T) {
	a := newAccount(t, awssmtest.Config{Quota: map[string]float64{"ListSecrets": 0.5}})
	var got []string
	for range 4 {
		got = append(got, a.do("ListSecrets", nil).code)
		a.pass(time.Second)
	}
	if want := []string{"ok", "ThrottlingException", "ok", "ThrottlingException"}; !cmp.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestANameThatNothingHasIsForgottenOnceNoLookCanBeStale(t *testing.T) {
	a := newAccount(t, awssmtest.Config{})
	in := a.made()
	a.do("DeleteSecret", forced.with("SecretId", in["Name"]))
	a.pass(late - 1)
	if names := a.fake.Names(); len(names) != 1 {
		t.Errorf("too early it knows %v", names)
	}
	a.pass(1)
	if names := a.fake.Names(); len(names) != 0 {
		t.Errorf("after %v it knows %v", late, names)
	}
	a.do("CreateSecret", a.secret().with("Name", in["Name"]))
	for range 3 {
		a.do("DeleteSecret", forced.with("SecretId", in["Name"]))
		if code := a.do("CreateSecret", a.secret().with("Name", in["Name"])).code; code != "ok" {
			t.Fatal(code)
		}
		a.pass(late)
	}
	if len(a.fake.Secrets()) != 1 {
		t.Error("what is there was forgotten")
	}
	a.do("DeleteSecret", forced.with("SecretId", in["Name"]))
	a.pass(late)
	if names := a.fake.Names(); len(names) != 0 {
		t.Errorf("it knows %v", names)
	}
}

func TestAnAccountHoldsNoMoreSecretsThanItMay(t *testing.T) {
	a := newAccount(t, awssmtest.Config{Most: 2})
	one, two := a.made(), a.made()
	if code := a.do("CreateSecret", a.secret()).code; code != "LimitExceededException" {
		t.Errorf("a third: %s", code)
	}
	again := two.with("Name", two["Name"])
	delete(again, "SecretId")
	if code := a.do("CreateSecret", again).code; code != "ok" {
		t.Errorf("the second again: %s", code)
	}
	a.do("DeleteSecret", forced.with("SecretId", one["SecretId"]))
	if code := a.do("CreateSecret", a.secret()).code; code != "ok" {
		t.Errorf("another after a delete: %s", code)
	}
}

func TestAQuotaThatWouldLimitNothingIsNotTaken(t *testing.T) {
	for _, quota := range []map[string]float64{
		{"ListSecret": 1}, {"RotateSecret": 1}, {"listSecrets": 1}, {"": 1},
		{"ListSecrets+": 1}, {"TagResource+UntagSecret": 1},
		{"ListSecrets": 1, "ListSecrets+DescribeSecret": 1}, {"ListSecrets+ListSecrets": 1},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("taken: %v", quota)
				}
			}()
			awssmtest.New(awssmtest.Config{Quota: quota})
		}()
	}
}
