package fetch_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/awssm/fetch"
)

// failures returns what a fetch.Error tells.
func failures(t *testing.T, err error) map[string]provider.Code {
	t.Helper()
	var failed *fetch.Error
	if !errors.As(err, &failed) {
		t.Fatalf("got %v", err)
	}
	if errors.Unwrap(err) != nil {
		t.Error("there is something to unwrap")
	}
	codes := map[string]provider.Code{}
	for name, code := range failed.Failed {
		codes[name.String()] = code
	}
	return codes
}

func TestTheErrorTellsEveryNameThatFailedAndNothingOfAWS(t *testing.T) {
	s := newService()
	references, _ := s.secretOf(t, 45)
	codes := []string{
		"ResourceNotFoundException", "AccessDeniedException", "DecryptionFailure", "InvalidRequestException",
		"InvalidParameterException", "ThrottlingException", "InternalServiceError", "of a later year",
	}
	s.answer = func(call int, asked request) (int, any) {
		if call == 2 {
			return s.lookUp(asked)
		}
		var values, errors []object
		for i, id := range asked.SecretIdList {
			if i < len(codes) && (call == 1 || i == 0) {
				errors = append(errors, failure(id, codes[i]))
			} else {
				values = append(values, s.held[id])
			}
		}
		return http.StatusOK, object{"SecretValues": values, "Errors": errors}
	}
	_, err := fetch.Values(t.Context(), s.client(), references)
	want := map[string]provider.Code{
		"SECRET_0": fetch.NotFound, "SECRET_1": provider.Forbidden, "SECRET_2": provider.KeyUnusable, "SECRET_3": provider.Refused,
		"SECRET_4": provider.Refused, "SECRET_5": provider.Throttled, "SECRET_6": provider.Unavailable, "SECRET_7": provider.Refused,
		"SECRET_40": fetch.NotFound,
	}
	if diff := cmp.Diff(want, failures(t, err)); diff != "" {
		t.Error(diff)
	}
	const text = "fetch: forbidden: SECRET_1; key unusable: SECRET_2; not found: SECRET_0, SECRET_40; refused: SECRET_3, SECRET_4, SECRET_7; " +
		"throttled: SECRET_5; unavailable: SECRET_6"
	if err.Error() != text {
		t.Errorf("got %s", err)
	}
}

func TestASecretThatIsBeingDeletedIsNotFound(t *testing.T) {
	s := newService()
	references, _ := s.secretOf(t, 2)
	s.answer = func(_ int, asked request) (int, any) {
		gone := failure(asked.SecretIdList[0], "InvalidRequestException")
		gone["Message"] = "You can't perform this operation on the secret because it was marked for deletion."
		return http.StatusOK, object{"SecretValues": []object{s.held[asked.SecretIdList[1]]}, "Errors": []object{gone}}
	}
	_, err := fetch.Values(t.Context(), s.client(), references)
	if diff := cmp.Diff(map[string]provider.Code{"SECRET_0": fetch.NotFound}, failures(t, err)); diff != "" {
		t.Error(diff)
	}
}

func TestACallThatFailsAsAWholeIsTheLastAndFailsTheRest(t *testing.T) {
	for name, c := range map[string]struct {
		status   int
		code     string
		want     provider.Code
		attempts int
	}{
		"may not":            {400, "AccessDeniedException", provider.Forbidden, 1},
		"expired":            {400, "ExpiredTokenException", provider.Unauthenticated, 1},
		"unknown and 403":    {403, "OfALaterYear", provider.Forbidden, 1},
		"invalid":            {400, "InvalidParameterException", provider.Refused, 1},
		"unknown":            {400, "OfALaterYear", provider.Refused, 1},
		"throttled":          {400, "ThrottlingException", provider.Throttled, 3},
		"throttled by 429":   {429, "OfALaterYear", provider.Throttled, 1},
		"fault":              {500, "InternalServiceError", provider.Unavailable, 3},
		"unknown fault":      {503, "OfALaterYear", provider.Unavailable, 3},
		"no answer":          {0, "", provider.Unavailable, 3},
		"not found at large": {400, "ResourceNotFoundException", fetch.NotFound, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService()
			references, _ := s.secretOf(t, 45)
			s.answer = func(call int, asked request) (int, any) {
				if call == 1 {
					_, page := s.lookUp(asked)
					page.(object)["Errors"] = []object{failure(asked.SecretIdList[0], "DecryptionFailure")}
					page.(object)["SecretValues"] = page.(object)["SecretValues"].([]object)[1:]
					return http.StatusOK, page
				}
				return c.status, object{"__type": c.code, "message": "quoted by AWS"}
			}
			_, err := fetch.Values(t.Context(), s.client(), references)
			want := map[string]provider.Code{"SECRET_0": provider.KeyUnusable}
			for i := 20; i < 45; i++ {
				want[fmt.Sprintf("SECRET_%d", i)] = c.want
			}
			if diff := cmp.Diff(want, failures(t, err)); diff != "" {
				t.Error(diff)
			}
			if len(s.calls) != 1+c.attempts {
				t.Errorf("%d calls", len(s.calls))
			}
			if strings.Contains(err.Error(), "quoted") {
				t.Errorf("got %s", err)
			}
		})
	}
}

func TestTheRetriesOfTheClientStayOn(t *testing.T) {
	s := newService()
	references, plain := s.secretOf(t, 1)
	s.answer = func(call int, asked request) (int, any) {
		if call < 3 {
			return http.StatusInternalServerError, object{"__type": "InternalServiceError"}
		}
		return s.lookUp(asked)
	}
	values, err := fetch.Values(t.Context(), s.client(), references)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plain, reveal(t, values)); diff != "" {
		t.Error(diff)
	}
}
