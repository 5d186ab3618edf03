package fetch_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/pipesecrets/pipesecrets/internal/moto"
	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/awssm/fetch"
)

func TestMotoHandsOutWhatItWasGiven(t *testing.T) {
	client := motoClient(moto.Start(t))
	plain, shared := map[string]string{}, map[string]string{}
	var list entries
	for i := range 21 {
		name := fmt.Sprintf("SECRET_%d", i)
		plain[name] = rand.Text() + "\n\"<\\>\u2028\U0001F512"
		list = append(list, entries{{parseName(t, name), create(t, client, plain[name])}}...)
	}
	for i := range 30 {
		name := fmt.Sprintf("KEY_%d", i)
		shared[name] = rand.Text() + "\n\"<\\>\u2028\U0001F512"
		plain[name] = shared[name]
	}
	text, err := json.Marshal(shared)
	if err != nil {
		t.Fatal(err)
	}
	arn := create(t, client, string(text))
	for name := range shared {
		list = append(list, entries{{parseName(t, name), arn + ":" + name + "::"}}...)
	}

	written, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	references, err := fetch.Parse(written)
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	values, err := fetch.Values(t.Context(), after{client, func() { calls++ }}, references)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plain, reveal(t, values)); diff != "" {
		t.Error(diff)
	}
	if calls != 2 {
		t.Errorf("%d calls for 22 secrets", calls)
	}
}

func TestMotoSaysWhichSecretsCanNotBeRead(t *testing.T) {
	client := motoClient(moto.Start(t))
	good, binary, dying, gone, moved := create(t, client, rand.Text()), createBinary(t, client), create(t, client, rand.Text()), create(t, client, rand.Text()), create(t, client, rand.Text())
	for arn, force := range map[string]bool{dying: false, gone: true} {
		if _, err := client.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: &arn, ForceDeleteWithoutRecovery: &force}); err != nil {
			t.Fatal(err)
		}
	}
	canary := rand.Text()
	if _, err := client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: &moved, SecretString: &canary}); err != nil {
		t.Fatal(err)
	}
	_, err := fetch.Values(t.Context(), client, []provider.Reference{
		reference(t, "GOOD", good), reference(t, "BINARY", binary), reference(t, "DYING", dying), reference(t, "GONE", gone),
	})
	want := map[string]provider.Code{"BINARY": fetch.Altered, "DYING": fetch.NotFound, "GONE": fetch.NotFound}
	if diff := cmp.Diff(want, failures(t, err)); diff != "" {
		t.Error(diff)
	}
	values, err := fetch.Values(t.Context(), client, []provider.Reference{reference(t, "MOVED", moved)})
	if err != nil || reveal(t, values)["MOVED"] != canary {
		t.Errorf("not the current version: %v", err)
	}
}

func motoClient(endpoint string) *secretsmanager.Client {
	return secretsmanager.New(secretsmanager.Options{
		Region:       "eu-west-1",
		BaseEndpoint: &endpoint,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: rand.Text(), SecretAccessKey: rand.Text()}, nil
		}),
	})
}

// create makes a secret and returns its ARN.
func create(t *testing.T, client *secretsmanager.Client, text string) string {
	t.Helper()
	out, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String("tower-" + rand.Text() + "/" + rand.Text()), SecretString: &text,
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.ARN
}

func createBinary(t *testing.T, client *secretsmanager.Client) string {
	t.Helper()
	out, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String("tower-" + rand.Text() + "/" + rand.Text()), SecretBinary: []byte(rand.Text()),
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.ARN
}
