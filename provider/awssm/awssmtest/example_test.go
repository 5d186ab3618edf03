package awssmtest_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/pipesecrets/pipesecrets/provider/awssm/awssmtest"
)

// A list that follows a create may not show it: who looks for what a crash left
// behind has to look again.
func ExampleFake() {
	now := time.Now()
	fake := awssmtest.New(awssmtest.Config{
		Now: func() time.Time { return now },
		Choose: func(f awssmtest.Freedom, n int) int {
			if f == awssmtest.StaleList {
				return n - 1
			}
			return 0
		},
	})
	client, ctx := fake.Client("launcher"), context.Background()
	_, err := client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name:         aws.String("tower-3kx9/NCBI_API_KEY"),
		SecretString: aws.String(rand.Text()),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	list := func() {
		out, err := client.ListSecrets(ctx, &secretsmanager.ListSecretsInput{})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(len(out.SecretList), "listed,", len(fake.Secrets()), "there")
	}
	list()
	now = now.Add(5 * time.Minute)
	list()
	// Output:
	// 0 listed, 1 there
	// 1 listed, 1 there
}

// A principal that may create and delete what a run needs, and read nothing.
func ExampleFake_Allow() {
	fake := awssmtest.New(awssmtest.Config{})
	err := fake.Allow("launcher", `{
		"Version": "2012-10-17",
		"Statement": [{
			"Effect": "Allow",
			"Action": ["secretsmanager:CreateSecret", "secretsmanager:DescribeSecret", "secretsmanager:DeleteSecret", "secretsmanager:TagResource"],
			"Resource": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:tower-*"
		}]
	}`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fake.Plant(awssmtest.Secret{Name: "tower-3kx9/NCBI_API_KEY"}, []byte(rand.Text()))
	id, ctx := aws.String("tower-3kx9/NCBI_API_KEY"), context.Background()
	client := fake.Client("launcher")
	_, err = client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: id})
	fmt.Println("may not read:", err != nil)
	_, err = client.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: id, ForceDeleteWithoutRecovery: aws.Bool(true)})
	fmt.Println("may delete:", err == nil)
	for _, call := range fake.Calls() {
		fmt.Println(call.Op, call.Code)
	}
	// Output:
	// may not read: true
	// may delete: true
	// GetSecretValue AccessDeniedException
	// DeleteSecret
}
