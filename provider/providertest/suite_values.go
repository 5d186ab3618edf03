package providertest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// hostileNames are names at the edges of what secrets.ParseName allows, and such
// as a platform may take for something of its own.
var hostileNames = []string{
	"a1", "_a", "Z9_", "PATH", "IFS", "HOME", "LD_PRELOAD", "AWS_SECRET_ACCESS_KEY", "con", "nul", "null", "true", "store", "env_sh",
	"CASE_A", "CASE_a", "Case_A", strings.Repeat("x", secrets.MaxName), strings.Repeat("X_", 25),
}

// hostileValues are values at the edges of what secrets.NewValue allows, and such
// as something between the driver and the task may change.
func hostileValues() map[string][]byte {
	values := map[string][]byte{
		"a newline": []byte("\n"), "a NUL": {0}, "a NUL within": []byte("a\x00b"), "a space": []byte(" "), "spaces around": []byte("  a  "),
		"CR LF": []byte("a\r\nb\r\n"), "newlines at its end": []byte("a\n\n\n"), "quotes": []byte("a'b\"c`d\\"), "a shell's": []byte("$(id) ${HOME} !! ~ # ; & | * ? \\"),
		"a format": []byte("%s%n%d{{.}}{0}"), "JSON": []byte("{\"a\":\"\\u0000\"}"), "a BOM": []byte("\xef\xbb\xbfa"), "not UTF-8": {0xff, 0xfe, 'a', 0x80},
		"a surrogate": {0xed, 0xa0, 0x80}, "line separators": []byte("a\u2028b\u2029c\u0085"), "combining": []byte("e\u0301 \u00e9"), "an emoji": []byte("\U0001f9ec"),
		"controls": []byte("\x01\x02\x1b[31m\x7f"), "base64": []byte("AAECAw=="), "a number": []byte("007"), "a boolean": []byte("no"), "a URL": []byte("https://u:p@h/%2F?x=1&y"),
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	values["every byte"] = all
	for _, size := range []int{1, 2, 4095, 4096, 4097, 65535, secrets.MaxValue} {
		text := make([]byte, size)
		_, _ = rand.Read(text) // never fails
		values[fmt.Sprint(size, " bytes")] = text
		letters := make([]byte, size)
		for i, b := range text {
			letters[i] = 'a' + b%26
		}
		values[fmt.Sprint(size, " letters")] = letters
	}
	return values
}

var valueTests = []sentence{
	{"ArriveExactlyWhateverTheyAreOrAreRefused", func(f *fixture) {
		f.needs(f.Holds != nil, "Holds")
		for kind, plain := range hostileValues() {
			f.arrives(kind, f.name("PSEC_T"), plain)
		}
	}},
	{"ArriveUnderAnyNameOrItIsRefused", func(f *fixture) {
		f.needs(f.Holds != nil, "Holds")
		plain := map[secrets.Name][]byte{}
		for _, s := range hostileNames {
			value := f.canary()
			if name := f.name(s); f.carries("the name "+s, name, value) {
				plain[name] = value
			}
		}
		b := f.batchOf(plain) // together, so that no two get into each other's way
		ids := f.createAll(b)
		for i, o := range b.objects {
			f.held(b, o, ids[i])
		}
		f.removeAll(b)
	}},
	{"ArriveBesideAnyOthersOrAreRefused", func(f *fixture) {
		f.needs(f.Holds != nil, "Holds")
		names := f.names(2)
		for _, kind := range []string{"%s=", "x %s=", "\n%s=", "\nexport %s=", "x\" %s=", "{\"%s\":\"", "${%s}"} {
			plain := map[secrets.Name][]byte{
				names[0]: fmt.Appendf(nil, kind+"%s", names[1], f.canary()),
				names[1]: f.canary(),
			}
			if f.carries(kind, names[0], plain[names[0]]) && f.carriesBeside(kind, names[0], plain[names[0]], names[1]) {
				b := f.batchOf(plain)
				ids := f.createAll(b)
				for i, o := range b.objects {
					f.held(b, o, ids[i])
				}
				f.removeAll(b)
			}
		}
	}},
	{"OfPlainTextAreCarried", func(f *fixture) {
		for _, plain := range []string{"a", "plain text", strings.Repeat("a", 64)} { // the least that a platform must take
			if !f.carries("plain text", f.name("PSEC_T"), []byte(plain)) {
				f.Errorf("%d letters are refused", len(plain))
			}
		}
	}},
	{"AreExposedNowhere", func(f *fixture) {
		b := f.batch(3)
		ids := f.createAll(b)
		f.exposed(b, ids)
		if _, can := f.driver.(provider.Withdrawer); can {
			for i, o := range b.objects {
				if len(o.Items) > 1 {
					f.ok(f.patiently(func() error {
						return f.driver.(provider.Withdrawer).Withdraw(f.ctx, less(o), ids[i], f.opener(b, less(o), nil))
					}))
				}
			}
			f.exposed(b, ids)
		}
		f.removeAll(b)
		f.exposed(b, ids)
	}},
}

// carries asks the driver whether it carries a value.
func (f *fixture) carries(kind string, name secrets.Name, plain []byte) bool {
	f.Helper()
	v, err := secrets.NewValue(plain)
	f.ok(err)
	defer v.Destroy()
	return f.accepts(kind, plain, f.driver.Carries(name, v))
}

// carriesBeside asks the driver whether it carries a value beside another secret.
func (f *fixture) carriesBeside(kind string, name secrets.Name, plain []byte, other secrets.Name) bool {
	f.Helper()
	n, minds := f.driver.(provider.Neighbor)
	if !minds {
		return true
	}
	v, err := secrets.NewValue(plain)
	f.ok(err)
	defer v.Destroy()
	return f.accepts(kind, plain, n.CarriesBeside(name, v, []secrets.Name{other}))
}

// accepts reports whether a driver takes a value, which it may refuse by a rule only.
func (f *fixture) accepts(kind string, plain []byte, err error) bool {
	f.Helper()
	var invalid *secrets.InvalidError
	switch {
	case err == nil:
		return true
	case !errors.As(err, &invalid):
		f.Errorf("%s is refused with %T", kind, err)
	case len(plain) > 8 && strings.Contains(err.Error(), string(plain)):
		f.Errorf("the refusal of %s quotes it", kind)
	}
	return false
}

// arrives stages one value, if the driver carries it.
func (f *fixture) arrives(kind string, name secrets.Name, plain []byte) {
	f.Helper()
	if !f.carries(kind, name, plain) {
		return
	}
	b := f.batchOf(map[secrets.Name][]byte{name: plain})
	id := f.create(b, b.objects[0])
	for _, ref := range f.driver.References(b.objects[0], id) {
		if !f.Holds(ref, plain) {
			f.Errorf("%s did not arrive as it was", kind)
		}
	}
	f.removeAll(b)
}

// exposed searches all that is shown for the fixture's values.
func (f *fixture) exposed(b batch, ids []string) {
	f.Helper()
	shown := map[string][]byte{"the names at the place": []byte(strings.Join(f.Left(), "\n")), "ids": []byte(strings.Join(ids, "\n"))}
	for i, o := range b.objects {
		shown[fmt.Sprint("references ", i)] = fmt.Append(nil, f.driver.References(o, ids[i]))
		shown[fmt.Sprint("name ", i)] = []byte(o.Name)
	}
	if f.Exposed != nil {
		shown["what the platform exposes"] = f.Exposed()
	}
	for where, text := range shown {
		for _, value := range f.canaries {
			if exposes(text, value) {
				f.Errorf("%s: holds a value", where)
			}
		}
	}
}

// exposes reports whether text holds a value, raw, in hexadecimal or in base64.
func exposes(text, value []byte) bool {
	lower := bytes.ToLower(text)
	for _, form := range [][]byte{
		bytes.ToLower(value),
		[]byte(hex.EncodeToString(value)),
		// Three bytes are four digits: whatever stands before it, one of these is whole.
		[]byte(base64.RawStdEncoding.EncodeToString(value[:len(value)/3*3])),
		[]byte(base64.RawStdEncoding.EncodeToString(value[1 : 1+(len(value)-1)/3*3])),
		[]byte(base64.RawStdEncoding.EncodeToString(value[2 : 2+(len(value)-2)/3*3])),
	} {
		if bytes.Contains(text, form) || bytes.Contains(lower, form) {
			return true
		}
	}
	return false
}
