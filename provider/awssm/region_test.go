package awssm_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/pipesecrets/pipesecrets/provider/awssm"
	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
	"github.com/pipesecrets/pipesecrets/provider/awssm/fetch"
)

func TestTheDriverAndTheFakeAgreeOnARNsInEachPartition(t *testing.T) {
	for region, partition := range map[string]string{
		"eu-west-1": "aws", "us-east-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov",
		"us-iso-east-1": "aws-iso", "us-isob-east-1": "aws-iso-b", "us-isof-south-1": "aws-iso-f",
		"eu-isoe-west-1": "aws-iso-e", "eusc-de-east-1": "aws-eusc",
	} {
		synctest.Test(t, func(t *testing.T) {
			f := awssmtest.New(awssmtest.Config{Region: region})
			l := newLauncher(t, f, 2, func(c *awssm.Config) { c.Region = region })
			for who, p := range map[string]awssm.Principal{"AKLAUNCHER": awssm.Launcher, "AKREADER": awssm.Reader} {
				if err := f.Allow(who, string(l.driver.IAMPolicy(p))); err != nil {
					t.Fatalf("%s: %v", region, err)
				}
			}
			refs, err := l.launch("r", 2)
			if err != nil {
				t.Fatalf("%s: %v", region, err)
			}
			for _, r := range refs {
				if !strings.HasPrefix(r.Locator, "arn:"+partition+":secretsmanager:"+region+":"+account+":secret:") {
					t.Errorf("%s: %s", region, r.Locator)
				}
			}
			if _, err := fetch.Values(t.Context(), f.Client("AKREADER"), refs); err != nil {
				t.Errorf("%s: %v", region, err)
			}
			_, err = f.Client("AKREADER").DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String(refs[0].Locator)})
			if err == nil || !strings.Contains(err.Error(), "arn:"+partition+":iam::"+account+":user/AKREADER is not authorized") {
				t.Errorf("%s: what is denied is answered: %v", region, err)
			}
			if _, err := l.complete("r"); err != nil {
				t.Errorf("%s: %v", region, err)
			}
			if left := f.Secrets(); len(left) != 0 {
				t.Errorf("%s: there is %v", region, left)
			}
		})
	}
}
