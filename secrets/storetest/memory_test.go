package storetest_test

import (
	"testing"
	"time"

	"github.com/pipesecrets/pipesecrets/secrets/storetest"
)

func TestMemoryIsABackend(t *testing.T) {
	storetest.Run(t, func(_ *testing.T, now func() time.Time) storetest.Backend {
		m := storetest.NewMemory()
		m.Now = now
		return m
	})
}
