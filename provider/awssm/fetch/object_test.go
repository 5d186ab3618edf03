package fetch_test

import (
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/awssm/fetch"
)

func TestOnlyAnObjectOfStringsIsReadByKey(t *testing.T) {
	canary := rand.Text()
	const altered, missing = fetch.Altered, fetch.NotFound
	for text, want := range map[string]provider.Code{
		canary:                                    altered,
		`"KEY"`:                                   altered,
		`["KEY"]`:                                 altered,
		`null`:                                    altered,
		`{"KEY":"` + canary:                       altered,
		`{"KEY":"` + canary + `"} x`:              altered,
		`{"KEY":"` + canary + `"}{}`:              altered,
		`{"KEY":"` + canary + `",}`:               altered,
		`{"KEY":12345678}`:                        altered,
		`{"KEY":null}`:                            altered,
		`{"KEY":true}`:                            altered,
		`{"KEY":["` + canary + `"]}`:              altered,
		`{"KEY":{"KEY":"` + canary + `"}}`:        altered,
		`{"KEY":"` + canary + `","other":1}`:      altered,
		`{"other":{},"KEY":"` + canary + `"}`:     altered,
		`{"KEY":"` + canary + `","KEY":"x"}`:      altered,
		`{"KEY":"` + canary + `","K\u0045Y":""}`:  altered,
		`{"KEY":"x","a":"","a":""}`:               altered,
		`{"KEY":""}`:                              altered,
		`{"KEY":"\ud800"}`:                        altered,
		`{"KEY":"\ud800\n"}`:                      altered,
		`{"KEY":"\ud800\u0041"}`:                  altered,
		`{"KEY":"\udd12\ud83d"}`:                  altered,
		`{"\ud800":"","KEY":"x"}`:                 altered,
		`{}`:                                      missing,
		`{"key":"` + canary + `"}`:                missing,
		`{"KEY ":"` + canary + `"}`:               missing,
		`{"":"` + canary + `"}`:                   missing,
		` { "KEY" : "` + canary + `" } `:          "",
		`{"a":"","KEY":"` + canary + `"}`:         "",
		`{"a":"\"}","\u004bEY":"` + canary + `"}`: "",
	} {
		s := newService()
		values, err := fetch.Values(t.Context(), s.client(), []provider.Reference{reference(t, "KEY", s.put(text)+":KEY::")})
		name := strings.ReplaceAll(text, canary, "CANARY")
		if want == "" {
			if err != nil || reveal(t, values)["KEY"] != canary {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if values != nil {
			t.Errorf("%s: values are answered", name)
		}
		if diff := cmp.Diff(map[string]provider.Code{"KEY": want}, failures(t, err)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the error quotes the value", name)
		}
	}
}

func TestOneKeyThatIsMissingLeavesTheOthersOutOfTheError(t *testing.T) {
	s := newService()
	arn := s.put(`{"ONE":"x","EMPTY":""}`)
	_, err := fetch.Values(t.Context(), s.client(), []provider.Reference{
		reference(t, "ONE", arn+":ONE::"), reference(t, "TWO", arn+":TWO::"), reference(t, "EMPTY", arn+":EMPTY::"),
	})
	want := map[string]provider.Code{"TWO": fetch.NotFound, "EMPTY": fetch.Altered}
	if diff := cmp.Diff(want, failures(t, err)); diff != "" {
		t.Error(diff)
	}
}

// FuzzObject holds the walk against the standard library's decoder. That takes more:
// keys twice, null for a string, and half a surrogate pair, for which it puts the
// replacement character.
func FuzzObject(f *testing.F) {
	for _, text := range []string{
		`{}`, ` {"a" : "b" , "c":"d"} `, `{"a":"\u00e9\ud83d\udd12\"\\\/\b\f\n\r\t"}`, `{"a":"\ud83d"}`, `{"a":"\ud83d\u0041"}`,
		`{"a":"\ud83d\ud83d\udd12"}`, `{"a":1}`, `{"a":null}`, `{"a":"","a":""}`, `[{}]`, `"`, `{"a":"\ufffd"}`, "{\"a\":\"\xff\"}", `{"\\":"\\"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := string(text)
		got := map[string]string{}
		ok := fetch.Object(text, func(key string, value []byte) { got[key] = string(value) })
		if string(text) != before {
			t.Fatal("the text was written to")
		}
		var want map[string]*string
		err := json.Unmarshal(text, &want)
		if !ok {
			if err != nil || want == nil || !utf8.Valid(text) {
				return
			}
			for key, value := range want {
				if value == nil || strings.Contains(key+*value, "\ufffd") {
					return
				}
			}
			if strings.Count(before, `"`) > 4*len(want) {
				return // there may be a key twice
			}
			t.Fatalf("refused %q", text)
		}
		if err != nil || len(got) != len(want) {
			t.Fatalf("got %q of %q, not %v", got, text, err)
		}
		for key, value := range want {
			if value == nil || got[key] != *value {
				t.Fatalf("got %q of %q", got, text)
			}
		}
	})
}
