package rbac_test

import (
	"fmt"

	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func Example() {
	lab := secrets.Scope{Kind: secrets.Organization, ID: "lab"}
	exome := secrets.Scope{Kind: secrets.Workspace, ID: "exome"} // of the lab
	ana := rbac.Caller{User: "ana", Grants: []rbac.Grant{{Scope: exome, Role: rbac.Launch}}}
	ben := rbac.Caller{User: "ben", Grants: []rbac.Grant{{Scope: lab, Role: rbac.OrgOwner}}}

	policy, err := rbac.Default().With("rotator", rbac.Write)
	if err != nil {
		panic(err)
	}
	rotation := rbac.Caller{Label: "rotation", Grants: []rbac.Grant{{Scope: exome, Role: "rotator"}}}

	for _, c := range []rbac.Caller{ana, ben, rotation} {
		for _, p := range []rbac.Permission{rbac.Use, rbac.Write} {
			d := policy.Decide(c, p, exome, lab)
			fmt.Println(c.Name(), p, d.Allowed, "-", d.Why)
		}
	}
	// Output:
	// user:ana use true - role launch on the workspace
	// user:ana write false - no role of the caller's here gives write
	// user:ben use true - role org-owner on the workspace's organization
	// user:ben write true - role org-owner on the workspace's organization
	// service:rotation use false - no role of the caller's here gives use
	// service:rotation write true - role rotator on the workspace
}
