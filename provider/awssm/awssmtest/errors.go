package awssmtest

import (
	"fmt"
	"net/http"
)

// refusal is an error that AWS answers; nil is none.
type refusal struct {
	code    string
	message string
}

// status is the HTTP status of a refusal: of the errors of Secrets Manager, all
// but InternalServiceError are 400 (API reference, "Errors" of each action).
func (r *refusal) status() int {
	if r.code == "InternalServiceError" {
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

func refuse(code, format string, args ...any) *refusal {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// The errors that several operations answer. Their messages are AWS's, as far as
// they are known from reports in the open.
var (
	notFound  = &refusal{"ResourceNotFoundException", "Secrets Manager can't find the specified secret."}
	marked    = &refusal{"InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion."}
	deleted   = &refusal{"InvalidRequestException", "You can't perform this operation on the secret because it was deleted."}
	scheduled = &refusal{"InvalidRequestException", "You can't create this secret because a secret with this name is already scheduled for deletion."}
	internal  = &refusal{"InternalServiceError", "An error occurred on the server side."}
	throttled = &refusal{"ThrottlingException", "Rate exceeded"}
)

// constraint is how the front end of AWS's services refuses a field that breaks
// the shape of the API's model.
func constraint(field, rule string) *refusal {
	return refuse("ValidationException", "1 validation error detected: Value at '%s' failed to satisfy constraint: %s", field, rule)
}

// parameter is how Secrets Manager itself refuses a field.
func parameter(format string, args ...any) *refusal {
	return refuse("InvalidParameterException", format, args...)
}
