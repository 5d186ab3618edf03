package awssm_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/logging"

	"github.com/pipesecrets/pipesecrets/internal/leak"
	"github.com/pipesecrets/pipesecrets/provider/awssm"
	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
)

// tap keeps all that goes over the wire, and all that the SDK logs.
type tap struct {
	http.RoundTripper
	mu     sync.Mutex
	wire   bytes.Buffer // requests, but for SecretString
	values int          // SecretStrings
	sums   []string     // of the bodies, in hexadecimal
	logged bytes.Buffer
}

func (t *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	t.keep(r, string(body))
	return t.RoundTripper.RoundTrip(r)
}

func (t *tap) keep(r *http.Request, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sums = append(t.sums, fmt.Sprintf("%x", sha256.Sum256([]byte(text))))
	const field = `"SecretString":"`
	if start := strings.Index(text, field); start >= 0 {
		start += len(field)
		end := start
		for text[end] != '"' {
			if text[end] == '\\' {
				end++
			}
			end++
		}
		text = text[:start] + text[end:]
		t.values++
	}
	fmt.Fprintf(&t.wire, "%s %s\n%v\n%s\n", r.Method, r.URL, r.Header, text)
}

func (t *tap) Logf(level logging.Classification, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(&t.logged, "%s "+format+"\n", append([]any{level}, args...)...)
}

// tapped returns a client of the fake that a host has told to log all that the SDK
// can log.
func tapped(f *awssmtest.Fake) (*tap, *secretsmanager.Client) {
	t := &tap{RoundTripper: f.HTTPClient().Transport}
	return t, f.Client("AKLAUNCHER", func(o *secretsmanager.Options) {
		o.HTTPClient, o.Logger = &http.Client{Transport: t}, t
		o.ClientLogMode = ^aws.ClientLogMode(0)
	})
}

func TestAValueIsInSecretStringAndNowhereElse(t *testing.T) {
	layouts(t, func(t *testing.T, layout awssm.Layout) {
		synctest.Test(t, func(t *testing.T) {
			f := awssmtest.New(awssmtest.Config{})
			tap, client := tapped(f)
			l := newLauncher(t, f, 3, func(c *awssm.Config) {
				c.Client, c.Layout, c.KMSKeyID = client, layout, key
				c.Tags = map[string]string{"cost": "centre"}
			})
			for pin := range l.plain {
				l.plain[pin] = leak.Canary()
			}
			var said bytes.Buffer
			tell := func(err error) {
				if err != nil {
					fmt.Fprintf(&said, "%v\n%+v\n%#v\n", err, err, err)
				}
			}
			for i, fault := range []awssmtest.Fault{
				awssmtest.None, awssmtest.Throttled, awssmtest.Failed, awssmtest.FailedAfter, awssmtest.ResetBefore, awssmtest.ResetAfter, awssmtest.HangAfter,
			} {
				for _, op := range []string{"CreateSecret", "DescribeSecret", "DeleteSecret", "ListSecrets"} {
					var calls atomic.Int32
					f.Intercept(func(c awssmtest.Call) awssmtest.Fault {
						if n := calls.Add(1); c.Op != op || n%2 == 0 {
							return awssmtest.None
						}
						return fault
					})
					run := fmt.Sprintf("r%d-%s", i, op)
					refs, err := l.launch(run, 3)
					tell(err)
					fmt.Fprintf(&said, "%+v\n", refs)
					receipt, err := l.complete(run)
					tell(err)
					fmt.Fprintf(&said, "%+v\n", receipt)
					_, err = l.sweep()
					tell(err)
				}
			}
			f.Intercept(nil)
			for _, bad := range []func(){
				func() { f.KMS(key, awssmtest.KeyDisabled) },
				func() { f.KMS(key, awssmtest.KeyDenied) },
				func() { f.Expire("AKLAUNCHER", time.Now()) },
				func() { f.Down(true) },
			} {
				bad()
				_, err := l.launch(fmt.Sprint("bad", said.Len()), 3)
				tell(err)
			}
			f.Down(false)
			f.Expire("AKLAUNCHER", time.Now().Add(time.Hour))
			f.Answer(func(awssmtest.Call) (string, string) { return "ValidationException", string(l.plain[l.items[0].Pin]) })
			_, err := l.launch("hostile", 3)
			tell(err)
			if tap.values < 30 || tap.wire.Len() == 0 || said.Len() == 0 {
				t.Fatalf("there is nothing to look at: %d values, %d and %d bytes", tap.values, tap.wire.Len(), said.Len())
			}
			if tap.logged.Len() > 0 {
				t.Errorf("it is logged: %s", tap.logged.String())
			}
			for _, plain := range l.plain {
				for where, text := range map[string][]byte{"a request": tap.wire.Bytes(), "the log": tap.logged.Bytes(), "what was said": said.Bytes()} {
					// Hundreds of kilobytes of names, ids and signatures hold four bytes
					// of a value by chance.
					if form, found := leak.FindAny(text, [][]byte{plain}, 12); found {
						t.Errorf("%s holds a value, %s", where, form)
					}
				}
			}
		})
	})
}

// The test above can fail: what the host logs by itself holds values, and digests.
func TestWhatAHostLogsOfItsOwnCallsHoldsValues(t *testing.T) {
	f := awssmtest.New(awssmtest.Config{})
	tap, client := tapped(f)
	plain := leak.Canary()
	_, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String("x"), Description: aws.String(base64.StdEncoding.EncodeToString(plain)), SecretString: aws.String(string(plain)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, found := leak.Find(tap.logged.Bytes(), plain); !found {
		t.Error("the log holds no value")
	}
	if !strings.Contains(tap.logged.String(), tap.sums[0]) {
		t.Error("the log holds no digest of the body")
	}
	if _, found := leak.Find(tap.wire.Bytes(), plain); !found {
		t.Error("the request holds no value beside SecretString")
	}
}
