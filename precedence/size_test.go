package precedence_test

import (
	"fmt"
	"testing"

	. "github.com/pipesecrets/pipesecrets/precedence"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// large returns n names, each in three scopes and each wanted twice.
func large(n int) world {
	w := world{Req: Request{All: kinds, Now: now}}
	for _, k := range kinds {
		w.Layers = append(w.Layers, Layer{Scope: scope(k), Read: true})
	}
	for i := range n {
		name := parse(fmt.Sprintf("N%07d", (i*7919)%n))
		w.Req.Wants = append(w.Req.Wants, Want{Name: name}, Want{Name: name, From: kinds[:1]})
		for j := range w.Layers {
			w.Layers[j].Secrets = append(w.Layers[j].Secrets, secrets.Secret{Name: name, Scope: w.Layers[j].Scope})
		}
	}
	return w
}

func TestTenThousandNamesResolve(t *testing.T) {
	r := large(10_000).resolve()
	if len(r.Choices) != 10_000 || r.Err() != nil {
		t.Fatalf("%d choices", len(r.Choices))
	}
	for i, c := range r.Choices {
		if c.Winner.Name.String() != fmt.Sprintf("N%07d", i) || c.Winner.Scope.Kind != user || len(c.Shadowed) != 2 {
			t.Fatalf("choice %d: %v", i, c)
		}
	}
}

func BenchmarkResolve(b *testing.B) {
	for _, n := range []int{10, 1_000, 10_000, 100_000} {
		w := large(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.resolve()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/name")
		})
	}
}
