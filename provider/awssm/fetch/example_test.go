package fetch_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/pipesecrets/pipesecrets/provider/awssm/fetch"
)

// The wrapper of a task reads the task's secrets and starts it.
func Example() {
	ctx := context.Background()
	client := canned{} // in a job: secretsmanager.NewFromConfig(cfg)

	list := `[{"name": "NCBI_API_KEY", "valueFrom": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:tower-3kx9/NCBI_API_KEY-Ab12Cd"}]`
	references, err := fetch.Parse([]byte(list))
	if err != nil {
		fmt.Println(err)
		return
	}
	values, err := fetch.Values(ctx, client, references)
	if err != nil {
		fmt.Println(err) // names and codes; no value, and no text from AWS
		return
	}
	fmt.Println(values)

	task := exec.CommandContext(ctx, "sh", "-c", `echo "a key of ${#NCBI_API_KEY} characters"`)
	if task.Env, err = fetch.Environ(os.Environ(), values); err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range values {
		v.Destroy()
	}
	out, err := task.Output()
	fmt.Print(string(out))
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// map[NCBI_API_KEY:[secret]]
	// a key of 26 characters
}

// canned stands for AWS.
type canned struct{}

func (canned) BatchGetSecretValue(_ context.Context, in *secretsmanager.BatchGetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.BatchGetSecretValueOutput, error) {
	out := &secretsmanager.BatchGetSecretValueOutput{}
	for _, id := range in.SecretIdList {
		out.SecretValues = append(out.SecretValues, types.SecretValueEntry{
			ARN:           aws.String(id),
			SecretString:  aws.String(rand.Text()),
			VersionStages: []string{"AWSCURRENT"},
		})
	}
	return out, nil
}
