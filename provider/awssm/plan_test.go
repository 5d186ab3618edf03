package awssm

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

const testAccount, testRegion = "123456789012", "eu-west-1"

// driver returns a driver that never calls its client.
func driver(t testing.TB, change func(*Config)) *Driver {
	t.Helper()
	c := Config{Client: unused{}, Account: testAccount, Region: testRegion}
	if change != nil {
		change(&c)
	}
	d, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

type unused struct{ Client }

func name(t testing.TB, s string) secrets.Name {
	t.Helper()
	n, err := secrets.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func value(t testing.TB, plain []byte) secrets.Value {
	t.Helper()
	v, err := secrets.NewValue(plain)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// items weighs values, and returns them as items to plan.
func items(t testing.TB, d *Driver, values map[secrets.Name]secrets.Value) (all []provider.Item) {
	t.Helper()
	for n, v := range values {
		all = append(all, provider.Item{Name: n, Weight: d.Weigh(n, v)})
	}
	return all
}

func TestNamesAreWhatNextflowLooksFor(t *testing.T) {
	values := map[secrets.Name]secrets.Value{name(t, "TOKEN"): value(t, []byte("x")), name(t, "AA"): value(t, []byte("y"))}
	for prefix, want := range map[string][]string{
		"":            {"tower-wf-abc123/AA", "tower-wf-abc123/TOKEN"},
		"lab/a.b+c=@": {"lab/a.b+c=@wf-abc123/AA", "lab/a.b+c=@wf-abc123/TOKEN"},
	} {
		d := driver(t, func(c *Config) { c.Prefix = prefix })
		objects, err := d.Plan(runID(t, "wf-abc123"), items(t, d, values), nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range objects {
			got = append(got, o.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

// plainText draws text that JSON makes longer, or not.
var plainText = rapid.Custom(func(t *rapid.T) []byte {
	runes := rapid.SliceOfN(rapid.SampledFrom([]rune("aZ09 \"\\\n\t\r\x01\x1f<>&'/é\u2028😀")), 1, 200).Draw(t, "text")
	unit := []byte(string(runes))
	return bytes.Repeat(unit, max(1, rapid.SampledFrom([]int{0, 100, 5000, 30000}).Draw(t, "size")/len(unit)))
})

func TestMapsHoldEachItemOnceAndFit(t *testing.T) {
	d := driver(t, func(c *Config) { c.Layout, c.MaxJobDefinition = JSONMap, -1 })
	several := 0
	rapid.Check(t, func(rt *rapid.T) {
		values := map[secrets.Name]secrets.Value{}
		plain := map[string]string{}
		for i := range rapid.IntRange(1, 12).Draw(rt, "n") {
			text := plainText.Draw(rt, "value")
			n, v := name(t, fmt.Sprint("N", i)), value(t, text)
			if d.Carries(n, v) == nil {
				values[n], plain[n.String()] = v, string(text)
			}
		}
		objects, err := d.Plan(runID(t, "r"), items(t, d, values), nil)
		if err != nil {
			rt.Fatal(err)
		}
		if len(objects) > 1 {
			several++
		}
		got := map[string]string{}
		for i, o := range objects {
			text, err := d.secretString(o, values)
			if err != nil || len(text) > 65536 {
				rt.Fatalf("map %d of %d has %d bytes, %v", i, len(objects), len(text), err)
			}
			var m map[string]string
			if err := json.Unmarshal([]byte(text), &m); err != nil {
				rt.Fatal(err)
			}
			for key, v := range m {
				if _, twice := got[key]; twice {
					rt.Fatalf("%s is in two maps", key)
				}
				got[key] = v
			}
			if len(m) != len(o.Items) || o.Name != fmt.Sprintf("tower-r/map.%d", i+1) {
				rt.Fatalf("%s has %d items of %d", o.Name, len(m), len(o.Items))
			}
		}
		if diff := cmp.Diff(plain, got); diff != "" {
			rt.Fatal(diff)
		}
	})
	if several == 0 {
		t.Error("no run took several maps")
	}
}

func TestMapsAreAsFewAsTheirSizeAllows(t *testing.T) {
	d := driver(t, func(c *Config) { c.Layout = JSONMap })
	entry := len(`"AA":"",`)
	for _, c := range []struct{ first, maps int }{
		{65536 - 2 - 2*entry - 1, 1}, // with a second one of one byte; the last comma is counted, and not written
		{65536 - 2 - 2*entry, 2},
	} {
		values := map[secrets.Name]secrets.Value{
			name(t, "AA"): value(t, bytes.Repeat([]byte("a"), c.first)), name(t, "BB"): value(t, []byte("b")),
		}
		objects, err := d.Plan(runID(t, "r"), items(t, d, values), nil)
		if err != nil || len(objects) != c.maps {
			t.Errorf("%d bytes and one take %d maps, %v", c.first, len(objects), err)
		}
	}
}

func TestWhatAMapCanNotHoldIsRefused(t *testing.T) {
	d := driver(t, func(c *Config) { c.Layout = JSONMap })
	n := name(t, "AA")
	for text, carried := range map[string]bool{
		strings.Repeat("a", 65536-2-len(`"AA":"",`)):        true,
		strings.Repeat("a", 65536-2-len(`"AA":"",`)+1):      false,
		strings.Repeat("\x01", (65536-2-len(`"AA":"",`))/6): true,
		strings.Repeat("\x01", 65536/6):                     false,
		strings.Repeat("<", 60000):                          true, // JSON needs no escape for it
	} {
		var invalid *secrets.InvalidError
		if err := d.Carries(n, value(t, []byte(text))); (err == nil) != carried || err != nil && !errors.As(err, &invalid) {
			t.Errorf("%d times %q: %v", len(text), text[:1], err)
		}
	}
}

func TestWhatAWSWouldChangeIsRefusedByNameOfTheRule(t *testing.T) {
	for _, layout := range []Layout{PerSecret, JSONMap} {
		d := driver(t, func(c *Config) { c.Layout = layout })
		for text, rule := range map[string]string{
			"a\xffb":                "UTF-8",
			"\xed\xa0\x80":          "UTF-8", // half of a surrogate pair
			"a\x00b":                "NUL",
			"a\ufffdb":              "", // which is a character like others
			"\u2028 \x7f 😀 <&>\r\n": "",
		} {
			err := d.Carries(name(t, "AA"), value(t, []byte(text)))
			var invalid *secrets.InvalidError
			switch {
			case rule == "" && err != nil, rule != "" && (!errors.As(err, &invalid) || invalid.Field != "value" || !strings.Contains(invalid.Rule, rule)):
				t.Errorf("%q: %v", text, err)
			case err != nil && strings.Contains(err.Error(), text):
				t.Errorf("%q is quoted", text)
			}
		}
	}
}

func TestAValueIsSentAsItIs(t *testing.T) {
	d := driver(t, nil)
	rapid.Check(t, func(rt *rapid.T) {
		text := plainText.Draw(rt, "value")
		n := name(t, "AA")
		got, err := d.secretString(provider.Object{Items: []provider.Item{{Name: n}}}, map[secrets.Name]secrets.Value{n: value(t, text)})
		if err != nil || got != string(text) {
			rt.Errorf("%q is sent as %q, %v", text, got, err)
		}
	})
	v := value(t, []byte(rand.Text()))
	v.Destroy()
	n := name(t, "AA")
	if _, err := d.secretString(provider.Object{Items: []provider.Item{{Name: n}}}, map[secrets.Name]secrets.Value{n: v}); err == nil {
		t.Error("what was destroyed is sent")
	}
}

func TestARunWhoseReferencesDoNotFitIsRefused(t *testing.T) {
	d := driver(t, nil)
	for n, fits := range map[int]bool{100: true, 200: true, 300: false} {
		var all []provider.Item
		for i := range n {
			all = append(all, provider.Item{Name: name(t, fmt.Sprint("N", i))})
		}
		objects, err := d.Plan(runID(t, "r"), all, nil)
		var invalid *secrets.InvalidError
		if (err == nil) != fits || err != nil && (!errors.As(err, &invalid) || invalid.Field != "job definition") {
			t.Errorf("%d secrets: %v", n, err)
		}
		if !fits {
			if _, err := driver(t, func(c *Config) { c.MaxJobDefinition = -1 }).Plan(runID(t, "r"), all, nil); err != nil {
				t.Errorf("without a limit it says %v", err)
			}
			continue
		}
		var refs []provider.Reference
		for _, o := range objects {
			refs = append(refs, d.References(o, idOf(d.arn(o.Name)+"-Ab12Cd", [16]byte{1}))...)
		}
		definition, err := JobDefinition(refs, "arn:aws:iam::123456789012:role/ecs")
		if err != nil || len(definition) > 24576 {
			t.Errorf("%d secrets take %d bytes, %v", n, len(definition), err)
		}
	}
}

func TestAJobDefinitionRefersToWhatWasStaged(t *testing.T) {
	for layout, want := range map[Layout]string{
		PerSecret: `{"containerProperties":{"executionRoleArn":"arn:aws:iam::123456789012:role/ecs","secrets":[` +
			`{"name":"AA","valueFrom":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:tower-r/AA-Ab12Cd"},` +
			`{"name":"BB","valueFrom":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:tower-r/BB-Ab12Cd"}]}}`,
		JSONMap: `{"containerProperties":{"executionRoleArn":"arn:aws:iam::123456789012:role/ecs","secrets":[` +
			`{"name":"AA","valueFrom":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:tower-r/map.1-Ab12Cd:AA::"},` +
			`{"name":"BB","valueFrom":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:tower-r/map.1-Ab12Cd:BB::"}]}}`,
	} {
		d := driver(t, func(c *Config) { c.Layout = layout })
		objects, err := d.Plan(runID(t, "r"), []provider.Item{{Name: name(t, "BB")}, {Name: name(t, "AA")}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		refs := []provider.Reference{{Name: name(t, "AA"), Kind: "file", Locator: "/elsewhere"}}
		for _, o := range objects {
			refs = append(refs, d.References(o, idOf(d.arn(o.Name)+"-Ab12Cd", [16]byte{1}))...)
		}
		got, err := JobDefinition(refs, "arn:aws:iam::123456789012:role/ecs")
		if diff := cmp.Diff(want, string(got)); err != nil || diff != "" {
			t.Error(err, diff)
		}
		for _, role := range []string{"", "ecs", "arn:aws:iam::123456789012:user/ecs", "arn:aws:s3:::bucket/role/"} {
			var invalid *secrets.InvalidError
			if _, err := JobDefinition(refs, role); !errors.As(err, &invalid) || invalid.Field != "execution role" {
				t.Errorf("role %q: %v", role, err)
			}
		}
		if _, err := ContainerSecrets(append(refs, refs[1])); !errors.Is(err, secrets.ErrInvalid) {
			t.Errorf("two of one name: %v", err)
		}
	}
	if list, err := ContainerSecrets(nil); list == nil || len(list) != 0 || err != nil {
		t.Errorf("no references are %v, %v", list, err)
	}
}

func TestABadConfigurationIsRefusedByItsField(t *testing.T) {
	for field, change := range map[string]func(*Config){
		"client":   func(c *Config) { c.Client = nil },
		"account":  func(c *Config) { c.Account = "1234" },
		"region":   func(c *Config) { c.Region = "Europe" },
		"prefix":   func(c *Config) { c.Prefix = "a b" },
		"kmskeyid": func(c *Config) { c.KMSKeyID = "my key" },
		"layout":   func(c *Config) { c.Layout = 7 },
		"budget":   func(c *Config) { c.Budget = &Budget{} },
		"horizon":  func(c *Config) { c.Horizon = -1 },
		"tags": func(c *Config) {
			c.Tags = map[string]string{}
			for i := range 41 {
				c.Tags[fmt.Sprint("k", i)] = "v"
			}
		},
	} {
		c := Config{Client: unused{}, Account: testAccount, Region: testRegion}
		change(&c)
		_, err := New(c)
		var invalid *secrets.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != "config."+field {
			t.Errorf("%s: %v", field, err)
		}
	}
	for key, value := range map[string]string{
		"": "v", "aws:x": "v", "AWS:x": "v", "pipesecrets-mark": "v", "k*": "v", "k": "a*", strings.Repeat("k", 129): "v", "l": strings.Repeat("v", 257),
	} {
		if _, err := New(Config{Client: unused{}, Account: testAccount, Region: testRegion, Tags: map[string]string{key: value}}); !errors.Is(err, secrets.ErrInvalid) {
			t.Errorf("tag %q=%q: %v", key, value, err)
		}
	}
	for key, good := range map[string]bool{
		"arn:aws:kms:eu-west-1:123456789012:key/" + strings.Repeat("a", 36): true,
		"arn:aws:kms:eu-west-1:210987654321:alias/x/y_z":                    true,
		"arn:aws:kms:eu-west-2:123456789012:key/" + strings.Repeat("a", 36): false,
		"arn:aws-cn:kms:eu-west-1:123456789012:alias/x":                     false,
	} {
		c := Config{Client: unused{}, Account: testAccount, Region: testRegion, KMSKeyID: key, Tags: map[string]string{"cost centre": "a/b=1", "é": ""}}
		if _, err := New(c); (err == nil) != good {
			t.Errorf("key %s: %v", key, err)
		}
	}
}

func TestPartitionsAreOfTheirRegions(t *testing.T) {
	for region, want := range map[string]string{
		"eu-west-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "us-east-1": "aws", "us-iso-east-1": "aws-iso",
	} {
		d := driver(t, func(c *Config) { c.Region = region })
		if arn := d.arn("x"); arn != "arn:"+want+":secretsmanager:"+region+":123456789012:secret:x" {
			t.Errorf("%s: %s", region, arn)
		}
	}
}
