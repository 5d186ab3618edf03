package secrets_test

import (
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/pipesecrets/pipesecrets/internal/component"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// TestAHostileNameIsRefusedWithoutReadingIt parses texts that claim to be long
// and of which only the first bytes can be read: the rest lies in pages to which
// every access faults.
func TestAHostileNameIsRefusedWithoutReadingIt(t *testing.T) {
	const size = 1 << 30
	page := syscall.Getpagesize()
	mem, err := syscall.Mmap(-1, 0, page+size, syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
	if err != nil {
		component.Missing(t, "memory", "1 GiB of addresses can't be reserved")
	}
	defer func() {
		if err := syscall.Munmap(mem); err != nil {
			t.Error(err)
		}
	}()
	if err := syscall.Mprotect(mem[:page], syscall.PROT_READ|syscall.PROT_WRITE); err != nil {
		t.Fatal(err)
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))

	faults := func(do func()) (faulted bool) {
		defer func() { faulted = recover() != nil }()
		do()
		return
	}
	if !faults(func() { sink = errAt(mem, page) }) || faults(func() { sink = errAt(mem, page-1) }) {
		t.Fatal("the pages are not as the test needs them")
	}

	for _, readable := range []int{0, 1, 2, 100, 101} {
		for _, pattern := range []string{"a", "_", "a_", "-"} {
			start := page - readable
			copy(mem[start:page], strings.Repeat(pattern, 101))
			for _, claimed := range []int{101, 102, 4096, size} {
				if claimed < readable {
					continue
				}
				text := mem[start : start+claimed]
				s := unsafe.String(&text[0], len(text))
				if faults(func() { _, err = secrets.ParseName(s) }) {
					t.Errorf("ParseName read past the first %d bytes of %d", readable, claimed)
				}
				checkInvalid(t, pattern, err, "name", length)

				n := name(t, "BEFORE")
				if faults(func() { err = n.UnmarshalText(text) }) {
					t.Errorf("UnmarshalText read past the first %d bytes of %d", readable, claimed)
				}
				checkInvalid(t, pattern, err, "name", length)
				if n.String() != "BEFORE" {
					t.Errorf("the name became %v", n)
				}

				if faults(func() { _, err = secrets.ParseRunID(s) }) {
					t.Errorf("ParseRunID read past the first %d bytes of %d", readable, claimed)
				}
				checkInvalid(t, pattern, err, "run", run)
			}
		}
	}
}

// errAt reads mem[i].
func errAt(mem []byte, i int) error {
	if mem[i] == 0xff {
		return secrets.ErrInvalid
	}
	return nil
}
