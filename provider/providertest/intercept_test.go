package providertest_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/providertest"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// contract is every interface that a driver may implement.
var contract = map[string]reflect.Type{
	"Provider":   reflect.TypeFor[provider.Provider](),
	"Lister":     reflect.TypeFor[provider.Lister](),
	"Withdrawer": reflect.TypeFor[provider.Withdrawer](),
	"Weigher":    reflect.TypeFor[provider.Weigher](),
	"Neighbor":   reflect.TypeFor[provider.Neighbor](),
}

// passed are the methods that do no I/O.
var passed = []string{"Location", "Capabilities", "Carries", "CarriesBeside", "Plan", "References", "Weigh"}

func TestEveryMethodOfTheContractThatDoesIOIsIntercepted(t *testing.T) {
	var called []string
	p := providertest.Intercept(providertest.New(providertest.Config{Joint: true}).Driver(),
		func(_ context.Context, c providertest.Call, _ func(context.Context) error) error {
			called = append(called, c.Method)
			return nil
		})
	for name, of := range contract {
		for method := range of.Methods() {
			called = nil
			m := reflect.ValueOf(p).MethodByName(method.Name)
			if !m.IsValid() {
				t.Fatalf("what Intercept returns is no %s", name)
			}
			var args []reflect.Value
			for i := range m.Type().NumIn() {
				switch arg := m.Type().In(i); arg {
				case reflect.TypeFor[context.Context]():
					args = append(args, reflect.ValueOf(t.Context()))
				case reflect.TypeFor[func() string]():
					args = append(args, reflect.ValueOf(func() string { return "nonce" }))
				default:
					args = append(args, reflect.Zero(arg))
				}
			}
			for _, result := range m.Call(args) {
				if result.Type().CanSeq2() {
					for range result.Seq2() {
					}
				}
			}
			var want []string
			if !slices.Contains(passed, method.Name) {
				want = []string{method.Name}
			}
			if !slices.Equal(called, want) {
				t.Errorf("%s.%s: the hook saw %q, want %q", name, method.Name, called, want)
			}
		}
	}
}

func TestEveryInterfaceOfPackageProviderIsLookedAt(t *testing.T) {
	noTests := func(i fs.FileInfo) bool { return !strings.HasSuffix(i.Name(), "_test.go") }
	//lint:ignore SA1019 one directory without build tags
	packages, err := parser.ParseDir(token.NewFileSet(), "..", noTests, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(packages["provider"], func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			if _, ok := spec.Type.(*ast.InterfaceType); ok {
				if found++; contract[spec.Name.Name] == nil {
					t.Errorf("the kit does not know provider.%s", spec.Name.Name)
				}
			}
		}
		return true
	})
	if found != len(contract) {
		t.Errorf("package provider has %d interfaces, the kit knows %d", found, len(contract))
	}
}

func TestAnInterceptedDriverCanDoExactlyWhatItCould(t *testing.T) {
	joint := providertest.New(providertest.Config{Joint: true}).Driver()
	type onlyProvider struct{ provider.Provider }
	type alsoLister struct {
		provider.Provider
		provider.Lister
	}
	type alsoWithdrawer struct {
		provider.Provider
		provider.Withdrawer
	}
	for _, p := range []provider.Provider{
		onlyProvider{joint}, alsoLister{joint, joint.(provider.Lister)}, alsoWithdrawer{joint, joint.(provider.Withdrawer)}, joint,
	} {
		i := providertest.Intercept(p, providertest.None.Hook())
		_, lists := p.(provider.Lister)
		_, cuts := p.(provider.Withdrawer)
		_, stillLists := i.(provider.Lister)
		_, stillCuts := i.(provider.Withdrawer)
		if lists != stillLists || cuts != stillCuts {
			t.Errorf("%T: lists %t, %t; cuts down %t, %t", p, lists, stillLists, cuts, stillCuts)
		}
	}
}

// object is a planned object and an opener of its value.
func object(t *testing.T) (provider.Object, provider.Opener) {
	t.Helper()
	name, err := secrets.ParseName("TOKEN")
	if err != nil {
		t.Fatal(err)
	}
	v, err := secrets.NewValue([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	o := provider.Object{Name: "o", Token: "t", Mark: [16]byte{1}, Items: []provider.Item{{Name: name}}}
	return o, func(context.Context) (map[secrets.Name]secrets.Value, error) {
		return map[secrets.Name]secrets.Value{name: v}, nil
	}
}

func TestAFaultHasItsEffectOrNotAndFailsAsItSays(t *testing.T) {
	for fault, want := range map[providertest.Fault]struct{ effect, fails, hangs, panics bool }{
		providertest.None:      {effect: true},
		providertest.Before:    {fails: true},
		providertest.Lost:      {effect: true, fails: true},
		providertest.Hang:      {fails: true, hangs: true},
		providertest.HangAfter: {effect: true, fails: true, hangs: true},
		providertest.Stale:     {effect: true},
		providertest.Panic:     {effect: true, panics: true},
	} {
		t.Run(fault.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := providertest.New(providertest.Config{})
				on := false
				d := providertest.Intercept(p.Driver(), func(ctx context.Context, c providertest.Call, do func(context.Context) error) error {
					if !on || c.Method == "Open" {
						return do(ctx)
					}
					return fault.Hook()(ctx, c, do)
				})
				o, open := object(t)
				calls := []struct {
					method string
					do     func(context.Context) error
				}{
					{"create", func(ctx context.Context) error { _, err := d.Create(ctx, o, open); return err }},
					{"remove", func(ctx context.Context) error { return d.Remove(ctx, o, "") }},
				}
				for i, call := range calls {
					if i > 0 { // whatever the create did
						if _, err := d.Create(t.Context(), o, open); err != nil {
							t.Fatal(err)
						}
					}
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					before, began := len(p.Objects()), time.Now()
					on = true
					panicked := true
					var err error
					func() {
						defer func() { _ = recover() }()
						err = call.do(ctx)
						panicked = false
					}()
					on = false
					cancel()
					var failure *provider.Error
					if (err != nil) != want.fails || err != nil && (!errors.As(err, &failure) || failure.Code != provider.Unavailable || failure.Op != call.method) {
						t.Errorf("%s says %v", call.method, err)
					}
					if hung := time.Since(began) == time.Minute; hung != want.hangs {
						t.Errorf("%s hung: %t", call.method, hung)
					}
					if effect := len(p.Objects()) != before; effect != want.effect {
						t.Errorf("%s had an effect: %t", call.method, effect)
					}
					if panicked != want.panics {
						t.Errorf("%s panicked: %t", call.method, panicked)
					}
				}
			})
		})
	}
	if want := 6; len(providertest.Faults()) != want || slices.Contains(providertest.Faults(), providertest.None) {
		t.Errorf("there are %v", providertest.Faults())
	}
}

func TestAStaleFaultHidesWhatIsThere(t *testing.T) {
	p := providertest.New(providertest.Config{})
	o, open := object(t)
	if _, err := p.Driver().Create(t.Context(), o, open); err != nil {
		t.Fatal(err)
	}
	d := providertest.Intercept(p.Driver(), providertest.Stale.Hook())
	if presence, id, err := d.Probe(t.Context(), o); presence != provider.Absent || id != "" || err != nil {
		t.Errorf("a look says %d, %q, %v", presence, id, err)
	}
	for o, err := range d.(provider.Lister).List(t.Context(), o.Mark) {
		t.Errorf("a list shows %q, %v", o.Name, err)
	}
}

func TestWhatIsLostIsNotAnswered(t *testing.T) {
	d := providertest.Intercept(providertest.New(providertest.Config{}).Driver(),
		func(ctx context.Context, c providertest.Call, do func(context.Context) error) error {
			if c.Method == "Open" {
				return do(ctx)
			}
			return providertest.Lost.Hook()(ctx, c, do)
		})
	o, open := object(t)
	if id, err := d.Create(t.Context(), o, open); id != "" || err == nil {
		t.Errorf("a create says %q, %v", id, err)
	}
	if presence, id, err := d.Probe(t.Context(), o); presence != provider.Unknown || id != "" || err == nil {
		t.Errorf("a look says %d, %q, %v", presence, id, err)
	}
}
