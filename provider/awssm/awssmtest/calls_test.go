package awssmtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
)

func TestTheLogHasEveryCallAndNoValue(t *testing.T) {
	a := newAccount(t, awssmtest.Config{})
	in := a.made()
	a.pass(time.Second)
	a.do("PutSecretValue", f{"SecretId": in["SecretId"], "SecretBinary": []byte(in["SecretString"].(string)), "ClientRequestToken": randomHex(16)})
	a.do("DescribeSecret", f{"SecretId": "none"})
	log := a.fake.Calls()
	if len(log) != 3 {
		t.Fatalf("%d calls", len(log))
	}
	for i, op := range []string{"CreateSecret", "PutSecretValue", "DescribeSecret"} {
		if c := log[i]; c.Op != op || c.AccessKey != "launcher" || c.Lost || !c.Signed.Equal(c.At) || (c.Code == "ResourceNotFoundException") != (i == 2) {
			t.Errorf("%+v", c)
		}
	}
	if log[0].Field("Name") != in["Name"] || !log[1].At.Equal(a.Now()) {
		t.Errorf("%+v", log)
	}
	text, err := json.Marshal(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{in["SecretString"].(string), string(marshal(t, []byte(in["SecretString"].(string)))), "SecretString", "SecretBinary"} {
		if strings.Contains(string(text), strings.Trim(form, `"`)) {
			t.Errorf("the log has %q", form)
		}
	}
	a.fake.ForgetCalls()
	a.fake.LogCalls(false)
	a.do("ListSecrets", nil)
	if len(a.fake.Calls()) != 0 {
		t.Error("the log is not off")
	}
	a.fake.LogCalls(true)
	a.do("ListSecrets", nil)
	if len(a.fake.Calls()) != 1 {
		t.Error("the log is not on")
	}
}

func TestTheLogHasNoValueUnderANameThatIsAlmostRight(t *testing.T) {
	a := newAccount(t, awssmtest.Config{})
	value := randomHex(8)
	if code := a.send("CreateSecret", `{"Name":"x","secretString":"`+value+`"}`, a.Now(), nil, nil).code; code != "SerializationException" {
		t.Errorf("it answers %s", code)
	}
	log := a.fake.Calls()
	if len(log) != 1 || log[0].Field("Name") != "x" || strings.Contains(string(marshal(t, log)), value) {
		t.Errorf("%+v", log)
	}
}

func TestACallGoesWrongInTheWayThatIsChosenForIt(t *testing.T) {
	for _, c := range []struct {
		fault  awssmtest.Fault
		code   string
		reset  bool
		hangs  bool
		effect bool
	}{
		{fault: awssmtest.None, code: "ok", effect: true},
		{fault: awssmtest.Throttled, code: "ThrottlingException"},
		{fault: awssmtest.Failed, code: "InternalServiceError"},
		{fault: awssmtest.FailedAfter, code: "InternalServiceError", effect: true},
		{fault: awssmtest.ResetBefore, reset: true},
		{fault: awssmtest.ResetAfter, reset: true, effect: true},
		{fault: awssmtest.HangBefore, hangs: true},
		{fault: awssmtest.HangAfter, hangs: true, effect: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := newAccount(t, awssmtest.Config{})
			a.fake.Intercept(func(call awssmtest.Call) awssmtest.Fault {
				if call.Op != "CreateSecret" || call.Field("Name") == "" {
					t.Errorf("the call is %+v", call)
				}
				return c.fault
			})
			in := a.secret()
			switch {
			case c.hangs:
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				start := time.Now()
				_, err := calls["CreateSecret"](ctx, a.client, marshal(t, in))
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Hour {
					t.Errorf("%d: it ended after %v by %v", c.fault, time.Since(start), err)
				}
			case c.reset:
				if !a.reset("CreateSecret", in) {
					t.Errorf("%d: it was not reset", c.fault)
				}
			default:
				if code := a.do("CreateSecret", in).code; code != c.code {
					t.Errorf("%d: %s", c.fault, code)
				}
			}
			if a.has(in) != c.effect {
				t.Errorf("%d: the effect is %v", c.fault, !c.effect)
			}
			if log := a.fake.Calls(); len(log) != 1 || log[0].Lost != (c.reset || c.hangs) {
				t.Errorf("%d: the log is %+v", c.fault, log)
			}
		})
	}
}

func TestACallIsAnsweredByTheErrorThatIsChosenForIt(t *testing.T) {
	a := newAccount(t, awssmtest.Config{})
	a.fake.Answer(func(c awssmtest.Call) (string, string) {
		if c.Op == "CreateSecret" {
			return "PreconditionNotMetException", "the message"
		}
		return "", ""
	})
	in := a.secret()
	if got := a.do("CreateSecret", in); got.code != "PreconditionNotMetException" || got.message != "the message" || a.has(in) {
		t.Errorf("the call: %+v", got)
	}
	if code := a.do("ListSecrets", nil).code; code != "ok" {
		t.Errorf("another: %s", code)
	}
	a.fake.Answer(nil)
	if code := a.do("CreateSecret", in).code; code != "ok" {
		t.Errorf("the call again: %s", code)
	}
}

func TestTheClientWorksInABubbleByItsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := awssmtest.New(awssmtest.Config{Choose: free(awssmtest.LandLate)})
		client := fake.Client("launcher") // with the SDK's own retries, which wait by the bubble's clock
		start := time.Now()
		_, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("tower-a/B"), SecretString: aws.String(randomHex(8))})
		if !errors.Is(err, syscall.ECONNRESET) || len(fake.Calls()) != 3 || time.Since(start) == 0 {
			t.Fatalf("%d calls in %v, and %v", len(fake.Calls()), time.Since(start), err)
		}
		if fake.Coming() != 3 || len(fake.Secrets()) != 0 {
			t.Fatalf("%d effects are coming, and there is %v", fake.Coming(), fake.Secrets())
		}
		time.Sleep(late)
		if fake.Coming() != 0 || len(fake.Secrets()) != 1 {
			t.Errorf("%d effects are coming, and there is %v", fake.Coming(), fake.Secrets())
		}
	})
}

func TestACallWhoseContextIsDoneHasNoEffectAndOneThatEndsMeanwhileMayHave(t *testing.T) {
	a := newAccount(t, awssmtest.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in := a.secret()
	if _, err := calls["CreateSecret"](ctx, a.client, marshal(t, in)); !errors.Is(err, context.Canceled) || a.has(in) || len(a.fake.Calls()) != 0 {
		t.Errorf("before: %v", err)
	}

	ctx, cancel = context.WithCancel(t.Context())
	a.fake.Intercept(func(awssmtest.Call) awssmtest.Fault { cancel(); return awssmtest.None })
	if _, err := calls["CreateSecret"](ctx, a.client, marshal(t, in)); !errors.Is(err, context.Canceled) || a.has(in) {
		t.Errorf("on the way: %v", err)
	}

	ctx, cancel = context.WithCancel(t.Context())
	b := newAccount(t, awssmtest.Config{Choose: func(f awssmtest.Freedom, n int) int {
		if f == awssmtest.LostReply { // chosen after the effect
			cancel()
		}
		return 0
	}})
	if _, err := calls["CreateSecret"](ctx, b.client, marshal(t, in)); !errors.Is(err, context.Canceled) || !b.has(in) {
		t.Errorf("after: %v", err)
	}
}

func TestAConnectionThatIsResetOrHangsIsSoOnANetworkToo(t *testing.T) {
	fake := awssmtest.New(awssmtest.Config{})
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	w := newWorld(t, server.URL)
	for _, fault := range []awssmtest.Fault{awssmtest.ResetBefore, awssmtest.ResetAfter, awssmtest.HangBefore, awssmtest.HangAfter} {
		ctx, cancel := context.WithCancel(t.Context())
		reached := make(chan struct{})
		fake.Intercept(func(awssmtest.Call) awssmtest.Fault {
			defer close(reached)
			return fault
		})
		go func() {
			<-reached
			if fault == awssmtest.HangBefore || fault == awssmtest.HangAfter {
				cancel()
			}
		}()
		in := w.secret()
		if _, err := calls["CreateSecret"](ctx, w.client, marshal(t, in)); err == nil {
			t.Errorf("%d: it was answered", fault)
		}
		cancel()
	}
	fake.Intercept(nil)
	fake.Down(true)
	if _, err := calls["ListSecrets"](t.Context(), w.client, []byte("{}")); err == nil {
		t.Error("it was answered, and was down")
	}
	if len(fake.Secrets()) == 0 {
		t.Error("what was reset after its effect had none")
	}
}

func TestAnAccountThatIsDownRefusesConnections(t *testing.T) {
	a := newAccount(t, awssmtest.Config{})
	a.fake.Down(true)
	if err := a.fails("ListSecrets", nil); !errors.Is(err, syscall.ECONNREFUSED) || len(a.fake.Calls()) != 0 {
		t.Errorf("it answers: %v", err)
	}
	a.fake.Down(false)
	if code := a.do("ListSecrets", nil).code; code != "ok" {
		t.Errorf("it does not answer: %s", code)
	}
}

func TestADeleteThatIsForbiddenToAllIsDenied(t *testing.T) {
	a := newAccount(t, awssmtest.Config{})
	one, two := a.made(), a.made()
	a.fake.Refuse(func(name string) bool { return name == one["Name"] })
	for _, in := range []f{forced.with("SecretId", one["SecretId"]), {"SecretId": one["SecretId"]}} {
		if code := a.do("DeleteSecret", in).code; code != "AccessDeniedException" || !a.has(one) {
			t.Errorf("the one: %s", code)
		}
	}
	if code := a.do("DeleteSecret", forced.with("SecretId", two["SecretId"])).code; code != "ok" || a.has(two) {
		t.Errorf("the other: %s", code)
	}
	a.fake.Refuse(nil)
	if code := a.do("DeleteSecret", forced.with("SecretId", one["SecretId"])).code; code != "ok" || a.has(one) {
		t.Errorf("in the end: %s", code)
	}
}
