package precedence_test

import (
	"fmt"
	"time"

	"github.com/pipesecrets/pipesecrets/precedence"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func Example() {
	lab := secrets.Scope{Kind: secrets.Organization, ID: "lab"}
	exome := secrets.Scope{Kind: secrets.Workspace, ID: "exome"}
	ana := secrets.Scope{Kind: secrets.User, ID: "ana"}
	secret := func(scope secrets.Scope, name string, p secrets.Policy) secrets.Secret {
		n, err := secrets.ParseName(name)
		if err != nil {
			panic(err)
		}
		return secrets.Secret{Name: n, Scope: scope, Policy: p}
	}
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

	request := precedence.Request{
		All: []secrets.Kind{secrets.Workspace, secrets.Organization},
		Now: now,
	}
	resolution := precedence.Resolve(request,
		precedence.Layer{Scope: lab, Read: true, Secrets: []secrets.Secret{
			secret(lab, "LICENSE", secrets.Policy{Locked: true}),
			secret(lab, "REGISTRY_TOKEN", secrets.Policy{}),
		}},
		precedence.Layer{Scope: exome, Read: true, Secrets: []secrets.Secret{
			secret(exome, "LICENSE", secrets.Policy{}),
			secret(exome, "DB_PASSWORD", secrets.Policy{}),
		}},
		precedence.Layer{Scope: ana, Read: true, Secrets: []secrets.Secret{
			secret(ana, "DB_PASSWORD", secrets.Policy{Expires: now}),
			secret(ana, "REGISTRY_TOKEN", secrets.Policy{}),
		}},
	)

	for _, c := range resolution.Choices {
		fmt.Println(c.Winner.Name, "from", c.Winner.Scope)
		for _, s := range c.Shadowed {
			fmt.Println("  that of", s.Secret.Scope, "is", s.Why)
		}
	}
	fmt.Println(resolution.Err())
	// Output:
	// LICENSE from organization:lab
	//   that of workspace:exome is locked out
	// REGISTRY_TOKEN from user:ana
	//   that of organization:lab is overridden
	// precedence: unresolved: DB_PASSWORD: expired (user)
}
