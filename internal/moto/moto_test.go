package moto_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/internal/moto"
)

func TestMotoAnswersAndIsEmptyAfterAReset(t *testing.T) {
	endpoint := moto.Start(t)
	call := func(op, body string) string {
		t.Helper()
		request, err := http.NewRequest(http.MethodPost, endpoint, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-amz-json-1.1")
		request.Header.Set("X-Amz-Target", "secretsmanager."+op)
		request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/secretsmanager/aws4_request, SignedHeaders=host, Signature=0")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", op, response.Status, err)
		}
		return string(answer)
	}
	call("CreateSecret", `{"Name":"reset/me"}`)
	if list := call("ListSecrets", `{}`); !strings.Contains(list, "reset/me") {
		t.Errorf("moto does not show what was created: %s", list)
	}
	moto.Reset(t, endpoint)
	if list := call("ListSecrets", `{}`); strings.Contains(list, "reset/me") {
		t.Errorf("moto has a secret after a reset: %s", list)
	}
}
