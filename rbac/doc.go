// Package rbac decides who may do what to the secrets of a scope. It is pure: no
// I/O, no clock, no goroutine; it imports package secrets and the standard
// library, and can be used without the rest of pipesecrets.
//
// The host says who calls, as a [Caller] with the roles that it was granted, and
// which organization a workspace belongs to. A [Policy] says what each [Role] may
// do. [Policy.Decide] puts them together.
//
// # The rules
//
// What no rule allows is denied, and no rule takes away what another one gives:
// of several grants the union counts.
//
//   - A grant counts in exactly the scope that it names. [Owner] to [View] count
//     in workspaces only, [OrgOwner] to [OrgCollaborator] in organizations only,
//     a role of the host's own in either.
//   - One grant reaches further: OrgOwner of the organization that a workspace
//     belongs to counts as if granted on the workspace.
//   - A user's own secrets are that user's alone: to read about, write, delete and
//     use. No grant gives a way in. Services and operators, who are no users, have
//     none.
//   - An operator, made by [Operator], may operate everywhere and do nothing else.
//     What the library does on its own behalf is done as one. A host's veto
//     (pipesecrets.Config.Veto) is not asked about it.
//   - The zero Policy denies everything to everybody, operators included.
//
// # The roles
//
// Read is about metadata: nobody reads a value. Operating on a workspace means to
// end or to renew the runs of others there.
//
//	role              read  write  delete  use  operate
//	owner, admin      yes   yes    yes     yes  yes
//	maintain          yes   (1)    (1)     yes  yes
//	launch            yes   -      -       yes  -
//	connect, view     yes   -      -       -    -
//	org-owner         yes   yes    yes     yes  yes
//	org-member        yes   -      -       -    -
//	org-collaborator  -     -      -       -    -
//
// (1) is what [Seqera] adds to [Default]: its roles read, write and delete as
// those of Seqera Platform do (its documentation, orgs-and-teams/roles and
// orgs-and-teams/custom-roles: pipeline_secrets). Use is this library's own distinction: there, who may launch uses.
// Whoever may use a secret in a pipeline of their choice can print it: the right
// to use is the right to read.
package rbac
