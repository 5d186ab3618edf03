//go:build !unix

package crypto

import (
	"os"

	"github.com/pipesecrets/pipesecrets/secrets"
)

var errNoKeyFiles = &secrets.InvalidError{Field: "key file", Rule: "can't be checked for its owner and mode on this system"}

func placeKeyFile(string, string) (string, error) { return "", errNoKeyFiles }

func openKeyFile(string) (*os.File, error) { return nil, errNoKeyFiles }

func syncDirectory(string) error { return errNoKeyFiles }
