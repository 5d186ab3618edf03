package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"maps"
	"slices"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// cabinet holds the values, so that the story can check what became of them.
type cabinet struct {
	workspace, own map[secrets.Name]secrets.Value
}

// cast returns the given values, or secrets as pipelines have them, made anew at each
// start, of which Lin has one of her own.
func cast(given map[secrets.Name]secrets.Value) (cabinet, error) {
	if len(given) > 0 {
		return cabinet{workspace: given}, nil
	}
	c := cabinet{map[secrets.Name]secrets.Value{}, map[secrets.Name]secrets.Value{}}
	for _, made := range []struct {
		into  map[secrets.Name]secrets.Value
		name  string
		plain []byte
	}{
		{c.workspace, "SENTIEON_LICENSE_BASE64", []byte(base64.StdEncoding.EncodeToString(random(1050)))},
		{c.workspace, "SNOWFLAKE_PRIVATE_KEY_RAW", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: random(1200)})},
		{c.workspace, "NCBI_API_KEY", []byte(hex.EncodeToString(random(18)))},
		{c.own, "NCBI_API_KEY", []byte(hex.EncodeToString(random(18)))},
	} {
		name, err := secrets.ParseName(made.name)
		if err != nil {
			return c, err
		}
		if made.into[name], err = secrets.NewValue(made.plain); err != nil {
			return c, err
		}
	}
	return c, nil
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// staged returns the values that a run of Lin's gets.
func (c cabinet) staged() map[secrets.Name]secrets.Value {
	staged := maps.Clone(c.workspace)
	maps.Copy(staged, c.own)
	return staged
}

func (c cabinet) destroy() {
	for _, values := range []map[secrets.Name]secrets.Value{c.workspace, c.own} {
		for _, v := range values {
			v.Destroy()
		}
	}
}

// sorted returns the names in their order.
func sorted(values map[secrets.Name]secrets.Value) []secrets.Name {
	return slices.SortedFunc(maps.Keys(values), secrets.Name.Compare)
}
