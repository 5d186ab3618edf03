package main

import (
	"runtime"
	"time"

	"github.com/pipesecrets/pipesecrets/secrets/redact"
)

// cost is what it takes to derive and compile all forms of some secrets.
type cost struct {
	took time.Duration // of processor time, garbage collection included; the least of several
	mib  float64       // of heap that is in use afterwards
}

func compileCost(p *progress, seed uint64, secrets, size, times int) (cost, error) {
	p.begin("compiling all forms of %d values", secrets)
	values, err := valuesOf(needlesOf(seed, secrets, size))
	if err != nil {
		return cost{}, err
	}
	c := cost{took: time.Hour}
	for range times {
		before := heap()
		began := processTime()
		r, err := redact.New(values, redact.Options{})
		if err != nil {
			return cost{}, err
		}
		c.took = min(c.took, processTime()-began)
		c.mib = (heap() - before) / (1 << 20)
		_ = r.Close() // it is in use until here
		p.step()
	}
	return c, nil
}

// heap returns how many bytes of the heap are in use.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
