package nextflow_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pipesecrets/pipesecrets/provider/nextflow"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func values(t interface{ Fatal(...any) }, plain map[string]string) map[secrets.Name]secrets.Value {
	all := map[secrets.Name]secrets.Value{}
	for n, p := range plain {
		name, err := secrets.ParseName(n)
		if err != nil {
			t.Fatal(err)
		}
		if all[name], err = secrets.NewValue([]byte(p)); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestTheStoreFileIsAsNextflowWritesIt(t *testing.T) {
	for _, c := range []struct {
		plain map[string]string
		want  string
	}{
		{nil, "[]"},
		{map[string]string{"hello": "world", "foo": "bar"},
			"[\n  {\n    \"name\": \"foo\",\n    \"value\": \"bar\"\n  },\n  {\n    \"name\": \"hello\",\n    \"value\": \"world\"\n  }\n]"},
		{map[string]string{"a1": "1", "A1": "2", "_A": "3"},
			"[\n  {\n    \"name\": \"A1\",\n    \"value\": \"2\"\n  },\n  {\n    \"name\": \"_A\",\n    \"value\": \"3\"\n  },\n  {\n    \"name\": \"a1\",\n    \"value\": \"1\"\n  }\n]"},
		{map[string]string{"AB": "q\"b\\n\n\t\x01\x7f é\u2028😀</&='"},
			"[\n  {\n    \"name\": \"AB\",\n    \"value\": \"q\\\"b\\\\n\\u000a\\u0009\\u0001\\u007f é\u2028😀</&='\"\n  }\n]"},
	} {
		var got bytes.Buffer
		if err := nextflow.WriteStore(&got, values(t, c.plain)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got.String()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAnyValidUTF8ComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.StringN(1, 200, 4096).Filter(func(s string) bool { return utf8.ValidString(s) && s != "" }).Draw(t, "value")
		var file bytes.Buffer
		if err := nextflow.WriteStore(&file, values(t, map[string]string{"AB": plain})); err != nil {
			t.Fatal(err)
		}
		var got []struct{ Name, Value string }
		if err := json.Unmarshal(file.Bytes(), &got); err != nil || len(got) != 1 || got[0].Name != "AB" || got[0].Value != plain {
			t.Fatalf("%d entries, %v", len(got), err)
		}
	})
}

func TestWhatJSONCanNotHoldIsRefusedAndNotReplaced(t *testing.T) {
	for _, plain := range []string{"\xff", "a\xc3", "\xed\xa0\x80", "ok\xf8\x88\x80\x80\x80"} {
		all := values(t, map[string]string{"AB": plain})
		var invalid *secrets.InvalidError
		for _, v := range all {
			if err := nextflow.Carries(v); !errors.As(err, &invalid) || invalid.Field != "value" {
				t.Errorf("carries: %v", err)
			}
		}
		var file strings.Builder
		if err := nextflow.WriteStore(&file, all); !errors.As(err, &invalid) {
			t.Errorf("write: %v", err)
		}
	}
}

func TestTheFirstFailureOfTheWriterIsReturned(t *testing.T) {
	broken := errors.New("disk full")
	all := values(t, map[string]string{"AB": "1", "CD": "2"})
	var whole bytes.Buffer
	if err := nextflow.WriteStore(&whole, all); err != nil {
		t.Fatal(err)
	}
	for room := range whole.Len() {
		if err := nextflow.WriteStore(&narrow{room, broken}, all); !errors.Is(err, broken) {
			t.Errorf("with room for %d bytes: %v", room, err)
		}
	}
}

type narrow struct {
	room int
	err  error
}

func (n *narrow) Write(p []byte) (int, error) {
	if n.room -= len(p); n.room < 0 {
		return 0, n.err
	}
	return len(p), nil
}
