package audit_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
	"github.com/pipesecrets/pipesecrets/secrets/storetest"
)

// The host keeps the head in a file on another machine, seals now and then, and
// verifies the log when it is to be relied on.
func Example() {
	ctx := context.Background()
	log, mac := storetest.NewMemory(), newKey() // a sqlstore.Store, and the keyring's MAC
	elsewhere, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(elsewhere) }()
	file := filepath.Join(elsewhere, "head")

	// kept reads the head. No file is no head; an empty or damaged one is an error.
	kept := func() (head audit.Head, err error) {
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			return audit.Head{}, nil
		}
		if err != nil {
			return audit.Head{}, err
		}
		return head, head.UnmarshalText([]byte(strings.TrimSpace(string(text))))
	}
	seal := func() error {
		before, err := kept()
		if err != nil {
			return err
		}
		head, err := audit.Seal(ctx, log, mac, before)
		if head.Seq > before.Seq {
			err = errors.Join(err, os.WriteFile(file, []byte(head.String()+"\n"), 0o600))
		}
		return err
	}
	for range 3 {
		if err := log.Record(ctx, secrets.Event{Caller: "user:ann", Action: secrets.ActionGet, Outcome: secrets.Done}); err != nil {
			panic(err)
		}
		if err := seal(); err != nil {
			panic(err)
		}
	}
	head, err := kept()
	fmt.Println(head.Seq, err)
	fmt.Println(audit.Verify(ctx, log, mac, head))
	fmt.Println(audit.Reaches(ctx, storetest.NewMemory(), head)) // a backup from before
	// Output:
	// 3 <nil>
	// <nil>
	// audit: log is broken between places 3 and 3: the chain does not hold the head
}
