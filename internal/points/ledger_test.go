package points_test

import (
	"context"
	"reflect"
	"testing"

	"github.com/pipesecrets/pipesecrets/internal/points"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestEveryMethodOfALedgerIsAPoint(t *testing.T) {
	for method := range reflect.TypeFor[stage.Ledger]().Methods() {
		seen := ""
		l := points.Ledger(nil, func(_ context.Context, method string, _ secrets.RunID, _ func(context.Context) error) error {
			seen = method
			return nil
		})
		f := reflect.ValueOf(l).MethodByName(method.Name)
		args := []reflect.Value{reflect.ValueOf(t.Context())}
		for i := 1; i < f.Type().NumIn() && !(f.Type().IsVariadic() && i == f.Type().NumIn()-1); i++ {
			args = append(args, reflect.Zero(f.Type().In(i)))
		}
		f.Call(args)
		if seen != method.Name {
			t.Errorf("%s is the point %q", method.Name, seen)
		}
	}
}
