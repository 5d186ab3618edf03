package awssm

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/awssm/internal/partition"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Kind is the Kind of this driver's locations.
const Kind = "awssm"

// Layout says how a run's secrets are put into AWS secrets.
type Layout uint8

// The layouts; see the package doc.
const (
	PerSecret Layout = iota
	JSONMap
)

// Config configures a [Driver].
type Config struct {
	Client  Client
	Account string // 12 digits; credentials of another account are refused
	Region  string // such as "eu-west-1"; the driver's calls go there, whatever the client was made for

	// Prefix begins the name of every AWS secret: "tower-" if empty, which is what
	// Nextflow's Seqera executor looks for. At most 100 of the characters
	// A-Z a-z 0-9 / _ + = . @ -
	// What was staged under another one is still removed; what no ledger knows of is
	// listed under the present one only.
	Prefix string

	// KMSKeyID is a customer managed key, by its ARN or by its alias's; the account's
	// aws/secretsmanager if empty, which every principal of the account may use who
	// may read the secret.
	KMSKeyID string

	Layout Layout

	// Tags are set on each secret beside the driver's own, such as for the
	// allocation of costs: at most 40, no key beginning with "aws:" or
	// "pipesecrets-".
	Tags map[string]string

	// Budget is the account's in this Region; one of the driver's own if nil.
	Budget *Budget

	// MaxJobDefinition bounds what [JobDefinition] may return for one run, in bytes:
	// 24,576 if zero, which is AWS Batch's limit for all of a job definition
	// (docs.aws.amazon.com/batch/latest/userguide/service_limits.html). Negative:
	// no limit, for runs that read by provider/awssm/fetch.
	MaxJobDefinition int

	// Horizon is 16 minutes if zero: see the package doc. It is shorter only for an
	// emulator.
	Horizon time.Duration
}

// Limits of AWS.
const (
	maxName     = 512 // of a secret's name, in characters
	maxEncoded  = 65536
	maxTags     = 40 // of AWS's 50; the rest is ours
	maxTagKey   = 128
	maxTagValue = 256
	maxFragment = 24576
)

// createTimeout bounds one create, most of which is waiting for its turn.
const createTimeout = time.Minute

// Driver is the provider for one account in one Region.
type Driver struct {
	config    Config
	partition string
	budget    *Budget
}

var (
	_ provider.Provider = (*Driver)(nil)
	_ provider.Lister   = (*Driver)(nil)
	_ provider.Weigher  = (*Driver)(nil)
)

var (
	goodAccount = regexp.MustCompile(`^[0-9]{12}$`)
	goodRegion  = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$`)
	goodPrefix  = regexp.MustCompile(`^[A-Za-z0-9/_+=.@-]{1,100}$`)
	goodKey     = regexp.MustCompile(`^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:(key|alias)/[A-Za-z0-9/_-]{1,256}$`)
	goodTag     = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+@-]*$`)
)

// New returns a driver, or a *secrets.InvalidError that names the field of the
// configuration and the rule. It does no I/O.
func New(c Config) (*Driver, error) {
	if c.Prefix == "" {
		c.Prefix = "tower-"
	}
	if c.Budget == nil {
		c.Budget = NewBudget(0)
	}
	if c.Horizon == 0 {
		c.Horizon = 15*time.Minute + createTimeout
	}
	if c.MaxJobDefinition == 0 {
		c.MaxJobDefinition = maxFragment
	}
	c.Tags = maps.Clone(c.Tags)
	for _, rule := range []struct {
		field string
		holds bool
		rule  string
	}{
		{"client", c.Client != nil, "must be set"},
		{"account", goodAccount.MatchString(c.Account), "must be 12 digits"},
		{"region", goodRegion.MatchString(c.Region), "must be the name of a Region, such as eu-west-1"},
		{"prefix", goodPrefix.MatchString(c.Prefix), "must be 1 to 100 of A-Z a-z 0-9 / _ + = . @ -"},
		{"kmskeyid", c.KMSKeyID == "" || goodKey.MatchString(c.KMSKeyID) && strings.HasPrefix(c.KMSKeyID, "arn:"+partition.Of(c.Region)+":kms:"+c.Region+":"),
			"must be the ARN of a key or of an alias in the Region"},
		{"budget", c.Budget.creates != nil, "must be made by NewBudget"},
		{"layout", c.Layout <= JSONMap, "must be one of the layouts"},
		{"tags", len(c.Tags) <= maxTags, "must be at most 40"},
		{"horizon", c.Horizon > 0, "must not be negative"},
	} {
		if !rule.holds {
			return nil, &secrets.InvalidError{Field: "config." + rule.field, Rule: rule.rule}
		}
	}
	for key, value := range c.Tags {
		if !goodTags(key, value) {
			return nil, &secrets.InvalidError{Field: "config.tags", Rule: "must be what AWS takes as tags, and not begin with aws: or pipesecrets-"}
		}
	}
	return &Driver{config: c, partition: partition.Of(c.Region), budget: c.Budget}, nil
}

func goodTags(key, value string) bool {
	for _, taken := range []string{"aws:", tagPrefix} {
		if strings.HasPrefix(strings.ToLower(key), taken) {
			return false
		}
	}
	return key != "" && utf8.RuneCountInString(key) <= maxTagKey && utf8.RuneCountInString(value) <= maxTagValue &&
		goodTag.MatchString(key) && goodTag.MatchString(value)
}

// Location answers the account and the Region.
func (d *Driver) Location() provider.Location {
	return provider.Location{Kind: Kind, Account: d.config.Account, Place: d.config.Region}
}

// Capabilities answers the horizon, a minute for a create, and ten calls at once.
func (d *Driver) Capabilities() provider.Capabilities {
	return provider.Capabilities{Horizon: d.config.Horizon, CreateTimeout: createTimeout, Concurrency: 10}
}

// Carries refuses a value that is not valid UTF-8, which the SDK would change
// silently; one with a NUL byte, which no environment can hold; and with [JSONMap]
// one that is longer than 65,536 bytes as it is encoded.
func (d *Driver) Carries(name secrets.Name, v secrets.Value) error {
	if d.config.Layout == JSONMap && d.Weigh(name, v)+braces > maxEncoded {
		return &secrets.InvalidError{Field: "value", Rule: "must be at most 65536 bytes as JSON, with its name"}
	}
	return v.Reveal(func(plain []byte) error {
		if !utf8.Valid(plain) {
			return &secrets.InvalidError{Field: "value", Rule: "must be valid UTF-8 to be kept by AWS Secrets Manager"}
		}
		if slices.Contains(plain, 0) {
			return &secrets.InvalidError{Field: "value", Rule: "may hold no NUL byte to stand in an environment"}
		}
		return nil
	})
}
