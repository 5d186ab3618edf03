package fetch

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Codes that only reading needs, beside those of package provider.
const (
	// NotFound says that there is no such secret, or no such key in it: it was
	// removed, since the run was over or the secret revoked, or can't be seen yet.
	// What was created seconds ago may still be missing (Secrets Manager is
	// eventually consistent).
	NotFound provider.Code = "not found"

	// Altered says that the secret does not hold what a launcher puts there: it is
	// binary, empty, longer than 65,536 bytes or, where keys are asked for, no JSON
	// object of strings with each key once; or the version that AWS answered with
	// is not its current one.
	Altered provider.Code = "altered"
)

// Error tells which secrets could not be read, by the names that the pipeline
// knows. It has no text from AWS and nothing to unwrap.
type Error struct {
	Failed map[secrets.Name]provider.Code
}

func (e *Error) Error() string {
	names := map[provider.Code][]string{}
	for _, name := range slices.SortedFunc(maps.Keys(e.Failed), secrets.Name.Compare) {
		code := e.Failed[name]
		names[code] = append(names[code], name.String())
	}
	var parts []string
	for _, code := range slices.Sorted(maps.Keys(names)) {
		parts = append(parts, string(code)+": "+strings.Join(names[code], ", "))
	}
	return "fetch: " + strings.Join(parts, "; ")
}

// classify returns the code for a call that failed as a whole.
func classify(err error) provider.Code {
	var api smithy.APIError
	if errors.As(err, &api) {
		if code, known := codeOf(api.ErrorCode()); known {
			return code
		}
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		switch status := response.HTTPStatusCode(); {
		case status == http.StatusTooManyRequests:
			return provider.Throttled
		case status == http.StatusUnauthorized || status == http.StatusForbidden:
			return provider.Forbidden
		case status >= 400 && status < 500:
			return provider.Refused
		}
	}
	return provider.Unavailable // no answer, no credentials, a fault of the server's
}

// codeOf returns the code for an error of AWS, be it for one secret or a call
// (Secrets Manager: BatchGetSecretValue, and Common Error Types), and whether the
// error is known.
func codeOf(code string) (provider.Code, bool) {
	switch code {
	case "ResourceNotFoundException":
		return NotFound, true
	case "AccessDeniedException", "AccessDenied", "NotAuthorized", "OptInRequired",
		"ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidClientTokenId",
		"InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature",
		"MissingAuthenticationToken", "MissingAuthenticationTokenException":
		return provider.Forbidden, true
	case "DecryptionFailure", "InvalidRequestException", "InvalidParameterException",
		"InvalidNextTokenException", "ValidationException", "ValidationError":
		return provider.Refused, true
	case "InternalServiceError", "InternalFailure", "ServiceUnavailable", "ServiceUnavailableException":
		return provider.Unavailable, true
	}
	if _, throttle := retry.DefaultThrottleErrorCodes[code]; throttle {
		return provider.Throttled, true
	}
	return "", false
}
