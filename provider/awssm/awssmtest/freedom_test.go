package awssmtest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
)

const late = 5 * time.Minute

func TestACreateMayLandLaterThanItsCallerGaveUpAndByLessThanLate(t *testing.T) {
	for step := range 7 {
		a := newAccount(t, awssmtest.Config{Choose: func(f awssmtest.Freedom, n int) int {
			switch f {
			case awssmtest.LandLate:
				return n - 1
			case awssmtest.LandLate + " by":
				return step
			}
			return 0
		}})
		in := a.secret()
		if !a.reset("CreateSecret", in) {
			t.Fatal("the caller was answered")
		}
		if a.has(in) || a.fake.Coming() != 1 || a.do("DescribeSecret", f{"SecretId": in["Name"]}).code != "ResourceNotFoundException" {
			t.Fatal("it is there already")
		}
		by := late * time.Duration(step+1) / 8
		a.pass(by - 1)
		if a.has(in) {
			t.Fatalf("it is there before %v", by)
		}
		a.pass(1)
		if !a.has(in) || a.fake.Coming() != 0 {
			t.Fatalf("it is not there after %v", by)
		}
		if calls := a.fake.Calls(); !calls[0].Lost || calls[0].Code != "" {
			t.Errorf("the log has it otherwise: %+v", calls[0])
		}
	}
}

func TestACreateThatWasSignedLongAgoLandsNoLaterForThat(t *testing.T) {
	a := newAccount(t, awssmtest.Config{Choose: free(awssmtest.LandLate, awssmtest.LandLate+" by")})
	in := a.secret()
	signedAt := a.Now()
	a.fake.Intercept(func(awssmtest.Call) awssmtest.Fault { a.pass(4 * time.Minute); return awssmtest.None })
	if !a.reset("CreateSecret", in) {
		t.Fatal("the caller was answered")
	}
	a.pass(signedAt.Add(late - 1).Sub(a.Now()))
	if !a.has(in) {
		t.Error("it is not there within Late of its signature")
	}
}

func TestACreateThatLandsWhereItsRetrySucceededIsTheSame(t *testing.T) {
	a := newAccount(t, awssmtest.Config{Choose: once(awssmtest.LandLate)})
	in := a.secret()
	if !a.reset("CreateSecret", in) {
		t.Fatal("the caller was answered")
	}
	arn := a.do("CreateSecret", in).text("ARN")
	a.pass(late)
	if all := a.fake.Secrets(); len(all) != 1 || all[0].ARN != arn {
		t.Errorf("there is %v, and was %s", all, arn)
	}
}

func TestACreateMayBeDeliveredTwiceEvenAfterADelete(t *testing.T) {
	a := newAccount(t, awssmtest.Config{Choose: free(awssmtest.Twice)})
	in := a.made()
	if a.fake.Coming() != 1 {
		t.Fatal("nothing is coming")
	}
	if code := a.do("DeleteSecret", forced.with("SecretId", in["SecretId"])).code; code != "ok" || a.has(in) {
		t.Fatalf("it was not deleted: %s", code)
	}
	a.pass(late)
	if !a.has(in) {
		t.Fatal("it was not delivered again")
	}
	if arn := a.fake.Secrets()[0].ARN; arn == in["SecretId"] {
		t.Error("it has the ARN of what was deleted")
	}
}

func TestAReplyMayBeLostAndTheSameRequestAsksAgain(t *testing.T) {
	a := newAccount(t, awssmtest.Config{Choose: once(awssmtest.LostReply)})
	in := a.secret()
	if !a.reset("CreateSecret", in) || !a.has(in) {
		t.Fatal("the reply arrived, or the effect did not happen")
	}
	if code := a.do("CreateSecret", in).code; code != "ok" {
		t.Errorf("the same request again: %s", code)
	}
}

func TestALookMayMissWhatIsNewForLessThanLate(t *testing.T) {
	for freedom, look := range map[awssmtest.Freedom]func(a *account, in f) bool{
		awssmtest.StaleDescribe: func(a *account, in f) bool { return a.do("DescribeSecret", f{"SecretId": in["SecretId"]}).code == "ok" },
		awssmtest.StaleGet:      func(a *account, in f) bool { return a.do("GetSecretValue", f{"SecretId": in["Name"]}).code == "ok" },
		awssmtest.StaleList:     func(a *account, in f) bool { return len(a.list(in["Name"].(string), nil).list("SecretList")) == 1 },
	} {
		a := newAccount(t, awssmtest.Config{Choose: free(freedom)})
		in := a.made()
		a.pass(late - 1)
		if look(a, in) {
			t.Errorf("%s: it is seen", freedom)
		}
		a.pass(1)
		if !look(a, in) {
			t.Errorf("%s: it is not seen after %v", freedom, late)
		}
	}
}

func TestALookMayShowWhatIsGoneForLessThanLate(t *testing.T) {
	for freedom, look := range map[awssmtest.Freedom]func(a *account, in f) bool{
		awssmtest.StaleDescribe: func(a *account, in f) bool { return a.do("DescribeSecret", f{"SecretId": in["SecretId"]}).code == "ok" },
		awssmtest.StaleGet:      func(a *account, in f) bool { return a.do("GetSecretValue", f{"SecretId": in["Name"]}).code == "ok" },
		awssmtest.StaleList:     func(a *account, in f) bool { return len(a.list(in["Name"].(string), nil).list("SecretList")) == 1 },
	} {
		a := newAccount(t, awssmtest.Config{Choose: free(freedom)})
		in := a.made()
		a.pass(2 * late)
		a.do("DeleteSecret", forced.with("SecretId", in["SecretId"]))
		a.pass(late - 1)
		if !look(a, in) {
			t.Errorf("%s: it is not seen", freedom)
		}
		a.pass(1)
		if look(a, in) {
			t.Errorf("%s: it is seen after %v", freedom, late)
		}
	}
}

func TestADescriptionMayMissAScheduledDeletion(t *testing.T) {
	a := newAccount(t, awssmtest.Config{Choose: free(awssmtest.StaleDescribe)})
	in := a.scheduled()
	if d := a.do("DescribeSecret", f{"SecretId": in["SecretId"]}); d.code != "ok" || d.fields["DeletedDate"] != nil {
		t.Errorf("it shows: %v", d)
	}
	a.pass(late)
	if d := a.do("DescribeSecret", f{"SecretId": in["SecretId"]}); d.fields["DeletedDate"] == nil {
		t.Errorf("it shows: %v", d)
	}
}

func TestADeleteMayMissWhatIsNewAndReportSuccess(t *testing.T) {
	a := newAccount(t, awssmtest.Config{Choose: free(awssmtest.StaleDelete)})
	in := a.made()
	a.pass(late - 1)
	if code := a.do("DeleteSecret", forced.with("SecretId", in["SecretId"])).code; code != "ok" || !a.has(in) {
		t.Errorf("the delete did not miss it: %s", code)
	}
	a.pass(1)
	if code := a.do("DeleteSecret", forced.with("SecretId", in["SecretId"])).code; code != "ok" || a.has(in) {
		t.Errorf("the delete missed what is not new: %s", code)
	}
}

func TestADeleteMayHaveItsEffectLaterAndTheNameIsTakenTillThen(t *testing.T) {
	a := newAccount(t, awssmtest.Config{Choose: free(awssmtest.DeleteLater, awssmtest.DeleteLater+" by")})
	in := a.made()
	if code := a.do("DeleteSecret", forced.with("SecretId", in["SecretId"])).code; code != "ok" {
		t.Fatal(code)
	}
	if s := a.fake.Secrets(); len(s) != 1 || !s[0].BeingDeleted || a.fake.Coming() != 1 {
		t.Fatalf("it is gone at once: %v", s)
	}
	if d := a.do("DescribeSecret", f{"SecretId": in["SecretId"]}); d.code != "ok" || d.fields["DeletedDate"] == nil {
		t.Errorf("a description: %v", d)
	}
	if code := a.do("GetSecretValue", f{"SecretId": in["SecretId"]}).code; code != "InvalidRequestException" {
		t.Errorf("a get: %s", code)
	}
	if code := a.do("RestoreSecret", f{"SecretId": in["SecretId"]}).code; code != "InvalidRequestException" {
		t.Errorf("a restore: %s", code)
	}
	again := a.secret().with("Name", in["Name"])
	if got := a.do("CreateSecret", again); got.code != "InvalidRequestException" || !strings.Contains(got.message, "because it was deleted") {
		t.Errorf("a create: %s: %s", got.code, got.message)
	}
	if code := a.do("DeleteSecret", forced.with("SecretId", in["SecretId"])).code; code != "ok" || a.fake.Coming() != 1 {
		t.Errorf("another delete: %s, and %d are coming", code, a.fake.Coming())
	}
	a.pass(late)
	if len(a.fake.Secrets()) != 0 || a.do("DescribeSecret", f{"SecretId": in["SecretId"]}).code != "ResourceNotFoundException" {
		t.Error("it is not gone")
	}
	if code := a.do("CreateSecret", again).code; code != "ok" {
		t.Errorf("the name is not free: %s", code)
	}
}

func TestADescriptionMayShowNothingOfADelete(t *testing.T) {
	a := newAccount(t, awssmtest.Config{Choose: free(awssmtest.DeleteLater, awssmtest.StillShown)})
	in := a.made()
	a.do("DeleteSecret", forced.with("SecretId", in["SecretId"]))
	if d := a.do("DescribeSecret", f{"SecretId": in["SecretId"]}); d.code != "ok" || d.fields["DeletedDate"] != nil {
		t.Errorf("it shows: %v", d)
	}
}

func TestAPageMayBeShortAndTheListIsWholeAllTheSame(t *testing.T) {
	short := 0 // calls; the first of each list is answered by an empty page
	a := newAccount(t, awssmtest.Config{Choose: func(f awssmtest.Freedom, n int) int {
		switch f {
		case awssmtest.ShortPage:
			if short++; short%3 != 0 { // not for ever
				return n - 1
			}
		case awssmtest.ShortPage + " of":
			return (short - 1) % n
		}
		return 0
	}})
	for _, order := range []string{"asc", "desc"} {
		a.ids(6)
		short = 0
		want := len(a.fake.Secrets())
		seen, pages := map[string]bool{}, 0
		for next := any(nil); pages == 0 || next != nil; pages++ {
			l := a.list(a.prefix, f{"NextToken": next, "SortOrder": order})
			for _, name := range l.each("SecretList", "Name") {
				if seen[name] {
					t.Errorf("%s: %s comes twice", order, name)
				}
				seen[name] = true
			}
			next = l.fields["NextToken"]
		}
		if pages < 2 || len(seen) != want {
			t.Errorf("%s: %d of %d in %d pages", order, len(seen), want, pages)
		}
	}
}

func TestSeveralFiltersMayBeTakenAsAChoice(t *testing.T) {
	for _, c := range []struct {
		choose func(awssmtest.Freedom, int) int
		want   string
	}{{nil, "ok []"}, {free(awssmtest.FilterUnion), "ok [one two]"}} {
		a := newAccount(t, awssmtest.Config{Choose: c.choose})
		a.made(f{"Name": a.prefix + "one"})
		a.made(f{"Name": a.prefix + "two"})
		if got := shown(a.list(a.prefix+"one", f{"Filters": filters("name", a.prefix+"two")})); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestACallMayBeThrottledWithoutEffect(t *testing.T) {
	a := newAccount(t, awssmtest.Config{Choose: once(awssmtest.Throttle)})
	in := a.secret()
	if code := a.do("CreateSecret", in).code; code != "ThrottlingException" || a.has(in) {
		t.Errorf("the call: %s", code)
	}
}

func TestACallMayFailWithAnEffectOrWithout(t *testing.T) {
	for _, effect := range []bool{false, true} {
		choose := once(awssmtest.InternalError)
		if effect {
			choose = free(awssmtest.InternalError, awssmtest.InternalError+" after")
		}
		a := newAccount(t, awssmtest.Config{Choose: choose})
		in := a.secret()
		if code := a.do("CreateSecret", in).code; code != "InternalServiceError" || a.has(in) != effect {
			t.Errorf("the call: %s, and the effect is %v", code, a.has(in))
		}
	}
}

func TestNothingIsLateOnAGoodDay(t *testing.T) {
	a := newAccount(t, awssmtest.Config{})
	in := a.made()
	if a.fake.Coming() != 0 || !a.has(in) {
		t.Error("the create is late")
	}
	a.do("DeleteSecret", forced.with("SecretId", in["Name"]))
	if a.fake.Coming() != 0 || a.has(in) {
		t.Error("the delete is late")
	}
}

func TestARecoveryWindowEndsUnlessTheSecretIsRestored(t *testing.T) {
	a := newAccount(t, awssmtest.Config{})
	gone, kept := a.made(), a.made()
	for _, in := range []f{gone, kept} {
		a.do("DeleteSecret", f{"SecretId": in["SecretId"], "RecoveryWindowInDays": 7})
	}
	if a.fake.Coming() != 0 {
		t.Error("the end of a window counts as an effect on its way")
	}
	a.do("RestoreSecret", f{"SecretId": kept["SecretId"]})
	a.pass(7*24*time.Hour - 1)
	if !a.has(gone) {
		t.Error("it is gone before its window ends")
	}
	a.pass(1)
	if a.has(gone) || !a.has(kept) {
		t.Error("the window did not end, or ended for what was restored")
	}
}
