package audit_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/pipesecrets/pipesecrets/secrets"
	"github.com/pipesecrets/pipesecrets/secrets/audit"
)

func TestAHeadIsOneLineOfText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := audit.Head{Seq: rapid.Uint64Range(1, math.MaxInt64).Draw(t, "seq"), Sum: rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "sum")}
		if rapid.IntRange(0, 9).Draw(t, "zero") == 0 {
			h = audit.Head{}
		}
		text, err := h.MarshalText()
		if err != nil || strings.ContainsAny(string(text), " \r\n") || string(text) != h.String() {
			t.Fatalf("%q, %v", text, err)
		}
		var read audit.Head
		if err := read.UnmarshalText(text); err != nil || !read.Equal(h) || read.IsZero() != h.IsZero() {
			t.Fatalf("%q is read as %v: %v", text, read, err)
		}
		kept, err := json.Marshal(map[string]audit.Head{"head": h})
		if err != nil || !strings.Contains(string(kept), string(text)) {
			t.Fatalf("%s, %v", kept, err)
		}
	})
}

func TestTextThatIsNoHeadIsRefusedAndLeavesTheHeadAsItWas(t *testing.T) {
	for _, text := range []string{
		"", "0", "psec-head-v1", "psec-head-v1:", "psec-head-v1:7", "psec-head-v1:7:", "psec-head-v1::ab", "psec-head-v1:0:ab", "psec-head-v1:7:a",
		"psec-head-v1:07:ab", "psec-head-v1:+7:ab", "psec-head-v1:-7:ab", "psec-head-v1:7:AB", "psec-head-v1:7:ab\n", " psec-head-v1:7:ab",
		"psec-head-v1:7:ab:", "psec-head-v1:0x7:ab", "psec-head-v2:7:ab", "PSEC-head-v1:7:ab", "psec-head-v1:9223372036854775808:ab", "psec-head-v1:7:ag",
		"psec-head-v1: 7:ab", "psec-head-v1:00:",
	} {
		h := audit.Head{Seq: 3, Sum: []byte{4}}
		var invalid *secrets.InvalidError
		if err := h.UnmarshalText([]byte(text)); !errors.As(err, &invalid) || invalid.Field != "head" {
			t.Errorf("%q: %v", text, err)
		}
		if !h.Equal(audit.Head{Seq: 3, Sum: []byte{4}}) {
			t.Errorf("%q: the head is %v now", text, h)
		}
	}
}

func FuzzWhatIsReadAsAHeadIsWhatWouldBeWritten(f *testing.F) {
	for _, text := range []string{"", "psec-head-v1:0:", "psec-head-v1:7:ab", "psec-head-v1:9223372036854775807:00", "psec-head-v1:07:ab"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var h audit.Head
		if h.UnmarshalText(text) != nil {
			return
		}
		if h.String() != string(text) {
			t.Errorf("%q is written as %q", text, h)
		}
		if !h.IsZero() && h.Follows(audit.Head{}) != nil {
			t.Errorf("%q is no link", text)
		}
	})
}
