// Package upsert stores a secret whether it is there or not, which the library leaves
// to its host: to it, creating and changing are two rights.
package upsert

import (
	"context"
	"errors"

	"github.com/pipesecrets/pipesecrets"
	"github.com/pipesecrets/pipesecrets/rbac"
	"github.com/pipesecrets/pipesecrets/secrets"
)

var errGone = errors.New("the secret is there, and is not listed")

// Secret stores a value as a new secret, or as a new version of the one of that name;
// again if another call does so at the same time.
func Secret(ctx context.Context, service *pipesecrets.Service, who rbac.Caller, scope secrets.Scope, name secrets.Name, value secrets.Value) (secrets.Secret, error) {
	stored, err := service.Create(ctx, who, secrets.Secret{Name: name, Scope: scope}, value)
	for errors.Is(err, secrets.ErrExists) || errors.Is(err, secrets.ErrConflict) {
		list, failed := service.List(ctx, who, secrets.Query{Scope: scope, Prefix: name.String(), Limit: 1})
		switch {
		case ctx.Err() != nil:
			return secrets.Secret{}, context.Cause(ctx)
		case failed != nil:
			return secrets.Secret{}, failed
		case len(list) != 1 || list[0].Name != name: // others may begin with it
			return secrets.Secret{}, errGone
		}
		stored, err = service.Update(ctx, who, list[0], value)
	}
	return stored, err
}
