package fetch_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/logging"

	"github.com/pipesecrets/pipesecrets/internal/leak"
	"github.com/pipesecrets/pipesecrets/provider/awssm/fetch"
)

// everything sets every bit of the SDK's log mode, those of later years too, and
// writes what comes of it to log.
func everything(log *bytes.Buffer) func(*secretsmanager.Options) {
	return func(o *secretsmanager.Options) {
		o.ClientLogMode = ^aws.ClientLogMode(0)
		o.Logger = logging.LoggerFunc(func(_ logging.Classification, format string, v ...any) {
			fmt.Fprintf(log, format+"\n", v...)
		})
	}
}

func TestAHostThatLogsEverythingLogsNoValue(t *testing.T) {
	s := newService()
	references, plain := s.secretOf(t, 2)
	text, err := json.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	references = append(references, reference(t, "KEY", s.put(strings.Replace(string(text), "SECRET_0", "KEY", 1))+":KEY::"))
	s.answer = func(call int, asked request) (int, any) {
		if call == 1 {
			return http.StatusInternalServerError, object{"__type": "InternalServiceError"}
		}
		return s.lookUp(asked)
	}
	var log bytes.Buffer
	if _, err := fetch.Values(t.Context(), s.client(everything(&log)), references); err != nil {
		t.Fatal(err)
	}
	for name, value := range plain {
		if form, found := leak.Find(log.Bytes(), []byte(value)); found {
			t.Errorf("%s is logged, %s", name, form)
		}
	}
	if log.Len() != 0 {
		t.Errorf("it is logged: %q", log.String())
	}
}

func TestThatLogWouldHoldTheValueOfAnyOtherCall(t *testing.T) {
	s := newService()
	_, plain := s.secretOf(t, 1)
	var ids []string
	for id := range s.held {
		ids = append(ids, id)
	}
	var log bytes.Buffer
	client := s.client(everything(&log))
	if _, err := client.BatchGetSecretValue(t.Context(), &secretsmanager.BatchGetSecretValueInput{SecretIdList: ids}); err != nil {
		t.Fatal(err)
	}
	if _, found := leak.Find(log.Bytes(), []byte(plain["SECRET_0"])); !found {
		t.Error("the search finds nothing")
	}
}
