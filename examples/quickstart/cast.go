package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"maps"
	"slices"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// The secrets of the story, shaped as real pipelines have them. Every value is
// made anew at each start.
var (
	licence = mustName("SENTIEON_LICENSE_BASE64")
	ncbiKey = mustName("NCBI_API_KEY")
	signing = mustName("SNOWFLAKE_PRIVATE_KEY_RAW")
	account = mustName("GCP_SERVICE_ACCOUNT_JSON")
)

func mustName(s string) secrets.Name {
	name, err := secrets.ParseName(s)
	if err != nil {
		panic("quickstart: " + err.Error())
	}
	return name
}

// cabinet holds the values, so that the story can check what became of them.
type cabinet struct {
	workspace map[secrets.Name]secrets.Value
	what      map[secrets.Name]string
	own       secrets.Value // Lin's NCBI key
}

func (c *cabinet) names() []secrets.Name {
	return slices.SortedFunc(maps.Keys(c.workspace), secrets.Name.Compare)
}

// staged returns the values that a run of Lin's gets.
func (c *cabinet) staged() map[secrets.Name]secrets.Value {
	staged := maps.Clone(c.workspace)
	staged[ncbiKey] = c.own
	return staged
}

func (c *cabinet) destroy() {
	for _, v := range c.workspace {
		v.Destroy()
	}
	c.own.Destroy()
}

func cast() (*cabinet, error) {
	c := &cabinet{workspace: map[secrets.Name]secrets.Value{}, what: map[secrets.Name]string{
		licence: "a licence file of 1.4 kB in base64",
		ncbiKey: "a key of 36 hexadecimal digits",
		signing: "a PEM block of many lines",
		account: "a JSON document with escapes and line breaks",
	}}
	document, err := json.MarshalIndent(map[string]string{
		"type": "service_account", "project_id": "genomics",
		"private_key":  string(block(1200)),
		"client_email": "pipeline@genomics.example",
	}, "", "  ")
	if err != nil {
		return nil, err
	}
	for name, plain := range map[secrets.Name][]byte{
		licence: []byte(base64.StdEncoding.EncodeToString(random(1050))),
		ncbiKey: []byte(hex.EncodeToString(random(18))),
		signing: block(2300),
		account: document,
	} {
		if c.workspace[name], err = secrets.NewValue(plain); err != nil {
			return nil, err
		}
	}
	c.own, err = secrets.NewValue([]byte(hex.EncodeToString(random(18))))
	return c, err
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

func block(n int) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: random(n)})
}
