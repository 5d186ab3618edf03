package redact

// What compiling costs beside deriving the forms can't be seen from outside.

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// derived are all forms of n values of 32 bytes.
func derived(n int, values [][]byte) (forms []form) {
	o := Options{Short: defaultShort, Token: defaultToken, Forms: DefaultForms()}
	for i := range n {
		name, err := secrets.ParseName(fmt.Sprint("N", i))
		if err != nil {
			panic(err)
		}
		for _, p := range formsOf(values[i], &o) {
			forms = append(forms, form{name: name, pattern: p, mark: "<x>", hits: new(atomic.Uint64)})
		}
	}
	return forms
}

func BenchmarkCompile(b *testing.B) {
	values := make([][]byte, 1000)
	for i := range values {
		raw := make([]byte, 16)
		_, _ = rand.Read(raw) // never fails
		values[i] = []byte(hex.EncodeToString(raw))
	}
	for _, n := range []int{20, 1000} {
		b.Run(fmt.Sprint(n, "/derive"), func(b *testing.B) {
			for b.Loop() {
				derived(n, values)
			}
		})
		b.Run(fmt.Sprint(n, "/compile"), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				forms := derived(n, values)
				b.StartTimer()
				compile(forms)
			}
		})
	}
	b.Run("1000/memory", func(b *testing.B) {
		for b.Loop() {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			s := compile(derived(1000, values))
			runtime.GC()
			runtime.ReadMemStats(&after)
			runtime.KeepAlive(s)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB")
		}
	})
}
