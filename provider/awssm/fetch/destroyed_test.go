package fetch_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"testing"

	"github.com/pipesecrets/pipesecrets/provider/awssm/fetch"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestWhatWasReadIsDestroyedWhenTheRestFails(t *testing.T) {
	for name, spoil := range map[string]func(s *service, cancel func()) func(){
		"a call fails": func(s *service, _ func()) func() {
			s.answer = func(call int, asked request) (int, any) {
				if call > 1 {
					return http.StatusForbidden, object{"__type": "AccessDeniedException"}
				}
				return s.lookUp(asked)
			}
			return func() {}
		},
		"one is missing": func(s *service, _ func()) func() {
			s.answer = func(call int, asked request) (int, any) {
				if call > 1 {
					clear(s.held)
				}
				return s.lookUp(asked)
			}
			return func() {}
		},
		"the context ends": func(_ *service, cancel func()) func() { return cancel },
		"the client panics": func(s *service, _ func()) func() {
			return func() {
				if len(s.calls) > 1 {
					panic("broken")
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService()
			references, _ := s.secretOf(t, 21)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			values := map[secrets.Name]secrets.Value{}
			func() {
				defer func() { _ = recover() }()
				if err := fetch.Read(ctx, after{s.client(), spoil(s, cancel)}, references, values); err == nil {
					t.Error("nothing failed")
				}
			}()
			if len(values) < 20 {
				t.Errorf("only %d were read", len(values))
			}
			for name, v := range values {
				if err := v.Reveal(func([]byte) error { return nil }); !errors.Is(err, secrets.ErrDestroyed) {
					t.Errorf("%s lives on: %v", name, err)
				}
			}
		})
	}
}

func TestBuffersThatValuesPassThroughAreWiped(t *testing.T) {
	canary := rand.Text()
	var lent []byte
	if !fetch.Object([]byte(`{"KEY":"`+canary+`"}`), func(_ string, value []byte) { lent = value }) {
		t.Fatal("refused")
	}
	if len(lent) != len(canary) {
		t.Fatalf("%d bytes were lent", len(lent))
	}
	for _, b := range lent {
		if b != 0 {
			t.Fatal("a value stays in the buffer")
		}
	}
}
