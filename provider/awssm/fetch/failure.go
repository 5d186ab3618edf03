package fetch

import (
	"maps"
	"slices"
	"strings"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/awssm/internal/answer"
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

// codeOf returns the code for an error of AWS about one secret.
func codeOf(code, message string) provider.Code {
	if code == "ResourceNotFoundException" {
		return NotFound
	}
	switch code, known := answer.Known(code, message); {
	case code == provider.Taken: // it is being deleted
		return NotFound
	case known:
		return code
	}
	return provider.Refused
}
