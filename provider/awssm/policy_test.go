package awssm_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/pipesecrets/pipesecrets/provider/awssm"
	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
	"github.com/pipesecrets/pipesecrets/provider/awssm/fetch"
)

func TestEachPrincipalCanDoItsWorkUnderItsPolicy(t *testing.T) {
	layouts(t, func(t *testing.T, layout awssm.Layout) {
		synctest.Test(t, func(t *testing.T) {
			f := awssmtest.New(awssmtest.Config{})
			l := newLauncher(t, f, 25, func(c *awssm.Config) { c.Layout = layout })
			for who, p := range map[string]awssm.Principal{
				"AKLAUNCHER": awssm.Launcher, "AKSWEEPER": awssm.Sweeper, "AKEXECUTION": awssm.Execution, "AKREADER": awssm.Reader,
			} {
				if err := f.Allow(who, string(l.driver.IAMPolicy(p))); err != nil {
					t.Fatal(err)
				}
			}
			refs, err := l.launch("r", 25)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := fetch.Values(t.Context(), f.Client("AKREADER"), refs); err != nil {
				t.Errorf("a reader: %v", err)
			}
			if awssm.ReferenceKind != fetch.Kind {
				t.Error("the two sides do not mean the same references")
			}
			arn := f.Secrets()[0].ARN
			if _, err := f.Client("AKEXECUTION").GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String(arn)}); err != nil {
				t.Errorf("the execution role: %v", err)
			}
			if _, err := l.complete("r"); err != nil {
				t.Errorf("a launcher: %v", err)
			}
			lost := newLauncher(t, f, 3, func(c *awssm.Config) { c.Layout = layout })
			if _, err := lost.launch("lost", 3); err != nil { // in another ledger
				t.Fatal(err)
			}
			sweeper := newLauncher(t, f, 1, func(c *awssm.Config) { c.Client, c.Layout = f.Client("AKSWEEPER"), layout })
			sweeper.ledger = l.ledger
			time.Sleep(time.Hour)
			for o, err := range sweeper.driver.List(t.Context(), mark) {
				if err != nil {
					t.Fatalf("a sweeper: %v", err)
				}
				if err := sweeper.driver.Remove(t.Context(), o, ""); err != nil {
					t.Errorf("a sweeper: %v", err)
				}
			}
			if left := f.Secrets(); len(left) != 0 {
				t.Errorf("there is %v", left)
			}
		})
	})
}

func TestNoPolicyAllowsMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := awssmtest.New(awssmtest.Config{})
		d := newDriver(t, config(f))
		ours := aws.String(f.Plant(awssmtest.Secret{Name: "tower-r/TOKEN", Tags: map[string]string{"pipesecrets-mark": "00"}}, []byte("x")))
		untagged := aws.String(f.Plant(awssmtest.Secret{Name: "tower-r/THEIRS"}, []byte("x")))
		other := aws.String(f.Plant(awssmtest.Secret{Name: "other/TOKEN", Tags: map[string]string{"pipesecrets-mark": "00"}}, []byte("x")))
		tags := []types.Tag{{Key: aws.String("pipesecrets-mark"), Value: aws.String("00")}}
		for p, may := range map[awssm.Principal]string{
			awssm.Launcher:  "create look delete",
			awssm.Sweeper:   "list look delete",
			awssm.Execution: "get",
			awssm.Reader:    "get batch",
		} {
			if err := f.Allow("AKPRINCIPAL", string(d.IAMPolicy(p))); err != nil {
				t.Fatal(err)
			}
			c := f.Client("AKPRINCIPAL")
			get := func(arn *string) error {
				_, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: arn})
				return err
			}
			batch := func(arn *string) error {
				out, err := c.BatchGetSecretValue(t.Context(), &secretsmanager.BatchGetSecretValueInput{SecretIdList: []string{*arn}})
				if err == nil && len(out.Errors) > 0 {
					err = &smithy.GenericAPIError{Code: *out.Errors[0].ErrorCode}
				}
				return err
			}
			look := func(arn *string) error {
				_, err := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: arn})
				return err
			}
			remove := func(arn *string) error { // so that what is allowed can be tried again
				_, err := c.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: arn, RecoveryWindowInDays: aws.Int64(7)})
				if err == nil {
					_, restored := f.Client("AKROOT").RestoreSecret(t.Context(), &secretsmanager.RestoreSecretInput{SecretId: arn})
					if restored != nil {
						t.Fatal(restored)
					}
				}
				return err
			}
			create := func(name string, tags []types.Tag) error {
				_, err := c.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String("x"), Tags: tags})
				return err
			}
			n := int(p)
			name := func(prefix string) string { return prefix + strings.Repeat("x", n+1) }
			for what, err := range map[string]error{
				"get": get(ours), "batch": batch(ours), "look": look(ours), "delete": remove(ours),
				"create": create(name("tower-new/"), tags),
				"list": func() error {
					_, err := c.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{})
					return err
				}(),
				"get another's":        get(other),
				"batch another's":      batch(other),
				"look at another's":    look(other),
				"delete another's":     remove(other),
				"delete untagged":      remove(untagged),
				"create without a tag": create(name("tower-untagged/"), nil),
				"create elsewhere":     create(name("other/"), tags),
				"restore": func() error {
					_, err := c.RestoreSecret(t.Context(), &secretsmanager.RestoreSecretInput{SecretId: ours})
					return err
				}(),
				"put": func() error {
					_, err := c.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: ours, SecretString: aws.String("y")})
					return err
				}(),
				"tag": func() error {
					_, err := c.TagResource(t.Context(), &secretsmanager.TagResourceInput{SecretId: untagged, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})
					return err
				}(),
			} {
				var denied smithy.APIError
				switch allowed := strings.Contains(" "+may+" ", " "+what+" "); {
				case allowed && err != nil:
					t.Errorf("%d: %s: %v", p, what, err)
				case !allowed && (!errors.As(err, &denied) || denied.ErrorCode() != "AccessDeniedException"):
					t.Errorf("%d: %s is not denied: %v", p, what, err)
				}
			}
		}
	})
}

func TestAPolicyNamesWhatTheDriverIsConfiguredFor(t *testing.T) {
	f := awssmtest.New(awssmtest.Config{})
	c := config(f)
	c.Prefix, c.KMSKeyID = "lab-", key
	d := newDriver(t, c)
	var p struct {
		Version   string
		Statement []struct {
			Sid, Effect string
			Action      []string
			Resource    string
			Condition   map[string]map[string]string
		}
	}
	for principal, actions := range map[awssm.Principal]string{
		awssm.Launcher:  "kms:GenerateDataKey kms:Decrypt",
		awssm.Execution: "kms:Decrypt",
		awssm.Reader:    "kms:Decrypt",
		awssm.Sweeper:   "",
	} {
		if err := json.Unmarshal(d.IAMPolicy(principal), &p); err != nil || p.Version != "2012-10-17" {
			t.Fatal(err, p.Version)
		}
		found := ""
		for _, s := range p.Statement {
			switch {
			case s.Sid == "Key":
				found = strings.Join(s.Action, " ")
				if s.Resource != key || s.Condition["StringEquals"]["kms:ViaService"] != "secretsmanager.eu-west-1.amazonaws.com" {
					t.Errorf("%d: %+v", principal, s)
				}
			case s.Resource != "*" && s.Resource != "arn:aws:secretsmanager:eu-west-1:123456789012:secret:lab-*":
				t.Errorf("%d: %+v", principal, s)
			}
		}
		if found != actions {
			t.Errorf("%d: of the key it allows %q", principal, found)
		}
	}
	c.Region, c.KMSKeyID = "cn-north-1", "arn:aws-cn:kms:cn-north-1:123456789012:alias/lab"
	text := string(newDriver(t, c).IAMPolicy(awssm.Execution))
	for _, want := range []string{
		`"arn:aws-cn:kms:cn-north-1:123456789012:key/*"`, `"kms:ResourceAliases": "alias/lab"`, `"secretsmanager.cn-north-1.amazonaws.com.cn"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %s in %s", want, text)
		}
	}
}
