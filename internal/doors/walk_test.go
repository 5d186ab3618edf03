package doors_test

import (
	"go/types"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/pipesecrets/pipesecrets"

// walk finds the doors of an API: each place by which what it names comes out to
// the program that uses the API. That is a result; a field, which can be read; an
// element of a channel; and, since the library calls what it is given, a
// parameter of a function, or of a method of an interface, that is itself a
// parameter. A program can also implement an exported interface or set a field
// of function type, so that these are walked both ways.
type walk struct {
	listed map[string]bool // packages whose exported types are walked where they are declared
	values map[string]bool // doors for a secrets.Value
	bytes  map[string]bool // doors for a slice of bytes, or for what can be read as one

	declared map[*types.TypeName]bool // walked, or to be
	queue    []*types.TypeName
	inside   []types.Type // types outside the module that are being walked, against recursion
}

// direction says whether what is walked comes out of the library or goes in.
type direction bool

const (
	in  direction = false
	out direction = true
)

// pkg walks the exported names of a package.
func (w *walk) pkg(p *types.Package) {
	scope := p.Scope()
	for _, name := range scope.Names() {
		obj := scope.Lookup(name)
		if !obj.Exported() {
			continue
		}
		switch obj := obj.(type) {
		case *types.Func:
			w.visit(obj.Type(), out, called(obj), "")
		case *types.Var:
			w.both(obj.Type(), called(obj))
		case *types.TypeName:
			if !obj.IsAlias() {
				w.declare(obj)
			} else {
				w.both(obj.Type(), called(obj))
			}
		}
	}
	for len(w.queue) > 0 {
		obj := w.queue[0]
		w.queue = w.queue[1:]
		w.declaration(obj)
	}
}

// declare queues a type of the module to be walked.
func (w *walk) declare(obj *types.TypeName) {
	if !w.declared[obj] {
		w.declared[obj] = true
		w.queue = append(w.queue, obj)
	}
}

// declaration walks what a type offers: fields, methods, and what it is made of.
func (w *walk) declaration(obj *types.TypeName) {
	at := called(obj)
	switch t := obj.Type().Underlying().(type) {
	case *types.Struct:
		if !isValue(obj.Type()) {
			w.fields(t, at)
		}
	case *types.Interface:
		for m := range t.ExplicitMethods() {
			if m.Exported() {
				w.method(m, out, at)
				w.method(m, in, at)
			}
		}
		for e := range t.EmbeddedTypes() {
			w.both(e, at)
		}
		return
	default:
		w.both(t, at)
	}
	methods := types.NewMethodSet(types.NewPointer(obj.Type()))
	for selection := range methods.Methods() {
		m := selection.Obj().(*types.Func)
		if m.Exported() && (len(selection.Index()) == 1 || !w.elsewhere(m)) {
			w.method(m, out, at)
		}
	}
}

// elsewhere reports whether a promoted method is walked where it is declared.
func (w *walk) elsewhere(m *types.Func) bool {
	receiver := m.Signature().Recv().Type()
	if p, ok := types.Unalias(receiver).(*types.Pointer); ok {
		receiver = p.Elem()
	}
	named, ok := types.Unalias(receiver).(*types.Named)
	return ok && w.covers(named.Obj())
}

// covers reports whether a type is walked by its own exported declaration.
func (w *walk) covers(obj *types.TypeName) bool {
	return obj.Exported() && obj.Pkg() != nil && w.listed[obj.Pkg().Path()]
}

func (w *walk) fields(t *types.Struct, at string) {
	for f := range t.Fields() {
		if f.Exported() || f.Embedded() {
			w.both(f.Type(), at+"."+f.Name())
		}
	}
}

// method walks a method; a Read fills the slice that it is given.
func (w *walk) method(m *types.Func, d direction, at string) {
	at += "." + m.Name()
	sig := m.Signature()
	if d == out && strings.HasPrefix(m.Name(), "Read") {
		for p := range sig.Params().Variables() {
			if isBytes(p.Type()) {
				w.bytes[at+" fills "+p.Name()+" "+show(p.Type())] = true
			}
		}
	}
	w.visit(sig, d, at, "")
}

func (w *walk) both(t types.Type, at string) {
	w.visit(t, out, at, show(t))
	w.visit(t, in, at, show(t))
}

// visit walks a type that comes out of the library, or goes in, at a place. The
// place is what a door is called, together with the type that stands there.
func (w *walk) visit(t types.Type, d direction, at, shown string) {
	t = types.Unalias(t)
	if d == out && isValue(t) {
		w.values[at+" "+shown] = true
		return
	}
	if d == out && isBytes(t) {
		w.bytes[at+" "+shown] = true
	}
	switch t := t.(type) {
	case *types.Named:
		w.named(t, d, at, shown)
	case *types.Pointer:
		if isValue(types.Unalias(t.Elem())) {
			d = out // whoever is given the pointer can set what it points to
		}
		w.visit(t.Elem(), d, at, shown)
	case *types.Slice:
		w.visit(t.Elem(), d, at, shown)
	case *types.Array:
		w.visit(t.Elem(), d, at, shown)
	case *types.Map:
		w.visit(t.Key(), d, at, shown)
		w.visit(t.Elem(), d, at, shown)
	case *types.Chan:
		if d == in && t.Dir() != types.RecvOnly || d == out && t.Dir() != types.SendOnly {
			w.visit(t.Elem(), out, at, shown)
		}
		if d == in && t.Dir() != types.SendOnly || d == out && t.Dir() != types.RecvOnly {
			w.visit(t.Elem(), in, at, shown)
		}
	case *types.Signature:
		for i := range t.Params().Len() {
			p := t.Params().At(i)
			w.visit(p.Type(), !d, at+"("+label(p, i)+")", show(p.Type()))
		}
		for r := range t.Results().Variables() {
			w.visit(r.Type(), d, at+" returns", show(r.Type()))
		}
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() || f.Embedded() {
				w.visit(f.Type(), d, at+"."+f.Name(), show(f.Type()))
			}
		}
	case *types.Interface:
		for m := range t.Methods() {
			if m.Exported() {
				w.method(m, d, at)
			}
		}
	}
}

// named walks a named type. One of the module's exported types is walked where
// it is declared, so that here it is a door only if it is made of values, or is a
// function that gives them. One that the module doesn't export is walked only now
// that it is seen to come out. One from outside is walked for what it carries, and
// at most once on the way to itself.
func (w *walk) named(t *types.Named, d direction, at, shown string) {
	for arg := range t.TypeArgs().Types() {
		w.visit(arg, d, at, shown)
	}
	obj := t.Obj()
	if obj.Pkg() == nil { // error
		return
	}
	if w.covers(obj) {
		if w.carries(t, d) {
			w.values[at+" "+shown] = true
		}
		return
	}
	if obj.Pkg().Path() == module || strings.HasPrefix(obj.Pkg().Path(), module+"/") {
		w.declare(obj)
		return
	}
	if path := obj.Pkg().Path(); path == "net/http" || strings.HasPrefix(path, "github.com/aws/") {
		// Requests hold plaintext, as strings too, and options lead everywhere: a door each.
		if d == out {
			w.bytes[at+" "+shown] = true
		}
		return
	}
	if w.entered(t) {
		return
	}
	w.inside = append(w.inside, t)
	defer func() { w.inside = w.inside[:len(w.inside)-1] }()

	if _, ok := t.Underlying().(*types.Interface); !ok && d == out && readable(t) {
		w.bytes[at+" "+shown] = true
	}
	w.visit(t.Underlying(), d, at, shown)
}

// entered reports whether t is being walked.
func (w *walk) entered(t types.Type) bool {
	return slices.ContainsFunc(w.inside, func(seen types.Type) bool { return types.Identical(seen, t) })
}

// carries reports whether a type is made of values that come out with it. What
// its methods give is not asked: they are doors of their own.
func (w *walk) carries(t *types.Named, d direction) bool {
	if _, ok := t.Underlying().(*types.Interface); ok || w.entered(t) {
		return false
	}
	within := newWalk()
	within.listed = w.listed
	within.inside = append(slices.Clone(w.inside), t)
	within.visit(t.Underlying(), d, "", "")
	return len(within.values) > 0
}

// readable reports whether a type from outside hands out bytes, as
// *bytes.Buffer does.
func readable(t types.Type) bool {
	for selection := range types.NewMethodSet(types.NewPointer(t)).Methods() {
		switch sig := selection.Obj().(*types.Func).Signature(); selection.Obj().Name() {
		case "Bytes":
			if sig.Results().Len() == 1 && isBytes(sig.Results().At(0).Type()) {
				return true
			}
		case "Read":
			if sig.Params().Len() == 1 && isBytes(sig.Params().At(0).Type()) {
				return true
			}
		}
	}
	return false
}

func isValue(t types.Type) bool {
	named, ok := t.(*types.Named)
	return ok && named.Obj().Name() == "Value" && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == module+"/secrets"
}

// isBytes reports whether t is a slice of bytes, whatever it is called.
func isBytes(t types.Type) bool {
	slice, ok := t.Underlying().(*types.Slice)
	if !ok {
		return false
	}
	elem, ok := types.Unalias(slice.Elem()).(*types.Basic)
	return ok && elem.Kind() == types.Byte
}

// called names an object by its package's place in the module.
func called(obj types.Object) string {
	path := strings.TrimPrefix(strings.TrimPrefix(obj.Pkg().Path(), module), "/")
	if path == "" {
		path = obj.Pkg().Name()
	}
	return path + "." + obj.Name()
}

func label(p *types.Var, i int) string {
	if p.Name() == "" || p.Name() == "_" {
		return strconv.Itoa(i)
	}
	return p.Name()
}

func show(t types.Type) string {
	return types.TypeString(t, func(p *types.Package) string { return p.Name() })
}
