package secrets_test

import (
	"bytes"
	"database/sql"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"testing"

	"github.com/pipesecrets/pipesecrets/internal/leak"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestDecodingIntoAValueIsRefused(t *testing.T) {
	canary := string(leak.Canary())
	type holder struct {
		Name string
		V    secrets.Value
	}
	fromJSON := func(text string) func(*secrets.Value) error {
		return func(v *secrets.Value) error { return json.Unmarshal([]byte(text), v) }
	}
	nestedJSON := func(text string) func(*secrets.Value) error {
		return func(v *secrets.Value) error {
			h := holder{V: *v}
			err := json.Unmarshal([]byte(`{"Name":"n","V":`+text+`}`), &h)
			*v = h.V
			return err
		}
	}
	scan := func(from any) func(*secrets.Value) error {
		return func(v *secrets.Value) error { return v.Scan(from) }
	}
	for _, c := range []struct {
		what   string
		decode func(*secrets.Value) error
	}{
		{"a JSON string", fromJSON(`"` + canary + `"`)},
		{"a JSON string that is the mark", fromJSON(`"[secret]"`)},
		{"an empty JSON string", fromJSON(`""`)},
		{"a JSON object", fromJSON(`{"call":"` + canary + `"}`)},
		{"an empty JSON object", fromJSON(`{}`)},
		{"a JSON array", fromJSON(`["` + canary + `"]`)},
		{"a JSON number", fromJSON(`123456789`)},
		{"a JSON boolean", fromJSON(`true`)},
		{"JSON null", fromJSON(`null`)},
		{"a nested JSON string", nestedJSON(`"` + canary + `"`)},
		{"a nested JSON object", nestedJSON(`{"call":"` + canary + `"}`)},
		{"a nested JSON null", nestedJSON(`null`)},
		{"a JSON stream", func(v *secrets.Value) error {
			return json.NewDecoder(bytes.NewReader([]byte(`"` + canary + `"`))).Decode(v)
		}},
		{"a JSON array of values", func(v *secrets.Value) error {
			vs := []secrets.Value{*v}
			err := json.Unmarshal([]byte(`["`+canary+`"]`), &vs)
			*v = vs[0]
			return err
		}},
		{"a JSON map of values", func(v *secrets.Value) error {
			m := map[string]secrets.Value{"k": *v}
			err := json.Unmarshal([]byte(`{"k":"`+canary+`"}`), &m)
			*v = m["k"]
			return err
		}},
		{"an XML element", func(v *secrets.Value) error { return xml.Unmarshal([]byte(`<V>`+canary+`</V>`), v) }},
		{"an empty XML element", func(v *secrets.Value) error { return xml.Unmarshal([]byte(`<V/>`), v) }},
		{"a nested XML element", func(v *secrets.Value) error {
			h := holder{V: *v}
			err := xml.Unmarshal([]byte(`<h><Name>n</Name><V>`+canary+`</V></h>`), &h)
			*v = h.V
			return err
		}},
		{"an XML attribute", func(v *secrets.Value) error {
			h := struct {
				V secrets.Value `xml:"v,attr"`
			}{*v}
			err := xml.Unmarshal([]byte(`<h v="`+canary+`"/>`), &h)
			*v = h.V
			return err
		}},
		{"text", func(v *secrets.Value) error { return v.UnmarshalText([]byte(canary)) }},
		{"empty text", func(v *secrets.Value) error { return v.UnmarshalText(nil) }},
		{"gob bytes", func(v *secrets.Value) error { return v.GobDecode([]byte(canary)) }},
		{"a gob stream", func(v *secrets.Value) error {
			var b bytes.Buffer
			if err := gob.NewEncoder(&b).Encode(value(t, []byte(canary))); err != nil {
				return err
			}
			return gob.NewDecoder(&b).Decode(v)
		}},
		{"a nested gob stream", func(v *secrets.Value) error {
			var b bytes.Buffer
			if err := gob.NewEncoder(&b).Encode(holder{"n", value(t, []byte(canary))}); err != nil {
				return err
			}
			h := holder{V: *v}
			err := gob.NewDecoder(&b).Decode(&h)
			*v = h.V
			return err
		}},
		{"a database's string", scan(canary)},
		{"a database's bytes", scan([]byte(canary))},
		{"a database's number", scan(int64(7))},
		{"a database's NULL", scan(nil)},
		{"a database's Value", scan(value(t, []byte(canary)))},
		{"a nullable database column", func(v *secrets.Value) error {
			n := sql.Null[secrets.Value]{V: *v}
			err := n.Scan(canary)
			*v = n.V
			return err
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			held := leak.Canary()
			for state, v := range map[string]secrets.Value{"zero": {}, "live": value(t, held)} {
				zero := v.IsZero()
				err := c.decode(&v)
				if !errors.Is(err, secrets.ErrDecode) {
					t.Fatalf("into a %s value: error %v; want ErrDecode", state, err)
				}
				if _, leaked := leak.Find([]byte(err.Error()), []byte(canary)); leaked {
					t.Errorf("into a %s value: the refusal quotes its input: %v", state, err)
				}
				if v.IsZero() != zero {
					t.Errorf("into a %s value: IsZero is %v now", state, !zero)
				}
				if got, err := revealed(v); !zero && (err != nil || !bytes.Equal(got, held)) {
					t.Errorf("the value changed to %q, %v", got, err)
				}
			}
		})
	}
}
