package awssm

import (
	"errors"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/awssm/internal/answer"
)

// failure is what an error of the SDK becomes: a code, and nothing of its text.
func failure(op string, err error) error {
	if err == nil {
		return nil
	}
	if err == errCareless {
		return &provider.Error{Op: op, Code: provider.Internal}
	}
	return &provider.Error{Op: op, Code: answer.Code(err)}
}

// codeOf answers the code of what failure returned, "" for nil.
func codeOf(err error) provider.Code {
	var failed *provider.Error
	if errors.As(err, &failed) {
		return failed.Code
	}
	return ""
}
