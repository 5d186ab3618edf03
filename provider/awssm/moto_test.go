package awssm_test

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/pipesecrets/pipesecrets/internal/moto"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/awssm"
	"github.com/pipesecrets/pipesecrets/provider/providertest"
)

// moto is an emulator that others wrote. It differs from AWS where it bears on the
// suite in these: it deletes at once and shows everything at once, so that the
// horizon is a formality; it knows no permissions, so that nothing is refused
// and nothing is out of reach; and it is not atomic (inTurn).
func TestConformanceOnMoto(t *testing.T) {
	endpoint := moto.Start(t)
	layouts(t, func(t *testing.T, layout awssm.Layout) {
		providertest.Run(t, providertest.Harness{
			Open: func(t *testing.T) providertest.Place { return motoPlace(t, endpoint, layout) },
		})
	})
}

// inTurn sends one request after the other: moto looks whether a name is free and
// takes it in two steps, so that two creates at once may both succeed.
type inTurn struct{ mu sync.Mutex }

func (c *inTurn) Do(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return http.DefaultClient.Do(r)
}

func motoClient(endpoint string) *secretsmanager.Client {
	return secretsmanager.New(secretsmanager.Options{
		Region: region, BaseEndpoint: aws.String(endpoint), HTTPClient: &inTurn{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKLAUNCHER", SecretAccessKey: "none"}, nil
		}),
	})
}

// motoPlace is an emptied account of moto's.
func motoPlace(t *testing.T, endpoint string, layout awssm.Layout) providertest.Place {
	moto.Reset(t, endpoint)
	client := motoClient(endpoint)
	list := func() (all []types.SecretListEntry) {
		for pages := secretsmanager.NewListSecretsPaginator(client, &secretsmanager.ListSecretsInput{}); pages.HasMorePages(); {
			page, err := pages.NextPage(context.WithoutCancel(t.Context()))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, page.SecretList...)
		}
		return all
	}
	return providertest.Place{
		Driver: func() provider.Provider {
			return newDriver(t, awssm.Config{
				Client: client, Account: account, Region: region, Layout: layout, MaxJobDefinition: -1, Horizon: time.Minute,
			})
		},
		Left: func() (names []string) {
			for _, s := range list() {
				names = append(names, *s.Name)
			}
			return names
		},
		Holds: func(r provider.Reference, plain []byte) bool {
			for _, s := range list() {
				arn := *s.ARN
				if r.Locator != arn && r.Locator != arn+":"+r.Name.String()+"::" {
					continue
				}
				out, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: s.ARN})
				if err != nil {
					t.Fatal(err)
				}
				if r.Locator == arn {
					return *out.SecretString == string(plain)
				}
				var m map[string]string
				return json.Unmarshal([]byte(*out.SecretString), &m) == nil && m[r.Name.String()] == string(plain)
			}
			return false
		},
		Plant: func(o provider.Object) {
			_, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &o.Name, SecretString: aws.String("theirs")})
			if err != nil {
				t.Fatal(err)
			}
		},
		Exposed: func() []byte {
			text, err := json.Marshal(list())
			if err != nil {
				t.Fatal(err)
			}
			return text
		},
	}
}
