package crypto_test

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/pipesecrets/pipesecrets/crypto"
)

// shapes are the forms in which a printer may show bytes.
func shapes(b []byte) []string {
	list := strings.Trim(fmt.Sprint(b), "[]")
	sharp := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", b), "[]byte{"), "}")
	return []string{string(b), hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)), fmt.Sprintf("% x", b),
		base64.StdEncoding.EncodeToString(b), list, strings.ReplaceAll(list, " ", ","), sharp, strings.Trim(fmt.Sprintf("%q", b), `"`)}
}

// prints are all that fmt, the encoders and the loggers make of v, and what a
// walk over every field, pointer and element reaches.
func prints(v any) map[string]string {
	out := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		out[verb] = fmt.Sprintf(verb, v)
	}
	text, err := json.Marshal(v)
	out["json"] = fmt.Sprintf("%s %v", text, err)
	var buf bytes.Buffer
	err = gob.NewEncoder(&buf).Encode(v)
	out["gob"] = fmt.Sprintf("%s %v", buf.String(), err)
	buf.Reset()
	slog.New(slog.NewTextHandler(&buf, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&buf, nil)).Info("x", "v", v)
	out["slog"] = buf.String()
	var walked strings.Builder
	walk(reflect.ValueOf(v), &walked, map[uintptr]bool{})
	out["walk"] = walked.String()
	return out
}

// walk writes every string and run of bytes that reflection reaches from v.
func walk(v reflect.Value, out *strings.Builder, seen map[uintptr]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return
		}
		seen[v.Pointer()] = true
		walk(v.Elem(), out, seen)
	case reflect.Interface:
		walk(v.Elem(), out, seen)
	case reflect.Struct:
		for i := range v.NumField() {
			walk(v.Field(i), out, seen)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			walk(it.Key(), out, seen)
			walk(it.Value(), out, seen)
		}
	case reflect.String:
		out.WriteString(v.String())
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if e := v.Index(i); e.Kind() == reflect.Uint8 {
				out.WriteByte(byte(e.Uint()))
			} else {
				walk(e, out, seen)
			}
		}
	}
}

func shown(v any, secret []byte) (by []string) {
	for how, text := range prints(v) {
		for _, shape := range shapes(secret) {
			if strings.Contains(text, shape) {
				by = append(by, how)
				break
			}
		}
	}
	return by
}

func TestNothingThatPrintsShowsAKey(t *testing.T) {
	h := newHouse(t)
	k := h.create(t, crypto.XChaCha20Poly1305)
	records, macs := clearKeysets(t, h)
	keys := map[string][]byte{"record key": keyBytes(t, records), "MAC key": keyBytes(t, macs), "data key": h.kek.dataKey}

	path := filepath.Join(t.TempDir(), "key")
	noError(t, crypto.CreateFileKEK(path, ""))
	text, err := os.ReadFile(path)
	noError(t, err)
	fileKey, err := base64.StdEncoding.DecodeString(strings.TrimSpace(strings.TrimPrefix(string(text), "pipesecrets-kek-v1:")))
	noError(t, err)
	keys["key of the file"] = fileKey
	kek, err := crypto.FileKEK(path, "")
	noError(t, err)

	holders := map[string]any{
		"keyring":         k,
		"a config":        struct{ Keyring *crypto.Keyring }{k},
		"unexported":      struct{ keyring *crypto.Keyring }{k},
		"a pointer to it": &k,
		"MAC":             k.MAC(),
		"MAC in a struct": struct{ mac tink.MAC }{k.MAC()},
		"file KEK":        kek,
		"KEK in a struct": &struct{ kek tink.AEADWithContext }{kek},
	}
	for key, secret := range keys {
		if len(secret) != 32 {
			t.Fatalf("%s: %d bytes", key, len(secret))
		}
		// The control: a key within reach is seen, by all but the encoders.
		control := struct{ key *struct{ raw []byte } }{&struct{ raw []byte }{secret}}
		if len(shown(control, secret)) == 0 || len(shown(*control.key, secret)) < 6 {
			t.Errorf("%s: the search is blind: %v, %v", key, shown(control, secret), shown(*control.key, secret))
		}
		for label, holder := range holders {
			if by := shown(holder, secret); len(by) > 0 {
				t.Errorf("%s is shown by %v of %s", key, by, label)
			}
		}
	}
}
