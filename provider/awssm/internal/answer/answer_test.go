package answer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/pipesecrets/pipesecrets/provider"
)

func TestEachErrorHasItsCode(t *testing.T) {
	for _, c := range []struct {
		code, message string
		want          provider.Code
	}{
		{"ThrottlingException", "Rate exceeded", provider.Throttled},
		{"TooManyRequestsException", "", provider.Throttled},
		{"LimitExceededException", "", provider.Quota},
		{"ResourceExistsException", "", provider.Taken},
		{"InvalidRequestException", "You can't create this secret because a secret with this name is already scheduled for deletion.", provider.Taken},
		{"InvalidRequestException", "because it was deleted", provider.Taken},
		{"InvalidRequestException", "You must enable rotation", provider.Refused},
		{"InvalidParameterException", "", provider.Refused},
		{"ResourceNotFoundException", "", provider.Refused},
		{"EncryptionFailure", "", provider.KeyUnusable},
		{"DecryptionFailure", "", provider.KeyUnusable},
		{"AccessDeniedException", "Access to KMS is not allowed", provider.KeyUnusable},
		{"AccessDeniedException", "User: u is not authorized to perform: kms:Decrypt on this resource", provider.KeyUnusable},
		{"AccessDeniedException", "User: arn:aws:iam::123456789012:user/kms is not authorized to perform: secretsmanager:DeleteSecret on resource: arn:aws:secretsmanager:eu-west-1:123456789012:secret:tower-r/KMS_TOKEN-Ab12Cd", provider.Forbidden},
		{"InvalidRequestException", "You can't delete secret tower-r/T that still has replica regions", provider.Refused},
		{"InvalidRequestException", "You tried to perform the operation on a secret that's currently marked deleted.", provider.Taken},
		{"AccessDeniedException", "is not authorized to perform: secretsmanager:CreateSecret", provider.Forbidden},
		{"ExpiredTokenException", "", provider.Unauthenticated},
		{"UnrecognizedClientException", "", provider.Unauthenticated},
		{"InvalidSignatureException", "Signature expired: 20261126T120000Z is now earlier than 20261126T120500Z", provider.Unavailable},
		{"InvalidSignatureException", "The request signature we calculated does not match", provider.Unauthenticated},
		{"InternalServiceError", "", provider.Unavailable},
		{"SomethingNew", "", provider.Unavailable},
	} {
		err := fmt.Errorf("operation error: %w", &smithy.GenericAPIError{Code: c.code, Message: c.message})
		if got := Code(err); got != c.want {
			t.Errorf("%s %q: %s, want %s", c.code, c.message, got, c.want)
		}
	}
	for status, want := range map[int]provider.Code{
		429: provider.Throttled, 401: provider.Forbidden, 403: provider.Forbidden, 404: provider.Refused, 500: provider.Unavailable, 503: provider.Unavailable,
	} {
		err := &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}, Err: errors.New("x")}
		if got := Code(err); got != want {
			t.Errorf("%d: %s, want %s", status, got, want)
		}
	}
	for _, err := range []error{errors.New("no such host"), context.Canceled} {
		if got := Code(err); got != provider.Unavailable {
			t.Errorf("%v: %s", err, got)
		}
	}
}

func TestQuietLeavesDeprecations(t *testing.T) {
	o := secretsmanager.Options{ClientLogMode: ^aws.ClientLogMode(0)}
	Quiet(&o)
	if o.ClientLogMode != aws.LogDeprecatedUsage {
		t.Errorf("%b is left", o.ClientLogMode)
	}
}
