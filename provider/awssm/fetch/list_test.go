package fetch_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/awssm/fetch"
	"github.com/pipesecrets/pipesecrets/secrets"
)

const arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:tower-3kx9/TOKEN-Ab12Cd"

func TestAListIsReadInItsOrder(t *testing.T) {
	for name, c := range map[string]struct {
		list string
		want []provider.Reference
	}{
		"empty": {` [ ] `, nil},
		"a secret and a key": {
			`[{"name":"TOKEN","valueFrom":"` + arn + `"},
			  {"valueFrom":"` + arn + `:LICENSE::","name":"LICENSE"}]`,
			[]provider.Reference{reference(t, "TOKEN", arn), reference(t, "LICENSE", arn+":LICENSE::")},
		},
		"one secret for two names": {
			`[{"name":"T2","valueFrom":"` + arn + `"},{"name":"T1","valueFrom":"` + arn + `"}]`,
			[]provider.Reference{reference(t, "T2", arn), reference(t, "T1", arn)},
		},
		"escapes": {
			`[{"n\u0061me":"\u0054OKEN","valueFrom":"` + strings.ReplaceAll(arn, "/", `\/`) + `"}]`,
			[]provider.Reference{reference(t, "TOKEN", arn)},
		},
	} {
		got, err := fetch.Parse([]byte(c.list))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, got, cmpopts.EquateComparable(secrets.Name{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestAListThatNoLauncherWritesIsRefused(t *testing.T) {
	item := func(name, from string) string { return `{"name":"` + name + `","valueFrom":"` + from + `"}` }
	good := item("TOKEN", arn)
	for name, c := range map[string]struct{ list, field, rule string }{
		"nothing":              {"", "list", "JSON array"},
		"cut":                  {"[" + good, "list", "JSON array"},
		"trailing data":        {"[" + good + "]x", "list", "JSON array"},
		"two lists":            {"[" + good + "][]", "list", "JSON array"},
		"trailing comma":       {"[" + good + ",]", "list", "JSON array"},
		"a byte order mark":    {"\ufeff[" + good + "]", "list", "JSON array"},
		"null":                 {"null", "list", "JSON array"},
		"an object":            {good, "list", "JSON array"},
		"a string":             {`"[]"`, "list", "JSON array"},
		"strings":              {`["` + arn + `"]`, "list", "JSON array"},
		"lists":                {`[[` + good + `]]`, "list", "JSON array"},
		"deep":                 {strings.Repeat("[", 12000) + strings.Repeat("]", 12000), "list", "JSON array"},
		"a null entry":         {`[null]`, "list", "JSON array"},
		"another field":        {`[{"name":"TOKEN","valueFrom":"` + arn + `","type":"x"}]`, "list", "no other"},
		"a field in capitals":  {`[{"Name":"TOKEN","valueFrom":"` + arn + `"}]`, "list", "no other"},
		"a field in both":      {`[{"name":"TOKEN","Name":"TOKEN","valueFrom":"` + arn + `"}]`, "list", "no other"},
		"name twice":           {`[{"name":"TOKEN","name":"TOKEN","valueFrom":"` + arn + `"}]`, "list", "once each"},
		"valueFrom twice":      {`[{"name":"TOKEN","valueFrom":"` + arn + `","valueFrom":"` + arn + `"}]`, "list", "once each"},
		"no name":              {`[{"valueFrom":"` + arn + `"}]`, "list", "fields name"},
		"no valueFrom":         {`[{"name":"TOKEN"}]`, "list", "fields name"},
		"no field":             {`[{}]`, "list", "fields name"},
		"a number for a name":  {`[{"name":1,"valueFrom":"` + arn + `"}]`, "list", "strings"},
		"null for a name":      {`[{"name":null,"valueFrom":"` + arn + `"}]`, "list", "strings"},
		"an object for a name": {`[{"name":{"name":"TOKEN"},"valueFrom":"` + arn + `"}]`, "list", "strings"},
		"a list for valueFrom": {`[{"name":"TOKEN","valueFrom":["` + arn + `"]}]`, "list", "strings"},
		"an empty name":        {"[" + item("", arn) + "]", "name", "2 to 100"},
		"a bad name":           {"[" + item("A-B", arn) + "]", "name", "letters"},
		"a name in two lines":  {"[" + item(`AB\nCD`, arn) + "]", "name", "letters"},
		"one name twice":       {"[" + good + "," + item("TOKEN", arn+":TOKEN::") + "]", "name", "once"},
		"too long":             {"[" + good + strings.Repeat(" ", fetch.MaxList-len(good)-1) + "]", "list", "24 KiB"},

		"no ARN":                        {"[" + item("TOKEN", "") + "]", "valueFrom", "full ARN"},
		"a secret's name":               {"[" + item("TOKEN", "tower-3kx9/TOKEN") + "]", "valueFrom", "full ARN"},
		"no random characters":          {"[" + item("TOKEN", strings.TrimSuffix(arn, "-Ab12Cd")) + "]", "valueFrom", "full ARN"},
		"too few of them":               {"[" + item("TOKEN", strings.TrimSuffix(arn, "d")) + "]", "valueFrom", "full ARN"},
		"another service":               {"[" + item("TOKEN", strings.Replace(arn, "secretsmanager", "ssm", 1)) + "]", "valueFrom", "full ARN"},
		"another partition":             {"[" + item("TOKEN", strings.Replace(arn, "aws", "gcp", 1)) + "]", "valueFrom", "full ARN"},
		"no Region":                     {"[" + item("TOKEN", strings.Replace(arn, "eu-west-1", "", 1)) + "]", "valueFrom", "full ARN"},
		"no account":                    {"[" + item("TOKEN", strings.Replace(arn, "123456789012", "", 1)) + "]", "valueFrom", "full ARN"},
		"an account's alias":            {"[" + item("TOKEN", strings.Replace(arn, "123456789012", "example", 1)) + "]", "valueFrom", "full ARN"},
		"another resource":              {"[" + item("TOKEN", strings.Replace(arn, ":secret:", ":key:", 1)) + "]", "valueFrom", "full ARN"},
		"a star":                        {"[" + item("TOKEN", strings.Replace(arn, "TOKEN", "*", 1)) + "]", "valueFrom", "full ARN"},
		"a space":                       {"[" + item("TOKEN", arn+" ") + "]", "valueFrom", "full ARN"},
		"a line break":                  {"[" + item("TOKEN", arn+`\n`) + "]", "valueFrom", "full ARN"},
		"a long name":                   {"[" + item("TOKEN", strings.Replace(arn, "TOKEN", strings.Repeat("x", 513), 1)) + "]", "valueFrom", "full ARN"},
		"a colon":                       {"[" + item("TOKEN", arn+":") + "]", "valueFrom", "full ARN"},
		"a key without its colons":      {"[" + item("TOKEN", arn+":TOKEN") + "]", "valueFrom", "full ARN"},
		"a key with one colon":          {"[" + item("TOKEN", arn+":TOKEN:") + "]", "valueFrom", "full ARN"},
		"a key with many colons":        {"[" + item("TOKEN", arn+":TOKEN::"+strings.Repeat(":", 9000)) + "]", "valueFrom", "full ARN"},
		"an empty key":                  {"[" + item("TOKEN", arn+":::") + "]", "valueFrom", "name of its entry"},
		"another entry's key":           {"[" + item("TOKEN", arn+":OTHER::") + "]", "valueFrom", "name of its entry"},
		"a version stage":               {"[" + item("TOKEN", arn+":TOKEN:AWSPREVIOUS:") + "]", "valueFrom", "version"},
		"a version id":                  {"[" + item("TOKEN", arn+":TOKEN::b7c4") + "]", "valueFrom", "version"},
		"a version of the whole secret": {"[" + item("TOKEN", arn+"::AWSCURRENT:") + "]", "valueFrom", "version"},
	} {
		got, err := fetch.Parse([]byte(c.list))
		var invalid *secrets.InvalidError
		if got != nil || !errors.As(err, &invalid) {
			t.Errorf("%s: got %v, %v", name, got, err)
			continue
		}
		if invalid.Field != c.field || !strings.Contains(invalid.Rule, c.rule) {
			t.Errorf("%s: %v", name, err)
		}
		for _, quoted := range []string{"tower", "1234", "A-B", "OTHER", "AWSPREVIOUS"} {
			if strings.Contains(err.Error(), quoted) {
				t.Errorf("%s: %v quotes the list", name, err)
			}
		}
	}
}

func TestAListMayBeAsLongAsAJobDefinition(t *testing.T) {
	list := `[{"name":"TOKEN","valueFrom":"` + arn + `"}`
	list += strings.Repeat(" ", fetch.MaxList-len(list)-1) + "]"
	if got, err := fetch.Parse([]byte(list)); err != nil || len(got) != 1 {
		t.Errorf("%d bytes: %v", len(list), err)
	}
}

func TestASecretsNameMayBeAsLongAsItCanBe(t *testing.T) {
	from := "arn:aws:secretsmanager:eu-west-1:123456789012:secret:" + strings.Repeat("x", 512) + "-Ab12Cd"
	if _, err := fetch.Parse([]byte(`[{"name":"TOKEN","valueFrom":"` + from + `"}]`)); err != nil {
		t.Error(err)
	}
}

func TestEveryPartitionIsKnown(t *testing.T) {
	for partition, region := range map[string]string{
		"aws": "eu-west-1", "aws-cn": "cn-northwest-1", "aws-us-gov": "us-gov-west-1", "aws-iso-b": "us-isob-east-1", "aws-eusc": "eusc-de-east-1",
	} {
		from := fmt.Sprintf("arn:%s:secretsmanager:%s:123456789012:secret:x/+=.@_-y-Ab12Cd:TOKEN::", partition, region)
		got, err := fetch.Parse([]byte(`[{"name":"TOKEN","valueFrom":"` + from + `"}]`))
		if err != nil || got[0].Locator != from {
			t.Errorf("%s: %v, %v", partition, got, err)
		}
	}
}

// entries is a list as its writer has it.
type entries []struct {
	Name      secrets.Name `json:"name"`
	ValueFrom string       `json:"valueFrom"`
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`[]`))
	f.Add([]byte(`[{"name":"TOKEN","valueFrom":"` + arn + `"},{"valueFrom":"` + arn + `:LICENSE::","name":"LICENSE"}]`))
	f.Add([]byte(`[{"name":"TOKEN","Name":"OTHER","valueFrom":"\ud800"}]`))
	f.Add([]byte(`[{"name":null,"valueFrom":[{}]}]]`))
	f.Fuzz(func(t *testing.T, list []byte) {
		first, err := fetch.Parse(list)
		if err != nil {
			var invalid *secrets.InvalidError
			if !errors.As(err, &invalid) || first != nil {
				t.Fatalf("got %v, %v", first, err)
			}
			return
		}
		var written entries
		for _, r := range first {
			written = append(written, entries{{r.Name, r.Locator}}...)
		}
		again, err := json.Marshal(written)
		if err != nil {
			t.Fatal(err)
		}
		if len(written) == 0 {
			again = []byte("[]")
		}
		second, err := fetch.Parse(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, second, cmpopts.EquateComparable(secrets.Name{})); diff != "" {
			t.Fatal(diff)
		}
	})
}
