package awssm

import (
	"errors"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/pipesecrets/pipesecrets/provider"
)

// failure is what an error of the SDK becomes: a code, and nothing of its text,
// which is only looked at where AWS has one code for several states.
func failure(op string, err error) error {
	if err == nil {
		return nil
	}
	fail := func(code provider.Code) error { return &provider.Error{Op: op, Code: code} }
	var answer smithy.APIError
	if !errors.As(err, &answer) { // nothing answered, or nothing was asked
		return fail(provider.Unavailable)
	}
	text := strings.ToLower(answer.ErrorMessage())
	switch answer.ErrorCode() {
	case "ThrottlingException", "Throttling", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded":
		return fail(provider.Throttled)
	case "LimitExceededException":
		return fail(provider.Quota)
	case "ResourceExistsException":
		return fail(provider.Taken)
	case "InvalidRequestException":
		if strings.Contains(text, "delet") { // scheduled for deletion, marked for it, or just deleted
			return fail(provider.Taken)
		}
		return fail(provider.Refused)
	case "EncryptionFailure", "DecryptionFailure":
		return fail(provider.KeyUnusable)
	case "AccessDeniedException", "AccessDenied", "UnauthorizedOperation":
		if strings.Contains(text, "kms") {
			return fail(provider.KeyUnusable)
		}
		return fail(provider.Forbidden)
	case "ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidClientTokenId",
		"InvalidClientTokenIdException", "InvalidAccessKeyId", "MissingAuthenticationTokenException",
		"MissingAuthenticationToken", "IncompleteSignatureException", "IncompleteSignature", "NotAuthorized", "OptInRequired":
		return fail(provider.Unauthenticated)
	case "InvalidSignatureException", "SignatureDoesNotMatch":
		if strings.Contains(text, "expired") || strings.Contains(text, "not yet current") {
			return fail(provider.Unavailable) // it came late, or a clock is wrong
		}
		return fail(provider.Unauthenticated)
	case "RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture", "RequestTimeout", "RequestTimeoutException",
		"InternalServiceError", "InternalServiceErrorException", "InternalFailure", "InternalError",
		"ServiceUnavailable", "ServiceUnavailableException":
		return fail(provider.Unavailable)
	}
	if answer.ErrorFault() == smithy.FaultServer {
		return fail(provider.Unavailable)
	}
	return fail(provider.Refused)
}

// codeOf answers the code of what failure returned, "" for nil.
func codeOf(err error) provider.Code {
	var failed *provider.Error
	if errors.As(err, &failed) {
		return failed.Code
	}
	return ""
}

// isCode reports whether AWS answered an error of this code.
func isCode(err error, code string) bool {
	var answer smithy.APIError
	return errors.As(err, &answer) && answer.ErrorCode() == code
}
