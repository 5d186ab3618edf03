package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/pipesecrets/pipesecrets/provider/awssm"
	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
)

// callTime is what one call of AWS may take: an endpoint that accepts connections and
// never answers must not hold the launcher for ever.
const callTime = 10 * time.Second

// cloud is the Secrets Manager that the run's secrets go to.
type cloud struct {
	fake            *awssmtest.Fake        // nil on AWS and on emulators
	launcher, job   *secretsmanager.Client // one principal on AWS, two on the fake
	account, region string
	what            string        // what answers, in words
	horizon         time.Duration // 0 for the driver's own
}

// reach finds what the SDK is configured for, or makes a fake if it is for nothing.
func reach(ctx context.Context, asked string) (*cloud, error) {
	// Where nothing is configured the SDK would ask the metadata service of EC2, and
	// wait for it where there is none: only if the environment says so.
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(callTime)),
	}
	metadata := os.Getenv("AWS_EC2_METADATA_DISABLED") == "false"
	if !metadata {
		options = append(options, config.WithEC2IMDSClientEnableState(imds.ClientDisabled))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		// Without its text, which may quote a line of a file with credentials.
		var missing config.SharedConfigProfileNotExistError
		if errors.As(err, &missing) {
			return nil, &wrongInput{"AWS_PROFILE: must name a profile of the AWS configuration files"}
		}
		return nil, &wrongInput{"the AWS configuration can't be loaded: look at the AWS_ variables and the profile files"}
	}
	client := secretsmanager.NewFromConfig(cfg)
	endpoint := aws.ToString(client.Options().BaseEndpoint)
	if !metadata && !credentialsNamed(cfg) {
		what := half()
		if what == "" && endpoint != "" {
			what = "an endpoint"
		}
		if what != "" {
			return nil, &wrongInput{what + " is there, but no AWS credentials are: " + mend}
		}
		return fake(asked, cfg.Region), nil
	}
	if cfg.Region == "" {
		return nil, &wrongInput{"AWS_REGION: must be set, or the profile must name a Region"}
	}
	who, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, &wrongInput{"no AWS credentials: " + mend}
	}
	c := &cloud{launcher: client, job: client, region: cfg.Region, what: "endpoint " + endpoint}
	if endpoint == "" {
		c.what = "AWS's own endpoint"
	}
	switch {
	case asked != "":
		c.account = asked
	case who.AccountID != "":
		c.account = who.AccountID
	default:
		c.account, err = askSTS(ctx, cfg)
	}
	return c, err
}

// mend is what to do where credentials are missing.
const mend = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile that has some and is signed in"

// credentialsNamed reports whether the configuration names credentials, be they good
// or not: a profile that has expired must not end in a play on the fake.
func credentialsNamed(cfg aws.Config) bool {
	known, ok := cfg.Credentials.(aws.CredentialProviderSource)
	if !ok {
		return cfg.Credentials != nil
	}
	// What the SDK falls back to when nothing else is there is EC2's metadata.
	sources := known.ProviderSources()
	return len(sources) > 0 && sources[0] != aws.CredentialSourceIMDS
}

// askSTS answers the account of the credentials.
func askSTS(ctx context.Context, cfg aws.Config) (string, error) {
	in, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(in, nil)
	var answered smithy.APIError
	switch {
	case err == nil && account.MatchString(aws.ToString(who.Account)):
		return *who.Account, nil
	case errors.As(err, &answered):
		return "", &wrongInput{"the account is not known, since STS refuses to tell: give -account, or other credentials"}
	}
	return "", &wrongInput{"the account is not known, since STS does not answer: give -account"}
}

// fake is an account of this project's fake, in memory.
func fake(account, region string) *cloud {
	if account == "" {
		account = "123456789012"
	}
	if region == "" {
		region = "eu-west-1"
	}
	f := awssmtest.New(awssmtest.Config{Account: account, Region: region})
	return &cloud{
		fake: f, launcher: f.Client("LAUNCHER"), job: f.Client("JOB"),
		account: account, region: region,
		what: "nothing is configured, so a fake of Secrets Manager in this process it is",
		// Nothing is late there, so that the proof needs no 16 minutes.
		horizon: time.Second,
	}
}

// place tells this Secrets Manager from any other.
func (c *cloud) place() string {
	return fmt.Sprintf("%s; account %s, Region %s", c.what, c.account, c.region)
}

// driver returns the driver for this cloud.
func (c *cloud) driver(layout awssm.Layout) (*awssm.Driver, error) {
	d, err := awssm.New(awssm.Config{
		Client: c.launcher, Account: c.account, Region: c.region, Layout: layout, Horizon: c.horizon,
	})
	if err != nil {
		return nil, &wrongInput{"the AWS configuration: " + err.Error()}
	}
	return d, nil
}

// enforce has the fake allow the launcher and the job what their policies say, and
// nothing else. On AWS that is the administrator's part.
func (c *cloud) enforce(d *awssm.Driver) error {
	if c.fake == nil {
		return nil
	}
	return errors.Join(
		c.fake.Allow("LAUNCHER", string(d.IAMPolicy(awssm.Launcher)), string(d.IAMPolicy(awssm.Sweeper))),
		c.fake.Allow("JOB", string(d.IAMPolicy(awssm.Reader))),
	)
}
