// Package answer is what both sides of the driver for AWS Secrets Manager make of
// the SDK's answers.
package answer

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/pipesecrets/pipesecrets/provider"
)

// Quiet leaves of the SDK's logging only deprecations on for a call: the rest prints
// bodies, digests of them, or what AWS says, which may quote anything.
func Quiet(o *secretsmanager.Options) {
	if o.ClientLogMode.IsSigning() {
		// The SDK has read this bit when the client was made. A signature's log has the
		// digest of the body, by which a value can be guessed.
		o.AuthSchemes = secretsmanager.New(secretsmanager.Options{Region: o.Region, HTTPSignerV4: o.HTTPSignerV4}).Options().AuthSchemes
	}
	o.ClientLogMode &= aws.LogDeprecatedUsage
}

// Is reports whether AWS answered an error of this code.
func Is(err error, code string) bool {
	var answer smithy.APIError
	return errors.As(err, &answer) && answer.ErrorCode() == code
}

// Code returns the code for a call that failed.
func Code(err error) provider.Code {
	var answer smithy.APIError
	if errors.As(err, &answer) {
		if code, known := Known(answer.ErrorCode(), answer.ErrorMessage()); known {
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

// Known returns the code for an error of AWS, and whether it is one of those that
// the API reference of Secrets Manager names, the common ones among them. The
// message is only looked at where AWS has one code for several states.
func Known(code, message string) (provider.Code, bool) {
	message = strings.ToLower(message)
	switch code {
	case "LimitExceededException": // a hard limit here, though the SDK takes it for a throttle
		return provider.Quota, true
	case "ResourceExistsException":
		return provider.Taken, true
	case "InvalidRequestException":
		if holds(message, "scheduled for deletion", "marked for deletion", "marked deleted", "was deleted") {
			return provider.Taken, true
		}
		return provider.Refused, true
	case "ResourceNotFoundException", "InvalidParameterException", "InvalidNextTokenException", "ValidationException",
		"ValidationError", "MalformedPolicyDocumentException", "PreconditionNotMetException", "PublicPolicyException":
		return provider.Refused, true
	case "EncryptionFailure", "DecryptionFailure":
		return provider.KeyUnusable, true
	case "AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "NotAuthorized", "OptInRequired":
		if holds(message, "access to kms", "perform: kms:") { // and no secret's or principal's name
			return provider.KeyUnusable, true
		}
		return provider.Forbidden, true
	case "ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidClientTokenId",
		"InvalidClientTokenIdException", "InvalidAccessKeyId", "MissingAuthenticationTokenException",
		"MissingAuthenticationToken", "IncompleteSignatureException", "IncompleteSignature":
		return provider.Unauthenticated, true
	case "InvalidSignatureException", "SignatureDoesNotMatch":
		if holds(message, "signature expired", "signature not yet current") {
			return provider.Unavailable, true // it came late, or a clock is wrong
		}
		return provider.Unauthenticated, true
	case "RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture", "RequestTimeout", "RequestTimeoutException",
		"InternalServiceError", "InternalServiceErrorException", "InternalFailure", "InternalError",
		"ServiceUnavailable", "ServiceUnavailableException":
		return provider.Unavailable, true
	}
	if _, throttle := retry.DefaultThrottleErrorCodes[code]; throttle {
		return provider.Throttled, true
	}
	return "", false
}

// holds reports whether one of the phrases is in the text.
func holds(text string, phrases ...string) bool {
	return slices.ContainsFunc(phrases, func(p string) bool { return strings.Contains(text, p) })
}
