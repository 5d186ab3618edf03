package fetch

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Kind is the kind of the references that this package reads.
const Kind = "aws-secret"

// MaxList is the largest size of a list in bytes: that of a whole job definition
// (AWS Batch, service quotas), in which a list has to fit.
const MaxList = 24 << 10

var (
	errListSize      = &secrets.InvalidError{Field: "list", Rule: "must be at most 24 KiB"}
	errListSyntax    = &secrets.InvalidError{Field: "list", Rule: "must be one JSON array of objects"}
	errListFields    = &secrets.InvalidError{Field: "list", Rule: "each entry must have the fields name and valueFrom, once each, and no other"}
	errListText      = &secrets.InvalidError{Field: "list", Rule: "name and valueFrom must be strings"}
	errNoName        = &secrets.InvalidError{Field: "name", Rule: "is missing"}
	errNameTwice     = &secrets.InvalidError{Field: "name", Rule: "may stand in a list once only"}
	errKind          = &secrets.InvalidError{Field: "kind", Rule: "must be " + Kind}
	errLocatorARN    = &secrets.InvalidError{Field: "valueFrom", Rule: "must be the full ARN of a secret, alone or followed by :KEY::"}
	errLocatorKey    = &secrets.InvalidError{Field: "valueFrom", Rule: "a JSON key must be the name of its entry"}
	errLocatorLatest = &secrets.InvalidError{Field: "valueFrom", Rule: "may name no version stage and no version id"}
)

// Parse returns the references of a list, in its order. It fails with a
// [secrets.InvalidError] for the fields "list", "name" or "valueFrom". Unlike AWS
// Batch it refuses fields that it does not know, names that stand there twice, and
// versions. Which secret belongs to a name, it believes the list.
func Parse(list []byte) ([]provider.Reference, error) {
	if len(list) > MaxList {
		return nil, errListSize
	}
	if !json.Valid(list) {
		return nil, errListSyntax
	}
	// Into a struct the decoder would take a field in any case, and the last of
	// several, so that two readers of one list could see two lists.
	d := json.NewDecoder(bytes.NewReader(list))
	if !next(d, json.Delim('[')) {
		return nil, errListSyntax
	}
	var references []provider.Reference
	for d.More() {
		r, err := parseEntry(d)
		if err != nil {
			return nil, err
		}
		references = append(references, r)
	}
	if _, err := plan(references); err != nil {
		return nil, err
	}
	return references, nil
}

// next consumes a token and reports whether it is the one.
func next(d *json.Decoder, want json.Token) bool {
	got, err := d.Token()
	return err == nil && got == want
}

func parseEntry(d *json.Decoder) (provider.Reference, error) {
	if !next(d, json.Delim('{')) {
		return provider.Reference{}, errListSyntax
	}
	fields := map[string]string{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return provider.Reference{}, errListSyntax
		}
		field := key.(string) // of an object in valid JSON
		if _, twice := fields[field]; twice || field != "name" && field != "valueFrom" {
			return provider.Reference{}, errListFields
		}
		token, err := d.Token()
		if err != nil {
			return provider.Reference{}, errListSyntax
		}
		text, ok := token.(string)
		if !ok {
			return provider.Reference{}, errListText
		}
		fields[field] = text
	}
	if !next(d, json.Delim('}')) {
		return provider.Reference{}, errListSyntax
	}
	if len(fields) != 2 {
		return provider.Reference{}, errListFields
	}
	name, err := secrets.ParseName(fields["name"])
	if err != nil {
		return provider.Reference{}, err
	}
	return provider.Reference{Name: name, Kind: Kind, Locator: fields["valueFrom"]}, nil
}

// source is what one AWS secret is read for.
type source struct {
	arn   string
	wants []want
}

// want is one name, and the key under which its value stands; "" for a secret that
// is the value.
type want struct {
	name secrets.Name
	key  string
}

// plan returns the distinct secrets that the references are to, in the order in
// which they first occur.
func plan(references []provider.Reference) ([]source, error) {
	var sources []source
	at := map[string]int{}
	names := map[secrets.Name]bool{}
	for _, r := range references {
		if r.Kind != Kind {
			return nil, errKind
		}
		if r.Name.IsZero() {
			return nil, errNoName
		}
		if names[r.Name] {
			return nil, errNameTwice
		}
		names[r.Name] = true
		arn, key, err := parseLocator(r)
		if err != nil {
			return nil, err
		}
		i, known := at[arn]
		if !known {
			i = len(sources)
			at[arn] = i
			sources = append(sources, source{arn: arn})
		}
		sources[i].wants = append(sources[i].wants, want{r.Name, key})
	}
	return sources, nil
}

// fullARN matches the ARN of a secret in any partition, with the six characters
// that AWS adds to its name. Without these an ARN may be taken for another
// secret's (Secrets Manager: GetSecretValue, SecretId).
var fullARN = regexp.MustCompile(`^arn:aws(?:-[a-z]{1,16}){0,3}:secretsmanager:[a-z0-9-]{1,32}:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]{1,512}-[A-Za-z0-9]{6}$`)

// parseLocator splits ARN or ARN:KEY:: (Amazon ECS: Secret, valueFrom).
func parseLocator(r provider.Reference) (arn, key string, err error) {
	parts := strings.SplitN(r.Locator, ":", 11)
	arn = strings.Join(parts[:min(7, len(parts))], ":")
	if len(parts) != 7 && len(parts) != 10 || !fullARN.MatchString(arn) {
		return "", "", errLocatorARN
	}
	if len(parts) == 7 {
		return arn, "", nil
	}
	if parts[8] != "" || parts[9] != "" {
		return "", "", errLocatorLatest
	}
	if parts[7] != r.Name.String() {
		return "", "", errLocatorKey
	}
	return arn, parts[7], nil
}
